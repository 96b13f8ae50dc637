"""Waking the engines of other processes on PostgreSQL, and telling those who look on there what happens here.

See :mod:`journeyflow.db.notices`; SQLite has one engine, in one process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from threading import Event as Flag
from typing import Final
from uuid import uuid4

from sqlalchemy import Engine

from journeyflow.clock import stopwatch
from journeyflow.db import notices
from journeyflow.db.outbox import Outcome
from journeyflow.db.store import read
from journeyflow.services import relay
from journeyflow.services.stream import Stream, delivery
from journeyflow.services.turn import Done
from journeyflow.worker.loop import Loop

PAUSE_SECONDS: Final = 0.01
"""What arrives within so long is announced together."""
LISTENING_SECONDS: Final = 3.0
"""So often who looks on says that it still does."""
ATTENTION_SECONDS: Final = 10.0
"""Who has not said so for so long looks on no longer."""
WAITING_MAX: Final = 1_000
"""So many notices wait to be told; beyond it they are lost."""

PROCESS: Final = str(uuid4())
"""Which process this is."""


class Announcer(Loop):
    """Tells the others, some time after it is woken; of what arrives meanwhile once."""

    def __init__(self, engine: Engine) -> None:
        super().__init__("announcer")
        self._engine = engine
        self._pause = Flag()

    def _work(self) -> None:
        while not self._stopped:
            self._woken.wait()
            self._woken.clear()
            try:
                notices.announce(self._engine, notices.ARRIVED)
            except Exception as error:  # noqa: BLE001  # it is a hint: they look for themselves
                self._back_off(error)
            else:
                self._outage.over()
            self._pause.wait(PAUSE_SECONDS)


class Listener(Loop):
    """Hears what others announce, by channel."""

    def __init__(self, engine: Engine, heard: Mapping[str, Callable[[str], None]]) -> None:
        super().__init__("listener")
        self._engine = engine
        self._heard = heard

    def _work(self) -> None:
        while not self._stopped:
            try:
                notices.listen(self._engine, self._goes_on, self._heard)
            except Exception as error:  # noqa: BLE001  # the engine looks for itself meanwhile
                self._back_off(error)

    def _goes_on(self) -> bool:
        self._outage.over()
        return not self._stopped


class Relay(Loop):
    """Tells other processes what happens in this one, as long as somebody looks on there."""

    def __init__(self, engine: Engine, watch: Callable[[], float] = stopwatch) -> None:
        super().__init__("relay")
        self._engine = engine
        self._watch = watch
        self._wanted_until = float("-inf")
        self._waiting: deque[str] = deque(maxlen=WAITING_MAX)

    def attend(self, listener: str) -> None:
        """Somebody looks on; of this very process, which hears it all anyway, it is no news."""
        if listener != PROCESS:
            self._wanted_until = self._watch() + ATTENTION_SECONDS

    @property
    def wanted(self) -> bool:
        """Whether anybody looks on."""
        return self._watch() < self._wanted_until

    def on_turn(self, done: Done) -> None:
        """What a turn decided, once it is on disk."""
        if self.wanted and (done.trail or done.alerts or done.pools_low):
            self._waiting.extend(relay.of_turn(PROCESS, done))
            self.wake()

    def on_outcome(self, outcome: Outcome) -> None:
        """How an attempt to deliver a message ended."""
        if self.wanted:
            self._waiting.extend(relay.of_notices(PROCESS, [delivery(outcome)]))
            self.wake()

    def _work(self) -> None:
        while not self._stopped:
            self._woken.wait()
            self._woken.clear()
            told = [self._waiting.popleft() for _ in range(len(self._waiting))]
            try:
                if told:
                    notices.announce(self._engine, notices.HAPPENED, *told)
                    self._outage.over()
            except Exception as error:  # noqa: BLE001  # who looks on misses it
                self._back_off(error)


class Onlooker(Loop):
    """Says, as long as anybody listens to the stream of this process, that what happens elsewhere is wanted here."""

    def __init__(self, engine: Engine, stream: Stream) -> None:
        super().__init__("onlooker")
        self._engine = engine
        self._stream = stream
        stream.on_listen = self.wake

    def hear(self, payload: str) -> None:
        """Another process tells what happened there."""
        if not self._stream.listeners or relay.sender_of(payload) == PROCESS:
            return
        with read(self._engine) as connection:
            heard = relay.heard(connection, payload)
        self._stream.hear(heard.records, heard.notices, heard.dropped)

    def _work(self) -> None:
        while not self._stopped:
            self._woken.wait(LISTENING_SECONDS)
            self._woken.clear()
            try:
                if self._stream.listeners:
                    notices.announce(self._engine, notices.LISTENING, PROCESS)
                    self._outage.over()
            except Exception as error:  # noqa: BLE001  # what happens in this process is told all the same
                self._back_off(error)
