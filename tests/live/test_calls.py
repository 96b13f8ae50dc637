"""Webhooks of the live engine: called once the step is written down, at least once, and answered as an input."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag

import pytest
from tests.channels.web_server import Answer, WebServer, web_server
from tests.live.world import START, LiveWorld

from journeyflow.channels.webhook import WebhookChannel
from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON
from journeyflow.db import calls, inbox, tables
from journeyflow.db.calls import CallOutcome, StoredCall
from journeyflow.db.store import read, write
from journeyflow.services.call import GIVE_UP_AFTER, pick_up
from journeyflow.services.explain import explain
from journeyflow.worker.caller import Caller


class CallRoom:
    """An engine, and a receiver of its calls; ``outcomes`` are the status of each attempt."""

    def __init__(self, directory: Path, server: WebServer, **node: JSON) -> None:
        self.server = server
        call: dict[str, JSON] = {"type": "webhook", "url": f"{server.url}/hook", "json": {"n": {"ref": "trigger.n"}}}
        journey: dict[str, JSON] = {
            "journey": "ask",
            "triggers": [{"type": "event", "event": "Go"}],
            "reentry": {"policy": "always"},
            "start": "call",
            "nodes": {
                "call": {**call, **node, "next": "keep"},
                "keep": {"type": "update", "set": {"level": {"ref": "vars.reply.level"}}},
                "sorry": {"type": "end", "reason": "sorry"},
            },
        }
        self.world = LiveWorld(directory, [journey], START, delivering=False)
        self.outcomes: list[str] = []
        self.replies = 0

    def go(self, contact: str = "ann") -> None:
        with write(self.world.engine) as connection:
            inbox.put(connection, [(contact, Event(self.world.now, "Go", self.world.now, {"n": 7}))])
        self.world.settle()

    def after(self, duration: timedelta) -> None:
        self.world.advance(self.world.now + duration, included=True)
        self.world.now += duration

    def call(self) -> int:
        """A caller that has just started makes the calls that are due; their replies are handled."""
        made = asyncio.run(self._call())
        self.world.settle()
        return made

    async def _call(self) -> int:
        def on_reply() -> None:
            self.replies += 1

        def on_outcome(outcome: CallOutcome) -> None:
            self.outcomes.append(outcome.status)

        channel = WebhookChannel()
        caller = Caller(self.world.engine, channel, lambda: self.world.now, on_outcome, on_reply)
        try:
            return await caller.work_off()
        finally:
            await channel.close()

    def story(self) -> list[str]:
        return [f"{record.kind} {record.node}" if record.node else record.kind for record in self.world.trail()]

    def detail(self, kind: str) -> dict[str, JSON]:
        return [record.detail for record in self.world.trail() if record.kind == kind][-1]

    def stored(self) -> StoredCall:
        with read(self.world.engine) as connection:
            return calls.of_contact(connection, "ann", 1)[0]

    def due_in(self) -> timedelta:
        with read(self.world.engine) as connection:
            due = calls.next_due(connection)
        assert due is not None
        return due - self.world.now


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as found:
        yield found


@pytest.fixture
def room(tmp_path: Path, server: WebServer) -> Iterator[CallRoom]:
    found = CallRoom(tmp_path, server, save_as="reply", on_failure="sorry")
    yield found
    found.world.close()


@pytest.fixture
def plain(tmp_path: Path, server: WebServer) -> Iterator[CallRoom]:
    found = CallRoom(tmp_path, server)
    yield found
    found.world.close()


def test_rule_4_10_the_reply_is_an_input(room: CallRoom) -> None:
    room.server.answers = [Answer(200, b'{"level": "gold"}')]

    room.go()
    assert room.story() == ["entered", "waiting call"]
    assert room.call() == 1

    assert room.story() == ["entered", "waiting call", "resumed call", "ran call", "ran keep", "completed keep"]
    assert room.detail("resumed") == {"by": "reply"}
    assert room.detail("ran")["set"] == {"level": "gold"}
    (asked,) = room.server.asked
    assert asked.body == b'{"n":7}'
    assert asked.headers["idempotency-key"] == room.stored().id
    assert (room.stored().status, room.stored().reply_status, room.replies) == ("answered", 200, 1)
    assert room.call() == 0


def test_rule_4_10_without_one_the_run_is_gone_before_the_call_is_made(plain: CallRoom) -> None:
    plain.go()
    assert plain.story() == ["entered", "ran call", "ran keep", "completed keep"]

    plain.call()

    assert len(plain.server.asked) == 1
    assert (plain.stored().status, plain.replies) == ("answered", 0)


def test_rule_4_8_what_fails_for_now_is_tried_again_later_and_later(room: CallRoom) -> None:
    room.server.answers = [Answer(503), Answer(429), Answer(500), Answer(200, b'{"level": 2}')]
    room.go()
    pauses = []

    for _ in range(3):
        room.call()
        pauses.append(room.due_in())
        room.after(pauses[-1])
    room.call()

    assert all(timedelta(seconds=2**n) <= pause <= timedelta(seconds=3 * 2**n) for n, pause in enumerate(pauses))
    assert room.outcomes == ["queued", "queued", "queued", "answered"]
    assert len({asked.headers["idempotency-key"] for asked in room.server.asked}) == 1
    assert room.story()[-1] == "completed keep"


def test_rule_4_8_a_refusal_is_final_at_once(room: CallRoom) -> None:
    room.server.answers = [Answer(404, b"nobody")]
    room.go()
    room.call()

    assert room.outcomes == ["failed"]
    assert room.detail("failed") == {"error": "HTTP 404: nobody"}
    assert room.story()[-1] == "exited sorry"


def test_rule_4_10_the_run_does_not_wait_longer_than_its_timeout(room: CallRoom) -> None:
    room.server.answers = [Answer(503)]
    room.go()
    room.call()

    room.after(timedelta(minutes=10))
    assert room.detail("resumed") == {"by": "timeout"}
    assert room.detail("failed") == {"error": "timeout"}

    asked = len(room.server.asked)
    told = room.story()
    room.call()
    assert len(room.server.asked) == asked
    assert (room.stored().status, room.story()) == ("failed", told)


def test_rule_4_10_the_last_attempt_before_the_timeout_ends_the_wait(room: CallRoom) -> None:
    room.server.answers = [Answer(503, b"busy")]
    room.go()
    for _ in range(30):
        if room.call() == 0 or room.outcomes[-1] == "failed":
            break
        room.after(room.due_in())

    assert room.outcomes[-1] == "failed"
    assert room.detail("failed") == {"error": "HTTP 503: busy"}
    assert room.world.now < START + timedelta(minutes=10)


def test_rule_4_10_a_call_that_no_run_waits_for_is_tried_for_a_day(plain: CallRoom) -> None:
    plain.server.answers = [Answer(503)]
    plain.go()
    for _ in range(100):
        plain.call()
        if plain.stored().status == "failed":
            break
        plain.after(plain.due_in())

    assert plain.stored().status == "failed"
    assert START + GIVE_UP_AFTER - timedelta(hours=2) < plain.world.now < START + GIVE_UP_AFTER
    assert plain.story() == ["entered", "ran call", "ran keep", "completed keep"]


def test_rule_4_10_a_caller_that_dies_is_replaced_and_the_call_made_again(room: CallRoom) -> None:
    room.go()
    with write(room.world.engine) as connection:
        assert len(pick_up(connection, room.world.now, 100)) == 1
    assert room.call() == 0

    room.after(timedelta(minutes=2))
    assert room.call() == 1

    assert room.story()[-1] == "completed keep"


def test_a_reply_is_handed_on_once_though_two_callers_report_it(room: CallRoom) -> None:
    room.go()
    with write(room.world.engine) as connection:
        (call,) = pick_up(connection, room.world.now, 100)
        outcome = CallOutcome(call, "answered", room.world.now, 200, {"level": 1})
        assert (calls.finish(connection, [outcome]), calls.finish(connection, [outcome])) == (1, 0)
        assert len(connection.execute(tables.inbox.select()).all()) == 1


def test_a_slow_receiver_does_not_keep_the_others_waiting(room: CallRoom) -> None:
    second_came = Flag()
    room.server.answers = [Answer(200, when=second_came)]
    room.server.on_request = lambda _: second_came.set() if len(room.server.asked) == 2 else None
    room.go("ann")
    room.go("bob")

    assert room.call() == 2
    assert room.outcomes == ["answered", "answered"]


def test_the_caller_calls_until_it_is_stopped(room: CallRoom) -> None:
    room.server.answers = [Answer(200, b'{"level": 1}')]
    answered = Flag()
    clock = lambda: room.world.now  # noqa: E731  # a clock is a function without arguments
    caller = Caller(room.world.engine, WebhookChannel(), clock, lambda _: None, answered.set)
    caller.start()
    try:
        room.go()
        caller.wake()
        assert answered.wait(10)
    finally:
        caller.stop()
    room.world.settle()

    assert room.story()[-1] == "completed keep"


def test_explain_tells_what_became_of_a_call(plain: CallRoom) -> None:
    plain.server.answers = [Answer(404, b"nobody")]
    plain.go()

    def told() -> list[str]:
        with read(plain.world.engine) as connection:
            (story,) = explain(connection, "ann", None, plain.world.now).runs
        return [step.text for step in story.steps if step.node == "call"]

    assert told() == [f"called POST {plain.server.url}/hook; not called yet"]
    plain.call()
    assert told() == [f"called POST {plain.server.url}/hook; failed: HTTP 404: nobody"]
