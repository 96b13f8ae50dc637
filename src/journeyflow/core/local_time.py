"""Local times: where a contact is, when it is nine o'clock there, and when that next changes.

Everything that goes in or comes out is an aware UTC ``datetime``, unless a function says otherwise; a weekday is a
number, Monday is 0. Rules 4.3 and 4.4 are here, and the windows of quiet hours and of ``local_time`` conditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_MIDNIGHT: Final = time(0)
_WEEK_DAYS: Final = 7
_EDGES_MAX: Final = 60
"""More than the wall clock's edges (three a day, and clock changes) in a week and a day."""

EARLIEST: Final = datetime(1, 1, 3, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 29, tzinfo=UTC)
"""No due time lies outside these; two days of room keep every local time representable."""
_FIRST_DAY: Final = EARLIEST.date()
_LAST_DAY: Final = LATEST.date()


# --- zones -----------------------------------------------------------------------------------------------------------


@cache
def _names() -> frozenset[str]:
    # The list that comes with tzdata, not the files of the machine: those hold "localtime" and "right/...", and some
    # file systems take "europe/warsaw" for a name.
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("ascii").split())


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def is_zone(name: object) -> bool:
    """Whether this is the name of an IANA time zone, spelled exactly."""
    return isinstance(name, str) and name in _names()


def zone(*names: object) -> ZoneInfo:
    """The first of these that names an IANA time zone (whatever else is among them is passed over), else UTC."""
    for name in names:
        if isinstance(name, str) and name in _names():
            return _zone(name)
    return _zone("UTC")


# --- local times as instants -----------------------------------------------------------------------------------------


@lru_cache(maxsize=16_384)
def at_local(zone: ZoneInfo, day: date, at: time) -> datetime:
    """When it is that time on that day there.

    A local time that a clock change skips is the first instant after the gap, one that comes twice is the first
    (rule 4.4). Days at the ends of the calendar are moved to :data:`EARLIEST` and :data:`LATEST`.
    """
    day = min(max(day, _FIRST_DAY), _LAST_DAY)
    first = datetime.combine(day, at, zone).replace(fold=0)
    second = first.replace(fold=1)
    if _offset(second) > _offset(first):
        return _clock_change(zone, second.astimezone(UTC), first.astimezone(UTC))
    return first.astimezone(UTC)


def _offset(local: datetime) -> timedelta:
    offset = local.utcoffset()
    assert offset is not None, "a ZoneInfo always knows its offset"
    return offset


