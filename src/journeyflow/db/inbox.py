"""What has arrived and waits for its turn. Ids grow with the time of arrival, in every process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from secrets import randbelow
from threading import Lock
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import CompoundSelect, Connection, Table, bindparam, delete, exists, func, literal, select, union_all

from journeyflow.core.identity import shard_of
from journeyflow.core.inputs import (
    Absorb,
    AddressTurned,
    Appear,
    Await,
    Enroll,
    Event,
    Forget,
    Identify,
    Merge,
    MessageFailed,
    MessageRetried,
    Move,
    Remove,
    Reply,
    SetTags,
    SetTopics,
    Wake,
)
from journeyflow.core.meeting import Item
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk
from journeyflow.db.claims import WHOLE, Group, groups, within
from journeyflow.db.contacts import dump, instant, micros, packed, unpacked
from journeyflow.db.store import on_postgresql
from journeyflow.db.tables import inbox

Arrival = Item | Await

AWAIT: Final = "await"
ABSORB: Final = "absorb"
MERGE: Final = "merge"
_BITS: Final = 12
_STEP: Final = 1 << _BITS
_lock = Lock()
_last = 0
_own = 0


def _draw() -> None:
    """Choose the last bits of all ids of this process. Its number would not do: in a container it is mostly 1."""
    global _last, _own
    _last, _own = 0, randbelow(_STEP)


_draw()
os.register_at_fork(after_in_child=_draw)


def next_id(at: datetime) -> int:
    """An id that is larger than all that this process gave before, and grows with ``at`` between processes.

    Many inputs of one instant do not run into the ids of another process: each is a step further.
    """
    global _last  # noqa: PLW0603  # the one counter of the process
    with _lock:
        _last = max(_last + _STEP, (to_micros(at) << _BITS) + _own)
        return _last


_Row = tuple[int, int, str, int, str, str]
"""A row of ``inbox``."""


class Arrived(NamedTuple):
    """An input of a contact, as the inbox has it."""

    id: int
    contact: str
    input: Item


class Awaited(NamedTuple):
    """The place of an input that is not there yet."""

    id: int
    contact: str
    input: Await


def put(connection: Connection, arrivals: Iterable[tuple[str, Item]]) -> list[int]:
    """Store inputs in order; their ids."""
    numbered = [(next_id(item.at), contact, item) for contact, item in arrivals]
    rows = [_row(*one) for one in numbered]
    if on_postgresql(connection) and any(isinstance(item, Merge) for _, _, item in numbered):
        rows.extend(places_of_merges(groups(connection), numbered))
    bulk.insert(connection, inbox, rows)
    return [id_ for id_, _, _ in numbered]


def hand_on(connection: Connection, numbered: Iterable[tuple[int, str, Item]]) -> None:
    """Store inputs for contacts of other groups, at the places that they had."""
    bulk.insert(connection, inbox, [_row(*one) for one in numbered])


def places_of_merges(known: Sequence[Group], numbered: Iterable[tuple[int, str, Arrival]]) -> Iterator[_Row]:
    """Where the other contact is of another group it is told what to wait for: see :class:`Await`."""
    for id_, contact, item in numbered:
        if isinstance(item, Merge):
            mine = next(group for group in known if group.holds(contact))
            if not mine.holds(item.into):
                yield _row(id_, item.into, Await(item.at, contact))


def _row(id_: int, contact: str, item: Arrival) -> _Row:
    kind, payload = encode(item)
    return (id_, shard_of(contact), contact, to_micros(item.at), kind, dump(payload))


_OLDEST: Final = (
    select(inbox.c.id, inbox.c.contact, inbox.c.at, inbox.c.kind, inbox.c.payload)
    .order_by(inbox.c.id)
    .limit(bindparam("most"))
)


def oldest(connection: Connection, group: Group, limit: int) -> list[Arrived | Awaited]:
    """The oldest inputs of a group, in order of arrival."""
    query, of_group = (_OLDEST, {}) if group == WHOLE else within(group, _OLDEST, inbox)
    found: list[Arrived | Awaited] = []
    for id_, contact, at, kind, payload in connection.execute(query, {**of_group, "most": limit}).all():
        item = decode(kind, from_micros(at), orjson.loads(payload))
        found.append(Awaited(id_, contact, item) if isinstance(item, Await) else Arrived(id_, contact, item))
    return found


def remove(connection: Connection, arrived: Sequence[Arrived | Awaited]) -> None:
    """Delete the oldest inputs of a group, which have been read in the same transaction; those and no others.

    Where others may write meanwhile, one that is committed later may have a smaller id. Whoever awaits one of the
    merges need not wait any more: what becomes of it is decided in this transaction.
    """
    if on_postgresql(connection):
        keys = [(one.id, shard_of(one.contact), one.contact) for one in arrived]
        merges = [(one.id, one.input.into) for one in arrived if isinstance(one.input, Merge)]
        bulk.delete(connection, inbox, [*keys, *((id_, shard_of(into), into) for id_, into in merges)])
    elif arrived:
        connection.execute(delete(inbox).where(inbox.c.id <= arrived[-1].id))


def waiting_groups(connection: Connection, some: Iterable[Group]) -> set[int]:
    """The first shards of the groups for which something has arrived."""
    return set(connection.scalars(_waiting(tuple(some))))


@cache
def _waiting(some: tuple[Group, ...]) -> CompoundSelect[int]:
    """Putting it together takes far longer than asking it."""
    return union_all(*(select(literal(group.first)).where(exists().where(group.of(inbox))) for group in some))


def waits(connection: Connection, contact: str, id_: int) -> bool:
    """Whether an input has not had its turn yet."""
    here = (inbox.c.shard == shard_of(contact)) & (inbox.c.contact == contact) & (inbox.c.id == id_)
    return bool(connection.scalar(select(exists().where(here))))


def waiting(connection: Connection, contacts: Iterable[str]) -> tuple[int, datetime | None]:
    """How many inputs of contacts have not had their turn yet, and when the first of them arrived."""
    found: list[datetime] = []
    for contact in contacts:
        mine = (inbox.c.shard == shard_of(contact)) & (inbox.c.contact == contact)
        here = mine & (inbox.c.kind != AWAIT)  # which is but the place of a merge
        found.extend(from_micros(at) for at in connection.scalars(select(inbox.c.at).where(here)))
    return len(found), min(found, default=None)


def absorbed(connection: Connection, table: Table, contact: str) -> set[str]:
    """Who is merged into a contact by what waits in a table, the inbox or what was set aside."""
    mine = (table.c.shard == shard_of(contact)) & (table.c.contact == contact) & (table.c.kind == ABSORB)
    return {orjson.loads(payload)["contact"] for payload in connection.scalars(select(table.c.payload).where(mine))}


def oldest_at(connection: Connection) -> datetime | None:
    """When the oldest input arrived that waits."""
    found = connection.scalar(select(inbox.c.at).order_by(inbox.c.id).limit(1))
    return None if found is None else from_micros(found)


def count(connection: Connection, most: int) -> int:
    """How many inputs wait, counted up to so many."""
    some = select(inbox.c.id).limit(most).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def is_empty(connection: Connection) -> bool:
    """Whether nothing waits."""
    return not connection.scalar(select(exists().where(inbox.c.id > 0)))


# --- inputs as JSON --------------------------------------------------------------------------------------------------


def encode(item: Arrival) -> tuple[str, dict[str, object]]:
    """An input's kind and its data."""
    match item:
        case Event():
            data: dict[str, object] = {
                "name": item.name,
                "occurred_at": to_micros(item.occurred_at),
                "properties": item.properties,
            }
            if item.message_id is not None:
                data["message_id"] = item.message_id
            if item.imported:
                data["imported"] = True
            if item.guarded:
                data["guarded"] = True
            return "event", _named(data, item.known)
        case Identify():
            traits: dict[str, object] = {
                "attributes": item.attributes,
                "message_id": item.message_id,
                "imported": item.imported,
            }
            if item.guarded:
                traits["guarded"] = True
            if item.occurred_at is not None:
                traits["occurred_at"] = to_micros(item.occurred_at)
            return "identify", _named(traits, item.known)
        case SetTags():
            return "tags", {"add": item.add, "remove": item.remove, "imported": item.imported}
        case SetTopics():
            return "topics", {"topics": item.topics}
        case Appear():
            row: dict[str, object] = {
                "created_at": micros(item.created_at),
                "attributes": item.attributes,
                "tags": item.tags,
                "announced": item.announced,
            }
            consent = {"topics": item.topics, "unsubscribed": item.unsubscribed, "suppressed": item.suppressed}
            row.update((name, said) for name, said in consent.items() if said)
            return "appear", _named(row, item.known)
        case Enroll():
            return "enroll", {"journey": item.journey, "properties": item.properties}
        case Remove():
            return "remove", {"run": item.run}
        case Merge():
            return MERGE, {"into": item.into, **({"guarded": True} if item.guarded else {})}
        case Move():
            return "move", {"run": item.run, "node": item.node, "version": item.version}
        case MessageFailed():
            return "message_failed", {"message": item.message, "channel": item.channel}
        case MessageRetried():
            where = {"run": item.run, "node": item.node, "channel": item.channel}
            return "message_retried", {"message": item.message, **where, "template": item.template, "to": item.to}
        case AddressTurned():
            return "address_turned", {"imported": item.imported}
        case Forget():
            return "forget", {}
        case Await():
            return AWAIT, {"source": item.source}
        case Absorb():
            return ABSORB, {**packed(item.other), **({"guarded": True} if item.guarded else {})}
        case Reply():
            called = {"run": item.run, "node": item.node, "visit": item.visit}
            return "reply", {**called, "status": item.status, "body": item.body, "error": item.error}
        case Wake():
            return "wake", {}


