"""The values that documents are made of: durations, times of day, paths, references (format.md, "Values")."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from journeyflow.core.errors import InvalidValue
from journeyflow.core.local_time import at_local

JSON = JsonValue


class Missing:
    """The value of a path that leads nowhere; ``null`` counts as missing too."""

    def __repr__(self) -> str:
        return "missing"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


class Model(BaseModel):
    """A frozen part of a document; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


REMAINS: Final = "remains"
"""The context in which what remains of a document is validated: what is wrong in it has been taken out."""
_Part = TypeVar("_Part", bound=Model)


def of_the_whole(judge: Callable[[_Part], _Part]) -> Any:  # Any: what Pydantic makes of a validator
    """Decorates what a model demands of its values together; where some were taken out, nothing can be demanded."""

    def judged(part: _Part, info: ValidationInfo) -> _Part:
        return part if info.context == REMAINS else judge(part)

    return model_validator(mode="after")(judged)


Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$"),
    Field(description="an id: lower-case letters, digits and dashes, at most 64"),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _no_star(name: str) -> str:
    if "*" in name:
        raise ValueError("expected the whole name of an event: only the name in an event trigger may end in *")
    return name


EventName = Annotated[Name, AfterValidator(_no_star)]
"""The one event of that name; ``*`` would be mistaken for a pattern, which only a trigger's name can be."""
NodeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
"""What a node saves a value as: a name that Liquid and a path can say."""

# --- durations -------------------------------------------------------------------------------------------------------

_UNITS: Final = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_SHORT: Final = re.compile(r"(-)?((?:\d{1,9}[wdhms])+)")
_SHORT_PART: Final = re.compile(r"(\d+)([wdhms])")
_ISO: Final = re.compile(
    r"(-)?P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.(\d{1,6}))?S)?)?"
)
_LONGEST: Final = timedelta(days=36_500)
_EXPECTED_DURATION: Final = "expected a duration such as 90s, 45m, 1h30m, 3d, 2w or P3DT12H"


def parse_duration(text: str) -> timedelta:
    """Read ``90s``, ``1h30m``, ``-3d`` or ISO 8601 (``P3DT12H``); a day is 24 hours.

    :raises InvalidValue: when it is neither, names a unit twice or after a shorter one, or is longer than 100 years.
    """
    seconds = _short_seconds(text)
    if seconds is None:
        seconds = _iso_seconds(text)
    if seconds is None:
        raise InvalidValue(_EXPECTED_DURATION)
    if abs(seconds) > _LONGEST.total_seconds():
        raise InvalidValue("expected a duration of at most 100 years")
    return timedelta(seconds=seconds)


def _short_seconds(text: str) -> float | None:
    match = _SHORT.fullmatch(text)
    if match is None:
        return None
    parts = [(int(number), _UNITS[unit]) for number, unit in _SHORT_PART.findall(match[2])]
    if any(before <= after for (_, before), (_, after) in pairwise(parts)):
        raise InvalidValue("expected each unit of a duration once, the longer before the shorter, such as 1h30m")
    seconds = sum(number * length for number, length in parts)
    return -seconds if match[1] else seconds


def _iso_seconds(text: str) -> float | None:
    match = _ISO.fullmatch(text)
    if match is None or not any(match.groups()[1:]):
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:6])
    total = weeks * 604800 + days * 86400 + hours * 3600 + minutes * 60 + seconds + float(f"0.{match[7] or 0}")
    return -total if match[1] else total


def duration_text(duration: timedelta) -> str:
    """A duration as one writes it: ``90s``, ``1h30m``, ``2d``; parts of a second are left out."""
    seconds = abs(int(duration.total_seconds()))
    parts = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count}{unit}")
    sign = "-" if duration < timedelta() else ""
    return f"{sign}{''.join(parts)}" if parts else "0s"


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(_EXPECTED_DURATION)
    try:
        return parse_duration(value)
    except InvalidValue as error:
        raise ValueError(str(error)) from None


def _forward(value: timedelta) -> timedelta:
    if value < timedelta():
        raise ValueError("expected a duration that is not negative")
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError("expected a duration longer than zero")
    return value


