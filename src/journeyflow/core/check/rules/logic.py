"""Which conditions follow from which, as far as that shows without knowing any contact.

Every answer is careful: where it says no, the truth may be yes.
"""

from __future__ import annotations

from typing import Final

from journeyflow.core.compare import Operators
from journeyflow.core.conditions import All, Any_, Condition, EventCondition, Not, canonical
from journeyflow.core.values import JSON

DEPTH_MAX: Final = 20


def always(condition: Condition) -> bool:
    """Whether it holds of everybody: ``all: []``."""
    match condition:
        case All():
            return all(map(always, condition.all))
        case Any_():
            return any(map(always, condition.any))
        case Not():
            return never(condition.not_)
    return False


def never(condition: Condition) -> bool:
    """Whether it holds of nobody: ``any: []``."""
    match condition:
        case All():
            return any(map(never, condition.all))
        case Any_():
            return all(map(never, condition.any))
        case Not():
            return always(condition.not_)
    return False


def follows(narrow: Condition, wide: Condition, depth: int = DEPTH_MAX) -> bool:
    """Whether ``wide`` holds wherever ``narrow`` does."""
    if depth == 0:
        return False
    if never(narrow) or always(wide) or canonical(narrow) == canonical(wide):
        return True
    if isinstance(narrow, Any_):
        return all(follows(part, wide, depth - 1) for part in narrow.any)
    if isinstance(wide, All):
        return all(follows(narrow, part, depth - 1) for part in wide.all)
    if isinstance(narrow, All) and any(follows(part, wide, depth - 1) for part in narrow.all):
        return True
    if isinstance(wide, Any_):
        return any(follows(narrow, part, depth - 1) for part in wide.any)
    if isinstance(narrow, Not) and isinstance(wide, Not):
        return follows(wide.not_, narrow.not_, depth - 1)
    return _of_numbers(narrow, wide)


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
