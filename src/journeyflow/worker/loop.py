"""A thread that works until it is stopped, and can be woken from its naps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from secrets import randbelow
from threading import Event as Flag
from threading import Thread
from typing import Final

import structlog

from journeyflow.clock import stopwatch
from journeyflow.core.errors import Overloaded, SystemFailure

log = structlog.get_logger()

PAUSE_SECONDS: Final = (0.1, 2.0)
"""After a failure the next attempt is made so much later, each time twice as late, up to the second."""


class Outage:
    """Whether somebody's work fails because of its database; said once when that begins, and once when it is over."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._since: float | None = None
        self._pause = PAUSE_SECONDS[0]

    def failed(self, error: Exception) -> float:
        """Another attempt failed; after how many seconds to make the next one."""
        if not isinstance(error, SystemFailure | Overloaded):
            log.error(f"the {self._who} failed; it tries again", exc_info=error)
        elif self._since is None:
            self._since = stopwatch()
            log.error(f"the {self._who} can't use the database; it tries again until it can", reason=str(error))
        pause = self._pause * (0.5 + randbelow(1000) / 1000)  # not all at the same moment
        self._pause = min(PAUSE_SECONDS[1], 2 * self._pause)
        return pause

    def over(self) -> None:
        """An attempt succeeded."""
        if self._since is not None:
            log.warning(f"the {self._who} can use the database again", away_seconds=round(stopwatch() - self._since, 1))
            self._since = None
        self._pause = PAUSE_SECONDS[0]


class Loop(ABC):
    """What the loops of a process have in common; what was begun is finished before it ends."""

    def __init__(self, name: str) -> None:
        self._woken = Flag()
        self._stopped = False
        self._told_to_stop = Flag()
        self._outage = Outage(name)
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what was begun, then end."""
        self._stopped = True
        self._told_to_stop.set()
        self._woken.set()
        self._thread.join()

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    def _back_off(self, error: Exception) -> None:
        """Wait before the next attempt, whoever wakes meanwhile."""
        self._told_to_stop.wait(self._outage.failed(error))

    @abstractmethod
    def _work(self) -> None:
        """Work until ``_stopped``; naps wait for ``_woken``."""
