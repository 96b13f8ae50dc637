"""Fresh coupon codes: unguessable, unique within (shard, pool), hence everywhere.

The first two characters carry the contact's shard under a keyed permutation; the rest is random.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from secrets import choice
from typing import Final, NamedTuple

from sqlalchemy import Connection, exists, select, tuple_

from journeyflow.core.coupon_pool import ALPHABET, CouponPool
from journeyflow.core.identity import shard_of
from journeyflow.core.values import from_micros
from journeyflow.db.tables import coupons

SHARDS: Final = 1024
TRIES: Final = 100


class CodeFactory:
    """Makes codes for generated pools; ``secret`` keys the permutation of shards."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._permutations: dict[str, list[int]] = {}
        self._fresh: set[tuple[str, str]] = set()

    def make(self, connection: Connection, pool: CouponPool, contact: str) -> str | None:
        """A code that was never given out; ``None`` when no free code is found."""
        pool_id = pool.coupon_pool
        shard = shard_of(contact)
        head = self._head(pool_id, shard)
        for _ in range(TRIES):
            tail = "".join(choice(ALPHABET) for _ in range(pool.length - 2))
            code = f"{pool.prefix}{head}{tail}"
            if (pool_id, code) not in self._fresh and not _known(connection, shard, pool_id, code):
                self._remember(pool_id, code)
                return code
        return None

    def _remember(self, pool: str, code: str) -> None:
        """Codes of the present turn are not in the table yet; a bounded memory of the last ones covers it."""
        if len(self._fresh) > 100_000:
            self._fresh.clear()
        self._fresh.add((pool, code))

    def _head(self, pool: str, shard: int) -> str:
        if pool not in self._permutations:
            order = sorted(
                range(SHARDS), key=lambda one: blake2b(f"{pool}\x1f{one}".encode(), key=self._secret[:64]).digest()
            )
            self._permutations[pool] = order
        place = self._permutations[pool][shard]
        return ALPHABET[place // 32] + ALPHABET[place % 32]


def _known(connection: Connection, shard: int, pool: str, code: str) -> bool:
    here = (coupons.c.shard == shard) & (coupons.c.pool == pool) & (coupons.c.code == code)
    return bool(connection.scalar(select(exists().where(here))))


# --- given codes -----------------------------------------------------------------------------------------------------


class GivenCode(NamedTuple):
    """A code that a contact got; ``place`` is where it stands among all."""

    place: tuple[int, str]
    code: str
    contact: str
    journey: str
    run: str
    given_at: datetime
    expires_at: str
    redeemed_at: datetime | None


def given(
    connection: Connection, pool: str, after: tuple[int, str] | None, limit: int, *, redeemed: bool = False
) -> list[GivenCode]:
    """The codes of a pool that were given out (and redeemed), behind a place: by shard and code."""
    key = (coupons.c.shard, coupons.c.code)
    query = select(coupons).where(coupons.c.pool == pool).order_by(*key).limit(limit)
    if redeemed:
        query = query.where(coupons.c.redeemed_at.isnot(None))
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return [
        GivenCode(
            (row.shard, row.code), row.code, row.contact, row.journey, row.run, from_micros(row.allocated_at),
            row.expires_at, None if row.redeemed_at is None else from_micros(row.redeemed_at),
        )
        for row in connection.execute(query)
    ]  # fmt: skip
