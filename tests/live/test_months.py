"""Turns and deliveries on PostgreSQL with months coming and going: nobody waits, and each looks where its rows are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag

import pytest
from sqlalchemy import Connection, func, select, text
from tests.history_rows import event, message, step
from tests.live.world import LiveWorld

from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON
from journeyflow.db import bulk, inbox, outbox, past_months, tables
from journeyflow.db.claims import Group
from journeyflow.db.documents import FlowsCache
from journeyflow.db.memory import read_messages
from journeyflow.db.months import MONTHLY, Month
from journeyflow.db.outbox import Outcome
from journeyflow.db.store import open_engine, write
from journeyflow.services.turn import take_turn

STORES = ("postgresql",)
NOW = datetime(2026, 3, 15, 10, tzinfo=UTC)
DAY = timedelta(days=1)
WORKERS = 2
EVENTS = 1_200
JOURNEYS: list[dict[str, JSON]] = [
    {"workspace": "shop", "sender": {"name": "Shop", "email": "a@shop.example"}, "postal_address": "Long Street 1"},
    {
        "journey": "welcome",
        "triggers": [{"type": "event", "event": "Opened"}],
        "start": "greet",
        "nodes": {"greet": {"type": "email", "template": "hello"}},
    },
    {"template": "hello", "channel": "email", "subject": "Hello", "body": "Hello"},
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    opened = LiveWorld(tmp_path, JOURNEYS, NOW, delivering=False)
    yield opened
    opened.close()


def work(world: LiveWorld, groups: Sequence[Group], begun: Flag) -> int:
    """Turns of some groups until nothing is left for them; how many. Whoever waits for a second fails."""
    engine = open_engine(world.engine.url.set(drivername="postgresql").render_as_string(False), patience_seconds=1)
    cache = FlowsCache(world.installation.renderer)
    taken = 0
    for group in groups:
        done = None
        while done is None or done.contacts:
            with write(engine) as connection:
                done = take_turn(connection, cache, NOW, 5, world.installation.make_code, group)
            begun.set()
            taken += 1
    engine.dispose()
    return taken


def test_turns_go_on_while_months_are_made_and_put_away(world: LiveWorld) -> None:
    with write(world.engine) as connection:
        some = [(f"c{number}", Event(NOW, "Opened", NOW, {})) for number in range(EVENTS)]
        inbox.put(connection, some)
    begun = Flag()
    coming = Month(2021, 1)
    put_away = 0

    with ThreadPoolExecutor(WORKERS) as pool:
        working = [pool.submit(work, world, world.groups[place::WORKERS], begun) for place in range(WORKERS)]
        begun.wait()
        while not all(one.done() for one in working):
            at = datetime(coming.year, coming.month, 1, tzinfo=UTC)
            with write(world.engine) as connection:
                for table, row in zip(MONTHLY, rows_at(at), strict=True):
                    bulk.insert(connection, table, [row])
            put_away += past_months.put_away(world.engine, {table.name: NOW - 100 * DAY for table in MONTHLY})
            coming = coming.next
        turns = sum(one.result() for one in working)

    assert turns >= EVENTS // 5
    assert put_away >= len(MONTHLY)
    with write(world.engine) as connection:
        queued = connection.scalar(select(func.count()).select_from(tables.messages))
    assert queued == EVENTS


def rows_at(at: datetime) -> list[tuple[object, ...]]:
    made = {"events": event, "trail": step, "messages": message}
    return [made[table.name]("ann", at, 0) for table in MONTHLY]


# --- where they look -------------------------------------------------------------------------------------------------


@contextmanager
def fresh(world: LiveWorld) -> Iterator[Connection]:
    """A transaction on a connection that has not looked anywhere yet."""
    world.engine.dispose()
    with write(world.engine) as connection:
        yield connection


def looked_at(connection: Connection) -> set[str]:
    """The months of messages in which the connection has looked for rows."""
    query = text(
        "SELECT relname FROM pg_stat_xact_user_tables WHERE relname LIKE 'messages%' AND seq_scan + idx_scan > 0"
    )
    return set(connection.scalars(query))


@pytest.fixture
def year(world: LiveWorld) -> LiveWorld:
    """A year of messages, of which one in March waits."""
    with write(world.engine) as connection:
        for number in range(12):
            at = NOW - 30 * number * DAY
            bulk.insert(connection, tables.messages, [message(f"c{place}", at, number) for place in range(50)])
        bulk.insert(connection, tables.messages, [message("ann", NOW - DAY, 0, "queued")])
    return world


def test_who_delivers_writes_only_where_the_messages_are(year: LiveWorld) -> None:
    with write(year.engine) as connection:
        taken = outbox.claim(connection, NOW, NOW + DAY, 100)
    with fresh(year) as connection:
        assert outbox.finish(connection, [Outcome(one, "sent", NOW) for one in taken])
        assert looked_at(connection) == {"messages_2026_03"}


def test_caps_look_at_the_months_of_their_window(year: LiveWorld) -> None:
    with fresh(year) as connection:
        assert len(read_messages(connection, ["c1"], NOW - 20 * DAY)["c1"]) == 1
        assert looked_at(connection) - {"messages_from_2100"} == {"messages_2026_02", "messages_2026_03"}


def test_a_message_that_is_tried_again_is_looked_for_in_its_month(year: LiveWorld) -> None:
    with write(year.engine) as connection:
        connection.execute(tables.messages.update().where(tables.messages.c.id == "c1-5").values(status="failed"))
        found = outbox.by_id(connection, "c1-5")
    assert found is not None
    assert found.queued_at == datetime(2025, 10, 16, 10, tzinfo=UTC)
    with fresh(year) as connection:
        assert outbox.retry(connection, found, NOW)
        assert looked_at(connection) == {"messages_2025_10"}
