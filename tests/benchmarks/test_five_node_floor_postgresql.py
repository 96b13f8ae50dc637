"""The floors on PostgreSQL do the whole journey, and leave what the engine leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from benchmarks import five_node_engine_postgresql as engine
from benchmarks.five_node_start_postgresql import prepare, take_stock
from benchmarks.floors import five_node_postgresql as floor
from benchmarks.measure import Cost
from benchmarks.postgresql import connect, server_seconds
from benchmarks.workers import Stages, Work, play
from tests import postgres

CONTACTS = 200
VIPS = 100
COUNT = "SELECT count(*) FROM generate_series(1, 3000000)"
PUBLISHING = {"documents", "installation", "journeys"}
"""What publishing the journey writes, which is no part of running it."""


def after(work: Work, url: str) -> Cost:
    with work(url, 0) as stages:
        for stage in stages:
            stage()
    stock = Cost()
    take_stock(url, stock)
    return stock


def of_floor(batch: int) -> Cost:
    with postgres.database() as url:
        prepare(url, CONTACTS)
        return after(partial(floor.work, batch), url)


def test_the_floor_leaves_the_rows_of_the_whole_journey() -> None:
    stock = of_floor(batch=5)

    assert {table: count for table, count in stock.rows.items() if count} == {
        "claims": 16,
        "contacts": CONTACTS,
        "events": CONTACTS + VIPS,
        "messages": CONTACTS + (CONTACTS - VIPS),
        "runs": CONTACTS,
        "seen": CONTACTS,
        "statistics": 16 * 9,
        "trail": 2 * CONTACTS,
    }


@pytest.mark.parametrize("batch", [5, 100])
def test_it_leaves_the_very_rows_that_the_engine_leaves(batch: int) -> None:
    with postgres.database() as url:
        prepare(url, CONTACTS)
        engine.prepare_engine(url)
        by_engine = after(partial(engine.work, batch), url)

    by_floor = of_floor(batch)

    assert {table for table in by_floor.digests if by_floor.digests[table] != by_engine.digests[table]} == PUBLISHING


@contextmanager
def counting(url: str, number: int) -> Iterator[Stages]:
    """Work that costs the server something, for one worker, and nothing for the others."""
    with connect(url) as connection:

        def count() -> None:
            if number == 0:
                connection.execute(COUNT)

        yield [count]


@contextmanager
def counting_around(url: str, _: int) -> Iterator[Stages]:
    """Work that costs the server nothing, but before and after."""
    with connect(url) as connection:
        connection.execute(COUNT)
        yield [lambda: None]
        connection.execute(COUNT)


@contextmanager
def failing(_: str, number: int) -> Iterator[Stages]:
    def fail() -> None:
        if number == 1:
            raise ValueError("it can't")

    yield [fail]


@contextmanager
def never_ready(_: str, number: int) -> Iterator[Stages]:
    if number == 1:
        raise ValueError("it can't")
    yield [lambda: None]


def cost_of(work: Work) -> Cost:
    with postgres.database() as url:
        return play(work, url, workers=2)


@pytest.fixture
def _server_here() -> None:
    if server_seconds(postgres.server().render_as_string(hide_password=False)) is None:
        pytest.skip("the server runs elsewhere")


@pytest.mark.usefixtures("_server_here")
def test_what_the_server_does_for_workers_is_part_of_their_cost() -> None:
    cost = cost_of(counting)

    assert cost.server_seconds is not None
    assert cost.server_seconds > 5 * cost.cpu_seconds
    assert cost.total_seconds == cost.cpu_seconds + cost.server_seconds


@pytest.mark.usefixtures("_server_here")
def test_what_it_does_before_and_after_the_stages_is_not() -> None:
    around, between = cost_of(counting_around).server_seconds, cost_of(counting).server_seconds

    assert around is not None
    assert between is not None
    assert around < between / 3


@pytest.mark.parametrize("work", [failing, never_ready])
def test_nobody_waits_for_a_worker_that_has_failed(work: Work) -> None:
    with pytest.raises(RuntimeError, match="a worker failed"):
        cost_of(work)
