"""An API and workers on one PostgreSQL, under load, while everything happens to them that can happen, at random.

When it is over and all has come to rest: each event that was answered 200 was handled once, each effect is there once,
each history is a path of its journey, nobody is stuck, and the counts are those of the rows.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Final

from rich.table import Table

from benchmarks.audit import Database, audit
from benchmarks.chaos_load import FLOWS, Load, introduce
from benchmarks.cluster import Cluster
from benchmarks.crash import journeys
from benchmarks.faults import NO_SPACE, Faults
from benchmarks.mail_sink import MailSink
from benchmarks.measure import console
from benchmarks.postgres_server import Postgres
from journeyflow.clock import sleep, stopwatch

EVENTS: Final = 200_000
CLIENTS: Final = 4
DISK_MEGABYTES: Final = 8_000
REST_SECONDS_MAX: Final = 1_200.0
SHOWN_MAX: Final = 20
_LEFT: Final = (
    "SELECT (SELECT count(*) FROM inbox)"
    " + (SELECT count(*) FROM tasks)"
    " + (SELECT count(*) FROM runs WHERE status = 'active'"
    " AND due_at <= extract(epoch FROM now() + interval '1 minute') * 1000000)"
    " + (SELECT count(*) FROM messages WHERE status IN ('queued', 'sending'))"
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it; durations in seconds. ``lease_seconds``: see ``Cluster``; ``left_out``: kinds of faults."""

    faults: int
    events: int
    contacts: int = 2_000
    workers: int = 3
    events_per_second: int = 250
    hang_seconds_max: float = 35.0
    full_seconds_max: float = 20.0
    lease_seconds: int | None = None
    left_out: frozenset[str] = frozenset()


@dataclass(slots=True)
class Found:
    """What happened, and everything that should not have."""

    load: Load
    happened: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    full_disk_lines: int = 0
    outages_told: int = 0
    mails: int = 0
    mails_again: int = 0


def chaos(directory: Path, size: Size, seed: int) -> Found:
    """Let so much happen, and audit."""
    random = Random(seed)
    found = Found(Load(size.contacts, Random(seed + 1)))
    with ExitStack() as stack:
        server = stack.enter_context(Postgres.running(DISK_MEGABYTES))
        mail = stack.enter_context(MailSink())
        cluster = stack.enter_context(
            Cluster.running(directory, server, FLOWS, mail.url, size.workers, size.lease_seconds)
        )
        introduce(cluster.url, size.contacts)
        _let_happen(cluster, size, random, found)
        _rest(cluster, found)
        found.full_disk_lines = server.log_lines(NO_SPACE)
        with server.connect() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found.wrong += audit(connection, found.load.accepted, journeys(FLOWS))
            found.wrong += _mails(connection, mail, found)
            found.wrong += _minutes(connection)
        found.wrong += found.load.wrong
        found.wrong += _log_lines(cluster, found)
    return found


def _let_happen(cluster: Cluster, size: Size, random: Random, found: Found) -> None:
    """One fault after the other, each kind as often as any, while events come all the time; so many at least."""
    faults = Faults(cluster, random, size.hang_seconds_max, size.full_seconds_max)
    kinds = [kind for kind in faults.kinds if kind not in size.left_out]
    found.left_out = [] if cluster.server.disk.can_be_full else ["disk full"]
    order = [kinds[number % len(kinds)] for number in range(size.faults)]
    random.shuffle(order)
    clients = [Thread(target=found.load.send, args=[cluster.url], daemon=True) for _ in range(CLIENTS)]
    clients.append(Thread(target=found.load.grow, args=[size.events_per_second], daemon=True))
    for client in clients:
        client.start()
    for kind in order:
        sleep(random.uniform(0.0, 1.0))
        faults.kinds[kind]()
        found.happened[kind] += 1
        found.wrong += cluster.supervise()
    found.load.end_at(size.events)
    for client in clients:
        while client.is_alive():
            client.join(1.0)
            found.wrong += cluster.supervise()


