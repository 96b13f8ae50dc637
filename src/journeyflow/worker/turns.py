"""The turn loop: one turn after the other while there is work, and a nap until the next timer when there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy import Engine

from journeyflow.clock import Clock, stopwatch
from journeyflow.db.documents import FlowsCache
from journeyflow.db.memory import CodeMaker
from journeyflow.db.store import read, write
from journeyflow.services.turn import Done, isolate, next_due, take_turn
from journeyflow.worker.loop import Loop

log = structlog.get_logger()

TURN_SECONDS: Final = 0.05
"""How long a turn should take on SQLite, where ingestion shares the writer."""
LIMITS: Final = (20, 5_000)
NAP_SECONDS_MAX: Final = 0.5
"""What another process puts into the database is seen after so long at the latest."""


class TurnLoop(Loop):
    """Takes turns until it is stopped; a turn that was begun is finished."""

    def __init__(
        self,
        engine: Engine,
        cache: FlowsCache,
        clock: Clock,
        make_code: CodeMaker,
        on_turn: Callable[[Done, float], None],
    ) -> None:
        super().__init__("turns")
        self._engine = engine
        self._cache = cache
        self._clock = clock
        self._make_code = make_code
        self._on_turn = on_turn
        self._limit = 500

    def turn(self) -> Done:
        """One turn; where it fails, the contacts at fault are set aside and the others go on."""
        began = stopwatch()
        try:
            with write(self._engine) as connection:
                done = take_turn(connection, self._cache, self._clock(), self._limit, self._make_code)
        except Exception:
            log.exception("a turn failed; its contacts are tried one by one")
            with write(self._engine) as connection:
                failed = isolate(connection, self._cache, self._clock(), self._make_code, self._limit)
            log.error("inputs were set aside", contacts=failed)
            return Done(more=True)
        self._adapt(done, stopwatch() - began)
        for alert in done.alerts:
            log.warning(alert)
        for pool, left in done.pools_low:
            log.warning("few coupon codes are left: upload more", pool=pool, left=left)
        self._on_turn(done, stopwatch() - began)
        return done

    def _adapt(self, done: Done, seconds: float) -> None:
        if done.contacts >= self._limit // 2:
            fitting = int(self._limit * TURN_SECONDS / max(seconds, 0.001))
            self._limit = max(LIMITS[0], min(LIMITS[1], (self._limit + fitting) // 2))

    def _work(self) -> None:
        while not self._stopped:
            self._woken.clear()
            try:
                done = self.turn()
            except Exception:
                log.exception("the engine can't reach its database; it tries again")
                self._woken.wait(1.0)
                continue
            if not done.more and not done.contacts:
                self._woken.wait(self._nap())

    def _nap(self) -> float:
        now = self._clock()
        with read(self._engine) as connection:
            due = next_due(connection, self._cache.current(connection), now)
        if due is None:
            return NAP_SECONDS_MAX
        return min(NAP_SECONDS_MAX, max(0.001, (due - now).total_seconds()))
