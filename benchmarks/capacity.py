"""What an operation costs on PostgreSQL, whether a day costs what its operations do, and what days of any size need.

The constants of :mod:`benchmarks.capacity_model` are measured one by one; then a small shop lives through a whole day,
hour by hour on a clock of its own, and what that cost is held against what the model says. The same model then plays
days of a million contacts and more, minute by minute.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from datetime import timedelta
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.capacity_day import START, Shop, live
from benchmarks.capacity_model import (
    CONTACTS_OF_TABLE,
    OPERATIONS,
    Constants,
    Cost,
    Day,
    Machines,
    breaking,
    needs,
    ordinary_day,
    play,
    total,
)
from benchmarks.database import Database, database, process_seconds
from benchmarks.made_requests import batch_bodies, request, send_all
from benchmarks.measure import console, print_table
from benchmarks.serving import Server
from journeyflow.clock import sleep
from journeyflow.services.garbage import collect_rarely

SAMPLE: Final = 400
"""So many operations after a checkpoint touch hardly a page twice."""
PARTS: Final = 20
"""What comes over a day comes in no order: the rows of a contact lie among those of others, in pages that split."""
BATCH: Final = 100
"""Segment's libraries send so many events at a time."""
TOLERANCE: Final = 0.3
"""A day costs so much more or less than its operations, at most."""
SPARE: Final = 0.6
"""No more of a core than this should be busy in the busiest hour."""
LATE_SECONDS: Final = 3600.0


def run(options: Namespace) -> bool:
    """Measure, print; false where the day is not what the model says."""
    contacts: int = options.capacity_contacts
    collect_rarely()  # as serve and worker do
    with database() as server:
        constants = measure(server, contacts)
        console.print(f"what an operation costs on PostgreSQL, {contacts:,} contacts")
        _print_constants(constants)
        kept = _check(server, contacts, constants)
    _print_needs(constants)
    return kept


# --- the constants ---------------------------------------------------------------------------------------------------


