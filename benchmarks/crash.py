"""``kill -9`` of ``serve`` at random moments under load: nothing accepted is lost, nothing happens twice.

A client sends batches as an SDK does: what was not answered 200 is sent again with the same ids. Meanwhile the server
is killed and started again, as often as asked for. When everything has come to rest the database is audited.
"""

from __future__ import annotations

import sqlite3
import threading
from argparse import Namespace
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import yaml

from benchmarks.audit import audit
from benchmarks.chaos_load import introduce
from benchmarks.measure import console
from benchmarks.serving import WRITE_KEY, Server
from journeyflow.clock import sleep, stopwatch

FLOWS: Final[dict[str, str]] = {
    "workspace.yaml": "workspace: crash\nsender: {email: hello@shop.example}\npostal_address: Long Street 1\n",
    "hello.yaml": 'template: hello\nsubject: "Hi {{ contact.first_name }}"\nbody: <p>Hello</p>\n',
    "pool.yaml": "coupon_pool: ten\ncodes: generated\nprefix: TEN-\nreuse: never\n",
    "five.yaml": """
journey: five
triggers: [{type: event, event: Signed Up}]
reentry: {policy: always}
start: first
nodes:
  first: {type: email, template: hello, next: pause}
  pause: {type: wait, for: 1s, next: even}
  even: {type: branch, cases: [{when: {property: even, eq: true}, next: label}], else: code}
  label: {type: tag, add: [even], next: unlabel}
  unlabel: {type: tag, remove: [even]}
  code: {type: coupon, pool: ten, next: second}
  second: {type: email, template: hello}
""",
    "order.yaml": """
journey: order
triggers: [{type: event, event: Ordered}]
key: trigger.order
reentry: {policy: always}
exit_on: [{event: Cancelled, where: {property: order, eq: {ref: trigger.order}}}]
goal: {event: Paid, within: 1d, where: {property: order, eq: {ref: trigger.order}}}
start: paid
nodes:
  paid:
    type: wait_for
    cases: [{event: Paid, where: {property: order, eq: {ref: trigger.order}}, next: thanks}]
    timeout: 2s
  thanks: {type: email, template: hello}
""",
}
BATCH: Final = 20
REST_SECONDS_MAX: Final = 180.0


@dataclass
class Load:
    """What the client has sent, and what was answered 200: the ``n`` of every event."""

    contacts: int
    random: Random
    accepted: set[int] = field(default_factory=set)
    sent: int = 0
    repeats: int = 0

    def batch(self) -> list[dict[str, Any]]:  # Any: JSON
        """The next events."""
        events = []
        for _ in range(BATCH):
            self.sent += 1
            n = self.sent
            name = self.random.choice(["Signed Up", "Signed Up", "Ordered", "Paid", "Cancelled"])
            properties = {"n": n, "even": n % 2 == 0, "order": self.random.randrange(n // 10 + 5)}
            user = f"c{self.random.randrange(self.contacts)}"
            events.append(
                {"type": "track", "userId": user, "event": name, "properties": properties, "messageId": f"m{n}"}
            )
        return events


def _send(server: Server, load: Load, stopped: threading.Event) -> None:
    """Send until told to stop; a batch is sent again until it is answered 200."""
    with httpx.Client(auth=(WRITE_KEY, ""), timeout=20) as client:
        while not stopped.is_set():
            batch = load.batch()
            while True:
                try:
                    answer = client.post(f"{server.url}/v1/batch", json={"batch": batch})
                except httpx.HTTPError:
                    if stopped.is_set() and not server.running:
                        return
                    answer = None
                if answer is not None and answer.status_code == 200:
                    load.accepted.update(event["properties"]["n"] for event in batch)
                    break
                load.repeats += 1
                sleep(0.05)


def _rest(server: Server) -> None:
    """Wait until nothing is left to do but what a process that was killed was sending: that waits for its lease."""
    end = stopwatch() + REST_SECONDS_MAX
    left = "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM runs WHERE status = 'active')"
    queued = " + (SELECT count(*) FROM messages WHERE status = 'queued')"
    while stopwatch() < end:
        with closing(sqlite3.connect(server.database)) as database:
            if database.execute(left + queued).fetchone()[0] == 0:
                return
        sleep(0.2)
    raise SystemExit("the engine did not come to rest: somebody is stuck")


def crash(directory: Path, kills: int, contacts: int, seed: int) -> tuple[Load, list[str]]:
    """Kill so often under load; what was sent, and everything the audit found wrong."""
    random = Random(seed)
    server, load, stopped = Server(directory, FLOWS), Load(contacts, Random(seed + 1)), threading.Event()
    server.start()
    introduce(server.url, contacts)
    client = threading.Thread(target=_send, args=(server, load, stopped))
    client.start()
    try:
        for _ in range(kills):
            sleep(random.uniform(0.05, 1.2))
            server.kill()
            server.start()
        stopped.set()
        client.join()
        _rest(server)
    finally:  # whatever went wrong, neither client nor server outlives the test
        stopped.set()
        server.stop()
        client.join()
    with closing(sqlite3.connect(server.database)) as database:
        return load, [*audit(database, load.accepted, journeys(FLOWS))]


def journeys(flows: Mapping[str, str]) -> list[dict[str, Any]]:  # Any: JSON
    """The documents among the flows that are journeys."""
    return [document for document in map(yaml.safe_load, flows.values()) if "journey" in document]


def run(options: Namespace) -> bool:
    """The full size: 50 kills."""
    with TemporaryDirectory() as directory:
        began = stopwatch()
        load, wrong = crash(Path(directory), kills=options.kills, contacts=500, seed=options.seed)
    console.print(
        f"crash: {options.kills} kills in {stopwatch() - began:.0f} s, {len(load.accepted):,} events accepted, "
        f"{load.repeats} batches sent again; {len(wrong)} faults"
    )
    for fault in wrong[:20]:
        console.print(f"  {fault}")
    return not wrong
