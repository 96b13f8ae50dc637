"""Deleting what is kept no longer, shard by shard, so that no transaction is long.

On PostgreSQL whole months of history are dropped instead (:mod:`journeyflow.db.past_months`); of history, rows are
deleted there only where they lie in no month.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select

from journeyflow.core.values import to_micros
from journeyflow.db.months import END, FIRST
from journeyflow.db.store import on_postgresql
from journeyflow.db.tables import SHARD, calls, events, firings, messages, refusals, requests, seen, trail
from journeyflow.db.turns import DAY_US

TABLES: Final = {table.name: table for table in (events, trail, messages, calls, refusals, seen, requests, firings)}
"""What is kept for a while only, by name."""

Limits = Mapping[str, datetime]
"""For each name in :data:`TABLES` the instant before which rows go."""


def expired_shards(connection: Connection, limits: Limits) -> list[int]:
    """The shards in which something is older than the limits allow; a reading transaction will do."""
    found: set[int] = set()
    for name, before in limits.items():
        shard = TABLES[name].c[SHARD]
        found.update(connection.scalars(select(shard).where(_expired(connection, name, before)).distinct()))
    return sorted(found)


def trim_shard(connection: Connection, shard: int, limits: Limits) -> dict[str, int]:
    """Delete what is too old in one shard; how many rows of each table."""
    return {
        name: connection.execute(
            delete(TABLES[name]).where(TABLES[name].c[SHARD] == shard, _expired(connection, name, before))
        ).rowcount
        for name, before in limits.items()
    }


def _expired(connection: Connection, name: str, before: datetime) -> ColumnElement[bool]:
    month = TABLES[name].info["month"]
    if month is None or not on_postgresql(connection):
        return _older(name, before)
    at = TABLES[name].c[month]
    return and_(_older(name, before), or_(at < FIRST.start, at >= END.start))


def _older(name: str, before: datetime) -> ColumnElement[bool]:
    at = to_micros(before)
    match name:
        case "events":
            return events.c.handled_at < at
        case "messages":  # one that still waits for its delivery is in the outbox, however old
            return and_(messages.c.queued_at < at, messages.c.due_at.is_(None))
        case "calls":
            return and_(calls.c.queued_at < at, calls.c.due_at.is_(None))
        case "refusals":
            return refusals.c.day < at // DAY_US
        case "seen":
            return seen.c.at < at
        case "requests":
            return requests.c.at < at
        case "firings":  # what fired so long ago is missed by far more than a schedule catches up with
            return firings.c.at < at
        case _:
            return trail.c.at < at


def optimize(connection: Connection) -> None:
    """Let SQLite renew its statistics where they have become wrong; PostgreSQL does so by itself."""
    if not on_postgresql(connection):
        connection.exec_driver_sql("PRAGMA optimize")
