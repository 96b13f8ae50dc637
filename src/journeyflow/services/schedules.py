"""Firing schedules for the whole installation (rule 3.8): a row for the instant, and a task over the contacts.

``local`` schedules come for each contact by its own timer, and are not here.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from journeyflow.core.flows import Flows, Timed
from journeyflow.core.timetable import Coming
from journeyflow.core.triggers import ScheduleTrigger
from journeyflow.db import firings, tasks

AT_ONCE_MAX: Final = 100
"""So many instants of one schedule fire in one turn at most; the next turn fires the next."""
_MICROSECOND: Final = timedelta(microseconds=1)


def fire(connection: Connection, flows: Flows, until: datetime, now: datetime) -> None:
    """Fire what has come by an instant, and was not missed by more than its ``catch_up``."""
    last = firings.last(connection)
    for timed in flows.schedules:
        coming = _next(timed, last, now)
        for _ in range(AT_ONCE_MAX):
            if coming is None or coming.at > until:
                break
            journey, key = timed.published.id, timed.trigger.key
            firings.put(connection, journey, key, coming.at, now)
            tasks.fire(connection, journey, key, coming.at)
            coming = None if _once(timed) else timed.table().after(coming)


def next_firing(connection: Connection, flows: Flows, now: datetime) -> datetime | None:
    """When the next schedule fires."""
    if not flows.schedules:
        return None
    last = firings.last(connection)
    comings = (_next(timed, last, now) for timed in flows.schedules)
    return min((coming.at for coming in comings if coming is not None), default=None)


def open_firings(connection: Connection, flows: Flows) -> dict[str, list[datetime]]:
    """The firings that contacts are still taking part in, by the key under which a contact remembers its own."""
    found: dict[str, list[datetime]] = {}
    if flows.schedules:
        for task in tasks.firing(connection):
            if task.fire_at is not None:
                found.setdefault(f"{task.journey}:{task.trigger}", []).append(task.fire_at)
    return found


def _next(timed: Timed, last: dict[tuple[str, str], datetime], now: datetime) -> Coming | None:
    assert isinstance(timed.trigger, ScheduleTrigger)
    fired_at = last.get((timed.published.id, timed.trigger.key))
    if fired_at is not None and _once(timed):
        return None
    since = timed.armed_at if fired_at is None else max(timed.armed_at, fired_at + _MICROSECOND)
    return timed.table().first(max(since, now - timed.trigger.catch_up))


def _once(timed: Timed) -> bool:
    return isinstance(timed.trigger, ScheduleTrigger) and timed.trigger.at is not None
