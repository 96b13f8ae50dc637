"""Waking the engines of other processes on PostgreSQL, and being woken by them (:mod:`journeyflow.db.notices`)."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Flag
from typing import Final

from sqlalchemy import Engine

from journeyflow.db import notices
from journeyflow.worker.loop import Loop

PAUSE_SECONDS: Final = 0.01
"""What arrives within so long is announced together."""


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
                notices.announce(self._engine)
            except Exception as error:  # noqa: BLE001  # it is a hint: they look for themselves
                self._back_off(error)
            else:
                self._outage.over()
            self._pause.wait(PAUSE_SECONDS)


class Listener(Loop):
    """Wakes the engine of this process when others announce something."""

    def __init__(self, engine: Engine, heard: Callable[[], None]) -> None:
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
