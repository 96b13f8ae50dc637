"""Processes that work on one PostgreSQL at the same time, and what they and the server cost together."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Final

from benchmarks.measure import Cost, measured
from benchmarks.postgresql import server_seconds, wait_until_reaped

Work = Callable[[str, int], Iterator[None]]
"""What a worker does: (URL of the database, its number from 0). Each ``yield`` waits for all the others; the first
comes when it is ready to begin, and what follows it is measured."""

STAGE_SECONDS_MAX: Final = 3_600.0


def play(work: Work, url: str, workers: int) -> Cost:
    """Let so many workers do their work; the cost from when all are ready until the last has done.

    :raises RuntimeError: when one of them failed.
    """
    forking = multiprocessing.get_context("fork")  # what was imported is there at once
    ready = forking.Barrier(workers + 1, timeout=STAGE_SECONDS_MAX)
    together = forking.Barrier(workers, timeout=STAGE_SECONDS_MAX)
    ends = [forking.Pipe(duplex=False) for _ in range(workers)]
    processes = [
        forking.Process(target=_run, args=(work, url, number, ready, together, sender))
        for number, (_, sender) in enumerate(ends)
    ]
    for process in processes:
        process.start()
    cost = Cost()
    server_before = server_seconds(url)
    with suppress(threading.BrokenBarrierError):  # by a worker that has failed, which its exit code tells
        ready.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
    cost.wall_seconds = time.perf_counter() - began
    if any(process.exitcode for process in processes):
        raise RuntimeError("a worker failed")
    cost.cpu_seconds = sum(receiver.recv() for receiver, _ in ends)
    wait_until_reaped()
    server_after = server_seconds(url)
    cost.server_seconds = None if server_before is None or server_after is None else server_after - server_before
    return cost


def _run(work: Work, url: str, number: int, ready: Barrier, together: Barrier, told: Connection) -> None:
    try:
        stages = work(url, number)
        next(stages)
        ready.wait()
        with measured() as cost:
            for _ in stages:
                together.wait()
        told.send(cost.cpu_seconds)
    except BaseException:  # nobody waits for who has failed
        ready.abort()
        together.abort()
        raise
