"""Runs that wait: what the five-node journey leaves of contacts that came in three days ago, and still wait.

Some are due at each of a few instants; they lie scattered among those that are due in the weeks after.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import psycopg

from benchmarks.five_node_engine import publish
from benchmarks.five_node_start import WAKING_AT, arrival_rows, contact_rows, micros
from benchmarks.five_node_start_postgresql import make_tables
from benchmarks.floors.five_node_postgresql import (
    ADD_EVENTS,
    ADD_MESSAGES,
    ADD_RUNS,
    ADD_TIMERS,
    ADD_TRAIL,
    OF_MESSAGES,
    OF_RUNS,
    copy,
)
from benchmarks.floors.five_node_rows import WAKING_TEXT, Row, Rows, entering
from benchmarks.postgresql import connect, settle
from journeyflow.db.store import open_engine

ADD_CONTACTS: Final = "COPY contacts (timer_at, state, shard, contact, created_at) FROM STDIN"
ADD_SEEN: Final = "COPY seen (shard, contact, message_id, at) FROM STDIN"
ADD_SENT: Final = ADD_MESSAGES.replace(" due_at,", "")
SENT: Final = OF_MESSAGES.replace("queued", "sent")
CHUNK: Final = 10_000
LATER: Final = timedelta(days=30)
"""Who is not among those that are due waits at least so long."""
SPREAD_DAYS: Final = 60


def due_at(round_: int) -> datetime:
    """The instant of one of the rounds of a measurement, from 0."""
    return WAKING_AT + timedelta(hours=round_)


def prepare(url: str, waiting: int, due: int, rounds: int) -> None:
    """Make tables in which so many runs wait, of which ``due`` are due in each round."""
    make_tables(url)
    with connect(url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pageinspect")
    engine = open_engine(url)
    publish(engine)
    engine.dispose()
    with connect(url) as connection, connection.cursor() as cursor:
        for rows, created in _entered(waiting, due, rounds):
            _write(cursor, rows, created)
    settle(url)


def _entered(waiting: int, due: int, rounds: int) -> Iterator[tuple[Rows, list[int]]]:
    contacts, arrivals = contact_rows(waiting), arrival_rows(waiting)
    waits = _waits(waiting, due, rounds)
    while chunk := list(islice(contacts, CHUNK)):
        created = [int(str(at)) for _, _, at, _ in chunk]
        arrived: list[Any] = [  # Any: columns of any type
            (shard, contact, payload, state)
            for (shard, contact, _, state), (*_, payload) in zip(chunk, arrivals, strict=False)
        ]
        yield _waiting(entering(arrived), list(islice(waits, len(chunk)))), created


def _waits(waiting: int, due: int, rounds: int) -> Iterator[datetime]:
    """Until when each waits: evenly among all, ``due`` of each round."""
    chosen = due * rounds
    for number in range(waiting):
        place = number * chosen // waiting
        if (number + 1) * chosen // waiting > place:
            yield due_at(place % rounds)
        else:
            yield due_at(rounds) + LATER + timedelta(days=number % SPREAD_DAYS, seconds=number % 86_400)


def _waiting(made: Rows, waits: list[datetime]) -> Rows:
    """The same rows, that wait until these instants."""
    instants = [micros(wait) for wait in waits]
    texts = [wait.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for wait in waits]
    made.contacts = [(at, *row[1:]) for at, row in zip(instants, made.contacts, strict=True)]
    made.runs = [(*row[:3], at, *row[4:]) for at, row in zip(instants, made.runs, strict=True)]
    made.timers = [(at, *row[1:]) for at, row in zip(instants, made.timers, strict=True)]
    made.trail = [
        (*row[:4], str(row[4]).replace(WAKING_TEXT, text)) for text, row in zip(texts, made.trail, strict=True)
    ]
    made.messages = [(*row[:9], *row[10:]) for row in made.messages]  # they were sent long ago
    return made


def _write(cursor: psycopg.Cursor[Any], rows: Rows, created: list[int]) -> None:
    contacts: list[Row] = [(*row, at) for row, at in zip(rows.contacts, created, strict=True)]
    copy(cursor, ADD_CONTACTS, contacts)
    copy(cursor, ADD_SEEN, rows.seen)
    copy(cursor, ADD_EVENTS, rows.events)
    copy(cursor, ADD_RUNS, rows.runs, OF_RUNS)
    copy(cursor, ADD_TRAIL, rows.trail)
    copy(cursor, ADD_SENT, rows.messages, SENT)
    copy(cursor, ADD_TIMERS, rows.timers)