def _named(data: dict[str, object], known: bool) -> dict[str, object]:
    """Most contacts are known, so that nothing is kept of it."""
    if not known:
        data["anonymous"] = True
    return data


def decode(kind: str, at: datetime, data: dict[str, Any]) -> Arrival:  # Any: what encode wrote
    """The input that ``encode`` made data of."""
    match kind:
        case "event":
            return Event(
                at,
                data["name"],
                from_micros(data["occurred_at"]),
                data["properties"],
                data.get("message_id"),
                imported=data.get("imported", False),
                known="anonymous" not in data,
                guarded=data.get("guarded", False),
            )
        case "identify":
            return Identify(
                at,
                data["attributes"],
                data["message_id"],
                data["imported"],
                "anonymous" not in data,
                data.get("guarded", False),
                instant(data.get("occurred_at")),
            )
        case "tags":
            return SetTags(at, tuple(data["add"]), tuple(data["remove"]), data["imported"])
        case "topics":
            return SetTopics(at, data["topics"])
        case "appear":
            created_at = instant(data["created_at"])
            known = "anonymous" not in data
            attributes, tags = data["attributes"], tuple(data["tags"])
            unsubscribed, suppressed = tuple(data.get("unsubscribed", ())), tuple(data.get("suppressed", ()))
            consent = (data.get("topics", {}), unsubscribed, suppressed)
            return Appear(at, created_at, attributes, tags, data["announced"], known, *consent)
        case "enroll":
            return Enroll(at, data["journey"], data["properties"])
        case "remove":
            return Remove(at, data["run"])
        case "merge":
            return Merge(at, data["into"], data.get("guarded", False))
        case "move":
            return Move(at, data["run"], data["node"], data["version"])
        case "message_failed":
            return MessageFailed(at, data["message"], data["channel"])
        case "message_retried":
            where = (data["run"], data["node"], data["channel"])
            return MessageRetried(at, data["message"], *where, data["template"], data["to"])
        case "address_turned":
            return AddressTurned(at, data["imported"])
        case "forget":
            return Forget(at)
        case "await":
            return Await(at, data["source"])
        case "absorb":
            return Absorb(at, unpacked(data), data.get("guarded", False))
        case "reply":
            called = (data["run"], data["node"], data["visit"])
            return Reply(at, *called, data["status"], data["body"], data["error"])
        case _:
            return Wake(at)
