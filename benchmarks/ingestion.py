"""What it costs to take events in over HTTP, each answered only when it is on disk, beside floors written by hand.

``journeyflow serve --no-engine`` on PostgreSQL takes single events, and batches of them, from connections that send the
next when one is answered. What is counted is the CPU time of the process that serves and of the database's processes;
what the senders need is not. The floors leave the same rows: a bare Starlette handler with one group-committed insert,
and a program that parses and copies, without HTTP.
"""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import psycopg

from benchmarks.database import Database, database, process_seconds
from benchmarks.made_requests import batch_bodies, request, send_all, single_bodies
from benchmarks.measure import ROOT, Cost, console, print_table, ratio, run_contender, tell_ratio
from benchmarks.serving import Server, free_port, wait_for
from journeyflow.clock import sleep
from journeyflow.db.migrations import migrate
from journeyflow.db.store import open_engine

AT_ONCE: Final = {"single": 64, "batch": 4}
"""Requests that wait for their answer at a time."""
BATCH: Final = 500
WARM_UP: Final = 200
"""Events before it is counted."""
LIMITS: Final = {"single": 5.0, "batch": 4.0}
SETTLING_SECONDS: Final = 0.5
FLOWS: Final = {"workspace.yaml": "workspace: shop\n"}


class Taken(NamedTuple):
    """What it cost to take some events in, apart for the process that serves and the database; and the rows it left."""

    serving: float
    database: float
    rows: int
    digest: str

    @property
    def cpu_seconds(self) -> float:
        """Of both."""
        return self.serving + self.database


def run(options: Namespace) -> bool:
    """Measure, print; false where a limit is exceeded or rows differ."""
    events: int = options.ingested
    costs: dict[str, list[Taken]] = {}
    with database() as server:
        for _ in range(options.rounds):
            for name, found in a_round(server, events):
                costs.setdefault(name, []).append(found)
    console.print(f"taking in {events:,} events on PostgreSQL, median of {options.rounds} rounds side by side")
    print_table(
        ["", "CPU ms / 1,000 events", "serving", "database"],
        [[name, *_per_thousand(found, events)] for name, found in costs.items()],
    )
    kept = []
    for kind, most in LIMITS.items():
        engine, floor = costs[f"engine, {kind}"], costs[f"floor, {kind}"]
        dearer = ratio([one.cpu_seconds for one in engine], [one.cpu_seconds for one in floor])
        kept.append(tell_ratio("engine", "floor", f"CPU time, {kind}", dearer, most))
        same = {(one.rows, one.digest) for one in (*engine, *floor)}
        if len(same) > 1:
            console.print(f"[bold red]the rows of inbox differ[/], {kind}: {sorted(same)}")
        kept.append(len(same) == 1)
    return all(kept)


def _per_thousand(found: Sequence[Taken], events: int) -> list[str]:
    parts = [[one.cpu_seconds, one.serving, one.database] for one in found]
    return [f"{median(column) / events * 1_000_000:.1f}" for column in zip(*parts, strict=True)]


def a_round(server: Database, events: int) -> Iterator[tuple[str, Taken]]:
    """Each contender once, with what it cost."""
    singles, batches = single_bodies(events), batch_bodies(events, BATCH)
    yield "floor, single", _floor_single(server, singles)
    yield "engine, single", _engine(server, "single", "/v1/track", singles)
    yield "floor, batch", _floor_batch(server, events)
    yield "engine, batch", _engine(server, "batch", "/v1/batch", batches)


def _engine(server: Database, kind: str, path: str, bodies: list[bytes]) -> Taken:
    with _tables(server) as url, TemporaryDirectory() as directory:
        serving = Server(Path(directory), FLOWS, url, ["--no-engine"])
        serving.start()
        assert serving.process is not None
        try:
            return _take(server, url, serving.process.pid, serving.url, path, bodies, AT_ONCE[kind])
        finally:
            serving.stop()


def _floor_single(server: Database, bodies: list[bytes]) -> Taken:
    with _tables(server) as url:
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.floors.ingestion_single", url, str(port)]
        with subprocess.Popen(command, cwd=ROOT) as serving:
            try:
                address = f"http://127.0.0.1:{port}"
                wait_for(f"{address}/", serving)
                return _take(server, url, serving.pid, address, "/v1/track", bodies, AT_ONCE["single"])
            finally:
                serving.terminate()


def _floor_batch(server: Database, events: int) -> Taken:
    with _tables(server) as url:
        before = server.cpu_seconds()
        sizes = ["--events", str(events), "--size", str(BATCH)]
        cost: Cost = run_contender("benchmarks.floors.ingestion_batch", ["--url", url, *sizes])
        sleep(SETTLING_SECONDS)
        return Taken(cost.cpu_seconds, server.cpu_seconds() - before, *_stock(url))


def _take(
    server: Database, url: str, process: int, address: str, path: str, bodies: list[bytes], at_once: int
) -> Taken:
    requests = [request(address, path, body) for body in bodies]
    send_all(address, requests[: max(1, WARM_UP * len(bodies) // 20_000)], 1)
    _empty(url)
    serving, database_ = process_seconds(process), server.cpu_seconds()
    send_all(address, requests, at_once)
    sleep(SETTLING_SECONDS)
    return Taken(process_seconds(process) - serving, server.cpu_seconds() - database_, *_stock(url))


@contextmanager
def _tables(server: Database) -> Iterator[str]:
    url = server.new()
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    try:
        yield url
    finally:
        server.drop(url)


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE inbox")


def _stock(url: str) -> tuple[int, str]:
    """How many rows there are, and a digest of all in them but when they came."""
    digest, count = sha256(), 0
    with psycopg.connect(url) as connection:
        for row in connection.execute("SELECT shard, contact, kind, payload FROM inbox ORDER BY contact, payload"):
            digest.update(repr(row).encode())
            count += 1
    return count, digest.hexdigest()
