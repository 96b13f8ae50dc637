"""What a day needs is the sum of what its operations cost, and what machines can't do waits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from benchmarks.capacity_model import (
    CONTACTS_OF_TABLE,
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


# --- the page --------------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"


def table(heading: str) -> list[list[str]]:
    """The rows of the table whose first row begins with these cells, without its heading."""
    lines = PAGE.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(heading)) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def figures(cells: Sequence[str]) -> list[float]:
    return [0.0 if cell == "–" else float(cell.replace(",", "")) for cell in cells]


def test_the_page_adds_up_the_constants_that_it_gives() -> None:
    constants = {}
    for name, *cells in table("| operation | journeyflow, CPU ms"):
        engine, database, *sizes = figures(cells)
        constants[name] = Cost(engine / 1000, database / 1000, *sizes)
    assert constants.keys() == {*OPERATIONS, "contact"}

    rows = table("| contacts | events / s")
    assert [row[0] for row in rows] == [f"{contacts:,}" for contacts in CONTACTS_OF_TABLE]
    for contacts, row in zip(CONTACTS_OF_TABLE, rows, strict=True):
        asked = needs(ordinary_day(contacts), constants)
        assert row[1:] == [
            f"{asked.events_per_second:,.0f}",
            f"{asked.engine_cores:.2f}",
            f"{asked.database_cores:.2f}",
            f"{asked.wal_per_second / 1e6:.1f}",
            f"{asked.wal_per_second_at_most / 1e6:.1f}",
            f"{asked.disk / 1e9:,.1f}",
            f"{asked.disk_per_day / 1e9:,.1f}",
        ]
