"""The caller loop: makes the calls of webhooks, many at once, and writes down what came back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from secrets import randbelow
from typing import Final

import structlog
from sqlalchemy import Engine

from journeyflow.channels.webhook import Request, WebhookChannel
from journeyflow.clock import Clock
from journeyflow.core.errors import DeliveryError, Overloaded, Refused, SystemFailure
from journeyflow.db import calls
from journeyflow.db.calls import CallOutcome, StoredCall
from journeyflow.db.store import read, write
from journeyflow.services.call import after_failure, pick_up
from journeyflow.worker.loop import Loop

log = structlog.get_logger()

AT_ONCE_MAX: Final = 100
NAP_SECONDS_MAX: Final = 0.5


class Caller(Loop):
    """A thread with an event loop of its own; calls that were begun are finished before it stops.

    Each call is replaced by the next one as it ends, so that a slow receiver keeps only its own calls waiting.
    """

    def __init__(
        self,
        engine: Engine,
        channel: WebhookChannel,
        clock: Clock,
        on_outcome: Callable[[CallOutcome], None],
        on_reply: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_outcome`` gets each ended attempt; ``on_reply`` is called when runs have got replies."""
        super().__init__("caller")
        self._engine = engine
        self._channel = channel
        self._clock = clock
        self._on_outcome = on_outcome
        self.on_reply = on_reply
        self._going: set[asyncio.Task[CallOutcome]] = set()

    async def work_off(self) -> int:
        """Make all calls that are due, and wait for what becomes of them; how many there were."""
        made = 0
        while begun := self._begin():
            made += begun
            await asyncio.wait(self._going)
            self._end()
        return made

    def _begin(self) -> int:
        """Begin as many due calls as there is room for."""
        room = AT_ONCE_MAX - len(self._going)
        if room <= 0:
            return 0
        with read(self._engine) as connection:
            due = calls.next_due(connection)
        if due is None or due > self._clock():
            return 0
        with write(self._engine) as connection:
            claimed = pick_up(connection, self._clock(), room)
        for call in claimed:
            self._going.add(asyncio.create_task(self._call(call)))
        return len(claimed)

    def _end(self) -> None:
        """Write down what has ended."""
        ended = {task for task in self._going if task.done()}
        if not ended:
            return
        outcomes = [task.result() for task in ended]
        with write(self._engine) as connection:
            replies = calls.finish(connection, outcomes)
        self._going -= ended
        for outcome in outcomes:
            self._on_outcome(outcome)
        if replies:
            self.on_reply()

    async def _call(self, call: StoredCall) -> CallOutcome:
        request = Request(
            call.id, call.method, call.url, call.headers, call.body, call.host_written, wants_reply=call.awaited
        )
        now = self._clock()
        try:
            response = await self._channel.call(request, now, max(1.0, (call.expires_at - now).total_seconds()))
        except DeliveryError as error:
            return self._failed(call, error)
        except Exception as error:
            log.exception("a webhook can't be called", call=call.id)
            return self._failed(call, Refused(f"{type(error).__name__}: {error}"))
        return CallOutcome(call, "answered", self._clock(), response.status, response.body)

    def _failed(self, call: StoredCall, error: DeliveryError) -> CallOutcome:
        outcome = after_failure(call, error, self._clock(), randbelow(1000) / 1000)
        log.warning(
            "webhook failed", call=call.id, journey=call.journey, node=call.node, status=outcome.status,
            reason=outcome.reason,
        )  # fmt: skip
        return outcome

    def _work(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        while not self._stopped:
            self._woken.clear()
            try:
                self._end()
                begun = self._begin()
            except Exception as error:  # noqa: BLE001  # told there; whatever it was, the caller lives on
                await asyncio.to_thread(self._back_off, error)
            else:
                self._outage.over()
                if not begun:
                    await self._nap()
        await self._end_all()
        await self._channel.close()

    async def _end_all(self) -> None:
        if not self._going:
            return
        await asyncio.wait(self._going)
        try:
            self._end()
        except (SystemFailure, Overloaded) as error:
            log.warning("what became of calls can't be written down; they are made again", reason=str(error))

    async def _nap(self) -> None:
        """Until a call has ended, something is queued, or half a second is over."""
        woken = asyncio.create_task(asyncio.to_thread(self._woken.wait, NAP_SECONDS_MAX))
        await asyncio.wait({woken, *self._going}, return_when=asyncio.FIRST_COMPLETED)
        self._woken.set()  # lets the waiting thread go
        await woken
