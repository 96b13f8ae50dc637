"""What a day costs on PostgreSQL: a few constants for each operation, and sums over them.

The constants are measured (``python -m benchmarks capacity``); everything here is arithmetic, so that an operator can
follow it with a pocket calculator (docs/scaling.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

HOURS: Final = 24
MINUTES: Final = 60
SECONDS: Final = 60
CONTACTS_OF_TABLE: Final = (1_000_000, 10_000_000, 100_000_000)

OPERATIONS: Final = {
    "take in": "an event answered over HTTP, in batches of 100",
    "store": "an event handled that no journey waits for",
    "enter": "an event that begins a run: a message queued, a wait",
    "wake": "a run whose wait is over: a branch, a message or a tag, the end",
    "write to": "a contact let in by a schedule: a message queued, the end",
    "send": "a message rendered and delivered, without the mail server's part",
}
AT_ONCE: Final = ("take in", "store", "enter")
"""Somebody waits for these; what can wait for a minute stands behind them."""


class Cost(NamedTuple):
    """What one operation costs, or many of them."""

    engine: float = 0.0
    """CPU seconds of journeyflow's processes"""
    database: float = 0.0
    """CPU seconds of PostgreSQL's processes"""
    wal: float = 0.0
    """bytes of WAL, images of pages left out"""
    images: float = 0.0
    """bytes of pages that go into the WAL as a whole, where nothing has touched them since the last checkpoint"""
    disk: float = 0.0
    """bytes that stay in tables and indexes"""

    def plus(self, other: Cost) -> Cost:
        """Both."""
        return Cost(*(one + two for one, two in zip(self, other, strict=True)))

    def times(self, count: float) -> Cost:
        """So many of it."""
        return Cost(*(one * count for one in self))


Constants = Mapping[str, Cost]
"""The cost of each operation, by its name in ``OPERATIONS``; under ``contact`` what a contact occupies."""

Counts = Mapping[str, float]
"""How many of each operation."""

NORMAL: Final = (1, 1, 1, 1, 1, 2, 3, 4, 5, 5, 5, 5, 6, 5, 5, 5, 5, 6, 7, 8, 8, 6, 4, 2)
"""How the day's events lie in its hours, in parts of their sum."""


@dataclass(frozen=True)
class Day:
    """What happens in a day: the counts of each of its hours."""

    contacts: int
    hours: Sequence[Counts] = field(repr=False)

    @property
    def counts(self) -> Counts:
        """Of the whole day."""
        return {name: sum(hour.get(name, 0.0) for hour in self.hours) for name in OPERATIONS}


def ordinary_day(contacts: int) -> Day:
    """A shop's day: an event a contact, of ten one that begins a run which ends three hours later, and a newsletter.

    The newsletter goes to everybody, is due at nine and is spread over three hours, by ``sending_rate`` or by itself;
    of those whose run goes on every second one gets another message.
    """
    events = [contacts * share / sum(NORMAL) for share in NORMAL]
    entered = [one / 10 for one in events]
    woken = [entered[(hour - 3) % HOURS] for hour in range(HOURS)]
    letters = [contacts / 3 if 9 <= hour < 12 else 0.0 for hour in range(HOURS)]
    return Day(
        contacts,
        [
            {
                "take in": events[hour],
                "store": events[hour] - entered[hour],
                "enter": entered[hour],
                "wake": woken[hour],
                "write to": letters[hour],
                "send": entered[hour] + woken[hour] / 2 + letters[hour],
            }
            for hour in range(HOURS)
        ],
    )


def total(counts: Counts, constants: Constants) -> Cost:
    """What so many of each cost together."""
    found = Cost()
    for name, count in counts.items():
        found = found.plus(constants[name].times(count))
    return found


@dataclass(frozen=True)
class Needs:
    """What a day asks of machines."""

    events_per_second: float
    engine_cores: float
    database_cores: float
    wal_per_second: float
    wal_per_second_at_most: float
    disk: float
    disk_per_day: float

    """In the busiest hour: events, cores that are busy all the time, bytes of WAL without and with images of pages;
    bytes that the contacts occupy; bytes that the day adds to history."""


