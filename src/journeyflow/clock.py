"""The only place that reads the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant, aware, UTC."""


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def stopwatch() -> float:
    """Seconds from some fixed moment; never runs backwards."""
    return time.perf_counter()


def sleep(seconds: float) -> None:
    """Let time pass."""
    time.sleep(seconds)
