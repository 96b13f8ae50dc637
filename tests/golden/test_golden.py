"""The whole trail of each golden case, by way of the files that `simulate` reads.

`JOURNEYFLOW_GOLDEN=write pytest tests/golden/test_golden.py` makes what comes out what is expected; read the diff
before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from tests.golden.cases import GoldenCase, golden_cases, rewrite, write_contacts, write_events

from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_folder
from journeyflow.services.simulate import simulate
from journeyflow.services.simulate_summary import trail_line


@pytest.mark.parametrize("case", golden_cases(), ids=lambda case: case.name)
def test_the_trail_is_the_golden_one(case: GoldenCase, tmp_path: Path) -> None:
    renderer = LiquidRenderer()
    documents = check_folder([case.flows], renderer).demand().documents
    write_events(tmp_path / "events.jsonl", case.events)
    write_contacts(tmp_path / "contacts.csv", case.contacts)

    lines: list[bytes] = []
    simulate(
        documents,
        renderer,
        [tmp_path / "events.jsonl"],
        [tmp_path / "contacts.csv"],
        journeys=case.journeys,
        until=case.until,
        on_trail=lambda record: lines.append(trail_line(record)),
    )

    if os.environ.get("JOURNEYFLOW_GOLDEN") == "write":
        rewrite(case, lines)
    else:
        assert [yaml.safe_load(line) for line in lines] == case.trail


def test_every_case_expects_something() -> None:
    assert [case.name for case in golden_cases() if not case.trail] == []
