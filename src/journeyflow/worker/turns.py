"""The turn loop: one turn after the other while there is work, and a nap until the next timer when there is none."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import structlog
from sqlalchemy import Engine

from journeyflow.clock import Clock, stopwatch
from journeyflow.core.errors import Overloaded, SystemFailure
from journeyflow.db.claims import Group, groups
from journeyflow.db.documents import FlowsCache
from journeyflow.db.memory import CodeMaker
from journeyflow.db.store import read, write
from journeyflow.services.turn import Done, groups_with_work, isolate, next_due, take_turn
from journeyflow.worker.loop import Loop

log = structlog.get_logger()

TURN_SECONDS: Final = 0.05
"""How long a turn should take on SQLite, where ingestion shares the writer."""
TURN_SECONDS_OF_A_GROUP: Final = 0.06
"""Where there are several claim groups, others may work on some of them meanwhile; an event waits for two turns."""
LIMITS: Final = (20, 5_000)
NAP_SECONDS_MAX: Final = 0.5
"""What another process puts into the database is seen after so long at the latest."""
BUSY_SECONDS: Final = 0.01
"""Others work on all groups that have something to do; they may be done after so long."""


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
        super().__init__("engine")
        self._engine = engine
        self._cache = cache
        self._clock = clock
        self._make_code = make_code
        self._on_turn = on_turn
        self._limit = 500
        self._groups: tuple[Group, ...] = ()
        self._span = 1
        self._went_on = False
        self._ready: deque[tuple[Group, ...]] = deque()

    def turn(self) -> Done:
        """One turn, of claim groups that have something to do and that nobody else works on.

        Where it fails, the contacts at fault are set aside and the others go on.
        """
        done = Done()
        for groups_ in self._candidates():
            done = self._turn_of(groups_)
            if not done.busy:
                break
        done.more = done.more or bool(self._ready)
        return done

    def _candidates(self) -> Iterator[tuple[Group, ...]]:
        """The groups that may have something to do, those last that have had a turn."""
        if not self._groups:
            with read(self._engine) as connection:
                self._groups = groups(connection)
            self._span = len(self._groups)
        if len(self._groups) == 1:  # to look whether there is something to do takes as long as to begin with it
            yield self._groups
            return
        if not self._ready:
            self._ready.extend(self._spans())
        while self._ready:
            yield self._ready.popleft()

    def _spans(self) -> list[tuple[Group, ...]]:
        """The groups that may have something to do, put together with those beside them."""
        spans = [*spans_of(self._groups, self._span)]
        if self._went_on and len(spans) == 1:  # there is probably more, and nobody else to do it
            return spans
        with read(self._engine) as connection:
            flows = self._cache.current(connection)
            waiting = set(groups_with_work(connection, flows, self._clock(), self._groups))
        spans = [span for span in spans if not waiting.isdisjoint(span)]
        place = os.getpid() % (len(spans) or 1)  # each process begins with others
        return [*spans[place:], *spans[:place]]

    def _turn_of(self, wanted: tuple[Group, ...]) -> Done:
        began = stopwatch()
        try:
            with write(self._engine) as connection:
                done = take_turn(connection, self._cache, self._clock(), self._limit, self._make_code, *wanted)
        except Overloaded as error:
            log.info("a turn was in another's way, and is taken again", reason=str(error))
            return Done(busy=True)
        except SystemFailure:
            raise
        except Exception:
            log.exception("a turn failed; its contacts are tried one by one")
            for group in wanted:
                with write(self._engine) as connection:
                    failed = isolate(connection, self._cache, self._clock(), self._make_code, self._limit, group)
                if failed:
                    log.error("inputs were set aside", contacts=failed)
            return Done(more=True)
        self._share(done, len(wanted))
        self._went_on = done.contacts > 0
        if done.busy:
            return done
        self._adapt(done, stopwatch() - began)
        for alert in done.alerts:
            log.warning(alert)
        for pool, left in done.pools_low:
            log.warning("few coupon codes are left: upload more", pool=pool, left=left)
        self._on_turn(done, stopwatch() - began)
        return done

    def _share(self, done: Done, wanted: int) -> None:
        """Take fewer groups together where others work on some of them, and more where there is room for it."""
        if done.groups < wanted:
            self._span = max(1, self._span // 2)
        elif not done.more:
            self._span = min(len(self._groups), self._span * 2)

    def _adapt(self, done: Done, seconds: float) -> None:
        if done.contacts >= self._limit // 2:
            wanted = TURN_SECONDS if len(self._groups) == 1 else TURN_SECONDS_OF_A_GROUP
            fitting = int(self._limit * wanted / max(seconds, 0.001))
            self._limit = max(LIMITS[0], min(LIMITS[1], (self._limit + fitting) // 2))

    def _work(self) -> None:
        while not self._stopped:
            self._woken.clear()
            try:
                pause = self._pause_after(self.turn())
            except Exception as error:  # noqa: BLE001  # told there; whatever it was, the engine lives on
                self._back_off(error)
            else:
                self._outage.over()
                self._woken.wait(pause)

    def _pause_after(self, done: Done) -> float:
        if done.busy:
            return BUSY_SECONDS
        return 0.0 if done.more or done.contacts else self._nap()

    def _nap(self) -> float:
        now = self._clock()
        with read(self._engine) as connection:
            due = next_due(connection, self._cache.current(connection), now)
        if due is None:
            return NAP_SECONDS_MAX
        return min(NAP_SECONDS_MAX, max(0.001, (due - now).total_seconds()))


def spans_of(some: Sequence[Group], span: int) -> Iterator[tuple[Group, ...]]:
    """Groups, in order, put together with those that follow them, at most so many; gaps are left as they are."""
    together: list[Group] = []
    for group in some:
        follows = bool(together) and together[-1].precedes(group)
        if together and (not follows or len(together) == span):
            yield tuple(together)
            together = []
        together.append(group)
    if together:
        yield tuple(together)
