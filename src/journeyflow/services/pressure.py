"""Back-pressure: events are refused before what waits for the engine grows without bound.

How much waits is looked at from time to time, beside the requests; a request only reads what was found. What is taken
is stored; what is refused is not, and whoever sent it is told when to try again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Engine

from journeyflow.core.errors import Behind
from journeyflow.db import inbox
from journeyflow.db.store import read

COUNTED_AFTER_SECONDS: Final = 1.0
"""Where the oldest input has waited for less, there can't be many, and nobody counts them."""


class Bounds(NamedTuple):
    """How far the engine may be behind before nothing more is taken; ``None`` is without bound.

    :param lag_seconds: how long the oldest input may have waited.
    :param inputs: how many may wait.
    """

    lag_seconds: float | None = None
    inputs: int | None = None


class Pressure:
    """Whether more can be taken. ``look`` is called by one thread, ``demand_room`` from any."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime], bounds: Bounds) -> None:
        self._engine = engine
        self._clock = clock
        self._bounds = bounds
        self._refusal: str | None = None

    def demand_room(self) -> None:
        """Go on if there is room.

        :raises Behind: when there is none.
        """
        if self._refusal is not None:
            raise Behind(self._refusal)

    def look(self) -> None:
        """See how much waits.

        :raises JourneyflowError: when the database can't be read; what was found before stays.
        """
        if self._bounds == Bounds():
            return
        with read(self._engine) as connection:
            oldest = inbox.oldest_at(connection)
            waited = 0.0 if oldest is None else (self._clock() - oldest).total_seconds()
            count = 0
            if self._bounds.inputs is not None and waited > COUNTED_AFTER_SECONDS:
                count = inbox.count(connection, self._bounds.inputs)
        self._refusal = self._judge(waited, count)

    def _judge(self, waited: float, count: int) -> str | None:
        lag_seconds, inputs = self._bounds
        advice = "nothing of this request was stored; send it again later"
        if lag_seconds is not None and waited > lag_seconds:
            return f"the engine is {waited:.0f} s behind; {advice}"
        if inputs is not None and count >= inputs:
            return f"{inputs:,} inputs wait for the engine; {advice}"
        return None
