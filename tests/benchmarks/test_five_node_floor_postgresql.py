"""The floors on PostgreSQL do the whole journey, and leave what the engine leaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks import five_node_engine_postgresql as engine
from benchmarks.five_node_start_postgresql import prepare, take_stock
from benchmarks.floors import five_node_postgresql as floor
from benchmarks.measure import Cost
from benchmarks.postgresql import connect, server_seconds
from benchmarks.workers import Work, play
from tests import postgres

CONTACTS = 200
VIPS = 100
PUBLISHING = {"documents", "installation", "journeys"}
"""What publishing the journey writes, which is no part of running it."""


def after(stages: Iterator[None], url: str) -> Cost:
    for _ in stages:
        pass
    stock = Cost()
    take_stock(url, stock)
    return stock


def of_floor(batch: int) -> Cost:
    with postgres.database() as url:
        prepare(url, CONTACTS)
        return after(floor.work(batch, url, 0), url)


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
        by_engine = after(engine.work(batch, url, 0), url)

    by_floor = of_floor(batch)

    assert {table for table in by_floor.digests if by_floor.digests[table] != by_engine.digests[table]} == PUBLISHING


def counting(url: str, number: int) -> Iterator[None]:
    """Work that costs the server something, for one worker, and nothing for the others."""
    with connect(url) as connection:
        yield
        if number == 0:
            connection.execute("SELECT count(*) FROM generate_series(1, 3000000)")
        yield


def failing(url: str, number: int) -> Iterator[None]:
    yield
    if number == 1:
        raise ValueError("it can't")
    yield


def cost_of(work: Work) -> Cost:
    with postgres.database() as url:
        return play(work, url, workers=2)


def test_what_the_server_does_for_workers_is_part_of_their_cost() -> None:
    if server_seconds(postgres.server().render_as_string(hide_password=False)) is None:
        pytest.skip("the server runs elsewhere")

    cost = cost_of(counting)

    assert cost.server_seconds is not None
    assert cost.server_seconds > 5 * cost.cpu_seconds
    assert cost.total_seconds == cost.cpu_seconds + cost.server_seconds


def test_nobody_waits_for_a_worker_that_has_failed() -> None:
    with pytest.raises(RuntimeError, match="a worker failed"):
        cost_of(failing)
