"""Turns and deliveries on PostgreSQL with months coming and going: nobody waits, and each looks where its rows are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag

import pytest
from sqlalchemy import Connection, func, select, text
from tests.history_rows import event, message, step
from tests.live.world import LiveWorld

from journeyflow.core.effects import Effects, Engaged
from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON, to_micros
from journeyflow.db import bulk, claims, inbox, outbox, past_months, tables, turns
from journeyflow.db.claims import WHOLE, Group
from journeyflow.db.documents import FlowsCache
from journeyflow.db.memory import TurnMemory, read_messages
from journeyflow.db.months import MONTHLY, Month, attached
from journeyflow.db.outbox import Outcome, StoredMessage
from journeyflow.db.store import is_postgresql, open_engine, write
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
    forget_statistics(opened)
    yield opened
    opened.close()


def forget_statistics(world: LiveWorld) -> None:
    """What the tests before left in their months is not what a month begins with: an emptied table that was counted is
    taken for an empty one, however many rows come, and one that had many messages of one contact for full of them.
    """
    if is_postgresql(world.engine):
        with write(world.engine) as connection:
            for table in MONTHLY:
                for month in attached(connection, table):
                    connection.execute(text(f"DROP TABLE {month.part(table)}"))
        world.engine.dispose()  # its connections know the months that were there


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


def test_caps_look_at_no_month_before_their_window(year: LiveWorld) -> None:
    with fresh(year) as connection:
        assert len(read_messages(connection, ["c1"], NOW - 20 * DAY)["c1"]) == 1
        looked = looked_at(connection)
        assert "messages_2026_03" in looked
        assert looked <= {"messages_2026_02", "messages_2026_03", "messages_from_2100"}


def test_a_message_that_is_tried_again_is_looked_for_in_its_month(year: LiveWorld) -> None:
    with write(year.engine) as connection:
        connection.execute(tables.messages.update().where(tables.messages.c.id == "c1-5").values(status="failed"))
        found = outbox.by_id(connection, "c1-5")
    assert found is not None
    assert found.queued_at == datetime(2025, 10, 16, 10, tzinfo=UTC)
    with fresh(year) as connection:
        assert outbox.retry(connection, found, NOW)
        assert looked_at(connection) == {"messages_2025_10"}


def test_an_opened_message_is_looked_for_where_its_link_says(year: LiveWorld) -> None:
    at = NOW - 150 * DAY
    with fresh(year) as connection:
        found = outbox.by_id(connection, "c1-5", to_micros(at))
        assert looked_at(connection) == {"messages_2025_10"}
    with write(year.engine) as connection:
        assert outbox.by_id(connection, "c1-5", to_micros(NOW)) == outbox.by_id(connection, "c1-5") == found
    assert found is not None
    assert found.queued_at == at


# --- how many rows they read -----------------------------------------------------------------------------------------

CROWD = 5_000
FEW = [f"c{number}" for number in range(40)]


@pytest.fixture
def crowd(world: LiveWorld) -> LiveWorld:
    """A month that has just begun: many rows, of which PostgreSQL knows nothing yet; a few messages wait."""
    people = [f"c{number}" for number in range(CROWD)]
    with write(world.engine) as connection:
        bulk.insert(connection, tables.events, [event(one, NOW, 0) for one in people])
        bulk.insert(connection, tables.messages, [message(one, NOW, 0) for one in people])
        bulk.insert(connection, tables.messages, [message(one, NOW, 1, "queued") for one in FEW])
    return world


def rows_read(connection: Connection) -> int:
    """How many rows of history the connection has read."""
    query = text(
        "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname ~ '^(messages|events)_'"
    )
    return int(connection.scalar(query) or 0)


def claim(connection: Connection) -> None:
    assert len(outbox.claim(connection, NOW, NOW + DAY, 100)) == len(FEW)


def finish(connection: Connection) -> None:
    taken = [stored(connection, f"{one}-1") for one in FEW]
    connection.execute(
        tables.messages.update().where(tables.messages.c.id.in_([one.id for one in taken])).values(status="sending")
    )
    assert len(outbox.finish(connection, [Outcome(one, "sent", NOW) for one in taken])) == len(FEW)


def stored(connection: Connection, id_: str) -> StoredMessage:
    found = outbox.by_id(connection, id_)
    assert found is not None
    return found


def engage(connection: Connection) -> None:
    effects = Effects()
    effects.engaged.extend(Engaged(one, f"{one}-0", "opened", NOW) for one in FEW)
    turns.save(connection, effects, claims.Claim(WHOLE, NOW, 0, (WHOLE,)), {})
    opened = select(func.count()).where(
        tables.messages.c.id.in_([f"{one}-0" for one in FEW]), tables.messages.c.opened_at == to_micros(NOW)
    )
    assert connection.scalar(opened) == len(FEW)


def withdraw(connection: Connection) -> None:
    effects = Effects()
    effects.withdrawn.extend((one, f"{one}-1") for one in FEW)
    turns.save(connection, effects, claims.Claim(WHOLE, NOW, 0, (WHOLE,)), {})
    assert sum(outbox.waiting(connection).values()) == 0


def look_for_caps(connection: Connection) -> None:
    assert all(read_messages(connection, FEW, NOW - DAY).values())


def look_through_history(connection: Connection) -> None:
    memory = TurnMemory(connection, {}, {one: [] for one in FEW}, Effects(), lambda *_: None)
    assert all(memory.events(one, "Opened", NOW - DAY) for one in FEW)


@pytest.mark.parametrize("work", [claim, finish, engage, withdraw, look_for_caps, look_through_history])
def test_a_month_that_has_just_begun_is_not_read_whole(crowd: LiveWorld, work: Callable[[Connection], None]) -> None:
    with fresh(crowd) as connection:
        before = rows_read(connection)  # of transactions before this one that have not been told yet
        work(connection)
        assert rows_read(connection) - before <= 8 * len(FEW)
