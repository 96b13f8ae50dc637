"""Turns when something goes wrong, when much has piled up, and when the documents change under them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Connection, select
from tests.live.books import balance
from tests.live.world import START, LiveWorld

from journeyflow.core.check.source import Source
from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.effects import TrailRecord
from journeyflow.core.inputs import Enroll, Event, Identify, Input
from journeyflow.core.values import JSON, from_micros
from journeyflow.db import history, inbox, tables
from journeyflow.db.documents import FlowsCache
from journeyflow.db.store import read, write
from journeyflow.services import operate, publish, retention
from journeyflow.services.turn import RETRY_AFTER, take_turn
from journeyflow.worker.turns import TurnLoop

Document = dict[str, JSON]
HOUR = timedelta(hours=1)
CROWD = [f"contact {number}" for number in range(10)]
POOL: Document = {"coupon_pool": "ten", "codes": "generated"}
HELLO: Document = {"template": "hello", "subject": "Hello", "body": "<p>Hello</p>"}


def journey(nodes: Document, **more: JSON) -> Document:
    """A journey that the event ``Go`` lets in as often as it comes."""
    return {
        "journey": "walk",
        "triggers": [{"type": "event", "event": "Go"}],
        "reentry": {"policy": "always"},
        "start": next(iter(nodes)),
        "nodes": nodes,
        **more,
    }


CODE: Document = {
    "mail": {"type": "email", "template": "hello", "next": "code"},
    "code": {"type": "coupon", "pool": "ten"},
}
LATER: Document = {"pause": {"type": "wait", "for": "1h", "next": "label"}, "label": {"type": "tag", "add": ["done"]}}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., LiveWorld]]:
    """Opens an installation with documents, three inputs or timers a turn."""
    worlds: list[LiveWorld] = []

    def open_(*documents: Document, limit: int = 3) -> LiveWorld:
        worlds.append(LiveWorld(tmp_path, [HELLO, POOL, *documents], START, limit))
        return worlds[-1]

    yield open_
    for world in worlds:
        world.close()


def put(world: LiveWorld, contact: str, name: str, at: datetime | None = None, **properties: JSON) -> None:
    arrived = world.now if at is None else at
    _put(world, contact, Event(arrived, name, arrived, properties))


def _put(world: LiveWorld, contact: str, item: Input) -> None:
    with write(world.engine) as connection:
        inbox.put(connection, [(contact, item)])


def story(world: LiveWorld, contact: str = "ann") -> list[tuple[str, str | None]]:
    """The kinds of a contact's records, each with its node."""
    return [(record.kind, record.node) for record in world.trail() if record.contact == contact]


def last(world: LiveWorld) -> dict[str, TrailRecord]:
    """The last record of each contact."""
    return {record.contact: record for record in world.trail()}


def changed(world: LiveWorld, change: Callable[[Connection], object]) -> None:
    with write(world.engine) as connection:
        change(connection)


def published(world: LiveWorld, document: Document) -> None:
    kind = next(iter(document))
    source = Source("test", kind, str(document[kind]), document)
    changed(world, lambda one: publish.apply(one, [source], False, world.now, world.installation.renderer))


# --- decisions that fail ---------------------------------------------------------------------------------------------


class BrokenPool:
    """Gives codes to everybody but Bob, until it is repaired."""

    def __init__(self, world: LiveWorld) -> None:
        self._world = world
        self.repaired = False

    def __call__(self, connection: Connection, pool: CouponPool, contact: str) -> str | None:
        if contact == "bob" and not self.repaired:
            raise LookupError("no codes for Bob")
        return self._world.installation.make_code(connection, pool, contact)


def loop_of(world: LiveWorld) -> tuple[BrokenPool, Callable[[], None]]:
    """The turn loop over a pool that is broken, and what lets it work until nothing is left."""
    pool = BrokenPool(world)
    loop = TurnLoop(world.engine, world.installation.cache, lambda: world.now, pool, lambda *_: None)

    def work() -> None:
        while (done := loop.turn()).contacts or done.more:
            pass

    return pool, work


def set_aside(world: LiveWorld) -> list[tuple[str, inbox.Arrival, str]]:
    """What is in ``failures``: contact, input, error."""
    with read(world.engine) as connection:
        rows = connection.execute(select(tables.failures).order_by(tables.failures.c.id)).all()
    return [
        (row.contact, inbox.decode(row.kind, from_micros(row.at), orjson.loads(row.payload)), row.error) for row in rows
    ]


def outbox(world: LiveWorld) -> list[str]:
    """Whose messages are in it."""
    with read(world.engine) as connection:
        return sorted(connection.scalars(select(tables.messages.c.contact)))


