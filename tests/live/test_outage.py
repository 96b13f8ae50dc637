"""The database is away for a while: whoever works on it tries until it is back, and nothing is done twice for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import ExitStack
from threading import Event as Flag
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs
from tests.far import Far, database
from tests.live.post_room import HELLO, LETTER, WORKSPACE

from journeyflow.bootstrap import Installation, open_installation
from journeyflow.channels.base import Email
from journeyflow.channels.outlet import Outlet
from journeyflow.cli.roles import start_engine
from journeyflow.clock import now
from journeyflow.core.check.source import Source
from journeyflow.core.errors import SystemFailure
from journeyflow.core.inputs import Event, Identify
from journeyflow.core.values import JSON
from journeyflow.db import claims, failures, inbox, outbox
from journeyflow.db.outbox import Outcome, StoredMessage
from journeyflow.db.store import open_engine, read, write
from journeyflow.services.dispatch import LEASE, write_down
from journeyflow.services.metrics import Metrics
from journeyflow.services.publish import apply
from journeyflow.services.stream import Stream
from journeyflow.services.turn import isolate
from journeyflow.settings import Settings
from journeyflow.worker.dispatcher import Dispatcher

STORES = ("postgresql",)
SECONDS_MAX = 60.0
ANY_HOUR: dict[str, JSON] = {key: value for key, value in WORKSPACE.items() if key != "quiet_hours"}


@pytest.fixture
def there() -> Iterator[Far]:
    with database() as made:
        yield made


@pytest.fixture
def near(there: Far) -> Iterator[Engine]:
    """The way to the database that is always open."""
    opened = open_engine(there.near_url)
    yield opened
    opened.dispose()


@pytest.fixture
def shop(there: Far) -> Iterator[Installation]:
    """A shop that sends a letter to who signs up, and reaches its database over the network."""
    opened = open_installation(Settings(database_url=there.url))
    documents: Sequence[dict[str, JSON]] = [ANY_HOUR, HELLO, LETTER]
    sources = [Source("test", next(iter(one)), str(one[next(iter(one))]), one) for one in documents]
    with write(opened.engine) as connection:
        apply(connection, sources, False, now(), opened.renderer)
    yield opened
    opened.engine.dispose()


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that other threads do."""
    never = Flag()
    for _ in range(int(SECONDS_MAX / 0.02)):
        if holds():
            return
        never.wait(0.02)
    raise AssertionError("it did not come to pass")


def sign_up(engine: Engine, contact: str) -> None:
    with write(engine) as connection:
        known = Identify(now(), {"email": f"{contact}@example.com"})
        inbox.put(connection, [(contact, known), (contact, Event(now(), "Signed Up", now()))])


def letters(engine: Engine) -> list[StoredMessage]:
    with read(engine) as connection:
        return outbox.page(connection, None, None, None, 100)


def has_got_a_letter(engine: Engine, contact: str) -> Callable[[], bool]:
    return lambda: [one.status for one in letters(engine) if one.contact == contact] == ["sent"]


def test_every_part_of_an_engine_goes_on_when_the_database_is_back_and_says_so_once(
    shop: Installation, there: Far, near: Engine
) -> None:
    told: list[MutableMapping[str, Any]]  # Any: what is logged
    with capture_logs() as told, ExitStack() as stack:
        wake = start_engine(stack, shop, Metrics(), Stream())
        sign_up(near, "ann")
        until(has_got_a_letter(near, "ann"))
        parts = {"engine", "dispatcher", "caller", "listener", "announcer"}

        for number in range(2):
            told.clear()
            there.proxy.cut()
            wake()
            until(lambda: away(told) == parts)
            sign_up(near, f"bob-{number}")
            there.proxy.go_on()
            wake()
            until(has_got_a_letter(near, f"bob-{number}"))
            until(lambda: back(told) == parts)
            assert len([one for one in told if "database" in one["event"]]) == 2 * len(parts)

    assert not [one for one in told if "exc_info" in one]


