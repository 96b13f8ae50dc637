"""How long it takes from an event to the message that it queues, at several rates, also beside a task over a million.

A shop sends events over HTTP at a steady rate to ``journeyflow serve --no-engine`` on PostgreSQL; one ``journeyflow
worker`` decides, and each event begins a run that queues an e-mail. What is measured is the time from when an event was
to be sent until the transaction commits in which its message is queued, as PostgreSQL remembers it
(``track_commit_timestamp``), so that nobody has to look meanwhile. Then the same while a journey is archived in which
a crowd waits.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import httpx
import orjson
import psycopg

from benchmarks.database import Database, database, machine_seconds, process_seconds
from benchmarks.fairness_start import CROWD, FLOWS, prepare
from benchmarks.made_requests import request, send_all, send_at
from benchmarks.measure import console, percentile
from benchmarks.serving import ADMIN_KEY, Server, working
from journeyflow.clock import now, sleep, stopwatch

RATES: Final = (100, 500, 2_000)
"""Events a second."""
LIMIT_RATE: Final = 500
LIMIT_SECONDS: Final = 0.25
KNOWN: Final = 5_000
"""Contacts that the events are of."""
BATCH: Final = 500
CONNECTIONS_MAX: Final = 256
PATIENCE_SECONDS: Final = 120.0
ROLES: Final = "turns"
"""Nobody delivers meanwhile, which takes processors that a machine with two of them does not have."""
GREETING: Final = {
    "greeting.yaml": """
journey: greeting
triggers: [{type: event, event: Greeted}]
reentry: {policy: always}
start: hello
nodes:
  hello: {type: email, template: hello}
""",
    "hello.yaml": """
template: hello
channel: email
subject: Hello {{ contact.first_name }}
format: markdown
body: Hello {{ contact.first_name }}, here is {{ trigger.name }}.
""",
}


class Measured(NamedTuple):
    """Latencies in order of size; and which parts of the machine's CPU time it took itself, and others took."""

    seconds: list[float]
    lost: int
    own: float
    others: float


def run(options: Namespace) -> bool:
    """Measure, print; false where the limit is exceeded, or events got no message."""
    with database() as server, TemporaryDirectory() as directory:
        measured = measurements(server, Path(directory), options, RATES)
        kept = [_tell(*about, found) for about, found in measured]
        return all(kept)


def measurements(
    server: Database, directory: Path, options: Namespace, rates: Sequence[int]
) -> Iterator[tuple[tuple[str, int], Measured]]:
    """At each rate, first with nothing else to do and then beside a task; each with what it was beside, and rate."""
    url = server.new()
    prepare(url, options.crowd, now(), due_for=-timedelta(days=30))
    serving = Server(directory, {**FLOWS, **GREETING}, url, ["--no-engine"])
    serving.start()
    try:
        with working(directory, url, ["--roles", ROLES]) as worker:
            processes = [serving.process.pid, worker.pid, os.getpid()] if serving.process else []

            def own_seconds() -> float:
                return server.cpu_seconds() + sum(map(process_seconds, processes))

            _make_known(serving.url, url)
            for rate in rates:
                yield ("", rate), measure(serving.url, url, rate, options.seconds, own_seconds)
            _archive(serving.url)
            for rate in rates:
                tasks = _tasks(url)
                found = measure(serving.url, url, rate, options.seconds, own_seconds)
                beside = f" beside archiving {options.crowd:,} ({tasks} to {_tasks(url)} tasks were left)"
                yield (beside, rate), found
    finally:
        serving.stop()
        server.drop(url)


def _tell(beside: str, rate: int, found: Measured) -> bool:
    p50, p99 = (percentile(found.seconds, share) * 1000 for share in (0.5, 0.99))
    limited = rate == LIMIT_RATE
    kept = found.lost == 0 and (not limited or p99 <= LIMIT_SECONDS * 1000)
    verdict = (
        f", allowed {LIMIT_SECONDS * 1000:.0f} ms: {'kept' if kept else '[bold red]EXCEEDED[/]'}" if limited else ""
    )
    lost = f", [bold red]{found.lost} without a message[/]" if found.lost else ""
    console.print(
        f"event to queued message, {rate:,}/s{beside}: p50 {p50:.0f} ms, p99 {p99:.0f} ms{verdict}, "
        f"{len(found.seconds):,} events{lost}; CPU of the machine: {found.own:.0%} this, {found.others:.0%} others"
    )
    return kept


def measure(address: str, url: str, rate: int, seconds: float, own_seconds: Callable[[], float]) -> Measured:
    """Send events at a rate for so long, and wait until they have their messages."""
    mark = f"{rate}-{stopwatch():.6f}"
    count = int(rate * seconds)
    bodies = [
        {
            "event": "Greeted",
            "userId": _key(number % KNOWN),
            "messageId": f"{mark}-{number}",
            "properties": {"name": "X"},
        }
        for number in range(count)
    ]
    requests = [request(address, "/v1/track", orjson.dumps(body)) for body in bodies]
    (busy, there), own = machine_seconds(), own_seconds()
    due = send_at(address, requests, rate, CONNECTIONS_MAX)
    (busy_after, there_after), own_after = machine_seconds(), own_seconds()
    mine, total = (own_after - own) / (there_after - there), (busy_after - busy) / (there_after - there)
    queued = _queued(url, mark, count)
    latencies = sorted(queued[number] - at for number, at in enumerate(due) if number in queued)
    return Measured(latencies, count - len(latencies), mine, max(0.0, total - mine))


def _queued(url: str, mark: str, count: int) -> dict[int, float]:
    """When each event was handled (seconds since 1970), once as many messages are queued as there are events."""
    end = stopwatch() + PATIENCE_SECONDS
    seen = "SELECT message_id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM seen WHERE message_id LIKE %s"
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            found = connection.execute(seen, (f"{mark}-%",)).fetchall()
            if len(found) == count or stopwatch() > end:
                break
            sleep(0.5)
        (messages,) = connection.execute("SELECT count(*) FROM messages").fetchone() or (0,)
        (events,) = connection.execute("SELECT count(*) FROM events WHERE name = 'Greeted'").fetchone() or (0,)
        if messages != events:
            raise SystemExit(f"{events} events were handled, and {messages} messages queued")
    return {int(message_id.rpartition("-")[2]): float(at) for message_id, at in found}


def _make_known(address: str, url: str) -> None:
    people = [
        {
            "type": "identify",
            "userId": _key(number),
            "traits": {"email": f"{_key(number)}@example.com", "first_name": "Bo"},
        }
        for number in range(KNOWN)
    ]
    bodies = [orjson.dumps({"batch": people[first : first + BATCH]}) for first in range(0, KNOWN, BATCH)]
    send_all(address, [request(address, "/v1/batch", body) for body in bodies], 2)
    end = stopwatch() + PATIENCE_SECONDS
    with psycopg.connect(url, autocommit=True) as connection:
        while (connection.execute("SELECT count(*) FROM inbox").fetchone() or (1,))[0]:
            if stopwatch() > end:
                raise SystemExit("the worker does not take what there is")
            sleep(0.2)


def _key(number: int) -> str:
    return f"known-{number:05}"


def _archive(address: str) -> None:
    httpx.post(f"{address}/v1/journeys/{CROWD}/archive", auth=(ADMIN_KEY, ""), timeout=60).raise_for_status()


def _tasks(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        (count,) = connection.execute("SELECT count(*) FROM tasks").fetchone() or (0,)
    return int(count)
