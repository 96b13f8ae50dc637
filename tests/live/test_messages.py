"""What the live engine remembers of messages: caps, engagement, SMS and push, on a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from tests.live.test_same_trail import assert_same
from tests.live.world import START, LiveWorld

from journeyflow.core.contact import Contact
from journeyflow.core.inputs import Appear, Event, Input
from journeyflow.core.values import JSON
from journeyflow.db import inbox, outbox, tables
from journeyflow.db.outbox import StoredMessage, from_row
from journeyflow.db.store import read, write

Document = dict[str, JSON]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SHOP: Document = {"workspace": "shop", "sender": {"email": "hello@shop.example"}}
CAPPED: Document = {
    **SHOP,
    "frequency_caps": [
        {"channel": "email", "max": 1, "per": "1d", "when_reached": "defer"},
        {"channel": "sms", "max": 1, "per": "7d"},
    ],
}
LETTER: Document = {"template": "letter", "subject": "Hello", "body": "<p>Hello</p>"}
SHORT: Document = {"template": "short", "channel": "sms", "body": "Hi {{ contact.first_name }}, {{ unsubscribe_url }}"}


def journey(name: str, event: str, node: Document, **more: JSON) -> Document:
    return {
        "journey": name,
        "triggers": [{"type": "event", "event": event}],
        "reentry": {"policy": "always"},
        "start": "node",
        "nodes": {"node": {**node, "next": "pause"}, "pause": {"type": "wait", "for": "5m"}},
        **more,
    }


MAIL = journey("mail", "Go", {"type": "email", "template": "letter"})
TEXT = journey("text", "Text", {"type": "sms", "template": "short"})
NOTE = journey("note", "Note", {"type": "push", "text": "{{ trigger.n }} left"})
FAITHFUL = journey(
    "faithful",
    "Ask",
    {"type": "tag", "add": ["asked"]},
    enter_if={"message": {"channel": "email", "last": 1, "settled": "1h"}, "opened": {"eq": 1}},
)
MakeWorld = Callable[..., LiveWorld]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeWorld]:
    """Worlds in which nothing is delivered unless the test says so; Ann can be reached by everything."""
    made: list[LiveWorld] = []

    def make(*documents: Document, delivering: bool = False) -> LiveWorld:
        world = LiveWorld(tmp_path, documents, START, delivering=delivering)
        made.append(world)
        known: Document = {
            "email": "ann@shop.example",
            "phone": "+48 600 100 200",
            "push_token": "t",
            "first_name": "Ann",
        }
        put(world, Appear(world.now, world.now, known))
        return world

    yield make
    for world in made:
        world.close()


def put(world: LiveWorld, *items: Input, contact: str = "ann") -> None:
    with write(world.engine) as connection:
        inbox.put(connection, [(contact, item) for item in items])
    world.settle()


def track(world: LiveWorld, name: str, contact: str = "ann", **properties: JSON) -> None:
    put(world, Event(world.now, name, world.now, properties), contact=contact)


def after(world: LiveWorld, duration: timedelta) -> None:
    until = world.now + duration
    world.advance(until, included=True)
    world.now = until


def deliver(world: LiveWorld) -> None:
    while asyncio.run(world.dispatcher.dispatch()):
        pass
    world.settle()


def messages(world: LiveWorld) -> list[StoredMessage]:
    with read(world.engine) as connection:
        rows = connection.execute(select(tables.messages).order_by(tables.messages.c.queued_at)).all()
        return [from_row(row) for row in rows]


def stands(world: LiveWorld) -> list[tuple[str, str | None]]:
    return [(message.status, message.reason) for message in messages(world)]


def told(world: LiveWorld, kind: str) -> list[dict[str, JSON]]:
    return [record.detail for record in world.trail() if record.kind == kind]


# --- SMS and push ----------------------------------------------------------------------------------------------------


def test_rule_5_3_sms_and_push_are_rendered_and_handed_over(make: MakeWorld) -> None:
    world = make(SHOP, SHORT, TEXT, NOTE)
    track(world, "Text")
    track(world, "Note", n=3)
    deliver(world)

    assert {(one.channel, one.template, one.to, one.status, one.subject) for one in messages(world)} == {
        ("sms", "short", "+48 600 100 200", "sent", None),
        ("push", None, "t", "sent", None),
    }
    texts: dict[str, object] = {}
    with read(world.engine) as connection:
        flows = world.installation.cache.current(connection)
        for one in messages(world):
            outgoing = world.installation.postmaster.outgoing(connection, one, flows, Contact("ann"), world.now)
            texts[one.channel] = getattr(outgoing, "text", None)
    assert str(texts["sms"]).startswith(f"Hi Ann, {world.installation.settings.links}/u/")
    assert texts["push"] == "3 left"


def test_rule_5_3_an_empty_text_is_not_sent(make: MakeWorld) -> None:
    world = make(SHOP, journey("blank", "Go", {"type": "sms", "text": "{{ trigger.nothing }}"}))
    track(world, "Go")
    deliver(world)

    assert stands(world) == [("failed", "the text is empty")]


def test_rule_5_5_consent_is_asked_again_for_an_sms(make: MakeWorld) -> None:
    world = make(SHOP, SHORT, TEXT)
    track(world, "Text")
    track(world, "Unsubscribed")
    deliver(world)

    assert stands(world) == [("failed", "unsubscribed")]


# --- caps ------------------------------------------------------------------------------------------------------------


def test_rule_5_5_a_message_that_is_not_sent_gives_its_place_back(make: MakeWorld) -> None:
    world = make(CAPPED, SHORT, TEXT)
    track(world, "Text")
    track(world, "Unsubscribed")
    deliver(world)
    track(world, "Subscribed")
    after(world, HOUR)
    track(world, "Text")

    assert stands(world) == [("failed", "unsubscribed"), ("queued", None)]


def test_rule_5_5_who_waits_for_the_place_gets_it_at_once(make: MakeWorld) -> None:
    world = make(CAPPED, LETTER, MAIL)
    track(world, "Go")
    after(world, HOUR)
    track(world, "Go")
    assert told(world, "waiting")[-1] == {"until": "2026-03-03T10:00:00.000000Z", "reason": "frequency_cap"}

    world.now += 12 * HOUR  # the first one expires in the outbox
    deliver(world)

    assert stands(world) == [("failed", "expired"), ("queued", None)]
    assert messages(world)[1].queued_at == START + 13 * HOUR


def test_rule_5_1_a_run_remembers_since_when_it_waits_for_a_cap(make: MakeWorld) -> None:
    """Seven days in all, over however many turns and wake-ups."""
    world = make({**CAPPED, "frequency_caps": [{"channel": "email", "max": 1, "per": "30d", "when_reached": "defer"}]},
                 LETTER, MAIL)  # fmt: skip
    track(world, "Go")
    deliver(world)
    after(world, HOUR)
    track(world, "Go")
    after(world, 7 * DAY - timedelta(seconds=1))
    assert stands(world) == [("sent", None)]

    after(world, timedelta(seconds=1))

    assert stands(world) == [("sent", None), ("skipped", "frequency_cap")]


def test_rule_7_3_a_message_that_failed_caused_nothing(make: MakeWorld) -> None:
    world = make(SHOP, LETTER, {**MAIL, "goal": {"event": "Bought", "within": "3d"}})
    track(world, "Go")
    world.now += 13 * HOUR
    deliver(world)
    track(world, "Bought")

    assert stands(world) == [("failed", "expired")]
    assert told(world, "converted") == [{"value": None, "since_message": None}]


# --- tried once more -------------------------------------------------------------------------------------------------


def retry(world: LiveWorld) -> None:
    """An operator has the message that failed sent once more."""
    (failed,) = [one for one in messages(world) if one.status == "failed"]
    with write(world.engine) as connection:
        assert outbox.retry(connection, failed, world.now)
    world.settle()


def test_rule_7_3_a_message_that_is_tried_once_more_is_the_last_one_before_a_goal(make: MakeWorld) -> None:
    world = make(SHOP, LETTER, {**MAIL, "goal": {"event": "Bought", "within": "3d"}})
    track(world, "Go")
    world.now += 13 * HOUR
    deliver(world)
    retry(world)
    deliver(world)
    track(world, "Bought")

    assert stands(world) == [("sent", None)]
    assert told(world, "converted") == [{"value": None, "since_message": messages(world)[0].id}]


def test_rule_5_9_a_message_that_is_tried_once_more_takes_its_place_in_a_cap_from_then_on(make: MakeWorld) -> None:
    world = make(CAPPED, SHORT, TEXT)
    track(world, "Text")
    track(world, "Unsubscribed")
    deliver(world)
    track(world, "Subscribed")
    after(world, 6 * DAY)
    retry(world)
    after(world, 6 * DAY)
    track(world, "Text")

    assert stands(world) == [("queued", None), ("skipped", "frequency_cap")]


def test_rule_7_2_a_message_that_is_tried_once_more_is_withdrawn_with_its_run(make: MakeWorld) -> None:
    world = make(SHOP, LETTER, {**MAIL, "exit_on": [{"event": "Bought"}]})
    track(world, "Go")
    world.now += 13 * HOUR
    deliver(world)
    retry(world)
    track(world, "Bought")

    assert stands(world) == [("cancelled", None)]


# --- engagement ------------------------------------------------------------------------------------------------------


def stored(world: LiveWorld) -> list[tuple[int | None, int | None]]:
    with read(world.engine) as connection:
        query = select(tables.messages.c.opened_at, tables.messages.c.clicked_at)
        return [(row[0], row[1]) for row in connection.execute(query.order_by(tables.messages.c.queued_at))]


def test_rule_5_7_the_first_opening_and_click_by_a_person_are_kept(make: MakeWorld) -> None:
    world = make(SHOP, LETTER, MAIL, delivering=True)
    track(world, "Go")
    after(world, HOUR)
    track(world, "Email Opened", machine=True)
    assert stored(world) == [(None, None)]

    track(world, "Email Opened")
    first = stored(world)[0][0]
    after(world, HOUR)
    track(world, "Email Opened")
    track(world, "Email Link Clicked", url="https://shop.example")

    assert first is not None
    assert stored(world) == [(first, first + 3_600_000_000)]


@pytest.mark.parametrize(("opened", "entered"), [(True, 1), (False, 0)])
def test_a_condition_reads_what_became_of_messages(make: MakeWorld, opened: bool, entered: int) -> None:
    world = make(SHOP, LETTER, MAIL, FAITHFUL, delivering=True)
    track(world, "Go")
    after(world, HOUR)
    if opened:
        track(world, "Email Opened")
    track(world, "Ask")

    assert sum(record.journey == "faithful" for record in world.trail() if record.kind == "entered") == entered


# --- at what cost ----------------------------------------------------------------------------------------------------


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that read messages."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:  # Any: SQLAlchemy's event
        if statement.startswith("SELECT") and "messages.opened_at" in statement:
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def crowd(world: LiveWorld, *names: str) -> None:
    """Twenty contacts, and each of them sends these events, all in one turn."""
    known = [
        (f"c{n}", Appear(world.now, world.now, {"email": f"c{n}@shop.example", "phone": f"+4860010020{n}"}))
        for n in range(20)
    ]
    acts = [(key, Event(world.now, name, world.now, {})) for name in names for key, _ in known]
    with write(world.engine) as connection:
        inbox.put(connection, [*known, *acts])
    world.turn()


@pytest.mark.parametrize(
    ("workspace", "names", "statements"),
    [
        (SHOP, ["Go"], 0),
        (CAPPED, ["Other"], 0),
        (CAPPED, ["Go"], 1),
        (CAPPED, ["Go", "Text"], 1),
        (SHOP, ["Email Opened"], 1),
        (SHOP, ["Go", "Ask"], 1),
    ],
)
def test_messages_are_read_once_a_turn_and_only_where_somebody_asks(
    make: MakeWorld, workspace: Document, names: list[str], statements: int
) -> None:
    world = make(workspace, LETTER, SHORT, MAIL, TEXT, FAITHFUL)

    with counted() as seen:
        crowd(world, *names)

    assert (len(seen) > 0) == (statements > 0)
    assert len(seen) <= statements * len(world.groups)


# --- the same as in a simulation -------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1_000, 3])
def test_caps_and_engagement_leave_the_same_trail_as_in_a_simulation(tmp_path: Path, limit: int) -> None:
    sleepy = journey("sleepy", "Watch", {
        "type": "wait_for", "timeout": "9d",
        "cases": [{"when": {"message": {"channel": "email", "last": 2, "within": "6d"}, "opened": {"eq": 0}}}],
    })  # fmt: skip
    inputs: list[tuple[str, Input]] = []
    for place, key in enumerate(("ann", "bob")):
        known: Document = {"email": f"{key}@shop.example", "phone": f"+4860010020{place}", "push_token": key}
        inputs.append((key, Appear(START, START, known)))
        names = ["Go", "Watch", "Go", "Email Opened", "Text", "Go", "Email Link Clicked", "Text", "Ask", "Note", "Go"]
        for hours, name in enumerate(names):
            at = START + hours * 5 * HOUR
            inputs.append((key, Event(at, name, at, {"machine": bool(place)} if name == "Email Opened" else {})))

    documents = [CAPPED, LETTER, SHORT, MAIL, TEXT, NOTE, FAITHFUL, sleepy]
    assert_same(tmp_path, (documents, inputs), START + 30 * DAY, limit)
