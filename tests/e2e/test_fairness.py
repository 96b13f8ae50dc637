"""Events beside a crowd that is paused, resumed, archived and written to, small; `make bench` takes a million."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.fairness import fairness

CROWD = 300


@pytest.mark.slow
def test_nobody_is_lost_and_events_of_others_are_handled_meanwhile(workplace: Path) -> None:
    pulse, lasted, numbers = fairness(workplace, CROWD)

    assert [*lasted] == [
        "taking timers", "resume --over 2h", "pause", "resume --shift", "archive", "publishing a segment", "schedule"
    ]  # fmt: skip
    assert pulse.done.keys() == pulse.sent.keys()
    assert (numbers["entered"], numbers["active"]) == (CROWD, 0)
    assert numbers["completed"] + numbers["archived"] == CROWD
    assert numbers["archived"] > CROWD // 2, "few had their turn within a spread over hours"
    assert numbers["written to"] == CROWD
