"""When a schedule comes: cron expressions read on the clock on the wall somewhere (rules 3.8 and 4.4)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from journeyflow.core.local_time import LATEST, at_local
from journeyflow.core.values import parse_instant

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_GAP = timedelta(hours=25)
"""More than any clock change has ever skipped: Samoa left out a whole day."""
_FIELDS = 5
_PROBE = datetime(2024, 1, 1)  # noqa: DTZ001  # the clock on the wall: a local time without a zone is what is meant


class Coming(NamedTuple):
    """One time that a schedule comes: the instant, and what the clock on the wall should show then (as if UTC)."""

    at: datetime
    wall: datetime


def check_cron(expression: str) -> str:
    """The expression, if it is one that comes.

    :raises ValueError: when it is none, or never comes.
    """
    if len(expression.split()) != _FIELDS:
        raise ValueError('expected five fields: minute, hour, day of month, month, weekday, such as "0 9 * * mon"')
    try:
        found = next(CronSim(expression, _PROBE), None)
    except CronSimError as error:
        raise ValueError(f'expected a cron expression such as "0 9 * * mon" ({str(error).lower()})') from None
    if found is None:
        raise ValueError("expected a cron expression that comes some day")
    return expression


class Timetable:
    """The times of one schedule in one zone.

    A local time that a clock change skips is the first instant after the gap, one that comes twice is the first (rule
    4.4); times that fall on one instant so are one.
    """

    __slots__ = ("_asked", "_cron", "_found", "_once", "_zone")

    def __init__(self, cron: str | None, once: str | None, zone: ZoneInfo) -> None:
        self._cron = cron
        self._zone = zone
        at = None if once is None else parse_instant(once, zone)
        self._once = None if at is None else Coming(at, _wall(at, zone))
        # The last question and its answer: it is the answer to every instant between.
        self._asked: datetime | None = None
        self._found: Coming | None = None

    def first(self, since: datetime) -> Coming | None:
        """The first time at or after an instant."""
        if self._once is not None:
            return self._once if self._once.at >= since else None
        if self._asked is None or not self._asked <= since or (self._found is not None and self._found.at < since):
            self._asked, self._found = since, self._search(since)
        return self._found

    def after(self, coming: Coming) -> Coming | None:
        """The first time later than another one."""
        return self.first(coming.at + _MICROSECOND)

    def _search(self, since: datetime) -> Coming | None:
        assert self._cron is not None
        if since >= LATEST - _LONGEST_GAP:
            return None
        start = _wall(since, self._zone).replace(tzinfo=None)
        if at_local(self._zone, *_parts(start - _MICROSECOND)) == since:  # the end of a gap, which stands for all of it
            start -= _LONGEST_GAP
        for wall in CronSim(self._cron, start.replace(microsecond=0) - _SECOND):
            at = at_local(self._zone, *_parts(wall))
            if at >= since:
                return None if at >= LATEST else Coming(at, wall.replace(tzinfo=UTC))
        return None


def _parts(wall: datetime) -> tuple[date, time]:
    return wall.date(), wall.time()


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=UTC, fold=0)
