"""Errors of what a test gave, told where the test gave it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from journeyflow.core.errors import JourneyflowError

P = ParamSpec("P")
R = TypeVar("R")


def told_plainly(method: Callable[P, R]) -> Callable[P, R]:
    """The method; what it raises of journeyflow's own ends at the caller, whose line pytest then shows.

    A message says what was wrong with what was given; where in journeyflow that was found out helps nobody.
    """

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        try:
            return method(*args, **kwargs)
        except JourneyflowError as error:
            raise error.with_traceback(None) from None

    return call