def away(told: Sequence[MutableMapping[str, Any]]) -> set[str]:  # Any: as above
    return {one["event"].split()[1] for one in told if "can't use the database" in one["event"]}


def back(told: Sequence[MutableMapping[str, Any]]) -> set[str]:  # Any: as above
    return {one["event"].split()[1] for one in told if "can use the database again" in one["event"]}


class Breaking:
    """Takes the network to the database away while it delivers."""

    def __init__(self, far: Far) -> None:
        self._far = far
        self.delivered: list[str] = []

    async def deliver(self, email: Email) -> str | None:
        self.delivered.append(email.id)
        self._far.proxy.cut()
        return None

    async def check(self) -> str:
        return "at hand"

    async def close(self) -> None:
        return


def test_rule_5_4_a_mail_that_went_out_while_the_database_broke_is_written_down_later_and_not_sent_again(
    shop: Installation, there: Far, near: Engine
) -> None:
    channel, outcomes = Breaking(there), list[str]()
    dispatcher = Dispatcher(
        shop.engine, shop.postmaster, Outlet(channel), now, lambda outcome, _: outcomes.append(outcome.status)
    )
    with ExitStack() as stack:
        start_engine(stack, shop, Metrics(), Stream(), ["turns"])
        sign_up(near, "ann")
        until(lambda: len(letters(near)) == 1)
    with pytest.raises(SystemFailure):
        asyncio.run(dispatcher.dispatch())
    assert ([one.status for one in letters(near)], outcomes) == (["sending"], [])

    there.proxy.go_on()
    asyncio.run(dispatcher.dispatch())

    assert ([one.status for one in letters(near)], outcomes) == (["sent"], ["sent"])
    assert channel.delivered == [one.id for one in letters(near)]


# --- the disk is full ------------------------------------------------------------------------------------------------


@pytest.fixture
def no_space(near: Engine) -> Iterator[None]:
    """Nobody can begin a journey: PostgreSQL says what it says when it has no space for the run."""
    with write(near) as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$"
        )
        connection.exec_driver_sql("CREATE TRIGGER no_space BEFORE INSERT ON runs EXECUTE FUNCTION no_space()")
    yield
    with write(near) as connection:
        connection.exec_driver_sql("DROP FUNCTION no_space CASCADE")


@pytest.mark.usefixtures("no_space")
def test_a_full_disk_while_contacts_are_tried_one_by_one_sets_nobody_aside(shop: Installation, near: Engine) -> None:
    sign_up(near, "ann")
    with read(near) as connection:
        group = next(one for one in claims.groups(connection) if one.holds("ann"))
    with pytest.raises(SystemFailure, match=r"disk of .* is full"), write(near) as connection:
        isolate(connection, shop.cache, now(), shop.make_code, 100, group)

    with read(near) as connection:
        assert failures.count(connection) == 0
        assert not inbox.is_empty(connection)


# --- whose end it is -------------------------------------------------------------------------------------------------


def test_rule_5_3_who_was_taken_for_dead_does_not_end_the_attempt_of_another(shop: Installation, near: Engine) -> None:
    """A dispatcher stands still for longer than its lease, and its mail server has refused it."""
    with ExitStack() as stack:
        start_engine(stack, shop, Metrics(), Stream(), ["turns"])
        sign_up(near, "ann")
        until(lambda: len(letters(near)) == 1)
    later = now() + 2 * LEASE
    with write(near) as connection:
        (first,), _ = shop.postmaster.pick_up(connection, now(), 10)
    with write(near) as connection:
        (second,), _ = shop.postmaster.pick_up(connection, later, 10)
    with write(near) as connection:
        write_down(connection, [Outcome(first.message, "queued", later, "refused", due_at=later)])
        write_down(connection, [Outcome(second.message, "sent", later)])

    assert [one.status for one in letters(near)] == ["sent"]
    assert second.redelivered