def needs(day: Day, constants: Constants) -> Needs:
    """What the busiest hour and the whole day ask for."""
    hours = [total(hour, constants) for hour in day.hours]
    hour_seconds = MINUTES * SECONDS
    with_images = [one.wal + one.images for one in hours]
    return Needs(
        events_per_second=max(hour["take in"] for hour in day.hours) / hour_seconds,
        engine_cores=max(one.engine for one in hours) / hour_seconds,
        database_cores=max(one.database for one in hours) / hour_seconds,
        wal_per_second=max(one.wal for one in hours) / hour_seconds,
        wal_per_second_at_most=max(with_images) / hour_seconds,
        disk=constants["contact"].disk * day.contacts,
        disk_per_day=sum(one.disk for one in hours),
    )


# --- a day, minute by minute -----------------------------------------------------------------------------------------


class Machines(NamedTuple):
    """Cores that do nothing else."""

    engine: float
    database: float


@dataclass
class Played:
    """How a day went."""

    event_seconds: float = 0.0
    """the longest that an event waited"""
    late_seconds: float = 0.0
    """the longest that anything else waited: a due run, a newsletter, a message"""
    left: float = 0.0
    """operations that were not done when the day was over"""
    busy: dict[str, float] = field(default_factory=dict)
    """the share of its cores that was busy in the busiest hour: ``engine``, ``database``"""


def play(day: Day, constants: Constants, machines: Machines) -> Played:
    """The day, minute by minute: events first, and of the rest as much as there is room for.

    How long something waits is what is before it, at the pace of that minute; within a minute everything comes evenly.
    """
    waiting = dict.fromkeys(OPERATIONS, 0.0)
    played = Played(busy={"engine": 0.0, "database": 0.0})
    for hour in day.hours:
        used = Cost()
        for _ in range(MINUTES):
            for name in OPERATIONS:
                waiting[name] += hour.get(name, 0.0) / MINUTES
            done = _minute(waiting, constants, machines)
            for name, count in done.items():
                waiting[name] -= count
            used = used.plus(total(done, constants))
            first = {name: waiting[name] for name in AT_ONCE}
            played.event_seconds = max(played.event_seconds, _seconds(first, constants, machines))
            played.late_seconds = max(played.late_seconds, _seconds(waiting, constants, machines))
        played.busy = {
            "engine": max(played.busy["engine"], used.engine / machines.engine / MINUTES / SECONDS),
            "database": max(played.busy["database"], used.database / machines.database / MINUTES / SECONDS),
        }
    played.left = sum(count for count in waiting.values() if count >= 1)
    return played


def _minute(waiting: Counts, constants: Constants, machines: Machines) -> Counts:
    """What is done in a minute: in order, and of the last as much as fits."""
    left = [machines.engine * SECONDS, machines.database * SECONDS]
    done: dict[str, float] = {}
    for name, count in waiting.items():
        one = constants[name]
        fitting = min(
            (room / dear for room, dear in zip(left, (one.engine, one.database), strict=True) if dear), default=count
        )
        done[name] = min(count, max(0.0, fitting))
        left = [left[0] - one.engine * done[name], left[1] - one.database * done[name]]
    return done


def _seconds(waiting: Counts, constants: Constants, machines: Machines) -> float:
    """How long it takes to do all that waits."""
    cost = total(waiting, constants)
    return max(cost.engine / machines.engine, cost.database / machines.database)


def breaking(day: Day, constants: Constants, machines: Machines, late_seconds: float) -> tuple[float, str]:
    """How many times the day's load these machines carry, and what is busy all the time then.

    It is too much when an event waits for a minute, or anything for longer than ``late_seconds``.
    """
    least, most = 0.0, 1.0
    while _carried(day, constants, machines, late_seconds, most) and most < 1024:
        least, most = most, most * 2
    for _ in range(12):
        middle = (least + most) / 2
        if _carried(day, constants, machines, late_seconds, middle):
            least = middle
        else:
            most = middle
    busy = play(_scaled(day, most), constants, machines).busy
    return least, max(busy, key=lambda name: busy[name])


def _carried(day: Day, constants: Constants, machines: Machines, late_seconds: float, factor: float) -> bool:
    played = play(_scaled(day, factor), constants, machines)
    return played.event_seconds < MINUTES and played.late_seconds <= late_seconds and not played.left


def _scaled(day: Day, factor: float) -> Day:
    hours = [{name: count * factor for name, count in hour.items()} for hour in day.hours]
    return Day(day.contacts, hours)