def _clock_change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first instant after ``before`` with another offset than there; ``after`` has another one. To the second."""
    offset = _offset(before.astimezone(zone))
    low, high = before.replace(microsecond=0), after.replace(microsecond=0)
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        if _offset(middle.astimezone(zone)) == offset:
            low = middle
        else:
            high = middle
    return high


def next_at(
    now: datetime, zone: ZoneInfo, at: time, weekdays: frozenset[int] | None = None, *, after: bool = False
) -> datetime:
    """The next instant at which it is that local time on one of those weekdays (none given: on any).

    ``now`` itself counts, unless ``after`` asks for a strictly later one (rule 4.9).
    """
    today = now.astimezone(zone).date()
    # Yesterday too: where a clock change skips the end of a day, yesterday's time is the first instant of today.
    for days in range(-1, _WEEK_DAYS + 2):
        day = _days_later(today, days)
        if not weekdays or day.weekday() in weekdays:
            due = at_local(zone, day, at)
            if due > now or (due == now and not after):
                return due
    return LATEST


def _days_later(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return _LAST_DAY if days > 0 else _FIRST_DAY


def wait_until(
    begun: datetime,
    duration: timedelta,
    at: time | None,
    weekdays: frozenset[int] | None,
    zone: ZoneInfo,
    *,
    after: bool = False,
) -> datetime:
    """When a ``wait for:`` ends that began at ``begun`` (rule 4.3).

    Without ``at``: that much later, to the microsecond; then on to the same local time of the next allowed weekday.
    With ``at`` (``duration`` is then whole days): that many local calendar days later at that time, then on to the
    next allowed weekday; for zero days the next such time, ``begun`` included unless ``after`` (rule 4.9).
    """
    if at is None:
        return _on_weekday(_later(begun, duration), weekdays, zone)
    if duration < _DAY:
        return next_at(begun, zone, at, weekdays, after=after)
    day = _days_later(begun.astimezone(zone).date(), duration.days)
    return at_local(zone, _allowed_day(day, weekdays), at)


def _later(begun: datetime, duration: timedelta) -> datetime:
    try:
        return min(begun + duration, LATEST)
    except OverflowError:
        return LATEST


def _on_weekday(due: datetime, weekdays: frozenset[int] | None, zone: ZoneInfo) -> datetime:
    if not weekdays:
        return due
    local = due.astimezone(zone)
    if local.weekday() in weekdays:
        return due
    return at_local(zone, _allowed_day(local.date(), weekdays), local.time())


def _allowed_day(day: date, weekdays: frozenset[int] | None) -> date:
    if not weekdays:
        return day
    wait = min((weekday - day.weekday()) % _WEEK_DAYS for weekday in weekdays)
    return _days_later(day, wait)


def moved(base: datetime, zone: ZoneInfo, offset: timedelta, at: time | None) -> datetime:
    """An instant moved by so much time; with ``at`` to that time of its day there, and whole days are the calendar's.

    :raises OverflowError: when that lies beyond the calendar.
    """
    if at is None:
        return base + offset
    if offset % _DAY:
        return at_local(zone, (base + offset).astimezone(zone).date(), at)
    return at_local(zone, base.astimezone(zone).date() + offset, at)


# --- windows of the local clock --------------------------------------------------------------------------------------


def in_window(
    now: datetime, zone: ZoneInfo, from_: time | None, to: time | None, weekdays: frozenset[int] | None = None
) -> bool:
    """Whether the clock on the wall there shows a time of the window, on one of the weekdays (none given: on any).

    ``from_`` belongs to the window, ``to`` does not. Where ``from_`` is later than ``to`` the window goes over
    midnight, and the weekday is that of the local day at hand: Friday 22:00 to 06:00 is Friday's first six hours and
    its last two. Without ``from_`` it begins, without ``to`` it ends with the day. Where both are the same time it
    is empty, as [t, t) is: a message never waits for quiet hours that have no end.
    """
    return _shows(now.astimezone(zone), from_, to, weekdays)


def _shows(local: datetime, from_: time | None, to: time | None, weekdays: frozenset[int] | None) -> bool:
    if weekdays and local.weekday() not in weekdays:
        return False
    shown = local.time()
    if from_ is None:
        return to is None or shown < to
    if to is None:
        return shown >= from_
    if from_ > to:
        return shown >= from_ or shown < to
    return from_ <= shown < to


def window_edge(
    now: datetime, zone: ZoneInfo, from_: time | None, to: time | None, weekdays: frozenset[int] | None = None
) -> datetime | None:
    """The earliest instant after ``now`` at which :func:`in_window` answers otherwise; ``None`` when it never does.

    It is exact: an edge inside the hour that a clock change repeats, or skips, is found as well.
    """
    if _constant(from_, to, weekdays):
        return None
    held = in_window(now, zone, from_, to, weekdays)
    times = {_MIDNIGHT, from_ or _MIDNIGHT, to or _MIDNIGHT}
    for local in _wall_edges(now, zone, tuple(sorted(times))):
        if _shows(local, from_, to, weekdays) != held:
            return local.astimezone(UTC)
    return None


def _constant(from_: time | None, to: time | None, weekdays: frozenset[int] | None) -> bool:
    every_day = not weekdays or len(weekdays) == _WEEK_DAYS
    whole_day = (from_ or _MIDNIGHT) == _MIDNIGHT and to is None
    empty = to is not None and (from_ or _MIDNIGHT) == to
    return empty or (whole_day and every_day)


def _wall_edges(now: datetime, zone: ZoneInfo, times: tuple[time, ...]) -> Iterator[datetime]:
    """Each local time after ``now`` at which the clock shows one of ``times`` (sorted) or is changed, in order."""
    local = now.astimezone(zone)
    for _ in range(_EDGES_MAX):
        if local.date() >= _LAST_DAY:
            return
        local = _next_wall_edge(local, zone, times)
        yield local


def _next_wall_edge(local: datetime, zone: ZoneInfo, times: tuple[time, ...]) -> datetime:
    shown = local.replace(tzinfo=None)
    later = (time_ for time_ in times if time_ > shown.time())
    wall = next((datetime.combine(shown, time_) for time_ in later), datetime.combine(shown + _DAY, times[0]))
    instant = local.astimezone(UTC)
    edge = (instant + (wall - shown)).astimezone(zone)
    if _offset(edge) == _offset(local):
        return edge
    return _clock_change(zone, instant, edge.astimezone(UTC)).astimezone(zone)


def quiet_end(now: datetime, zone: ZoneInfo, from_: time, to: time) -> datetime:
    """When the quiet hours end that hold now; ``now`` itself where none do."""
    if not in_window(now, zone, from_, to):
        return now
    return window_edge(now, zone, from_, to) or now


# --- days ------------------------------------------------------------------------------------------------------------


def next_midnight(now: datetime, zone: ZoneInfo) -> datetime:
    """The first instant after ``now`` with another local date."""
    here = now.astimezone(zone)
    today = here.date()
    if today < _LAST_DAY:
        midnight = datetime.combine(today + _DAY, _MIDNIGHT, zone)
        if _offset(midnight) == _offset(here):  # the usual day, without a clock change
            return midnight.astimezone(UTC)
    for local in _wall_edges(now, zone, (_MIDNIGHT,)):
        if local.date() != today:
            return local.astimezone(UTC)
    return LATEST


def end_of_local_day(instant: datetime, zone: ZoneInfo) -> datetime:
    """The last whole second of the instant's local day, aware in ``zone``: 23:59:59, unless a clock change skips it."""
    return (next_midnight(instant, zone) - _SECOND).astimezone(zone)


def anniversary(born: date, year: int) -> date:
    """The day of that year with the month and day of ``born``; 29 February counts as 28 in other years."""
    try:
        return date(year, born.month, born.day)
    except ValueError:
        return date(year, born.month, born.day - 1)


def anniversary_within(born: date, today: date, days: int) -> bool:
    """Whether the month and day of ``born`` come today or within the next ``days`` days, the last one included."""
    last = _days_later(today, max(days, -1))
    return any(today <= anniversary(born, year) <= last for year in {today.year, last.year, min(today.year + 1, 9999)})
