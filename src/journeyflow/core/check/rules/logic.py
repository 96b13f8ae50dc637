"""Which conditions follow from which, as far as that shows without knowing any contact.

Every answer is careful: where it says no, the truth may be yes.
"""

from __future__ import annotations

from typing import Final

import orjson

from journeyflow.core.compare import Operators
from journeyflow.core.conditions import All, Any_, Condition, EventCondition, Not, canonical
from journeyflow.core.values import JSON

STEPS_MAX: Final = 100_000
"""So many pairs of conditions are looked at for one journey; then every answer is no."""


class Reasoner:
    """Answers about the conditions of one journey, each worked out once."""

    def __init__(self, steps_max: int = STEPS_MAX) -> None:
        self._steps_left = steps_max
        # By identity: the journey keeps its conditions for as long as this lasts.
        self._texts: dict[int, bytes] = {}
        self._constants: dict[int, bool | None] = {}
        self._known: dict[tuple[int, int], bool] = {}

    def constant(self, condition: Condition) -> bool | None:
        """Whether it holds of everybody (``all: []``) or of nobody (``any: []``)."""
        if id(condition) not in self._constants:
            self._constants[id(condition)] = self._constant(condition)
        return self._constants[id(condition)]

    def _constant(self, condition: Condition) -> bool | None:
        if isinstance(condition, Not):
            inner = self.constant(condition.not_)
            return None if inner is None else not inner
        if not isinstance(condition, All | Any_):
            return None
        all_ = isinstance(condition, All)
        parts = [self.constant(part) for part in condition.parts()]
        if any(part is (not all_) for part in parts):
            return not all_
        return all_ if all(part is all_ for part in parts) else None

    def follows(self, narrow: Condition, wide: Condition) -> bool:
        """Whether ``wide`` holds wherever ``narrow`` does."""
        pair = (id(narrow), id(wide))
        if pair not in self._known:
            if self._steps_left <= 0:
                return False
            self._steps_left -= 1
            self._known[pair] = False  # no condition is inside itself, so that nobody asks meanwhile
            self._known[pair] = self._follows(narrow, wide)
        return self._known[pair]

    def _follows(self, narrow: Condition, wide: Condition) -> bool:
        if self.constant(narrow) is False or self.constant(wide) is True or self._text(narrow) == self._text(wide):
            return True
        if isinstance(narrow, Any_):
            return all(self.follows(part, wide) for part in narrow.any)
        if isinstance(wide, All):
            return all(self.follows(narrow, part) for part in wide.all)
        if isinstance(narrow, All) and any(self.follows(part, wide) for part in narrow.all):
            return True
        if isinstance(wide, Any_):
            return any(self.follows(narrow, part) for part in wide.any)
        if isinstance(narrow, Not) and isinstance(wide, Not):
            return self.follows(wide.not_, narrow.not_)
        return _of_numbers(narrow, wide)

    def _text(self, condition: Condition) -> bytes:
        if id(condition) not in self._texts:
            text = orjson.dumps(canonical(condition), option=orjson.OPT_SORT_KEYS)
            self._texts[id(condition)] = text
        return self._texts[id(condition)]


# --- numbers ---------------------------------------------------------------------------------------------------------

Limit = tuple[float, bool]
"""A number, and whether it belongs to what is beyond it."""


def _of_numbers(narrow: Condition, wide: Condition) -> bool:
    """``{attribute: age, gte: 65}`` → ``{attribute: age, gte: 18}``: one question, and a limit further out."""
    asked, answer = _question(narrow)
    wanted, limits = _question(wide)
    if asked is None or asked != wanted:
        return False
    inner_low, inner_high = answer
    low, high = limits
    return (low is None or (inner_low is not None and _beyond(inner_low, low, 1))) and (
        high is None or (inner_high is not None and _beyond(inner_high, high, -1))
    )


def _beyond(inner: Limit, outer: Limit, sign: int) -> bool:
    """Whether the inner limit is at least as strict as the outer one; ``sign``: 1 for least, -1 for greatest values."""
    if inner[0] != outer[0]:
        return sign * inner[0] > sign * outer[0]
    return outer[1] or not inner[1]


Limits = tuple[Limit | None, Limit | None]


def _question(condition: Condition) -> tuple[JSON, Limits]:
    """What is compared, and its least and greatest value; ``None`` where anything but numbers is asked for."""
    operators: Operators | None = None
    if isinstance(condition, EventCondition) and condition.count is not None:
        operators = condition.count
    elif isinstance(condition, Operators):
        operators = condition
    document = canonical(condition)
    if operators is None or not isinstance(document, dict):
        return None, (None, None)
    limits = _limits(operators)
    if limits is None:
        return None, (None, None)
    names = {name.rstrip("_") for name, _ in operators.given}
    return {key: value for key, value in document.items() if key != "count" and key not in names}, limits


def _limits(operators: Operators) -> Limits | None:
    low: Limit | None = None
    high: Limit | None = None
    for name, value in operators.given:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        match name:
            case "gt" | "gte" if low is None:
                low = (value, name == "gte")
            case "lt" | "lte" if high is None:
                high = (value, name == "lte")
            case "eq" if low is None and high is None:
                low = high = (value, True)
            case _:
                return None
    return (low, high) if low is not None or high is not None else None
