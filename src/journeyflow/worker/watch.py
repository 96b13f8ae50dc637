"""Looking, beside the requests, whether the engine keeps up with them (:mod:`journeyflow.services.pressure`)."""

from __future__ import annotations

from typing import Final

import structlog

from journeyflow.clock import stopwatch
from journeyflow.core.errors import JourneyflowError
from journeyflow.services.pressure import Pressure
from journeyflow.worker.loop import Loop

log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
SHARE_MAX: Final = 20
"""It is looked at most for one part in so many of the time: to count what waits takes long when it is much."""


class Watch(Loop):
    """Looks again and again."""

    def __init__(self, pressure: Pressure) -> None:
        super().__init__("watch")
        self._pressure = pressure

    def _work(self) -> None:
        while not self._stopped:
            began = stopwatch()
            try:
                self._pressure.look()
            except JourneyflowError as error:
                log.debug("how much waits can't be seen", error=str(error))
            self._woken.wait(max(LOOK_SECONDS, (stopwatch() - began) * SHARE_MAX))
