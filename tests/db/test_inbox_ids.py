"""Ids of inputs: in order within a process, and never those of another one."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing import get_context

from journeyflow.db.inbox import next_id

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BATCH = 2_500


def batch(at: datetime) -> list[int]:
    return [next_id(at) for _ in range(BATCH)]


def test_ids_of_a_process_grow_whatever_the_clock_does() -> None:
    ids = [*batch(NOON), *batch(NOON - timedelta(seconds=1)), *batch(NOON + timedelta(seconds=1))]

    assert all(one < other for one, other in pairwise(ids))


def test_ids_of_a_later_instant_are_larger_in_any_process() -> None:
    with ProcessPoolExecutor(1, get_context("forkserver")) as pool:
        before = pool.submit(batch, NOON + timedelta(hours=1)).result()

    assert max(before) < next_id(NOON + timedelta(hours=1, seconds=1))


def test_ids_of_a_large_batch_do_not_run_into_those_of_another_process() -> None:
    """Who hands an event on gives it an id of the same instant, and is often the next process that was started."""
    last_bits = {one % 4096 for one in batch(NOON + timedelta(days=1))}

    assert len(last_bits) == 1, "whatever the number of the input, it ends like all of this process"
    forks = get_context("forkserver")
    drawn = set[int]()
    for _ in range(3):
        with ProcessPoolExecutor(1, forks) as pool:
            drawn.update(one % 4096 for one in pool.submit(batch, NOON).result())
    assert len(drawn) > 1, "each process draws its own"
