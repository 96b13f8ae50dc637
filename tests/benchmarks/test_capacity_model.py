"""What a day needs is the sum of what its operations cost, and what machines can't do waits."""

from __future__ import annotations

import pytest
from benchmarks.capacity_model import (
    NORMAL,
    OPERATIONS,
    Cost,
    Day,
    Machines,
    breaking,
    needs,
    ordinary_day,
    play,
    total,
)

CONSTANTS = {
    **dict.fromkeys(OPERATIONS, Cost(engine=0.001, database=0.0005, wal=1_000, images=8_000, disk=500)),
    "contact": Cost(disk=800),
}


def flat(per_hour: float, name: str = "store") -> Day:
    return Day(1_000, [{"take in": 0.0, name: per_hour}] * 24)


def test_many_operations_cost_so_many_times_what_one_does() -> None:
    assert total({"store": 10, "send": 5}, CONSTANTS) == pytest.approx(Cost(0.015, 0.0075, 15_000, 120_000, 7_500))


def test_an_ordinary_day_has_an_event_and_a_newsletter_for_each_contact() -> None:
    counts = ordinary_day(1_000_000).counts

    assert counts["take in"] == pytest.approx(1_000_000)
    assert counts["store"] + counts["enter"] == pytest.approx(1_000_000)
    assert counts["enter"] == pytest.approx(100_000)
    assert counts["wake"] == pytest.approx(100_000)
    assert counts["write to"] == pytest.approx(1_000_000)
    assert counts["send"] == pytest.approx(1_150_000)


def test_the_busiest_hour_and_the_whole_day_are_told() -> None:
    asked = needs(flat(3_600_000), CONSTANTS)

    assert (asked.engine_cores, asked.database_cores) == pytest.approx((1.0, 0.5))
    assert (asked.wal_per_second, asked.wal_per_second_at_most) == pytest.approx((1_000_000, 9_000_000))
    assert (asked.disk, asked.disk_per_day) == pytest.approx((800_000, 24 * 3_600_000 * 500))


def test_events_of_the_busiest_hour_are_told() -> None:
    asked = needs(ordinary_day(3_600_000), CONSTANTS)

    assert asked.events_per_second == pytest.approx(1_000 * max(NORMAL) / sum(NORMAL))


def test_machines_with_room_leave_nobody_waiting() -> None:
    played = play(flat(3_600_000), CONSTANTS, Machines(engine=2, database=1))

    assert (played.event_seconds, played.late_seconds, played.left) == (0, 0, 0)
    assert played.busy == pytest.approx({"engine": 0.5, "database": 0.5})


def test_what_is_too_much_for_an_hour_is_done_in_the_next() -> None:
    hours = [{"write to": 3 * 3_600_000.0}, *([{}] * 23)]

    played = play(Day(1_000, hours), CONSTANTS, Machines(engine=1, database=1))

    assert played.left == 0
    assert played.late_seconds == pytest.approx(2 * 3_600, rel=0.01)
    assert played.event_seconds == 0


def test_events_go_before_what_can_wait() -> None:
    hours = [{"write to": 3 * 3_600_000.0, "store": 1_800_000.0}, *([{}] * 23)]

    played = play(Day(1_000, hours), CONSTANTS, Machines(engine=1, database=1))

    assert played.event_seconds == 0
    assert played.late_seconds == pytest.approx(2.5 * 3_600, rel=0.01)


def test_events_that_are_too_many_wait_as_well() -> None:
    played = play(flat(2 * 3_600_000), CONSTANTS, Machines(engine=1, database=1))

    assert played.event_seconds == pytest.approx(24 * 3_600, rel=0.01)
    assert played.left == pytest.approx(24 * 3_600_000, rel=0.01)


@pytest.mark.parametrize(("machines", "first"), [(Machines(2, 8), "engine"), (Machines(8, 1), "database")])
def test_what_breaks_first_is_what_has_no_core_left(machines: Machines, first: str) -> None:
    factor, broken = breaking(flat(3_600_000), CONSTANTS, machines, late_seconds=600)

    assert broken == first
    assert factor == pytest.approx(2.0, rel=0.05)
