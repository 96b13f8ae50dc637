"""A thread that works until it is stopped, and can be woken from its naps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import Event as Flag
from threading import Thread


class Loop(ABC):
    """What the loops of a process have in common; what was begun is finished before it ends."""

    def __init__(self, name: str) -> None:
        self._woken = Flag()
        self._stopped = False
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what was begun, then end."""
        self._stopped = True
        self._woken.set()
        self._thread.join()

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    @abstractmethod
    def _work(self) -> None:
        """Work until ``_stopped``; naps wait for ``_woken``."""
