"""Inputs that a decision failed on: set aside with the error, never lost, in nobody's way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from journeyflow.core.identity import shard_of
from journeyflow.core.inputs import Wake
from journeyflow.core.meeting import Item
from journeyflow.core.values import to_micros
from journeyflow.db import bulk, inbox
from journeyflow.db.contacts import dump
from journeyflow.db.tables import failures


def put(connection: Connection, contact: str, inputs: Sequence[Item], error: str, now: datetime) -> None:
    """Set inputs aside; a failure without one (time passed) is kept as such."""
    rows = []
    for item in inputs or [Wake(now)]:
        kind, payload = inbox.encode(item)
        id_ = inbox.next_id(now)
        rows.append((shard_of(contact), contact, id_, to_micros(item.at), kind, dump(payload), error, to_micros(now)))
    bulk.insert(connection, failures, rows)


def of_contacts(connection: Connection, contacts: Iterable[str]) -> list[str]:
    """The errors with which inputs of contacts were set aside."""
    found: list[str] = []
    for contact in contacts:
        mine = (failures.c.shard == shard_of(contact)) & (failures.c.contact == contact)
        found.extend(connection.scalars(select(failures.c.error).where(mine).order_by(failures.c.id)))
    return found


def count(connection: Connection) -> int:
    """How many inputs are set aside."""
    return connection.scalar(select(func.count()).select_from(failures)) or 0
