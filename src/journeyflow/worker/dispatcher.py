"""The dispatcher loop: picks messages up, delivers many at once, and writes down what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from secrets import randbelow
from typing import Final, NamedTuple

import structlog
from sqlalchemy import Engine

from journeyflow.channels.base import Email
from journeyflow.channels.outlet import Outlet
from journeyflow.clock import Clock
from journeyflow.core.errors import DeliveryError, Refused, Unavailable
from journeyflow.db import departures, outbox
from journeyflow.db.outbox import Outcome
from journeyflow.db.store import read, write
from journeyflow.services import pace
from journeyflow.services.dispatch import Places, Postmaster, Ready, after_failure, write_down
from journeyflow.worker.loop import Loop

log = structlog.get_logger()

BATCH: Final = 100
NAP_SECONDS_MAX: Final = 0.5
DELIVERY_SECONDS_MAX: Final = 120.0


class _Unwritten(NamedTuple):
    """What became of a batch, each outcome with whether it was a redelivery, and its places at the sending rates."""

    outcomes: list[tuple[Outcome, bool]]
    places: Places | None
    handed_over: list[tuple[str, datetime]]


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
        self._unwritten: _Unwritten | None = None

    async def dispatch(self) -> int:
        """One batch; how many messages were picked up.

        What became of them is kept until it is written down, be it by the next call: a mail that has gone out is not
        sent again because the database was away for a moment.
        """
        self._write_down()
        places = self._reserve()
        with write(self._engine) as connection:
            ready, decided = self._postmaster.pick_up(connection, self._clock(), BATCH, places)
        _tell_failures(decided)
        for outcome in decided:
            self._on_outcome(outcome, False)
        handed_over: list[tuple[str, datetime]] = []
        outcomes = await asyncio.gather(*(self._hand_over(one, handed_over) for one in ready))
        again = [one.redelivered for one in ready]
        self._unwritten = _Unwritten(list(zip(outcomes, again, strict=True)), places, handed_over)
        self._write_down()
        return len(ready) + len(decided)

    def _write_down(self) -> None:
        left = self._unwritten
        if left is None:
            return
        with write(self._engine) as connection:
            write_down(connection, [outcome for outcome, _ in left.outcomes])
            if left.places is not None and left.places.until:
                self._postmaster.settle(connection, left.places, left.handed_over)
        self._unwritten = None
        for outcome, redelivered in left.outcomes:
            self._on_outcome(outcome, redelivered)

    def _reserve(self) -> Places | None:
        """Places for a batch, where there are sending rates; whether there are is known from the batch before."""
        if self._postmaster.rates is not None and not self._postmaster.rates:
            return None
        with write(self._engine) as connection:
            return self._postmaster.reserve(connection, self._clock(), BATCH)

    async def _hand_over(self, one: Ready, handed_over: list[tuple[str, datetime]]) -> Outcome:
        outcome = await self._deliver(one)
        # Counted when it is over: whenever in between the server took it, the rate is kept.
        handed_over.append((one.message.channel, self._clock()))
        return outcome

    async def _deliver(self, one: Ready) -> Outcome:
        outcome = await self._outcome(one)
        return replace(outcome, subject=one.outgoing.subject) if isinstance(one.outgoing, Email) else outcome

    async def _outcome(self, one: Ready) -> Outcome:
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
        return Outcome(one.message, "sent", self._clock(), provider_id=provider_id)

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
        if self._unwritten is not None:
            log.warning("what became of messages can't be written down; they go out again")

    def _nap(self) -> float:
        now = self._clock()
        with read(self._engine) as connection:
            due = outbox.next_due_by_channel(connection)
            for channel, rate in (self._postmaster.rates or {}).items():
                if channel in due:
                    free_at = pace.free_at(rate, departures.counted(connection, channel, now), now)
                    due[channel] = max(due[channel], free_at)
        if not due:
            return NAP_SECONDS_MAX
        first = min(due.values())
        return min(NAP_SECONDS_MAX, max(0.001, (first - now).total_seconds()))


def _tell_failures(decided: Iterable[Outcome]) -> None:
    """A line for each fault: what fails before it is handed over mostly fails for all alike, as without a sender."""
    failed: dict[tuple[str, str | None], list[Outcome]] = {}
    for outcome in decided:
        if outcome.fault is not None:
            failed.setdefault((outcome.fault, outcome.message.template), []).append(outcome)
    for (fault, template), outcomes in failed.items():
        first = outcomes[0].message.id
        log.warning("messages not delivered", count=len(outcomes), first=first, template=template, reason=fault)
