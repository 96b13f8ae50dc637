"""The life of a journey under an operator's hands: pausing, going on, archiving, migrating (rules 8.1 to 8.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from journeyflow.core.errors import Conflict, NotFound, UnknownForm
from journeyflow.core.flows import JourneyState
from journeyflow.core.instructions import Migration, ResumeMode, Resumption
from journeyflow.core.places import Crowd, OlderVersions
from journeyflow.core.triggers import DateTrigger, ScheduleTrigger
from journeyflow.db import claims, documents, pauses, runs, statistics, tasks
from journeyflow.db.documents import JourneyRow, StoredDocument
from journeyflow.db.store import one_at_a_time

OVERDUE_AFTER: Final = timedelta(days=1)
"""By more than this a run has to be overdue to count as such (rule 8.2)."""


def row_of(connection: Connection, journey: str) -> JourneyRow:
    """How a journey stands.

    :raises NotFound: when there is no such journey.
    """
    row = documents.journey_rows(connection).get(journey)
    if row is None:
        raise NotFound(f"there is no journey {journey}")
    return row


def pause(connection: Connection, journey: str, clock: datetime, entries_only: bool) -> JourneyRow:
    """Let nobody in; unless ``entries_only``, let runs stand still too (rule 8.2).

    A pause that is there already goes on. Where runs stand still and only entries are to be paused, runs go on, those
    first whose time came meanwhile.

    :raises NotFound: when there is no such journey.
    :raises Conflict: when it is not live; when runs stand still that would go on, and are overdue by more than a day.
    """
    one_at_a_time(connection, documents.PUBLISHING)
    row = row_of(connection, journey)
    if row.state not in ("live", "entries_paused", "paused"):
        raise Conflict(f"journey {journey} is {row.state}; only a live one can be paused")
    wanted: JourneyState = "entries_paused" if entries_only else "paused"
    if row.state == wanted:
        return row
    now = claims.advance_all(connection, clock, alone=row.state == "paused")
    paused = replace(row, state=wanted, paused_at=now)
    _end_pause(connection, row, now)
    documents.put_journey(connection, paused)
    if row.state == "paused":
        overdue = runs.overdue(connection, journey, now - OVERDUE_AFTER)
        if overdue:
            raise Conflict(
                f"journey {journey} stands still, and {overdue} runs are overdue by more than a day; "
                "resume it, choosing how they go on, and then pause its entries"
            )
        _go_on(connection, row, now, "now", timedelta())
    documents.raise_epoch(connection)
    return paused


def resume(
    connection: Connection, journey: str, clock: datetime, mode: ResumeMode = "now", over: timedelta = timedelta()
) -> JourneyRow:
    """Go on; how those runs do whose time came meanwhile is chosen.

    :param mode: at once; spread ``over`` a time; all due times moved by the length of the pause; or past messages.
    :raises NotFound: when there is no such journey.
    :raises Conflict: when it is not paused.
    """
    one_at_a_time(connection, documents.PUBLISHING)
    row = row_of(connection, journey)
    if row.state not in ("entries_paused", "paused"):
        raise Conflict(f"journey {journey} is {row.state}, not paused")
    now = claims.advance_all(connection, clock, alone=True)
    live = replace(row, state="live", paused_at=None)
    _end_pause(connection, row, now)
    documents.put_journey(connection, live)
    _go_on(connection, row, now, mode, over)
    documents.raise_epoch(connection)
    return live


def _end_pause(connection: Connection, row: JourneyRow, now: datetime) -> None:
    """Remember a pause that ends, or becomes one of another kind, for who asks why it was not let in meanwhile."""
    if row.paused_at is not None:
        pauses.remember(connection, row.id, row.paused_at, now)


def _go_on(connection: Connection, row: JourneyRow, now: datetime, mode: ResumeMode, over: timedelta) -> None:
    """Let every contact in the journey follow the end of the pause."""
    end = None
    if row.state == "paused" and row.paused_at is not None:
        documents.add_instruction(connection, Resumption(row.id, now, row.paused_at, mode, over))
        end = now
    _arm_again(connection, row, now)
    # Silences went unwatched meanwhile: where the journey waits for them, it may concern contacts that are in no run.
    kind: tasks.Kind = "look_at_all" if documents.armed(connection, row.id) else "look_at_journey"
    tasks.add(connection, kind, row.id, now, end)


def _arm_again(connection: Connection, row: JourneyRow, now: datetime) -> None:
    """Dates and schedules that came while nobody was let in are past; silences that began meanwhile still are."""
    for stored in documents.versions(connection, "journey", row.id):
        if stored.version == row.version:
            triggers = documents.journey_of(stored).triggers
            keys = [one.key for one in triggers if isinstance(one, DateTrigger | ScheduleTrigger)]
            documents.arm_again(connection, row.id, keys, now)


def archive(connection: Connection, journey: str, clock: datetime) -> JourneyRow:
    """End a journey for good: nobody enters, and all runs exit (rules 8.1, 8.3). One that is archived stays so.

    :raises NotFound: when there is no such journey.
    """
    one_at_a_time(connection, documents.PUBLISHING)
    row = row_of(connection, journey)
    if row.state == "archived":
        return row
    now = claims.advance_all(connection, clock)
    archived = replace(row, state="archived", paused_at=None)
    _end_pause(connection, row, now)
    documents.put_journey(connection, archived)
    tasks.add(connection, "look_at_journey", journey, now)
    documents.raise_epoch(connection)
    return archived


class Migrated(NamedTuple):
    """How a journey stands, and who goes where: as runs stand now."""

    row: JourneyRow
    crowds: list[Crowd]


def migrate(
    connection: Connection, journey: str, clock: datetime, given: Mapping[str, str], *, dry_run: bool = False
) -> Migrated:
    """Let the runs of older versions go to the newest (rule 8.4), or only say who would go where.

    :param given: by node a node of the newest version, or ``exit``; without an entry, the node of the same name.
    :raises NotFound: when there is no such journey.
    :raises Conflict: when it never was published, or is archived; when this release refuses a version that runs are on.
    :raises InvalidMap: when an entry is wrong, or a node needs one.
    """
    one_at_a_time(connection, documents.PUBLISHING)
    row = row_of(connection, journey)
    if row.state in ("draft", "archived"):
        raise Conflict(f"journey {journey} is {row.state}; only one that is published has runs that can be migrated")
    known = documents.versions(connection, "journey", journey)
    published = {one.version: one for one in known if one.status == "published"}
    drafts = {one.version: _nodes(one) for one in known if one.status == "stored" and one.version > row.version}
    now = clock if dry_run else claims.advance_all(connection, clock, alone=True)
    versions = _older(connection, row, published, drafts)
    for version in versions.left():
        _demand_understood(published[version])
    places = versions.places(given)
    if versions.left() and not dry_run:
        documents.add_instruction(connection, Migration(journey, now, row.version, places))
        tasks.add(connection, "look_at_journey", journey, now, now)
        documents.raise_epoch(connection)
    return Migrated(row, versions.crowds(places))


def _nodes(stored: StoredDocument) -> list[str]:
    nodes = stored.document.get("nodes")
    return [*nodes] if isinstance(nodes, dict) else []


def _demand_understood(stored: StoredDocument) -> None:
    try:
        documents.journey_of(stored)
    except UnknownForm as error:
        raise Conflict(
            f"this release refuses version {stored.version} of journey {stored.id}, on which there are runs; a release "
            f"that takes it can let them go to another version ({error})"
        ) from error


def _older(
    connection: Connection, row: JourneyRow, published: Mapping[int, StoredDocument], drafts: Mapping[int, list[str]]
) -> OlderVersions:
    nodes = {version: _nodes(stored) for version, stored in published.items()}
    pending = [one for one in documents.pending_instructions(connection).get(row.id, []) if isinstance(one, Migration)]
    return OlderVersions(nodes, row.version, statistics.standing(connection, row.id), pending, drafts)
