"""``coupon``: give the contact a code (rules 6.1 to 6.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from journeyflow.core.contact import Coupon
from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.effects import Allocation
from journeyflow.core.identity import message_id
from journeyflow.core.nodes.base import ActionNode, Go, Visit
from journeyflow.core.values import NodeName, Slug, VariableName, parse_instant

HELD_MAX: Final = 100
"""So many codes of one contact are looked through; older ones are no longer handed out again."""


class CouponNode(ActionNode):
    """Takes a code from a pool and saves ``{code, pool, expires_at}``."""

    type: Literal["coupon"]
    pool: Slug
    save_as: VariableName = "coupon"
    on_empty: NodeName | None = None

    def act(self, visit: Visit) -> Go:
        pool = visit.decision.library.pools.get(self.pool)
        coupon = None if pool is None else self._held(visit, pool) or self._fresh(visit, pool)
        if coupon is None:
            visit.record("skipped", {"reason": "no_coupon"})
            return Go(self.next if self.on_empty is None else self.on_empty)
        visit.run.vars[self.save_as] = {"code": coupon.code, "pool": coupon.pool, "expires_at": coupon.expires_at}
        visit.record("ran", {"pool": coupon.pool, "code": coupon.code})
        return Go(self.next)

    def _held(self, visit: Visit, pool: CouponPool) -> Coupon | None:
        """Rule 6.2: the contact's unused, unexpired code of this journey."""
        if pool.reuse == "never":
            return None
        for coupon in visit.decision.contact.coupons:
            if coupon.pool == self.pool and coupon.journey == visit.run.journey and not coupon.redeemed:
                expires_at = parse_instant(coupon.expires_at)
                if expires_at is not None and expires_at >= visit.now:
                    return coupon
        return None

    def _fresh(self, visit: Visit, pool: CouponPool) -> Coupon | None:
        decision = visit.decision
        identity = message_id(visit.run.id, visit.name, visit.number)
        code = decision.memory.coupon_code(pool, decision.contact.key, identity)
        if code is None:
            return None
        coupon = Coupon(code, self.pool, visit.run.journey, pool.expires_at(visit.now, visit.view.zone))
        decision.contact.coupons = [*decision.contact.coupons[1 - HELD_MAX :], coupon]
        decision.effects.allocations.append(
            Allocation(coupon, decision.contact.key, visit.run.id, visit.name, visit.number, visit.now, pool.stocked)
        )
        return coupon

    def exits(self) -> Iterator[tuple[str, str | None]]:
        yield "next", self.next
        if self.on_empty is not None:
            yield "on_empty", self.on_empty

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        yield "pool", "coupon_pool", self.pool