def _rest(cluster: Cluster, found: Found) -> None:
    """Wait until nothing is left to do."""
    end = stopwatch() + REST_SECONDS_MAX
    left = -1
    while stopwatch() < end:
        found.wrong += cluster.supervise()
        with cluster.server.connect() as connection:
            ((left,),) = connection.execute(_LEFT).fetchall()
        if left == 0:
            return
        sleep(0.5)
    found.wrong.append(f"the engine did not come to rest: {left} things are left to do")


def _mails(database: Database, mail: MailSink, found: Found) -> Iterator[str]:
    """Each arrived, and no more often than it was attempted."""
    rows = database.execute("SELECT id, status, attempts, reason FROM messages WHERE status <> 'skipped'")
    messages = {id_: (status, attempts, reason) for id_, status, attempts, reason in rows}
    found.mails, found.mails_again = len(mail.arrived), mail.arrived.total() - len(mail.arrived)
    for id_, (status, attempts, reason) in messages.items():
        arrived = mail.arrived[id_]
        if (status == "sent" and not arrived) or arrived > attempts or status == "failed":
            yield f"message {id_} is {status} ({reason}), was attempted {attempts} times and arrived {arrived} times"
    strangers = mail.arrived.keys() - messages.keys()
    if any(mail.arrived[one] for one in strangers):
        yield f"{len(strangers)} mails arrived that no journey has sent"


def _minutes(database: Database) -> Iterator[str]:
    """A schedule fires once an instant, and those that came while everything was down as well (rule 3.8)."""
    fired: Counter[tuple[str, str]] = Counter()
    for contact, records in database.execute("SELECT contact, records FROM trail"):
        for record in json.loads(records):
            if record[0] == "minutely" and record[4] == "entered":
                fired[contact, record[7]["properties"]["fire_at"]] += 1
    twice = [one for one, count in fired.items() if count > 1]
    if twice:
        yield f"a schedule fired twice for {len(twice)} contacts and instants, such as {twice[0]}"
    of_first = sorted(at for contact, at in fired if contact == "c0")
    minutes = [60 * int(at[11:13]) + int(at[14:16]) for at in of_first]
    missed = [a for a, b in pairwise(minutes) if (b - a) % (24 * 60) != 1]
    if missed:
        yield f"a schedule missed {len(missed)} instants"


def _log_lines(cluster: Cluster, found: Found) -> Iterator[str]:
    """What the processes said: outages, each once, and nothing that nobody has thought of."""
    for member in cluster.members:
        for line in member.log.read_text(errors="replace").splitlines():
            told = _read(line)
            found.outages_told += "can't use the database" in str(told.get("event"))
            if "exception" in told:
                yield f"{member.name} met an error that it did not expect: {told['event']}: {told['exception'][-600:]}"


def _read(line: str) -> dict[str, Any]:  # Any: JSON
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def run(options: Namespace) -> bool:
    """As many faults and events as asked for: 100 and 200,000 without."""
    size = Size(options.faults, options.events if isinstance(options.events, int) else EVENTS)
    with TemporaryDirectory() as directory:
        began = stopwatch()
        found = chaos(Path(directory), size, options.seed)
        seconds = stopwatch() - began
        _show(found, seconds)
    return not found.wrong


def _show(found: Found, seconds: float) -> None:
    table = Table("fault", "times", title=f"chaos: {found.happened.total()} faults in {seconds:.0f} s")
    for kind, times in sorted(found.happened.items()):
        table.add_row(kind, f"{times}")
    console.print(table)
    for kind in found.left_out:
        console.print(f"left out, since this machine does not allow it: {kind}")
    console.print(
        f"{len(found.load.accepted):,} events accepted; answers {dict(found.load.answers)}; "
        f"{found.mails:,} mails, {found.mails_again} of them again; PostgreSQL had no space {found.full_disk_lines} "
        f"times; {found.outages_told} outages told; {len(found.wrong)} things wrong"
    )
    for fault in found.wrong[:SHOWN_MAX]:
        console.print(f"  {fault}")
