"""The engine in this process, on a clock of its own and a PostgreSQL of the benchmark's, and what it is given to do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg

from benchmarks.capacity_model import HOURS, Cost, Day
from benchmarks.database import Database
from benchmarks.measure import cpu_seconds
from journeyflow.bootstrap import open_installation
from journeyflow.channels.outlet import Outlet
from journeyflow.clock import sleep
from journeyflow.core.inputs import Appear, Event, Input
from journeyflow.core.values import JSON, iso
from journeyflow.db import inbox
from journeyflow.db.store import write
from journeyflow.services.publish import put
from journeyflow.settings import Settings
from journeyflow.worker.dispatcher import Dispatcher
from journeyflow.worker.turns import TurnLoop

START: Final = datetime(2026, 3, 2, tzinfo=UTC)
PUBLISHED_AT: Final = START - timedelta(days=2)
REAPED_SECONDS: Final = 0.5
ROWS: Final = 5_000
VIEWED: Final[dict[str, JSON]] = {
    "product_id": "20017",
    "name": "WHITE METAL LANTERN",
    "price": 3.39,
    "quantity": 2,
    "currency": "GBP",
}
STARTED: Final[dict[str, JSON]] = {"checkout_id": "c-20017", "value": 41.3, "currency": "GBP", "plan": "free"}


def _template(name: str) -> dict[str, JSON]:
    return {
        "template": name,
        "channel": "email",
        "subject": "Hello {{ contact.first_name }}",
        "body": "<p>Dear {{ contact.first_name }}, here is what is new.</p>",
    }


DOCUMENTS: Final[Sequence[dict[str, JSON]]] = (
    {
        "workspace": "shop",
        "sender": {"name": "The Shop", "email": "hello@shop.example"},
        "postal_address": "Long Street 1, Gdansk",
    },
    *(_template(name) for name in ("hello", "again", "news")),
    {
        "journey": "checkout",
        "triggers": [{"type": "event", "event": "Checkout Started"}],
        "reentry": {"policy": "always"},
        "start": "greet",
        "nodes": {
            "greet": {"type": "email", "template": "hello", "next": "pause"},
            "pause": {"type": "wait", "for": "3h", "next": "worth"},
            "worth": {
                "type": "branch",
                "cases": [{"when": {"attribute": "vip", "eq": True}, "next": "label"}],
                "else": "remind",
            },
            "label": {"type": "tag", "add": ["valued"]},
            "remind": {"type": "email", "template": "again"},
        },
    },
    {"segment": "everybody", "when": {"attribute": "email", "exists": True}},
    {"segment": "few", "when": {"attribute": "few", "eq": True}},
)


class Shop:
    """A shop with so many contacts, whose engine works when it is told to.

    ``few`` of the contacts, drawn at random, are in the segment of that name.
    """

    def __init__(self, server: Database, contacts: int, few: int) -> None:
        self.now = START - timedelta(days=1)
        self.contacts = contacts
        self.others = 0.0
        self.url = server.new()
        self._server = server
        self._random = random.Random(1)
        self._next: list[int] = []
        installation = open_installation(Settings(database_url=self.url), lambda: self.now)
        self._engine = installation.engine
        self._renderer = installation.renderer
        self._turns = TurnLoop(
            self._engine, installation.cache, installation.clock, installation.make_code, lambda *_: None
        )
        self._outlet = Outlet()
        self._dispatcher = Dispatcher(
            self._engine, installation.postmaster, self._outlet, installation.clock, lambda *_: None
        )
        for document in DOCUMENTS:
            self.publish(document)
        chosen = set(self._random.sample(range(contacts), few))
        self.give([(_key(number), self._appear(number, number in chosen)) for number in range(contacts)])
        self.work()

    def close(self) -> None:
        """Nothing is left of it."""
        self._engine.dispose()
        self._server.drop(self.url)

    def publish(self, document: dict[str, JSON]) -> None:
        """Publish a document, long ago."""
        with write(self._engine) as connection:
            put(connection, document, PUBLISHED_AT, self._renderer)

    def letter(self, segment: str, at: datetime, name: str = "once") -> dict[str, JSON]:
        """A newsletter to a segment."""
        return {
            "journey": f"news-{segment}-{name}",
            "triggers": [{"type": "schedule", "at": iso(at), "segment": segment}],
            "start": "news",
            "nodes": {"news": {"type": "email", "template": "news"}},
        }

    # --- what is given to it ------------------------------------------------------------------------------------------

    def _appear(self, number: int, few: bool) -> Appear:
        attributes: dict[str, JSON] = {
            "email": f"{_key(number)}@example.com",
            "first_name": f"Ann {number}",
            "city": "Gdansk",
            "vip": number % 2 == 0,
            "few": few,
        }
        return Appear(self.now, self.now - timedelta(days=300), attributes, tags=("imported",))

    def views(self, count: int) -> None:
        """So many events that nobody waits for, of contacts drawn at random."""
        self._events("Product Viewed", VIEWED, count)

    def checkouts(self, count: int) -> None:
        """So many events that begin a run."""
        self._events("Checkout Started", STARTED, count)

    def _events(self, name: str, properties: dict[str, JSON], count: int) -> None:
        self.give(
            [
                (_key(number), Event(self.now, name, self.now, properties, f"{name} {self.now} {place}"))
                for place, number in enumerate(self._drawn(count))
            ]
        )

    def _drawn(self, count: int) -> list[int]:
        """Contacts in no order; everybody has had a turn before somebody has another."""
        while len(self._next) < count:
            self._next += self._random.sample(range(self.contacts), self.contacts)
        drawn, self._next = self._next[:count], self._next[count:]
        return drawn

    def give(self, arrivals: Sequence[tuple[str, Input]]) -> None:
        """Put inputs into the inbox."""
        for first in range(0, len(arrivals), ROWS):
            with write(self._engine) as connection:
                inbox.put(connection, arrivals[first : first + ROWS])

    # --- what it does -------------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Turns, until there is nothing to do at this instant."""
        done = self._turns.turn()
        while done.contacts or done.more or done.busy:
            done = self._turns.turn()

    def deliver(self) -> None:
        """Send all messages that are due."""
        asyncio.run(self._deliver())

    async def _deliver(self) -> None:
        while await self._dispatcher.dispatch():
            pass

    # --- what it costs ------------------------------------------------------------------------------------------------

    def cost_of(self, work: Callable[[], None]) -> Cost:
        """What some work cost, without what it leaves on disk."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            everything, wal = self._server.cpu_seconds(), _wal(connection)
            engine, database = cpu_seconds(), self._server.connection_seconds(self.url)
            work()
            engine, database = cpu_seconds() - engine, self._server.connection_seconds(self.url) - database
            sleep(REAPED_SECONDS)
            self.others += self._server.cpu_seconds() - everything - database
            return Cost(engine, database, _wal(connection) - wal)

    def checkpoint(self) -> None:
        """From now on whatever page is touched goes into the WAL as a whole, once."""
        self._run("CHECKPOINT")

    def clean(self) -> None:
        """What autovacuum does many times in an hour; an hour here is over before it wakes up."""
        self._run("VACUUM ANALYZE")

    def disk(self) -> float:
        """Bytes of all tables and their indexes, when what is dead has been cleaned up."""
        self.clean()
        return self._run(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname = 'public'"
        )

    def _run(self, statement: str) -> float:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return float(cursor.fetchall()[0][0]) if cursor.description else 0.0


def live(shop: Shop, day: Day) -> Cost:
    """Let a shop go through a day whose contacts are its own; the cost of turns and of sending, and what stays.

    It has gone through such a day before: the room that its tables keep for what changes is there already.
    """
    _live(shop, day, START, "yesterday")
    return _live(shop, day, START + timedelta(hours=HOURS), "today")


def _live(shop: Shop, day: Day, start: datetime, letter: str) -> Cost:
    disk, cost = shop.disk(), Cost()
    shop.publish(shop.letter("everybody", start + timedelta(hours=9), letter))
    for hour in range(HOURS):
        shop.now = start + timedelta(hours=hour)
        counts = day.hours[hour]
        shop.views(round(counts["store"]))
        shop.checkouts(round(counts["enter"]))
        cost = cost.plus(shop.cost_of(shop.work)).plus(shop.cost_of(shop.deliver))
        shop.clean()
    return cost._replace(disk=shop.disk() - disk)


def _key(number: int) -> str:
    return f"customer-{number:07}"


def _wal(connection: psycopg.Connection[Any]) -> float:  # Any: rows of any shape
    return float(connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchall()[0][0])
