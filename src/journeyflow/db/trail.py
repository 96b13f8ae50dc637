"""The trail: what one handling of a contact recorded is one row, its records as JSON in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, select, tuple_

from journeyflow.core.effects import TrailRecord
from journeyflow.core.identity import shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import forgotten
from journeyflow.db.tables import trail


def trail_rows(records: Sequence[tuple[int, TrailRecord]]) -> list[tuple[object, ...]]:
    """Rows of ``trail``, columns in order; refusals are kept elsewhere (rule 9.4)."""
    handlings: list[tuple[int, TrailRecord, list[tuple[object, ...]]]] = []
    handled: str | None = None
    steps: list[tuple[object, ...]] = []
    for number, record in records:
        if record.contact != handled:
            handled, steps = record.contact, []
        if record.run is not None:
            if not steps:
                handlings.append((number, record, steps))
            steps.append(record[2:])
    return [
        (shard_of(first.contact), first.contact, number, to_micros(first.at), orjson.dumps(steps).decode(), None)
        for number, first, steps in handlings
    ]


def of_contact(connection: Connection, contact: str) -> list[tuple[int, TrailRecord]]:
    """A contact's records in order of handling, each with the number of its row.

    Those of a contact that was merged into it are among them by their instants, as they were written.
    """
    mine = (trail.c.shard == shard_of(contact)) & (trail.c.contact == contact)
    query = select(trail.c.number, trail.c.at, trail.c.records, trail.c.former).where(
        mine, forgotten.kept(connection, trail)
    )
    return [
        (number, record)
        for number, at, records, former in connection.execute(query.order_by(trail.c.at, trail.c.number)).all()
        for record in _records(former or contact, at, orjson.loads(records))
    ]


Place = tuple[str, int, int]
"""A row: its contact, its number, and its instant in microseconds."""


def of_places(connection: Connection, places: Sequence[Place]) -> list[TrailRecord]:
    """The records of some rows, in the order in which these are named; rows that are gone are left out."""
    key = (trail.c.shard, trail.c.contact, trail.c.number, trail.c.at)
    wanted = [(shard_of(contact), contact, number, at) for contact, number, at in places]
    rows = connection.execute(select(trail).where(tuple_(*key).in_(wanted)))
    found = {(row.contact, row.number, row.at): row for row in rows}
    return [
        record
        for place in places
        if (row := found.get(place)) is not None
        for record in _records(row.former or row.contact, row.at, orjson.loads(row.records))
    ]


def of_run(connection: Connection, contact: str, run: str) -> list[TrailRecord]:
    """The records of one run, in order."""
    return [record for _, record in of_contact(connection, contact) if record.run == run]


def _records(contact: str, at: int, steps: Iterable[list[Any]]) -> Iterator[TrailRecord]:  # Any: as trail_rows wrote
    for step in steps:
        yield TrailRecord(from_micros(at), contact, *step)
