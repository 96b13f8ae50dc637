"""One value against one operator (format.md, "Conditions", OP)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Annotated, Any, ClassVar, Final, Protocol

import re2
from pydantic import AfterValidator, Field, StrictBool

from journeyflow.core.errors import InvalidValue
from journeyflow.core.local_time import anniversary_within, next_midnight
from journeyflow.core.sight import Sight
from journeyflow.core.values import (
    JSON,
    MISSING,
    Duration,
    Missing,
    Model,
    Value,
    number_or_none,
    parse_duration,
    parse_instant,
)

MATCHES_LENGTH_MAX: Final = 100_000
_MICROSECOND: Final = timedelta(microseconds=1)


class Mismatch(Exception):
    """Values of different kinds do not compare."""


@lru_cache(maxsize=1024)
def _pattern(source: str) -> Pattern:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 4 << 20
    return re2.compile(source, options)  # type: ignore[no-any-return]  # the library has no types


class Pattern(Protocol):
    """A compiled regular expression that runs in linear time."""

    def search(self, text: str) -> object | None: ...


def _expression(value: str) -> str:
    if len(value) > 1_000:
        raise ValueError("expected a regular expression of at most 1000 characters")
    try:
        _pattern(value)
        _pattern(f"(?i){value}")  # as it runs with ignore_case
    except re2.error as error:
        cause = error.args[0] if error.args else "not valid"
        text = cause.decode(errors="replace") if isinstance(cause, bytes) else str(cause)
        raise ValueError(f"expected a regular expression that RE2 understands ({text})") from None
    return value


def _moment(value: object) -> object:
    """An instant, a duration relative to now, or a reference to one of them."""
    if isinstance(value, str) and parse_instant(value) is None:
        try:
            parse_duration(value)
        except InvalidValue:
            raise ValueError("expected an instant (2026-03-02) or a duration relative to now (-30d)") from None
    elif not isinstance(value, str) and not hasattr(value, "ref"):
        raise ValueError("expected an instant (2026-03-02), a duration relative to now (-30d) or a reference")
    return value


def _listed(value: object) -> object:
    if not isinstance(value, list) and not hasattr(value, "ref"):
        raise ValueError("expected a list of values, or a reference to one")
    return value


Moment = Annotated[Value, AfterValidator(_moment)]
Listed = Annotated[Value, AfterValidator(_listed)]
# Any: pydantic needs a default for "not given" that no author can write; MISSING is that
_UNSET: Final[Any] = MISSING


class Operators(Model):
    """The operators of a comparison; those that are given must all hold."""

    eq: Value = _UNSET
    ne: Value = _UNSET
    gt: Value = _UNSET
    gte: Value = _UNSET
    lt: Value = _UNSET
    lte: Value = _UNSET
    in_: Listed = Field(default=_UNSET, alias="in")
    not_in: Listed = _UNSET
    contains: Value = _UNSET
    starts_with: Value = _UNSET
    ends_with: Value = _UNSET
    matches: Annotated[str, AfterValidator(_expression)] | None = None
    exists: StrictBool | None = None
    before: Moment = _UNSET
    after: Moment = _UNSET
    anniversary_in: Duration | None = None
    ignore_case: StrictBool = False

    names: ClassVar[tuple[str, ...]] = (
        "eq", "ne", "gt", "gte", "lt", "lte", "in_", "not_in", "contains", "starts_with", "ends_with",
        "matches", "exists", "before", "after", "anniversary_in",
    )  # fmt: skip

    @cached_property
    def given(self) -> tuple[tuple[str, object], ...]:
        """The operators that the author wrote, with their values."""
        return tuple((name, getattr(self, name)) for name in self.names if name in self.model_fields_set)

    @cached_property
    def _of_numbers(self) -> tuple[Callable[[float, float], bool], float] | None:
        """The comparison with a number, where it is no more than that: counts and sums ask this and little else."""
        if len(self.given) != 1:
            return None
        name, wanted = self.given[0]
        number = number_or_none(wanted)
        return None if number is None or name not in _NUMERIC else (_NUMERIC[name], number)

    def compare(self, seen: JSON | Missing, view: Sight) -> tuple[bool, bool]:
        """Whether all operators hold of the value seen, and whether a kind did not fit."""
        if self._of_numbers is not None and (type(seen) is int or type(seen) is float):
            holds, number = self._of_numbers
            return holds(seen, number), False
        mismatch = False
        for name, wanted in self.given:
            try:
                held = _compare(name, seen, view.resolve(wanted), view, self.ignore_case)
            except Mismatch:
                mismatch, held = True, name in _HOLD_WHEN_UNLIKE
            if not held:
                return False, mismatch
        return True, mismatch

    def edge(self, seen: JSON | Missing, view: Sight) -> datetime | None:
        """The earliest instant after now at which time alone can change the outcome."""
        edges = [
            edge
            for name, wanted in self.given
            if name in ("before", "after", "anniversary_in")
            for edge in _edges(name, seen, view.resolve(wanted), view)
            if edge > view.now
        ]
        return min(edges, default=None)


_NUMERIC: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip
_HOLD_WHEN_UNLIKE: Final = frozenset({"ne", "not_in"})
_OF_TEXT: Final = frozenset({"eq", "ne", "in_", "not_in", "contains", "starts_with", "ends_with"})


def _compare(name: str, seen: JSON | Missing, wanted: JSON | Missing, view: Sight, ignore_case: bool) -> bool:
    if name == "exists":
        return (seen is not MISSING) == wanted
    if isinstance(seen, Missing) or isinstance(wanted, Missing) or wanted is None:
        return name in _HOLD_WHEN_UNLIKE
    if ignore_case:
        if name == "matches":
            wanted = f"(?i){wanted}"
        elif name in _OF_TEXT:
            seen, wanted = _folded(seen), _folded(wanted)
    return _OPERATORS[name](seen, wanted, view)


def _folded(value: JSON) -> JSON:
    if isinstance(value, str):
        return value.casefold()
    return [_folded(one) for one in value] if isinstance(value, list) else value


def _kind(value: JSON) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__


def _equal(seen: JSON, wanted: JSON, view: Sight) -> bool:
    if _kind(seen) != _kind(wanted):
        raise Mismatch
    return seen == wanted


def _in(seen: JSON, wanted: JSON, view: Sight) -> bool:
    if not isinstance(wanted, list):
        raise Mismatch
    alike = [one for one in wanted if one is not None and _kind(one) == _kind(seen)]
    if wanted and not alike:
        raise Mismatch
    return seen in alike


def _ordered(seen: JSON, wanted: JSON, view: Sight) -> tuple[float | datetime, float | datetime]:
    left, right = number_or_none(seen), number_or_none(wanted)
    if left is not None and right is not None:
        return left, right
    earlier, later = parse_instant(seen, view.zone), parse_instant(wanted, view.zone)
    if earlier is None or later is None:
        raise Mismatch
    return earlier, later


def _by_order(test: Callable[[Any, Any], bool]) -> Callable[[JSON, JSON, Sight], bool]:
    # Any: both sides are numbers or both are instants, as _ordered promises
    return lambda seen, wanted, view: test(*_ordered(seen, wanted, view))


def _contains(seen: JSON, wanted: JSON, view: Sight) -> bool:
    if isinstance(seen, list):
        return any(one is not None and _kind(one) == _kind(wanted) and one == wanted for one in seen)
    left, right = _texts(seen, wanted)
    return right in left


def _texts(seen: JSON, wanted: JSON) -> tuple[str, str]:
    if not isinstance(seen, str) or not isinstance(wanted, str):
        raise Mismatch
    return seen, wanted


def _matches(seen: JSON, wanted: JSON, view: Sight) -> bool:
    text, source = _texts(seen, wanted)
    if len(text) > MATCHES_LENGTH_MAX or not _encodable(text):
        raise Mismatch
    return _pattern(source).search(text) is not None


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in text)


def _moments(seen: JSON, wanted: JSON, view: Sight) -> tuple[datetime, datetime]:
    instant = parse_instant(seen, view.zone)
    limit = _limit(wanted, view)
    if instant is None or limit is None:
        raise Mismatch
    return instant, limit


def _limit(wanted: JSON, view: Sight) -> datetime | None:
    offset = _relative(wanted)
    if offset is None:
        return parse_instant(wanted, view.zone)
    try:
        return view.now + offset
    except OverflowError:
        return None


def _relative(wanted: object) -> timedelta | None:
    if not isinstance(wanted, str):
        return None
    try:
        return parse_duration(wanted)
    except InvalidValue:
        return None


def _before(seen: JSON, wanted: JSON, view: Sight) -> bool:
    instant, limit = _moments(seen, wanted, view)
    return instant < limit


def _later(seen: JSON, wanted: JSON, view: Sight) -> bool:
    instant, limit = _moments(seen, wanted, view)
    return instant > limit


def _local_date(seen: JSON, view: Sight) -> date:
    if isinstance(seen, str) and len(seen) == 10:
        try:
            return date.fromisoformat(seen)
        except ValueError:
            raise Mismatch from None
    instant = parse_instant(seen, view.zone)
    if instant is None:
        raise Mismatch
    try:
        return instant.astimezone(view.zone).date()
    except OverflowError:  # beyond the calendar where the contact is
        raise Mismatch from None


def _anniversary(seen: JSON, wanted: object, view: Sight) -> bool:
    assert isinstance(wanted, timedelta)
    return anniversary_within(_local_date(seen, view), view.now.astimezone(view.zone).date(), wanted.days)


def _edges(name: str, seen: JSON | Missing, wanted: object, view: Sight) -> list[datetime]:
    if isinstance(seen, Missing):
        return []
    if name == "anniversary_in":
        return [next_midnight(view.now, view.zone)]
    offset, instant = _relative(wanted), parse_instant(seen, view.zone)
    if offset is None or instant is None:
        return []
    try:
        return [instant - offset, instant - offset + _MICROSECOND]
    except OverflowError:
        return []


# Any: anniversary_in takes a timedelta where the others take JSON
_OPERATORS: Final[dict[str, Callable[[Any, Any, Sight], bool]]] = {
    "eq": _equal,
    "ne": lambda seen, wanted, view: not _equal(seen, wanted, view),
    "gt": _by_order(lambda left, right: left > right),
    "gte": _by_order(lambda left, right: left >= right),
    "lt": _by_order(lambda left, right: left < right),
    "lte": _by_order(lambda left, right: left <= right),
    "in_": _in,
    "not_in": lambda seen, wanted, view: not _in(seen, wanted, view),
    "contains": _contains,
    "starts_with": lambda seen, wanted, view: _texts(seen, wanted)[0].startswith(wanted),
    "ends_with": lambda seen, wanted, view: _texts(seen, wanted)[0].endswith(wanted),
    "matches": _matches,
    "before": _before,
    "after": _later,
    "anniversary_in": _anniversary,
}
