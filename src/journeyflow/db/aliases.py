"""Contacts that turned out to be another one: where they went (rule 10.4), and moving what is kept of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from journeyflow.core.contact import Contact, Entry
from journeyflow.core.identity import shard_of
from journeyflow.core.merge import join_entries
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk_sqlite as bulk
from journeyflow.db.tables import (
    aliases,
    contacts,
    coupons,
    entries,
    events,
    messages,
    refusals,
    runs,
    seen,
    timers,
    trail,
)

CHAIN_MAX: Final = 10
"""An alias leads to a known contact, which is merged no further; only one that did not exist yet could be."""


class Alias(NamedTuple):
    """A contact that was merged, into which other one, and when."""

    contact: str
    into: str
    at: datetime


# --- looking ---------------------------------------------------------------------------------------------------------


def find(connection: Connection, keys: Iterable[str]) -> dict[str, str]:
    """Of those keys the aliases, each with the key of the contact that it stands for now."""
    found = _step(connection, keys)
    for _ in range(CHAIN_MAX):
        further = _step(connection, set(found.values()))
        if not further:
            break
        found = {key: further.get(target, target) for key, target in found.items()}
    return found


def _step(connection: Connection, keys: Iterable[str]) -> dict[str, str]:
    asked = list(keys)
    if not asked:
        return {}
    wanted = bulk.batch((shard_of(key), key) for key in asked)
    same = and_(aliases.c.shard == wanted.c.shard, aliases.c.contact == wanted.c.contact)
    rows = connection.execute(select(aliases.c.contact, aliases.c.into).select_from(wanted.join(aliases, same)))
    return dict(rows.all())


def resolve(connection: Connection, key: str) -> str:
    """The key a contact goes by: its own, or that of the contact that it was merged into."""
    return find(connection, [key]).get(key, key)


def into(connection: Connection, key: str) -> list[Alias]:
    """Who was merged into a contact, in order."""
    query = select(aliases).where(aliases.c.into == key).order_by(aliases.c.at, aliases.c.contact)
    return [Alias(row.contact, row.into, from_micros(row.at)) for row in connection.execute(query)]


# --- moving ----------------------------------------------------------------------------------------------------------


def move(connection: Connection, source: Contact, target: Contact, at: datetime) -> None:
    """Put everything kept under the key of ``source`` under that of ``target``, and leave an alias.

    Events and trail are numbered behind those of ``target``; nobody else sees the rows meanwhile, because a turn is
    one transaction. Rows are written anew and deleted: ``shard`` never changes.
    """
    old, new = source.key, target.key
    bulk.insert(connection, aliases, [(shard_of(old), old, new, to_micros(at))])
    _rekey(connection, events, old, new, {"number": events.c.number + target.events})
    former = func.coalesce(trail.c.former, trail.c.contact)
    _rekey(connection, trail, old, new, {"number": trail.c.number + target.records, "former": former})
    _rekey(connection, messages, old, new, {})
    _rekey(connection, runs, old, new, {})
    _move_seen(connection, old, new)
    _move_entries(connection, old, new)
    _move_refusals(connection, old, new)
    # A code stays in the shard that it carries in its first characters.
    connection.execute(update(coupons).where(_of(coupons, old)).values(contact=new))
    for table in (timers, contacts):
        connection.execute(delete(table).where(_of(table, old)))


def _of(table: Table, contact: str) -> ColumnElement[bool]:
    return and_(table.c.shard == shard_of(contact), table.c.contact == contact)


def _rekey(
    connection: Connection,
    table: Table,
    old: str,
    new: str,
    changed: Mapping[str, ColumnElement[Any]],  # Any: of any type
) -> None:
    values: dict[str, ColumnElement[Any]] = {one.name: one for one in table.columns}  # Any: as above
    values.update({"shard": literal(shard_of(new)), "contact": literal(new), **changed})
    chosen = select(*values.values()).where(_of(table, old))
    connection.execute(insert(table).from_select([*values], chosen))
    connection.execute(delete(table).where(_of(table, old)))


def _move_seen(connection: Connection, old: str, new: str) -> None:
    had = select(seen.c.message_id).where(_of(seen, new))
    connection.execute(delete(seen).where(_of(seen, old), seen.c.message_id.in_(had)))
    _rekey(connection, seen, old, new, {})


def _move_entries(connection: Connection, old: str, new: str) -> None:
    def kept(contact: str) -> dict[tuple[str, str], Entry]:
        rows = connection.execute(select(entries).where(_of(entries, contact))).all()
        return {
            (row.journey, row.key): Entry(from_micros(row.first_at), from_micros(row.last_at), row._mapping["count"])
            for row in rows
        }

    theirs = kept(old)
    if not theirs:
        return
    mine = kept(new)
    joined = {key: join_entries(mine[key], entry) if key in mine else entry for key, entry in theirs.items()}
    shard = shard_of(new)
    rows = [
        (shard, new, *key, to_micros(one.first_at), to_micros(one.last_at), one.count) for key, one in joined.items()
    ]
    bulk.put(connection, entries, rows)
    connection.execute(delete(entries).where(_of(entries, old)))


def _move_refusals(connection: Connection, old: str, new: str) -> None:
    """Counts of one journey, trigger, reason and day are added up; of two last ones the later is kept (rule 9.4)."""

    def kept(contact: str) -> dict[tuple[object, ...], Row[Any]]:  # Any: a row of the table
        rows = connection.execute(select(refusals).where(_of(refusals, contact))).all()
        return {(row.journey, row.trigger, row.reason, row.day): row for row in rows}

    theirs = kept(old)
    if not theirs:
        return
    mine = kept(new)
    rows = []
    for key, row in theirs.items():
        other = mine.get(key)
        last = row if other is None or other.at <= row.at else other
        count = row._mapping["count"] + (0 if other is None else other._mapping["count"])
        rows.append((shard_of(new), new, *key, count, last.version, last.at, last.detail))
    bulk.put(connection, refusals, rows)
    connection.execute(delete(refusals).where(_of(refusals, old)))