def test_a_decision_that_fails_sets_its_contacts_inputs_aside_and_the_others_go_on(
    opened: Callable[..., LiveWorld],
) -> None:
    world = opened(journey(CODE))
    for contact in ("ann", "bob", "cid"):
        _put(world, contact, Identify(START, {"email": f"{contact}@example.com"}))
        put(world, contact, "Go", n=1)
    _, work = loop_of(world)
    work()

    whole = [("entered", None), ("message", "mail"), ("ran", "code"), ("completed", "code")]
    assert (story(world, "ann"), story(world, "cid")) == (whole, whole)
    assert story(world, "bob") == [], "nothing half done"
    assert outbox(world) == ["ann", "cid"], "what the failed turn had decided is not there twice"
    known: Document = {"email": "bob@example.com"}
    error = "LookupError: no codes for Bob"
    assert set_aside(world) == [
        ("bob", Identify(START, known), error),
        ("bob", Event(START, "Go", START, {"n": 1}), error),
    ]


def test_a_contact_whose_time_fails_is_tried_again(opened: Callable[..., LiveWorld]) -> None:
    world = opened(journey({"pause": {"type": "wait", "for": "1h", "next": "code"}, "code": CODE["code"]}))
    pool, work = loop_of(world)
    for contact in ("ann", "bob", "cid"):
        put(world, contact, "Go")
    work()
    world.now += HOUR
    work()
    assert [last(world)[contact].kind for contact in ("ann", "bob", "cid")] == ["completed", "waiting", "completed"]
    assert [contact for contact, _, _ in set_aside(world)] == ["bob"]

    pool.repaired = True
    world.now += RETRY_AFTER
    work()

    assert (last(world)["bob"].kind, last(world)["bob"].at) == ("completed", START + HOUR + RETRY_AFTER)


def test_what_comes_after_a_failure_is_handled(opened: Callable[..., LiveWorld]) -> None:
    world = opened(journey(CODE))
    pool, work = loop_of(world)
    put(world, "bob", "Go")
    work()
    pool.repaired = True
    put(world, "bob", "Go")
    work()

    assert [kind for kind, _ in story(world, "bob")] == ["entered", "message", "ran", "completed"]
    assert len(set_aside(world)) == 1


# --- backlogs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ordered_after", "end"), [(timedelta(minutes=59), "exited"), (HOUR, "exited"), (2 * HOUR, "completed")]
)
def test_rule_1_2_a_backlog_of_many_turns_keeps_timers_at_their_place(
    opened: Callable[..., LiveWorld], ordered_after: timedelta, end: str
) -> None:
    """Twenty views, an order and a wait's end are overdue; at one instant the order goes first (rule 1.3)."""
    world = opened(journey(LATER, exit_on=[{"event": "Ordered"}]))
    put(world, "ann", "Go")
    world.settle()
    for minutes in range(1, 21):
        put(world, "ann", "Viewed", START + timedelta(minutes=minutes))
    put(world, "ann", "Ordered", START + ordered_after)
    for minutes in range(121, 131):
        put(world, "ann", "Viewed", START + timedelta(minutes=minutes))
    world.now = START + 3 * HOUR
    world.settle()

    assert last(world)["ann"].kind == end
    balance(world)


def test_rule_1_9_everybodys_overdue_timers_are_taken_in_turns(opened: Callable[..., LiveWorld]) -> None:
    world = opened(journey(LATER))
    for contact in CROWD:
        put(world, contact, "Go")
    world.settle()
    world.now += 5 * HOUR
    world.settle()

    assert {record.kind for record in last(world).values()} == {"completed"}
    resumed = [record for record in world.trail() if record.kind == "resumed"]
    assert {record.at for record in resumed} == {START + 5 * HOUR}
    assert [record.detail["due"] for record in resumed] == ["2026-03-02T11:00:00.000000Z"] * len(CROWD)
    balance(world)


def test_rule_1_1_time_never_runs_backwards(opened: Callable[..., LiveWorld]) -> None:
    world = opened(journey(LATER))
    put(world, "ann", "Go")
    world.settle()
    world.now -= HOUR
    put(world, "ann", "Seen")
    world.settle()

    with read(world.engine) as connection:
        handled_at = dict(connection.execute(select(tables.events.c.name, tables.events.c.handled_at)).all())
    assert from_micros(handled_at["Seen"]) == from_micros(handled_at["Go"]) == START


# --- the life of a journey -------------------------------------------------------------------------------------------


