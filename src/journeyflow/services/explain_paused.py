"""Events that let nobody in since their journey was paused (rule 8.2): no trail tells of them, so ``explain`` does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

from sqlalchemy import Connection

from journeyflow.db import documents, history, pauses
from journeyflow.db.documents import JourneyRow
from journeyflow.db.pauses import MetAPause
from journeyflow.services.explain_words import awaited_events, event_fits, local


def kept_out(connection: Connection, contact: str, journey: str | None, zone: tzinfo) -> Iterator[str]:
    """A line for each pause of each journey (or of one) and event in it that a trigger of the journey names."""
    awaited: dict[tuple[str, datetime | None], list[str]] = {}
    rows = documents.journey_rows(connection)
    found = [*pauses.met(connection, contact, journey), *_of_now(connection, contact, journey, rows)]
    for one in found:
        if one.journey in rows:
            pause = (one.journey, one.ended_at)
            if pause not in awaited:
                awaited[pause] = _awaited(connection, rows[one.journey], one.ended_at)
            if any(event_fits(one.name, pattern) for pattern in awaited[pause]):
                yield f"{one.journey}: {_line(one, zone)}"


def _of_now(
    connection: Connection, contact: str, journey: str | None, rows: dict[str, JourneyRow]
) -> Iterator[MetAPause]:
    for row in rows.values():
        if journey in (None, row.id) and row.paused_at is not None:
            had = history.event_names(connection, contact, since=row.paused_at)
            for name, (count, last) in had.items():
                yield MetAPause(row.id, row.paused_at, None, name, count, last)


def _awaited(connection: Connection, row: JourneyRow, ended_at: datetime | None) -> list[str]:
    """The events that let contacts in by the version of a journey that was in force when a pause ended."""
    if ended_at is None:
        stored = documents.version(connection, "journey", row.id, row.version)
        return [] if stored is None else awaited_events(stored.document)
    published = [one for one in documents.versions(connection, "journey", row.id) if one.status == "published"]
    return next((awaited_events(one.document) for one in published if one.at <= ended_at), [])


def _line(one: MetAPause, zone: tzinfo) -> str:
    which = f"the {one.name} of" if one.count == 1 else f"{one.count} {one.name}, the last of"
    since = local(one.paused_at, zone)
    if one.ended_at is None:
        paused = f"the journey is paused since {since}"
    else:
        paused = f"the journey was paused from {since} to {local(one.ended_at, zone)}"
    return f"{which} {local(one.last_at, zone)} let nobody in: {paused}"
