"""The dispatcher loop: picks messages up, delivers many at once, and writes down what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from secrets import randbelow
from typing import Final

import structlog
from sqlalchemy import Engine

from journeyflow.channels.base import Email
from journeyflow.channels.outlet import Outlet
from journeyflow.clock import Clock
from journeyflow.core.errors import DeliveryError, Refused, Unavailable
from journeyflow.db import outbox
from journeyflow.db.outbox import Outcome
from journeyflow.db.store import read, write
from journeyflow.services.dispatch import Postmaster, Ready, after_failure, write_down
from journeyflow.worker.loop import Loop

log = structlog.get_logger()

BATCH: Final = 100
NAP_SECONDS_MAX: Final = 0.5
DELIVERY_SECONDS_MAX: Final = 120.0


class Dispatcher(Loop):
    """A thread with an event loop of its own; a batch that was begun is finished before it stops."""

    def __init__(
        self,
        engine: Engine,
        postmaster: Postmaster,
        outlet: Outlet,
        clock: Clock,
        on_outcome: Callable[[Outcome, bool], None],
    ) -> None:
        super().__init__("dispatcher")
        self._engine = engine
        self._postmaster = postmaster
        self._outlet = outlet
        self._clock = clock
        self._on_outcome = on_outcome
        self._unwritten: list[tuple[Outcome, bool]] = []

    async def dispatch(self) -> int:
        """One batch; how many messages were picked up.

        What became of them is kept until it is written down, be it by the next call: a mail that has gone out is not
        sent again because the database was away for a moment.
        """
        self._write_down()
        with write(self._engine) as connection:
            ready, decided = self._postmaster.pick_up(connection, self._clock(), BATCH)
        for outcome in decided:
            self._on_outcome(outcome, False)
        outcomes = await asyncio.gather(*(self._hand_over(one) for one in ready))
        self._unwritten = [(outcome, one.redelivered) for one, outcome in zip(ready, outcomes, strict=True)]
        self._write_down()
        return len(ready) + len(decided)

    def _write_down(self) -> None:
        if not self._unwritten:
            return
        with write(self._engine) as connection:
            write_down(connection, [outcome for outcome, _ in self._unwritten])
        written, self._unwritten = self._unwritten, []
        for outcome, redelivered in written:
            self._on_outcome(outcome, redelivered)

    async def _hand_over(self, one: Ready) -> Outcome:
        outcome = await self._deliver(one)
        # Counted when it is over: whenever in between the server took it, the rate is kept.
        self._postmaster.pace.sent(one.message.channel, self._clock())
        return outcome

    async def _deliver(self, one: Ready) -> Outcome:
        try:
            async with asyncio.timeout(DELIVERY_SECONDS_MAX):
                provider_id = await self._outlet.deliver(one.outgoing)
        except DeliveryError as error:
            return self._failed(one, error)
        except TimeoutError:
            return self._failed(one, Unavailable(f"no answer within {DELIVERY_SECONDS_MAX:.0f} s"))
        except Exception as error:
            log.exception("a message can't be delivered", message=one.message.id)
            return self._failed(one, Refused(f"{type(error).__name__}: {error}"))
        subject = one.outgoing.subject if isinstance(one.outgoing, Email) else None
        return Outcome(one.message, "sent", self._clock(), subject=subject, provider_id=provider_id)

    def _failed(self, one: Ready, error: DeliveryError) -> Outcome:
        outcome = after_failure(one.message, error, self._clock(), randbelow(1000) / 1000)
        log.warning("message not delivered", message=one.message.id, status=outcome.status, reason=outcome.reason)
        return outcome

    def _work(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        while not self._stopped:
            self._woken.clear()
            try:
                pause = 0.0 if await self.dispatch() else self._nap()
            except Exception as error:  # noqa: BLE001  # told there; whatever it was, the dispatcher lives on
                await asyncio.to_thread(self._back_off, error)
            else:
                self._outage.over()
                if pause:
                    await asyncio.to_thread(self._woken.wait, pause)
        await self._outlet.close()
        if self._unwritten:
            log.warning("what became of messages can't be written down; they go out again", count=len(self._unwritten))

    def _nap(self) -> float:
        with read(self._engine) as connection:
            due = outbox.next_due_by_channel(connection)
        if not due:
            return NAP_SECONDS_MAX
        now = self._clock()
        first = min(max(at, self._postmaster.pace.free_at(channel, now)) for channel, at in due.items())
        return min(NAP_SECONDS_MAX, max(0.001, (first - now).total_seconds()))
