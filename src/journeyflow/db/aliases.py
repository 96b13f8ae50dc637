"""Contacts that turned out to be another one: where they went (rule 10.4), and moving what is kept of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Row,
    SmallInteger,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from journeyflow.core.contact import Contact, Entry
from journeyflow.core.identity import shard_of
from journeyflow.core.meeting import Joining
from journeyflow.core.merge import join_entries
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk
from journeyflow.db.tables import (
    aliases,
    calls,
    contacts,
    coupons,
    entries,
    events,
    messages,
    refusals,
    requests,
    runs,
    seen,
    timers,
    trail,
)

CHAIN_MAX: Final = 10
"""An alias leads to a known contact, which is merged no further; only one that did not exist yet could be."""


_MOVES: Final[bulk.Types] = {
    "shard": SmallInteger, "contact": Text, "new_shard": SmallInteger, "new_contact": Text, "events": Integer,
    "records": Integer,
}  # fmt: skip


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
    wanted = bulk.batch(connection, ((shard_of(key), key) for key in asked))
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


def leave(connection: Connection, left: Iterable[Alias]) -> None:
    """Leave aliases; contacts of whom there is one are there no more."""
    bulk.insert(
        connection, aliases, [(shard_of(one.contact), one.contact, one.into, to_micros(one.at)) for one in left]
    )


def take_out(connection: Connection, source: Contact) -> None:
    """Of a contact that leaves for another claim group: it is there no more, and time has no work for it.

    Whatever else is kept under its key waits there for the other one's turn (:func:`move`); nobody adds to it.
    """
    mine = (contacts.c.shard == shard_of(source.key)) & (contacts.c.contact == source.key)
    connection.execute(delete(contacts).where(mine))
    if source.timer_at is not None:
        bulk.delete(connection, timers, [(to_micros(source.timer_at), shard_of(source.key), source.key)])


def move(connection: Connection, moves: Sequence[Joining]) -> None:
    """Put everything kept under the key of each source under that of the other contact.

    Events and trail are numbered behind those that are there; nobody sees the rows meanwhile, because a turn is one
    transaction. Rows are written anew and deleted: ``shard`` never changes.
    """
    rows = [(shard_of(one.key), one.key, shard_of(two.key), two.key, two.events, two.records) for one, two, _ in moves]
    moved = bulk.rows(connection, _MOVES, rows)
    former = func.coalesce(trail.c.former, trail.c.contact)
    _rekey(connection, moved, events, {"number": events.c.number + moved.c.events})
    _rekey(connection, moved, trail, {"number": trail.c.number + moved.c.records, "former": former})
    _rekey(connection, moved, messages, {"number": messages.c.number + moved.c.records})
    for table in (calls, requests, runs):
        _rekey(connection, moved, table, {})
    _move_seen(connection, moved)
    _move_entries(connection, moves)
    _move_refusals(connection, moves)
    _delete(connection, moved, contacts)
    due = [(to_micros(one.timer_at), shard_of(one.key), one.key) for one, _, _ in moves if one.timer_at is not None]
    bulk.delete(connection, timers, due)
    for one, two, _ in moves:
        if one.coupons:  # a code stays in the shard that it carries in its first characters
            mine = and_(coupons.c.shard == shard_of(one.key), coupons.c.contact == one.key)
            connection.execute(update(coupons).where(mine).values(contact=two.key))


def _same(moved: FromClause, table: Table) -> ColumnElement[bool]:
    return and_(table.c.shard == moved.c.shard, table.c.contact == moved.c.contact)


def _rekey(
    connection: Connection,
    moved: FromClause,
    table: Table,
    changed: Mapping[str, ColumnElement[Any]],  # Any: of any type
) -> None:
    values: dict[str, ColumnElement[Any]] = {one.name: one for one in table.columns}  # Any: as above
    values.update({"shard": moved.c.new_shard, "contact": moved.c.new_contact, **changed})
    chosen = select(*values.values()).select_from(moved.join(table, _same(moved, table)))
    connection.execute(insert(table).from_select([*values], chosen))
    _delete(connection, moved, table)


def _delete(connection: Connection, moved: FromClause, table: Table) -> None:
    theirs = tuple_(table.c.shard, table.c.contact).in_(select(moved.c.shard, moved.c.contact))
    connection.execute(delete(table).where(theirs))


def _move_seen(connection: Connection, moved: FromClause) -> None:
    """An id that both have had is kept of the one that stays."""
    mine, theirs = seen.alias(), seen.alias()
    same_id = and_(
        mine.c.shard == moved.c.new_shard,
        mine.c.contact == moved.c.new_contact,
        mine.c.message_id == theirs.c.message_id,
    )
    joined = moved.join(theirs, and_(theirs.c.shard == moved.c.shard, theirs.c.contact == moved.c.contact))
    both = select(theirs.c.shard, theirs.c.contact, theirs.c.message_id).select_from(joined.join(mine, same_id))
    connection.execute(delete(seen).where(tuple_(seen.c.shard, seen.c.contact, seen.c.message_id).in_(both)))
    _rekey(connection, moved, seen, {})


def _kept(connection: Connection, table: Table, moves: Sequence[Joining]) -> dict[str, list[Row[Any]]]:
    """The rows of both sides of all moves, by contact."""  # Any: rows of the table
    people = {contact.key for one in moves for contact in (one.source, one.into)}
    wanted = bulk.batch(connection, ((shard_of(key), key) for key in people))
    found: dict[str, list[Row[Any]]] = {}  # Any: as above
    for row in connection.execute(select(table).select_from(wanted.join(table, _same(wanted, table)))):
        found.setdefault(row.contact, []).append(row)
    return found


def _replace(connection: Connection, table: Table, old: Iterable[Row[Any]], new: Sequence[tuple[object, ...]]) -> None:
    """Delete rows, and put others."""  # Any: rows of the table
    keys = [column.name for column in table.primary_key.columns]
    bulk.delete(connection, table, [tuple(row._mapping[name] for name in keys) for row in old])
    bulk.put(connection, table, new)


def _move_entries(connection: Connection, moves: Sequence[Joining]) -> None:
    kept = _kept(connection, entries, moves)
    for source, into, _ in moves:
        theirs = {(row.journey, row.key): _entry(row) for row in kept.get(source.key, ())}
        if theirs:
            mine = {(row.journey, row.key): _entry(row) for row in kept.get(into.key, ())}
            joined = {key: join_entries(mine[key], one) if key in mine else one for key, one in theirs.items()}
            rows = [
                (shard_of(into.key), into.key, *key, to_micros(one.first_at), to_micros(one.last_at), one.count)
                for key, one in joined.items()
            ]
            _replace(connection, entries, kept[source.key], rows)


def _entry(row: Row[Any]) -> Entry:  # Any: a row of the table
    return Entry(from_micros(row.first_at), from_micros(row.last_at), row._mapping["count"])


def _move_refusals(connection: Connection, moves: Sequence[Joining]) -> None:
    """Counts of one journey, trigger, reason and day are added up; of two last ones the later is kept (rule 9.4)."""
    kept = _kept(connection, refusals, moves)
    for source, into, _ in moves:
        mine = {_question(row): row for row in kept.get(into.key, ())}
        rows = []
        for row in kept.get(source.key, ()):
            other = mine.get(_question(row))
            last = row if other is None or other.at <= row.at else other
            count = row._mapping["count"] + (0 if other is None else other._mapping["count"])
            rows.append((shard_of(into.key), into.key, *_question(row), count, last.version, last.at, last.detail))
        _replace(connection, refusals, kept.get(source.key, ()), rows)


def _question(row: Row[Any]) -> tuple[str, int, str, int]:  # Any: a row of the table
    return (row.journey, row.trigger, row.reason, row.day)