_DURATION_SCHEMA: Final[dict[str, Any]] = {  # Any: JSON Schema is free-form
    "type": "string",
    "description": "90s, 45m, 1h30m, 3d, 2w or ISO 8601 such as P3DT12H",
    "minLength": 2,
    "pattern": (
        r"^-?(([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?"
        r"|P([0-9]+W)?([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9.]+S)?)?)$"
    ),
}
SignedDuration = Annotated[timedelta, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
Duration = Annotated[
    timedelta, BeforeValidator(lambda value: _forward(_duration(value))), WithJsonSchema(_DURATION_SCHEMA)
]
PositiveDuration = Annotated[
    timedelta, BeforeValidator(lambda value: _positive(_duration(value))), WithJsonSchema(_DURATION_SCHEMA)
]

# --- times of day, weekdays, instants --------------------------------------------------------------------------------

_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _time_of_day(value: object) -> time:
    if isinstance(value, time):
        return value
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected a time of day such as "09:00"')
    return time(int(match[1]), int(match[2]), int(match[3] or 0))


TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    PlainSerializer(lambda value: value.isoformat("minutes"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "description": "09:00"}),
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def weekday_numbers(names: tuple[str, ...] | None) -> frozenset[int] | None:
    """Monday is 0; ``None`` stays ``None`` (every day)."""
    return None if names is None else frozenset(WEEKDAYS.index(name) for name in names)


_INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?(Z|z|[+-]\d{2}(:?\d{2})?))?)?"
)

GREENWICH: Final = ZoneInfo("UTC")


def parse_instant(value: object, zone: ZoneInfo = GREENWICH) -> datetime | None:
    """The UTC instant an ISO 8601 text means, local to ``zone`` when it has no offset; ``None`` when it is none."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    return _instant(value, zone)


@lru_cache(maxsize=4096)
def _instant(text: str, zone: ZoneInfo) -> datetime | None:
    if _INSTANT.fullmatch(text) is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace(",", ".").replace(" Z", "Z").replace("z", "Z"))
        if found.tzinfo is None:
            return at_local(zone, found.date(), found.time())
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _instant_text(value: object) -> str:
    if parse_instant(value) is None:
        raise ValueError("expected an instant in ISO 8601 such as 2026-03-02T10:00:00Z")
    return str(value)


InstantText = Annotated[str, BeforeValidator(_instant_text)]


@lru_cache(maxsize=1024)
def iso(instant: datetime) -> str:
    """ISO 8601 in UTC with six decimals and ``Z`` (rule 9.1)."""
    # orjson writes instants many times as fast as isoformat does: 2026-03-02T10:00:00[.000001]+00:00, in quotes
    text = orjson.dumps(instant.astimezone(UTC)).decode()
    return f"{text[1:20]}.{text[21:27] if instant.microsecond else '000000'}Z"


EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY_US: Final = 86_400_000_000


@lru_cache(maxsize=4096)
def to_micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z."""
    delta = instant - EPOCH
    return delta.days * _DAY_US + delta.seconds * 1_000_000 + delta.microseconds


@lru_cache(maxsize=4096)
def from_micros(micros: int) -> datetime:
    """The instant that many microseconds after 1970-01-01T00:00:00Z."""
    return EPOCH + timedelta(0, 0, micros)


# --- paths and references --------------------------------------------------------------------------------------------

_PATH_PART: Final = re.compile(r"([^.\[\]]+)((?:\[\d{1,6}\])*)")
PathKeys = tuple[str | int, ...]


@lru_cache(maxsize=8192)
def parse_path(text: str) -> PathKeys:
    """``items[0].sku`` → ``("items", 0, "sku")``.

    :raises InvalidValue: when it is no path, or longer than 500 characters.
    """
    if len(text) > 500:
        raise InvalidValue("expected a path of at most 500 characters")
    keys: list[str | int] = []
    for part in text.split("."):
        match = _PATH_PART.fullmatch(part)
        if match is None:
            raise InvalidValue("expected a path such as address.city or items[0].sku")
        keys.append(match[1])
        keys.extend(int(index) for index in re.findall(r"\d+", match[2]))
    return tuple(keys)