def measure(server: Database, contacts: int) -> Constants:
    """The cost of each operation, and what a contact occupies."""
    constants = {"take in": _taking_in(server, contacts)}
    shop = Shop(server, contacts, SAMPLE)
    try:
        constants["contact"] = Cost(disk=shop.disk() / contacts)
        shop.now = START
        shop.publish(shop.letter("few", START + timedelta(hours=13)))
        shop.publish(shop.letter("everybody", START + timedelta(hours=14)))
        constants["store"] = _operation(shop, shop.views, shop.work, contacts, PARTS)
        constants["enter"] = _operation(shop, shop.checkouts, shop.work, contacts, PARTS)
        shop.deliver()
        constants["wake"] = _operation(shop, _pass(shop, 3), shop.work, contacts)
        constants["send"] = _operation(shop, _nothing, shop.deliver, contacts // 2)
        shop.now = START + timedelta(hours=13)
        letters = _image_bytes(shop, _nothing, shop.work, SAMPLE)
        constants["write to"] = _operation(shop, _pass(shop, 1), shop.work, contacts)._replace(images=letters)
        shop.deliver()
        images = {"store": _image_bytes(shop, shop.views, shop.work, SAMPLE)}
        images["enter"] = _image_bytes(shop, shop.checkouts, shop.work, SAMPLE)
        images["send"] = _image_bytes(shop, _nothing, shop.deliver, SAMPLE)
        images["wake"] = _image_bytes(shop, _pass(shop, 3), shop.work, SAMPLE)
    finally:
        shop.close()
    for name, seen in images.items():
        constants[name] = constants[name]._replace(images=max(0.0, seen - constants[name].wal))
    return {name: constants[name] for name in (*OPERATIONS, "contact")}


def _operation(
    shop: Shop, prepare: Callable[[int], None], work: Callable[[], None], count: int, parts: int = 1
) -> Cost:
    """The cost of one of so many, that come in so many parts; what stays on disk is counted with what led to it."""
    disk, found = shop.disk(), Cost()
    for _ in range(parts):
        prepare(count // parts)
        found = found.plus(shop.cost_of(work))
        shop.now += timedelta(minutes=1)
    return found._replace(disk=shop.disk() - disk).times(1 / (count // parts * parts))


def _image_bytes(shop: Shop, prepare: Callable[[int], None], work: Callable[[], None], count: int) -> float:
    """Bytes of WAL for one of so many right after a checkpoint."""
    prepare(count)
    shop.checkpoint()
    return shop.cost_of(work).wal / count


def _pass(shop: Shop, hours: int) -> Callable[[int], None]:
    def let_pass(_: int) -> None:
        shop.now += timedelta(hours=hours)

    return let_pass


def _nothing(_: int) -> None:
    pass


def _taking_in(server: Database, events: int) -> Cost:
    """Of one event, sent in batches over HTTP; its row in the inbox does not stay."""
    url = server.new()
    with TemporaryDirectory() as directory:
        serving = Server(Path(directory), {"workspace.yaml": "workspace: shop\n"}, url, ["--no-engine"])
        serving.start()
        assert serving.process is not None
        try:
            requests = [request(serving.url, "/v1/batch", body) for body in batch_bodies(events, BATCH)]
            send_all(serving.url, requests[:10], 1)
            engine, used = process_seconds(serving.process.pid), server.cpu_seconds()
            written = server.wal_bytes()
            send_all(serving.url, requests, 4)
            sleep(0.5)
            cost = Cost(
                process_seconds(serving.process.pid) - engine,
                server.cpu_seconds() - used,
                server.wal_bytes() - written,
            )
        finally:
            serving.stop()
    server.drop(url)
    return cost.times(1 / events)


def _print_constants(constants: Constants) -> None:
    heading = ["", "journeyflow, CPU ms", "PostgreSQL, CPU ms", "WAL, bytes", "and page images", "disk, bytes"]
    rows = [
        [
            name,
            *(f"{1000 * seconds:.3f}" for seconds in (cost.engine, cost.database)),
            *(f"{size:,.0f}" for size in (cost.wal, cost.images, cost.disk)),
        ]
        for name, cost in constants.items()
    ]
    print_table(heading, rows)


# --- does a day cost what its operations do? -------------------------------------------------------------------------


def _check(server: Database, contacts: int, constants: Constants) -> bool:
    day = ordinary_day(contacts)
    shop = Shop(server, contacts, 0)
    try:
        found = live(shop, day)
    finally:
        shop.close()
    handled = {name: count for name, count in day.counts.items() if name != "take in"}
    expected = total(handled, constants)
    console.print(f"a day of {contacts:,} contacts, hour by hour, beside the model (allowed: {TOLERANCE:.0%})")
    pairs = {
        "journeyflow, CPU s": (found.engine, expected.engine),
        "PostgreSQL, CPU s": (found.database, expected.database),
        "disk, MB": (found.disk / 1e6, expected.disk / 1e6),
    }
    print_table(
        ["", "measured", "model", "measured / model"],
        [[name, f"{one:.2f}", f"{two:.2f}", f"{one / two:.2f}"] for name, (one, two) in pairs.items()],
    )
    least, most = expected.wal / 1e6, (expected.wal + expected.images) / 1e6
    console.print(f"WAL: {found.wal / 1e6:.0f} MB; model: {least:.0f} MB, and at most {most:.0f} MB with page images")
    close = all(abs(one / two - 1) <= TOLERANCE for one, two in pairs.values())
    between = least * (1 - TOLERANCE) <= found.wal / 1e6 <= most * (1 + TOLERANCE)
    console.print(f"the model holds: {'kept' if close and between else '[bold red]EXCEEDED[/]'}")
    return close and between


# --- days of any size ------------------------------------------------------------------------------------------------


def _print_needs(constants: Constants) -> None:
    console.print("an ordinary day, its busiest hour:")
    heading = ["contacts", "events / s", "journeyflow, cores", "PostgreSQL, cores", "WAL, MB / s", "with images"]
    rows = []
    for contacts in CONTACTS_OF_TABLE:
        asked = needs(ordinary_day(contacts), constants)
        rows.append(
            [
                f"{contacts:,}",
                f"{asked.events_per_second:,.0f}",
                f"{asked.engine_cores:.2f}",
                f"{asked.database_cores:.2f}",
                f"{asked.wal_per_second / 1e6:.1f}",
                f"{asked.wal_per_second_at_most / 1e6:.1f}",
            ]
        )
    print_table(heading, rows)
    day = ordinary_day(CONTACTS_OF_TABLE[-1])
    machines = machines_for(day, constants)
    played = play(day, constants, machines)
    console.print(
        f"{day.contacts:,} contacts on {machines.engine:g} cores for journeyflow and {machines.database:g} for "
        f"PostgreSQL, minute by minute: an event waits {played.event_seconds:.1f} s at most, anything "
        f"{played.late_seconds:.0f} s; busy in the busiest hour: journeyflow {played.busy['engine']:.0%}, "
        f"PostgreSQL {played.busy['database']:.0%}"
    )
    factor, first = breaking(day, constants, machines, LATE_SECONDS)
    who = {"engine": "journeyflow", "database": "PostgreSQL"}[first]
    console.print(f"what they carry at most: {factor:.1f} times that day; then {who} has no core left")


def machines_for(day: Day, constants: Constants) -> Machines:
    """So many whole cores that none is busy for more than ``SPARE`` in the busiest hour."""
    asked = needs(day, constants)
    return Machines(ceil(asked.engine_cores / SPARE), ceil(asked.database_cores / SPARE))
