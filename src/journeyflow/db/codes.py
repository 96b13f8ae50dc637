"""The stock of coupon pools whose codes are uploaded or listed, and how many codes of each pool are given and left.

A pool's codes lie in the pool's own shard, because contacts of all shards take from them. ``left`` codes are free;
``withdrawn`` ones were taken off a document's list before anybody got them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, select, tuple_, update

from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.identity import shard_of
from journeyflow.core.values import to_micros
from journeyflow.db import bulk
from journeyflow.db.tables import codes, pool_counts

READ_AT_ONCE: Final = 200
LOOKED_UP_AT_ONCE: Final = 10_000

Place = tuple[int, str]
"""Number and code."""


class Stock:
    """What one turn takes out of the pools; that they are given is written when the turn is saved."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open: dict[str, Iterator[str]] = {}
        self._taken: set[tuple[str, str]] = set()

    def take(self, pool: str) -> str | None:
        """The next free code; ``None`` when there is none."""
        if pool not in self._open:
            self._open[pool] = self._left(pool)
        return next(self._open[pool], None)

    def _left(self, pool: str) -> Iterator[str]:
        for waiting in (False, True):  # who sees none that nobody else holds asks once more, and waits for the others
            after: Place = (-1, "")
            while found := left(self._connection, pool, after, READ_AT_ONCE, taking=True, waiting=waiting):
                yield from (code for _, code in found if (pool, code) not in self._taken)
                self._taken.update((pool, code) for _, code in found)
                after = found[-1]


def left(
    connection: Connection,
    pool: str,
    after: Place,
    limit: int | None,
    *,
    taking: bool = False,
    waiting: bool = False,
) -> list[Place]:
    """Free codes behind a place, in the order in which they came.

    :param taking: keep others from taking them, too, where several take at once.
    :param waiting: for those that others keep; else these are left out.
    """
    query = (
        select(codes.c.number, codes.c.code)
        .where(*_in_pool(pool), codes.c.state == "left", tuple_(codes.c.number, codes.c.code) > tuple_(*after))
        .order_by(codes.c.number, codes.c.code)
        .limit(limit)
    )
    rows = connection.execute(query.with_for_update(skip_locked=not waiting) if taking else query)
    return [(number, code) for number, code in rows.all()]


def _in_pool(pool: str) -> tuple[ColumnElement[bool], ...]:
    return (codes.c.shard == shard_of(pool), codes.c.pool == pool)


# --- what comes in ---------------------------------------------------------------------------------------------------


def add(connection: Connection, pool: str, wanted: Sequence[str], now: datetime) -> list[str]:
    """Put codes into a pool; those that are new, in order. What was ever there is not put in again."""
    known = _states(connection, pool, wanted)
    new = [code for code in dict.fromkeys(wanted) if code not in known]
    first = to_micros(now)
    shard = shard_of(pool)
    bulk.insert(connection, codes, [(shard, pool, code, first + place, "left") for place, code in enumerate(new)])
    count(connection, {(shard, pool, "left"): len(new)})
    return new


def _states(connection: Connection, pool: str, wanted: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Number and state of those codes that the pool has, or had."""
    found: dict[str, tuple[int, str]] = {}
    shard = shard_of(pool)
    for start in range(0, len(wanted), LOOKED_UP_AT_ONCE):
        asked = bulk.triples(connection, ((shard, pool, code) for code in wanted[start : start + LOOKED_UP_AT_ONCE]))
        same = and_(codes.c.shard == asked.c.shard, codes.c.pool == asked.c.contact, codes.c.code == asked.c.third)
        columns = (codes.c.code, codes.c.number, codes.c.state)
        rows = connection.execute(select(*columns).select_from(asked.join(codes, same))).all()
        found.update((code, (number, state)) for code, number, state in rows)
    return found


def follow_list(connection: Connection, pool: CouponPool, now: datetime) -> None:
    """A document that lists its codes was published: new ones can be given, free ones that are gone no longer."""
    id_, shard = pool.coupon_pool, shard_of(pool.coupon_pool)
    listed = set(pool.listed)
    known = _states(connection, id_, pool.listed)
    returned = [(code, number) for code, (number, state) in known.items() if state == "withdrawn"]
    free = left(connection, id_, (-1, ""), None)
    gone = [(code, number) for number, code in free if code not in listed]
    rows = [(shard, id_, code, number, "left") for code, number in returned]
    bulk.put(connection, codes, [*rows, *((shard, id_, code, number, "withdrawn") for code, number in gone)])
    count(connection, {(shard, id_, "left"): len(returned) - len(gone)})
    add(connection, id_, pool.listed, now)


# --- what goes out ---------------------------------------------------------------------------------------------------


def give(connection: Connection, given: Sequence[tuple[str, str]]) -> None:
    """Codes of a stock, each (pool, code), are free no more."""
    if not given:
        return
    this = (codes.c.shard == bindparam("of_shard"), codes.c.pool == bindparam("of_pool"))
    taking = update(codes).where(*this, codes.c.code == bindparam("of_code")).values(state="given")
    rows = [{"of_shard": shard_of(pool), "of_pool": pool, "of_code": code} for pool, code in given]
    connection.execute(taking, rows)
    taken = Counter(pool for pool, _ in given)
    count(connection, {(shard_of(pool), pool, "left"): -number for pool, number in taken.items()})


# --- how many --------------------------------------------------------------------------------------------------------


def count(connection: Connection, changes: Mapping[tuple[int, str, str], int]) -> None:
    """Move the counts of pools: by shard, pool and kind (``given``, ``redeemed``, ``left``)."""
    bulk.add(connection, pool_counts, [(*one, change) for one, change in changes.items() if change])


def counts(connection: Connection, pool: str) -> dict[str, int]:
    """How many codes of a pool were given and redeemed, and are left."""
    rows = connection.execute(
        select(pool_counts.c.kind, func.sum(pool_counts.c.count))
        .where(pool_counts.c.pool == pool)
        .group_by(pool_counts.c.kind)
    ).all()
    return {"given": 0, "redeemed": 0, "left": 0, **{kind: int(number) for kind, number in rows}}
