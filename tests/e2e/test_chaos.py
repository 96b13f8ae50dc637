"""Whatever can happen to processes and their PostgreSQL happens once, under load; `make bench` does it at length."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.chaos import Size, chaos

SMALL = Size(
    faults=8,
    events=1_500,
    contacts=50,
    workers=2,
    events_per_second=150,
    hang_seconds_max=1.0,
    full_seconds_max=4.0,
    lease_seconds=5,
    left_out=frozenset({"worker killed", "API killed"}),  # they are killed when everything is down
)


@pytest.mark.slow
def test_whatever_happens_each_accepted_event_is_handled_once_and_nobody_is_stuck(workplace: Path) -> None:
    found = chaos(workplace, SMALL, seed=7)

    assert found.wrong == []
    assert len(found.load.accepted) >= SMALL.events
    assert found.happened.total() == SMALL.faults
    assert found.outages_told > 0, "the processes noticed something"
