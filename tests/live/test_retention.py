"""What is kept no longer is forgotten for whoever asks, though PostgreSQL keeps it until its month is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.history_rows import event, message, step
from tests.live.world import LiveWorld

from journeyflow.core.effects import Effects
from journeyflow.core.identity import shard_of
from journeyflow.core.inputs import Event
from journeyflow.core.workspace import Retention
from journeyflow.db import bulk, history, months, outbox, replay, timeline, trail
from journeyflow.db.memory import TurnMemory, read_messages
from journeyflow.db.store import is_postgresql, read, write
from journeyflow.db.tables import events, messages
from journeyflow.db.tables import trail as trail_table
from journeyflow.services import retention
from journeyflow.worker.schedule import Schedule

NOW = datetime(2026, 3, 15, 10, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
KEPT = Retention()
TOO_OLD, YOUNG_ENOUGH = -HOUR, HOUR
"""How much younger than the oldest that is kept; both are of one month."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    opened = LiveWorld(tmp_path, [], NOW)
    yield opened
    opened.close()


def remember(world: LiveWorld, statuses: tuple[str, str] = ("sent", "sent")) -> None:
    """Of everything one that is too old and one that is not, numbered in this order."""
    with write(world.engine) as connection:
        for number, (over, status) in enumerate(zip((TOO_OLD, YOUNG_ENOUGH), statuses, strict=True)):
            bulk.insert(connection, events, [event("ann", NOW - KEPT.events + over, number)])
            bulk.insert(connection, trail_table, [step("ann", NOW - KEPT.trail + over, number)])
            bulk.insert(connection, messages, [message("ann", NOW - KEPT.messages + over, number, status)])


def tidy_up(world: LiveWorld) -> None:
    assert Schedule(world.engine, lambda: NOW).look()


def shown_events(world: LiveWorld) -> list[int]:
    """The numbers of the events that are found, whoever asks."""
    with read(world.engine) as connection:
        happened = timeline.before(connection, "ann", None, 100)
        told = [one.position.number for one in reversed(happened) if one.kind == "event"]
        given = [one["number"] for one in history.event_properties(connection, "ann", "Opened")]
        again = [one.properties["number"] for one in replay.events_of(connection, shard_of("ann"), None, [])]
        memory = TurnMemory(connection, {}, {"ann": []}, Effects(), lambda *_: None)
        decided = [one.number for one in memory.events("ann", "Opened", None)]
        counted, _ = history.event_names(connection, "ann").get("Opened", (0, None))
    assert told == given == again == decided
    assert counted == len(told)
    return told


def shown_steps(world: LiveWorld) -> list[int | None]:
    """The numbers of the trail's records that are found, whoever asks."""
    with read(world.engine) as connection:
        happened = timeline.before(connection, "ann", None, 100)
        told = [one.position.number for one in reversed(happened) if one.kind == "step"]
        recorded = [number for number, _ in trail.of_contact(connection, "ann")]
        of_run = [record.seq for record in trail.of_run(connection, "ann", "ann-run")]
    assert told == recorded == of_run
    return of_run


def shown_messages(world: LiveWorld) -> list[str]:
    """The ids of the messages that are found, whoever asks."""
    with read(world.engine) as connection:
        happened = timeline.before(connection, "ann", None, 100)
        told = [one.position.id for one in reversed(happened) if one.kind == "message"]
        mine = [one.id for one in outbox.page(connection, "ann", None, None, 100)]
        everybodys = [one.id for one in outbox.page(connection, None, None, None, 100)]
        explained = [one.id for one in reversed(history.messages_of(connection, "ann", None, 100))]
        single = [id_ for id_ in ("ann-0", "ann-1") if outbox.by_id(connection, id_) is not None]
        decided = [one.id for one in read_messages(connection, ["ann"], None)["ann"]]
    assert told == mine == everybodys == explained == single == decided
    return told


def test_nothing_is_forgotten_before_it_is_tidied_up(world: LiveWorld) -> None:
    remember(world)

    assert shown_events(world) == [0, 1]
    assert shown_steps(world) == [0, 1]
    assert shown_messages(world) == ["ann-0", "ann-1"]


def test_whoever_asks_finds_what_is_young_enough_and_nothing_else(world: LiveWorld) -> None:
    remember(world)
    tidy_up(world)

    assert shown_events(world) == [1]
    assert shown_steps(world) == [1]
    assert shown_messages(world) == ["ann-1"]


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_a_message_that_waits_for_its_delivery_is_found_however_old(world: LiveWorld, status: str) -> None:
    remember(world, (status, "sent"))
    tidy_up(world)

    assert shown_messages(world) == ["ann-0", "ann-1"]


def test_events_that_came_late_are_told_as_long_as_they_are_kept(world: LiveWorld) -> None:
    with write(world.engine) as connection:
        for number, over in enumerate((TOO_OLD, YOUNG_ENOUGH)):
            row = [*event("ann", NOW - KEPT.events + over, number)]
            row[events.c.keys().index("occurred_at")] = 0
            bulk.insert(connection, events, [tuple(row)])
    tidy_up(world)

    with read(world.engine) as connection:
        assert history.old_events(connection, "ann", DAY)["Opened"].count == 1


def test_what_lies_in_no_month_goes_as_well(world: LiveWorld) -> None:
    with write(world.engine) as connection:
        bulk.insert(connection, events, [event("ann", datetime(1999, 1, 1, tzinfo=UTC), 0)])

    deleted = retention.trim(world.engine, KEPT, NOW)

    assert deleted["events"] == 1


def test_turns_go_on_through_the_months(world: LiveWorld) -> None:
    """Every 30 days something happens, and it is tidied up; what is older than 800 days is gone."""
    for _ in range(40):
        at = world.now + 30 * DAY
        world.feed([("ann", Event(at, "Opened", at, {}))], at)
        assert Schedule(world.engine, lambda: world.now).look()

    with read(world.engine) as connection:
        assert len(timeline.before(connection, "ann", None, 100)) == 27
        if is_postgresql(world.engine):
            assert len(months.attached(connection, events)) == 27 + months.AHEAD