def look_up(value: object, keys: PathKeys) -> JSON | Missing:
    """What stands at the path; :data:`MISSING` when nothing, or ``null``, does."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and type(key) is int and key < len(value):
            value = value[key]
        else:
            return MISSING
        if value is None:
            return MISSING
    return value  # type: ignore[return-value]  # what lies inside JSON is JSON


def _path_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a path such as address.city or items[0].sku")
    try:
        keys = parse_path(value)
    except InvalidValue as error:
        raise ValueError(str(error)) from None
    if len(keys) > DEPTH_MAX:
        raise ValueError(f"expected a path of at most {DEPTH_MAX} steps")
    return value


Path = Annotated[str, BeforeValidator(_path_text)]

ROOTS: Final = ("contact", "trigger", "event", "vars")


def _reference(value: object) -> str:
    text = _path_text(value)
    root, _, rest = text.partition(".")
    if root not in ROOTS or not rest:
        raise ValueError("expected a path that begins with contact., trigger., event. or vars.")
    return text


ReferencePath = Annotated[str, BeforeValidator(_reference)]


class Ref(Model):
    """``{ref: trigger.checkout_id}``: a value that is looked up when it is needed."""

    ref: ReferencePath


def _value(value: object) -> object:
    if isinstance(value, dict) and "ref" in value:
        return Ref.model_validate(value)
    return _each(_value, range(len(value)), value) if isinstance(value, list) else value


# Any: a literal is whatever JSON the author wrote, or a Ref; which of the two is decided by the validator above
Value = Annotated[
    Any,
    BeforeValidator(_value),
    WithJsonSchema({"description": "a value, or {ref: PATH}; in a list each may be a reference"}),
]


def references(value: object) -> Iterator[tuple[str, Ref]]:
    """Every reference in a :data:`Value`, with its path inside it."""
    if isinstance(value, Ref):
        yield "", value
    elif isinstance(value, list):
        yield from ((f"[{index}]{path}", ref) for index, one in enumerate(value) for path, ref in references(one))


def _nested(value: object) -> object:
    if isinstance(value, dict):
        if set(value) == {"ref"}:
            return Ref.model_validate(value)
        names = [str(name) for name in value]
        return dict(zip(names, _each(_nested, names, value.values()), strict=True))
    return _each(_nested, range(len(value)), value) if isinstance(value, list) else value


def _each(read: Callable[[object], object], keys: Iterable[int | str], parts: Iterable[object]) -> list[object]:
    """Each part read; the errors of all at once, each with its place."""
    found: list[object] = []
    errors: list[InitErrorDetails] = []
    for key, part in zip(keys, parts, strict=True):
        try:
            found.append(read(part))
        except ValidationError as error:
            errors.extend(_within(key, one) for one in error.errors(include_url=False))
    if errors:
        raise ValidationError.from_exception_data("parts", errors)
    return found


def _within(key: int | str, error: ErrorDetails) -> InitErrorDetails:
    return InitErrorDetails(
        type=error["type"], loc=(key, *error["loc"]), input=error["input"], ctx=error.get("ctx", {})
    )


def each_once(what: str, values: Iterable[tuple[tuple[int | str, ...], str]]) -> None:
    """See that no value comes twice; they come with their places.

    :raises ValidationError: with the places of all that do.
    """
    seen: set[str] = set()
    errors: list[InitErrorDetails] = []
    for place, value in values:
        if value in seen:
            twice = PydanticCustomError(
                "comes_twice", "expected each {what} once; {value} comes twice", {"what": what, "value": value}
            )
            errors.append(InitErrorDetails(type=twice, loc=place, input=value))
        seen.add(value)
    if errors:
        raise ValidationError.from_exception_data(what, errors)


# Any: as above, and what lies inside a mapping or a list may be a Ref, too
Nested = Annotated[
    Any,
    BeforeValidator(_nested),
    WithJsonSchema(
        {"description": "a value; every text inside it is Liquid, and {ref: PATH} stands for what it names"}
    ),
]


def demand_one(given: Mapping[str, object], hint: str = "") -> None:
    """See that exactly one of some keys is given.

    :param given: what each has, ``None`` where it is absent.
    :raises ValueError: saying which there are, and, where they are too many, which were found.
    """
    found = [name for name, value in given.items() if value is not None]
    if not found:
        raise ValueError(f"expected one of {', '.join(given)}{hint}")
    if len(found) > 1:
        raise ValueError(f"expected only one of {', '.join(given)}{hint}; found {' and '.join(found)}")


def texts_inside(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Every text inside a :data:`Nested` value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from texts_inside(f"{path}.{name}", one)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from texts_inside(f"{path}[{index}]", one)


def number_or_none(value: object) -> int | float | None:
    """The number, or ``None`` for what is not one (booleans and text are not)."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


DEPTH_MAX: Final = 64
"""So many lists and mappings may lie inside each other in what comes in."""


def too_deep(value: JSON, left: int = DEPTH_MAX) -> bool:
    """Whether more than ``left`` lists and mappings lie inside each other."""
    if isinstance(value, dict):
        inner: Iterable[JSON] = value.values()
    elif isinstance(value, list):
        inner = value
    else:
        return False
    if left == 0:
        return True
    for one in inner:  # noqa: SIM110  # every event comes through here; any() over a generator takes twice as long
        if isinstance(one, dict | list) and too_deep(one, left - 1):
            return True
    return False
