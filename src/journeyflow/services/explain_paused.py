"""Events that let nobody in since their journey is paused (rule 8.2): no trail tells of them, so ``explain`` does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

from sqlalchemy import Connection

from journeyflow.db import documents, history
from journeyflow.services.explain_words import awaited_events, event_fits, local


def kept_out(connection: Connection, contact: str, journey: str | None, zone: tzinfo) -> Iterator[str]:
    """A line for each journey that is paused now (or for one) and event since then that a trigger of it names.

    Pauses that are over are not kept, so nothing can be said of them.
    """
    for row in documents.journey_rows(connection).values():
        if journey in (None, row.id) and row.paused_at is not None:
            stored = documents.version(connection, "journey", row.id, row.version)
            patterns = [] if stored is None else awaited_events(stored.document)
            had = history.event_names(connection, contact, since=row.paused_at)
            for name, (count, last) in had.items():
                if any(event_fits(name, pattern) for pattern in patterns):
                    yield f"{row.id}: {_line(name, count, last, row.paused_at, zone)}"


def _line(name: str, count: int, last: datetime, since: datetime, zone: tzinfo) -> str:
    which = f"the {name} of" if count == 1 else f"{count} {name}, the last of"
    return f"{which} {local(last, zone)} let nobody in: the journey is paused since {local(since, zone)}"
