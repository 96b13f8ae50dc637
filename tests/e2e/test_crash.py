"""``kill -9`` under load, small; `make bench` does it fifty times."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.crash import crash


@pytest.mark.slow
def test_nothing_accepted_is_lost_and_nothing_happens_twice(workplace: Path) -> None:
    load, faults = crash(workplace, kills=2, contacts=25, seed=7)

    assert faults == []
    assert len(load.accepted) > 0
