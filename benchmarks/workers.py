"""Processes that work on one PostgreSQL at the same time, and what they and the server cost together."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Final

from benchmarks.measure import Cost, measured
from benchmarks.postgresql import server_seconds, wait_until_reaped

Stages = Sequence[Callable[[], object]]
Work = Callable[[str, int], AbstractContextManager[Stages]]
"""What a worker does: (URL of the database, its number from 0). Only the stages are measured, not what prepares for
them, nor what closes behind them; each begins when all workers are done with the one before."""

STAGE_SECONDS_MAX: Final = 3_600.0


def play(work: Work, url: str, workers: int) -> Cost:
    """Let so many workers do their work; the cost from when all are ready until the last has done.

    Their connections stay open meanwhile: to begin and to end a process of the server, which takes the longer the more
    of its memory it has looked at, is no part of what such a process does for weeks.

    :raises RuntimeError: when one of them failed.
    """
    forking = multiprocessing.get_context("fork")  # what was imported is there at once
    everybody = forking.Barrier(workers + 1, timeout=STAGE_SECONDS_MAX)
    together = forking.Barrier(workers, timeout=STAGE_SECONDS_MAX)
    ends = [forking.Pipe(duplex=False) for _ in range(workers)]
    processes = [
        forking.Process(target=_run, args=(work, url, number, everybody, together, sender))
        for number, (_, sender) in enumerate(ends)
    ]
    for process in processes:
        process.start()
    cost = Cost()
    with suppress(threading.BrokenBarrierError):  # by a worker that has failed, which its exit code tells
        everybody.wait()  # they are ready
        wait_until_reaped()
        server_before, began = server_seconds(url), time.perf_counter()
        everybody.wait()
        everybody.wait()  # they have done
        cost.wall_seconds = time.perf_counter() - began
        server_after = server_seconds(url)
        cost.server_seconds = None if server_before is None or server_after is None else server_after - server_before
        everybody.wait()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a worker failed")
    cost.cpu_seconds = sum(receiver.recv() for receiver, _ in ends)
    return cost


def _run(work: Work, url: str, number: int, everybody: Barrier, together: Barrier, told: Connection) -> None:
    try:
        with work(url, number) as stages:
            everybody.wait()
            everybody.wait()
            with measured() as cost:
                for stage in stages:
                    together.wait()
                    stage()
            everybody.wait()
            everybody.wait()
        told.send(cost.cpu_seconds)
    except BaseException:  # nobody waits for who has failed
        everybody.abort()
        together.abort()
        raise
