"""Simulations that a server runs: each in a process of its own, bounded, and ended with the server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import create_engine

from journeyflow.core.errors import NotFound, Overloaded
from journeyflow.core.values import JSON
from journeyflow.services.simulation_files import Order, write_files
from journeyflow.services.simulations import KEPT_MAX, Simulations

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
JOURNEY: dict[str, JSON] = {
    "journey": "short",
    "triggers": [{"type": "event", "event": "A"}],
    "start": "stop",
    "nodes": {"stop": {"type": "end"}},
}
LINE: dict[str, JSON] = {"contact": "ann", "event": "A", "occurred_at": "2026-03-02T10:00:00Z"}
ORDER = Order(documents=[JOURNEY], journeys=["short"], events=[LINE])


def write_given(folder: Path, order: Order) -> None:
    write_files(folder, order, create_engine("sqlite://"))  # with events at hand no database is looked into


def broken(_folder: Path, _order: Order) -> None:
    raise RuntimeError("the secret inside")


def test_what_comes_of_it_is_kept() -> None:
    running = Simulations(write_given, lambda: NOW)

    made = running.start(ORDER)
    running.wait()

    found = running.find(made.id)
    assert (found.status, found.error, found.ended_at) == ("done", None, NOW)
    assert found.result is not None
    assert found.result["journeys"]["short"]["completed"] == 1
    assert found.report is not None
    assert found.report.startswith(b"<!doctype html>")


def test_one_that_takes_too_long_is_stopped() -> None:
    running = Simulations(write_given, lambda: NOW, seconds_max=0.01)

    made = running.start(ORDER)
    running.wait()

    assert (made.status, made.result) == ("failed", None)
    assert made.error == "it took longer than 0 s and was stopped"


def test_the_end_of_the_server_is_the_end_of_what_runs() -> None:
    waits, goes_on = Event(), Event()

    def write_slowly(folder: Path, order: Order) -> None:
        waits.set()
        goes_on.wait()
        write_given(folder, order)

    running = Simulations(write_slowly, lambda: NOW)
    made = running.start(ORDER)
    waits.wait()
    made.unwanted = True
    goes_on.set()
    running.close()

    assert made.error == "it was stopped"
    with pytest.raises(Overloaded):
        running.start(ORDER)


def test_what_nobody_expected_is_told_without_its_cause() -> None:
    running = Simulations(broken, lambda: NOW)

    made = running.start(ORDER)
    running.wait()

    assert made.status == "failed"
    assert made.error == "something went wrong here; the log has more under this simulation's id"
    running.start(ORDER)  # and the next one may begin


def test_only_the_last_ones_are_remembered() -> None:
    running = Simulations(broken, lambda: NOW)
    made = []
    for _ in range(KEPT_MAX + 1):
        made.append(running.start(ORDER))
        running.wait()

    assert [one.id for one in running.all()] == [one.id for one in made[:0:-1]]
    with pytest.raises(NotFound):
        running.find(made[0].id)