def test_rule_8_2_what_falls_due_while_a_journey_is_paused_is_held_until_it_goes_on(
    opened: Callable[..., LiveWorld],
) -> None:
    world = opened(journey(LATER))
    for contact in CROWD:
        put(world, contact, "Go")
    world.settle()
    changed(world, lambda one: operate.pause(one, "walk", world.now, entries_only=False))
    world.advance(START + 2 * HOUR, included=True)

    assert {(record.kind, record.detail["reason"]) for record in last(world).values()} == {("waiting", "paused")}
    assert {record.at for record in last(world).values()} == {START + HOUR}

    world.now = START + 3 * HOUR
    changed(world, lambda one: operate.resume(one, "walk", world.now))
    world.settle()

    assert {(record.kind, record.at) for record in last(world).values()} == {("completed", START + 3 * HOUR)}
    assert len(last(world)) == len(CROWD)
    balance(world)


def test_rule_8_2_a_pause_of_entries_lets_nobody_in_and_runs_go_on(opened: Callable[..., LiveWorld]) -> None:
    world = opened(journey(LATER))
    put(world, "ann", "Go")
    world.settle()
    changed(world, lambda one: operate.pause(one, "walk", world.now, entries_only=True))
    put(world, "bob", "Go")
    _put(world, "cid", Enroll(world.now, "walk"))
    world.settle()
    world.advance(START + HOUR, included=True)

    assert {contact: record.kind for contact, record in last(world).items()} == {"ann": "completed"}
    changed(world, lambda one: operate.resume(one, "walk", world.now))
    put(world, "bob", "Go")
    world.settle()
    assert last(world)["bob"].kind == "waiting"


def test_rule_8_3_archiving_exits_all_runs(opened: Callable[..., LiveWorld]) -> None:
    world = opened(journey(LATER))
    for contact in CROWD:
        put(world, contact, "Go")
    world.settle()
    world.now += timedelta(minutes=5)
    published(world, journey(LATER, status="archived"))
    world.settle()
    put(world, "late", "Go")
    world.settle()

    ends = {contact: (record.kind, record.detail["reason"], record.at) for contact, record in last(world).items()}
    assert ends == dict.fromkeys(CROWD, ("exited", "archived", START + timedelta(minutes=5)))
    balance(world)


def test_rule_3_6_a_trigger_that_is_new_watches_who_is_active_and_leaves_alone_who_is_silent(
    opened: Callable[..., LiveWorld],
) -> None:
    world = opened()
    for number, contact in enumerate(CROWD):
        put(world, contact, "Ordered", START + timedelta(hours=number))
    world.now = START + timedelta(hours=len(CROWD))
    world.settle()
    world.now = START + timedelta(days=3, hours=5)
    trigger: Document = {"type": "inactivity", "event": "Ordered", "for": "3d"}
    published(world, journey(LATER, triggers=[trigger]))
    world.settle()
    world.advance(START + timedelta(days=10), included=True)

    entered = {record.contact: record.at for record in world.trail() if record.kind == "entered"}
    assert entered == {CROWD[number]: START + timedelta(days=3, hours=number) for number in range(6, len(CROWD))}
    balance(world)


def test_rule_8_1_the_next_turn_obeys_what_was_published_and_runs_stay_on_their_version(
    opened: Callable[..., LiveWorld],
) -> None:
    world = opened(journey(LATER))
    put(world, "ann", "Go")
    world.settle()
    published(world, journey({**LATER, "label": {"type": "update", "set": {"done": True}}}))
    put(world, "bob", "Go")
    world.settle()
    world.advance(START + HOUR, included=True)

    ran = {record.contact: (record.version, record.type) for record in world.trail() if record.kind == "ran"}
    assert ran == {"ann": (1, "tag"), "bob": (2, "update")}


def test_rule_8_1_engines_that_keep_documents_see_what_another_process_published(
    opened: Callable[..., LiveWorld],
) -> None:
    world = opened(journey(LATER))
    caches = [FlowsCache(world.installation.renderer) for _ in range(2)]

    def turn(cache: FlowsCache, contact: str) -> None:
        put(world, contact, "Go")
        with write(world.engine) as connection:
            take_turn(connection, cache, world.now, 100, world.installation.make_code)

    turn(caches[0], "ann")
    turn(caches[1], "bob")
    published(world, journey({"mail": CODE["mail"], "code": CODE["code"]}))
    turn(caches[1], "cid")
    turn(caches[0], "dan")

    versions = {record.contact: record.version for record in world.trail() if record.kind == "entered"}
    assert versions == {"ann": 1, "bob": 1, "cid": 2, "dan": 2}


def test_rule_8_3_archiving_by_hand_exits_all_runs(opened: Callable[..., LiveWorld]) -> None:
    world = opened(journey(LATER))
    for contact in CROWD:
        put(world, contact, "Go")
    world.settle()
    changed(world, lambda one: operate.archive(one, "walk", world.now))
    world.settle()

    assert {(record.kind, record.detail["reason"]) for record in last(world).values()} == {("exited", "archived")}
    balance(world)


