"""The runs that wait, of the benchmark: what they are, and who of them is woken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from benchmarks import five_node_engine_postgresql as engine
from benchmarks import five_node_start_postgresql as start
from benchmarks.measure import Cost
from benchmarks.postgresql import connect
from benchmarks.waiting import held, measure
from benchmarks.waiting_start import prepare
from tests import postgres

WAITING = 120
DUE = 10


def contents(make: Callable[[str], None]) -> dict[str, str]:
    with postgres.database() as url:
        make(url)
        stock = Cost()
        start.take_stock(url, stock)
        return stock.digests


def enter(url: str) -> None:
    start.prepare(url, WAITING)
    engine.prepare_engine(url)
    with engine.work(100, url, 0) as (everybody_enters, _):
        everybody_enters()


def test_runs_that_wait_are_those_that_the_engine_leaves_waiting() -> None:
    by_engine = contents(enter)

    prepared = contents(lambda url: prepare(url, WAITING, due=WAITING, rounds=1))

    by_other_means = {"documents", "installation", "journeys", "claims", "statistics"}
    sent_meanwhile = {"messages"}
    assert {table for table in prepared if prepared[table] != by_engine[table]} <= by_other_means | sent_meanwhile


def test_each_round_wakes_those_that_are_due_in_it_and_nobody_else() -> None:
    with postgres.database() as url:
        prepare(url, WAITING, DUE, rounds=2)

        measure(url, 0, DUE)
        with held(url):
            measure(url, 1, DUE)

        with connect(url) as connection:
            stands = connection.execute("SELECT status, count(*) FROM runs GROUP BY status ORDER BY status").fetchall()
    assert stands == [("active", WAITING - 2 * DUE), ("completed", 2 * DUE)]


def test_a_round_in_which_not_all_went_on_is_no_measurement() -> None:
    with postgres.database() as url:
        prepare(url, WAITING, DUE, rounds=2)

        with pytest.raises(RuntimeError, match="10 runs went on, not 11"):
            measure(url, 0, DUE + 1)
