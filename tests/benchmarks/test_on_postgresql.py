"""The benchmarks that need a server of PostgreSQL run, small, and measure what they say; `make bench` runs them all."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import ingestion, latency, memory
from benchmarks.database import Database, database, resident_bytes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    with database() as started:
        yield started


def test_whoever_takes_events_in_leaves_the_same_rows(server: Database) -> None:
    taken = dict(ingestion.a_round(server, ingestion.BATCH))

    for kind in ingestion.LIMITS:
        engine, floor = taken[f"engine, {kind}"], taken[f"floor, {kind}"]
        assert engine.rows == floor.rows == ingestion.BATCH
        assert engine.digest == floor.digest


def test_every_event_that_is_sent_gets_its_message_also_beside_a_task(
    server: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "KNOWN", 20)
    found = [one for _, one in latency.measurements(server, tmp_path, Namespace(crowd=30, seconds=0.5), rates=(40,))]

    assert [len(one.seconds) for one in found] == [20, 20]
    assert [one.lost for one in found] == [0, 0]
    assert all(second > 0 for one in found for second in one.seconds)


def test_a_long_history_and_a_short_one_are_compared_round_by_round(
    server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "ROUNDS", 4)
    ratios = memory.turns(server, 40)

    assert len(ratios) == 3
    assert all(ratio > 0 for ratio in ratios)


def test_a_worker_s_memory_is_looked_at_after_each_part(server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PART", 20)
    found = memory.resident(server, 100)

    assert len(found) == 5
    assert all(10_000_000 < one < 1_000_000_000 for one in found)


def test_growth_is_that_since_it_was_warm() -> None:
    assert memory.growth([10, 50, 80, 90, 100, 130, 120]) == 1.3
    assert memory.growth([100, 110]) == 1.0


def test_resident_memory_is_that_of_the_process() -> None:
    with open("/proc/self/status") as file:
        (line,) = [one for one in file if one.startswith("VmRSS:")]
    assert resident_bytes(os.getpid()) == pytest.approx(int(line.split()[1]) * 1024, rel=0.1)