# --- refusals --------------------------------------------------------------------------------------------------------


def test_rule_9_4_refusals_are_kept_as_the_last_one_and_a_count_a_day(opened: Callable[..., LiveWorld]) -> None:
    world = opened(journey(LATER, enter_if={"attribute": "vip", "eq": True}))
    for hours in (0, 1, 2, 20, 21):
        world.now = START + hours * HOUR
        put(world, "ann", "Go", n=hours)
        world.settle()
    _put(world, "ann", Enroll(world.now, "walk"))
    put(world, "bob", "Go")
    world.settle()

    with read(world.engine) as connection:
        kept = {
            contact: [(one.at, one.count, one.trigger, one.detail["reason"]) for one in found]
            for contact in ("ann", "bob")
            if (found := history.refusals_of(connection, contact, "walk", 10))
        }

    assert sorted(kept["ann"], key=str) == [
        (START + 2 * HOUR, 3, 0, "enter_if"),
        (START + 21 * HOUR, 1, None, "enter_if"),
        (START + 21 * HOUR, 2, 0, "enter_if"),
    ]
    assert kept["bob"] == [(START + 21 * HOUR, 1, 0, "enter_if")]
    assert world.trail() == [], "no trail of their own"


def test_rule_9_4_refusals_are_kept_for_30_days(opened: Callable[..., LiveWorld]) -> None:
    world = opened(journey(LATER, enter_if={"attribute": "vip", "eq": True}))
    put(world, "ann", "Go")
    world.settle()
    kept = retention.of_workspace

    def left(days: int) -> int:
        with read(world.engine) as connection:
            workspace = kept(connection)
        retention.trim(world.engine, workspace, START + timedelta(days=days))
        with read(world.engine) as connection:
            return len(history.refusals_of(connection, "ann", None, 10))

    assert (left(30), left(31)) == (1, 0)


# --- clocks ----------------------------------------------------------------------------------------------------------


def test_rule_1_2_an_input_that_is_later_than_what_was_left_behind_and_than_a_timer_is_not_lost(
    opened: Callable[..., LiveWorld],
) -> None:
    """Bob's event came through a process that is a minute late; behind it may be more, and Ann's timer waits."""
    world = opened(journey(LATER), limit=2)
    put(world, "ann", "Go")
    world.settle()
    world.now += 2 * HOUR
    after_her_timer, before_it = START + HOUR + timedelta(seconds=1), START + timedelta(minutes=59)
    put(world, "ann", "Seen", after_her_timer)
    put(world, "bob", "Seen", before_it)
    world.settle()

    with read(world.engine) as connection:
        assert set(connection.execute(select(tables.events.c.contact, tables.events.c.name)).all()) >= {
            ("ann", "Seen"), ("bob", "Seen"),
        }  # fmt: skip
    assert story(world)[-1] == ("completed", "label")


def test_rule_1_2_an_input_from_a_machine_whose_clock_is_ahead_is_not_lost(opened: Callable[..., LiveWorld]) -> None:
    """It is later than this engine's clock, and than a timer that is not due here yet."""
    world = opened(journey(LATER))
    put(world, "ann", "Go")
    world.settle()
    world.now += HOUR - timedelta(seconds=1)
    put(world, "ann", "Seen", START + HOUR + timedelta(seconds=1))
    world.settle()
    with read(world.engine) as connection:
        assert "Seen" in connection.scalars(select(tables.events.c.name)).all()
    assert story(world)[-1] == ("waiting", "pause")

    world.now += timedelta(seconds=1)
    world.settle()
    assert story(world)[-1] == ("completed", "label")


LONG = "x" * 30_000


@pytest.mark.parametrize("length", [255, 1_001, 30_000])
def test_rule_3_3_a_key_may_be_as_long_as_an_event(tmp_path: Path, length: int) -> None:
    keyed: dict[str, JSON] = {
        "journey": "carts", "triggers": [{"type": "event", "event": "Cart"}], "key": "trigger.cart", "start": "mark",
        "nodes": {"mark": {"type": "tag", "add": ["seen"]}},
    }  # fmt: skip
    world = LiveWorld(tmp_path, [keyed], START)
    one, other = LONG[:length], f"{LONG[: length - 1]}y"
    for key in (one, other, one, other):
        with write(world.engine) as connection:
            inbox.put(connection, [("ann", Event(world.now, "Cart", world.now, {"cart": key}))])
        world.settle()

    kinds = [record.kind for record in world.trail()]
    assert kinds.count("entered") == 2
    assert world.refusals() == {("ann", "carts", "reentry"): 2}
    world.close()
