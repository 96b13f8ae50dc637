"""Who is in a segment now: the store says who may be, the core decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from journeyflow.core.contact import Contact
from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.effects import Effects
from journeyflow.core.errors import NotFound
from journeyflow.core.standing import Definition
from journeyflow.core.view import Library, View
from journeyflow.db import contacts, segments
from journeyflow.db.claims import Place
from journeyflow.db.memory import TurnMemory
from journeyflow.db.segments import ANYBODY, Wish
from journeyflow.db.tasks import UNTOUCHED

CHUNK: Final = 500
"""So many contacts are in memory at once."""
SCANNED_MAX: Final = 50_000
"""So many contacts are passed for one page at most; a page may have fewer members than asked for, and go on."""


def definition(library: Library, segment: str) -> Definition:
    """The definition in force.

    :raises NotFound: when there is no such segment.
    """
    found = next((one for one in library.standing.segments if one.id == segment), None)
    if found is None:
        raise NotFound(f"there is no segment {segment}")
    return found


def count(connection: Connection, library: Library, segment: str, now: datetime) -> int:
    """How many contacts are in the segment.

    :raises NotFound: when there is no such segment.
    """
    asked = definition(library, segment)
    found = segments.count_certain(connection, asked.key, now)
    after: Place = UNTOUCHED
    while places := segments.uncertain_members(connection, asked.key, now, after, CHUNK):
        after = places[-1]
        found += len(_decided(connection, library, asked, [key for _, key in places], now))
    return found


def page(
    connection: Connection,
    library: Library,
    segment: str | None,
    after: Place | None,
    limit: int,
    now: datetime,
    wish: Wish = ANYBODY,
) -> tuple[list[Contact], Place | None]:
    """The next members behind a place, in a fixed order, and the place where the next page begins, if there is one.

    :param segment: ``None`` where everybody counts whom the wish chooses.
    :raises NotFound: when there is no such segment.
    """
    asked = None if segment is None else definition(library, segment)
    key = None if asked is None else asked.key
    place: Place = UNTOUCHED if after is None else after
    members: list[Contact] = []
    for _ in range(SCANNED_MAX // CHUNK):
        wanted = limit - len(members)
        found, place, more = segments.possible_members(connection, key, now, place, wanted, CHUNK, wish)
        members.extend(_decided(connection, library, asked, [key for _, key in found], now))
        if not more:
            return members, None
        if len(members) == limit:
            break
    return members, place


def _decided(
    connection: Connection, library: Library, asked: Definition | None, keys: Sequence[str], now: datetime
) -> list[Contact]:  # fmt: skip
    """Those of the contacts that are in the segment, in the order in which they were given."""
    if not keys:
        return []
    people = contacts.load(connection, keys, now)
    if asked is None:
        return _in_order(people, keys)
    memory = TurnMemory(connection, people, {}, Effects(), _no_code)
    when = asked.question.condition
    return [one for one in _in_order(people, keys) if when.holds(View(one, now, library, memory, Effects()))]


def _in_order(people: dict[str, Contact], keys: Iterable[str]) -> list[Contact]:
    return [people[key] for key in keys if key in people]


def _no_code(connection: Connection, pool: CouponPool, contact: str) -> str | None:
    raise AssertionError("nobody gets a code by being looked at")
