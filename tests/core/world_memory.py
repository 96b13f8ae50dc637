"""What the small world of the core's tests remembers."""

from __future__ import annotations

from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.effects import Effects
from journeyflow.services.simulate_memory import SimulationMemory


class _Anything(set[str]):
    """Every name of an event: journeys published later may ask for any of them."""

    def __contains__(self, name: object) -> bool:
        return True


class WorldMemory(SimulationMemory):
    """What a simulation remembers, with an outbox that messages stay in and pools that can run out."""

    def __init__(self) -> None:
        super().__init__(_Anything(), seed=0)
        self.outbox: set[str] = set()
        self.empty: set[str] = set()
        self.asked: list[str] = []
        """The identities for which a fresh code was asked."""
        self.effects = Effects()

    def still_queued(self, contact: str, message: str) -> bool:
        fresh = any(one.id == message and one.status == "queued" for one in self.effects.messages)
        return fresh or message in self.outbox

    def coupon_code(self, pool: CouponPool, contact: str, identity: str) -> str | None:
        self.asked.append(identity)
        return None if pool.coupon_pool in self.empty else super().coupon_code(pool, contact, identity)

    def keep(self, effects: Effects) -> None:
        super().keep(effects)
        self.outbox.update(message.id for message in effects.messages if message.status == "queued")
        for contact, message in effects.withdrawn:
            self.forget(contact, message)

    def forget(self, contact: str, message: str) -> None:
        """That message is not sent any more, nor remembered as one that was."""
        self.outbox.discard(message)
        self.sent[contact] = [one for one in self.sent.get(contact, ()) if one.id != message]
