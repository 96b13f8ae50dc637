"""What a worker keeps in memory while contacts pass through, and what a long history costs a turn.

Contacts that nobody knows yet arrive some at a time, are let into a journey, get a mail queued and are done;
``journeyflow worker`` on PostgreSQL works them off, and what it has in RAM is looked at after each part. Once it has
warmed up it may grow by a tenth at most, however many come.

Then orders come, one a turn, for a contact that has looked at many products and for one that has looked at a few. The
journey asks for the sum of what was looked at, without a window: it knows its sums, and costs the same for both.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import Engine

from benchmarks.database import Database, database, resident_bytes
from benchmarks.measure import console, cpu_seconds
from benchmarks.serving import working
from journeyflow.bootstrap import Installation, open_installation
from journeyflow.clock import now, sleep, stopwatch
from journeyflow.core.inputs import Event, Identify, Input
from journeyflow.db import inbox
from journeyflow.db.claims import groups
from journeyflow.db.store import read, write
from journeyflow.services.folder import read_content
from journeyflow.services.publish import apply
from journeyflow.services.turn import take_turn
from journeyflow.settings import Settings

GROWTH_MAX: Final = 1.1
DEARER_MAX: Final = 1.1
PART: Final = 5_000
"""Contacts that arrive together."""
WARM_UP_PARTS: Final = 4
PATIENCE_SECONDS: Final = 300.0
SHORT: Final = 10
ROUNDS: Final = 40
TURNS: Final = 10
"""Turns in each round, of each of the two."""
FLOWS: Final = """
workspace: shop
sender: {name: The Shop, email: hello@shop.example}
---
template: hello
subject: Hello {{ contact.first_name }}
format: markdown
body: Hello {{ contact.first_name }}, that was your order {{ trigger.number }}.
---
journey: buyers
triggers: [{type: event, event: Order Completed}]
reentry: {policy: always}
start: worth
nodes:
  worth:
    type: branch
    cases: [{when: {event: Product Viewed, where: {property: price, gt: 5}, sum: price, gte: 100}, next: label}]
    else: hello
  label: {type: tag, add: [good], next: hello}
  hello: {type: email, template: hello}
"""


def run(options: Namespace) -> bool:
    """Measure, print; false where a limit is exceeded."""
    with database() as server:
        flat = _tell_growth(options.passing, resident(server, options.passing))
        cheap = _tell_turns(options.history, turns(server, options.history))
    return flat and cheap


# --- contacts that pass through --------------------------------------------------------------------------------------


def resident(server: Database, contacts: int) -> list[int]:
    """What a worker has in RAM (bytes) after each part of the contacts."""
    found = []
    with (
        _installation(server) as (one, url),
        TemporaryDirectory() as directory,
        working(Path(directory), url) as process,
    ):
        for first in range(0, contacts, PART):
            with write(one.engine) as connection:
                for number in range(first, min(contacts, first + PART)):
                    inbox.put(connection, [(f"customer-{number:07}", item) for item in _first_inputs(number)])
            _wait(one.engine)
            found.append(resident_bytes(process.pid))
    return found


def _first_inputs(number: int) -> list[Input]:
    at = now()
    traits = {"email": f"customer-{number}@example.com", "first_name": f"Ann {number}"}
    return [
        Identify(at, {**traits}),
        Event(at, "Order Completed", at, {"total": number % 300, "number": number}, f"m{number}"),
    ]


def _wait(engine: Engine) -> None:
    end = stopwatch() + PATIENCE_SECONDS
    while True:
        with read(engine) as connection:
            if inbox.is_empty(connection):
                return
        if stopwatch() > end:
            raise SystemExit("the worker does not take what there is")
        sleep(0.1)


def growth(found: list[int]) -> float:
    """How many times as much the most is as what there was once the worker had warmed up."""
    warm = found[min(WARM_UP_PARTS, len(found) - 1)]
    return max(found[min(WARM_UP_PARTS, len(found) - 1) :]) / warm


def _tell_growth(contacts: int, found: list[int]) -> bool:
    grown = growth(found)
    kept = grown <= GROWTH_MAX
    warm, most = found[min(WARM_UP_PARTS, len(found) - 1)], max(found)
    console.print(
        f"memory of a worker while {contacts:,} contacts pass: {warm / 1e6:.0f} MB after {WARM_UP_PARTS * PART:,}, "
        f"{most / 1e6:.0f} MB at most, {found[-1] / 1e6:.0f} MB at the end; [bold]{grown:.3f}[/] times, "
        f"allowed {GROWTH_MAX:g}: {'kept' if kept else '[bold red]EXCEEDED[/]'}"
    )
    return kept


# --- a long history --------------------------------------------------------------------------------------------------


def turns(server: Database, history: int) -> list[float]:
    """How many times as much CPU time a turn costs with a long history as with a short one, round by round."""
    with _installation(server) as (one, _):
        for key, count in (("long", history), ("short", SHORT)):
            for first in range(0, count, PART):
                _hand_in(one, key, "Product Viewed", range(first, min(count, first + PART)))
        ratios = []
        for number in range(ROUNDS):
            seconds = {key: _cost(server, one, key, number * TURNS) for key in ("long", "short")}
            ratios.append(seconds["long"] / seconds["short"])
    return ratios[ROUNDS // 4 :]


def _cost(server: Database, one: Installation, key: str, first: int) -> float:
    before = cpu_seconds() + server.cpu_seconds()
    for number in range(first, first + TURNS):
        _hand_in(one, key, "Order Completed", range(number, number + 1))
    return cpu_seconds() + server.cpu_seconds() - before


def _hand_in(one: Installation, key: str, name: str, numbers: range) -> None:
    """Let events of a contact arrive, and take turns until they are handled."""
    at = now()
    events = [Event(at, name, at, {"price": number % 9, "number": number}, f"{name}-{number}") for number in numbers]
    with write(one.engine) as connection:
        inbox.put(connection, [(key, event) for event in events])
    while True:
        with write(one.engine) as connection:
            done = take_turn(connection, one.cache, now(), PART, one.make_code, *groups(connection))
        if not done.contacts and not done.more:
            return


def _tell_turns(history: int, ratios: list[float]) -> bool:
    dearer = median(ratios)
    kept = dearer <= DEARER_MAX
    console.print(
        f"CPU time of a turn, {history:,} events of history / {SHORT}: [bold]{dearer:.3f}[/] ({min(ratios):.2f} to "
        f"{max(ratios):.2f}), allowed {DEARER_MAX:g}: {'kept' if kept else '[bold red]EXCEEDED[/]'}"
    )
    return kept


@contextmanager
def _installation(server: Database) -> Iterator[tuple[Installation, str]]:
    url = server.new()
    one = open_installation(Settings(database_url=url))
    try:
        with write(one.engine) as connection:
            sources = read_content("flows.yaml", FLOWS.encode()).sources
            apply(connection, sources, False, now(), one.renderer)
        yield one, url
    finally:
        one.engine.dispose()
        server.drop(url)
