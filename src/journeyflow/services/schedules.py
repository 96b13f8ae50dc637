"""Firing schedules for the whole installation (rule 3.8): a row for the instant, and a task over the contacts.

``local`` schedules come for each contact by its own timer, and are not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from journeyflow.core.facts import Firings
from journeyflow.core.flows import Flows, Timed
from journeyflow.core.timetable import Coming
from journeyflow.core.triggers import ScheduleTrigger
from journeyflow.db import claims, firings, tasks
from journeyflow.db.claims import Claim, Group
from journeyflow.db.firings import Fired

AT_ONCE_MAX: Final = 100
"""So many instants of one schedule fire in one turn at most; the next turn fires the next."""
_MICROSECOND: Final = timedelta(microseconds=1)


def fire(connection: Connection, claim: Claim, flows: Flows, until: datetime) -> None:
    """Fire for each group what has come by an instant, and was not missed by more than its ``catch_up``."""
    for group, last in firings.last_of_groups(connection, claim.parts).items():
        for timed in flows.schedules:
            coming = _next(timed, last, claim.now)
            for _ in range(AT_ONCE_MAX):
                if coming is None or coming.at > until:
                    break
                journey, key = timed.published.id, timed.trigger.key
                firings.put(connection, group, journey, key, coming.at, claim.now)
                tasks.fire(connection, group, journey, key, coming.at)
                coming = None if _once(timed) else timed.table().after(coming)


def next_firing(connection: Connection, flows: Flows, now: datetime) -> datetime | None:
    """When the next schedule fires, for some group."""
    return min(next_by_group(connection, flows, now, claims.groups(connection)).values(), default=None)


def next_by_group(
    connection: Connection, flows: Flows, now: datetime, groups: Iterable[Group]
) -> dict[Group, datetime]:
    """When the next schedule fires for each group; those for which none does are left out."""
    if not flows.schedules:
        return {}
    found = {}
    for group, last in firings.last_of_groups(connection, groups).items():
        comings = [coming.at for timed in flows.schedules if (coming := _next(timed, last, now)) is not None]
        if comings:
            found[group] = min(comings)
    return found


def open_firings(connection: Connection, claim: Claim, flows: Flows) -> Callable[[str], Firings]:
    """The firings that a contact may still take part in, by the key under which it remembers its own."""
    found: dict[int, dict[str, list[datetime]]] = {}
    if flows.schedules:
        for task in tasks.firing(connection, claim):
            if task.fire_at is not None:
                of_group = found.setdefault(task.shard, {})
                of_group.setdefault(f"{task.journey}:{task.trigger}", []).append(task.fire_at)
    if not found:
        return _none
    return lambda contact: found.get(claim.part(contact).first, {})


def _none(_: str) -> Firings:
    return {}


def _next(timed: Timed, last: Fired, now: datetime) -> Coming | None:
    assert isinstance(timed.trigger, ScheduleTrigger)
    fired_at = last.get((timed.published.id, timed.trigger.key))
    if fired_at is not None and _once(timed):
        return None
    since = timed.armed_at if fired_at is None else max(timed.armed_at, fired_at + _MICROSECOND)
    return timed.table().first(max(since, now - timed.trigger.catch_up))


def _once(timed: Timed) -> bool:
    return isinstance(timed.trigger, ScheduleTrigger) and timed.trigger.at is not None
