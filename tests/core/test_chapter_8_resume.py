"""How the runs of a paused journey go on (semantics, rule 8.2)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.core.test_chapter_8 import ANN, LISTEN, version
from tests.core.world import World, flow, instant

from journeyflow.core.instructions import ResumeMode

MANY = [f"contact {number}" for number in range(200)]


def paused_for_two_days(*lines: str) -> World:
    """Ann's wait of an hour ended 1 h into a pause of 48 h, which ends on Wednesday at nine."""
    world = World(version("done", *lines)).appear("ann", email=ANN).track("ann", "Go").pause("walk")
    return world.after("48h")


# --- over ------------------------------------------------------------------------------------------------------------


def test_rule_8_2_over_a_time_spreads_late_runs_evenly_and_the_same_each_time() -> None:
    def times() -> list[datetime]:
        world = World(version("done"))
        for contact in MANY:
            world.track(contact, "Go")
        world.pause("walk").after("48h").resume("walk", "over", "2h").after("3h")
        return [record.at for record in world.trail() if record.kind == "completed"]

    found = times()

    assert times() == found
    assert len(found) == len(MANY)
    offsets = [(at - instant("2026-03-04T09:00Z")) / timedelta(hours=2) for at in found]
    assert all(0 <= offset <= 1 for offset in offsets)
    for quarter in range(4):
        assert 30 <= sum(quarter / 4 <= offset < (quarter + 1) / 4 for offset in offsets) <= 70


def test_rule_8_2_over_a_time_tells_until_when_a_run_is_held() -> None:
    world = paused_for_two_days().resume("walk", "over", "2h")

    ((kind, node, until, reason),) = world.story()[3:]

    assert (kind, node, reason) == ("waiting", "pause", "paused")
    assert "2026-03-04T09:00Z" <= until <= "2026-03-04T11:00Z"
    assert world.after("2h").story()[4:] == [("resumed", "pause", "timer"), ("ran", "mark"), ("completed",)]
    assert world.times("completed") == [world.details("waiting")[-1]["until"]]


def test_rule_8_2_over_a_time_leaves_alone_who_is_not_late() -> None:
    world = World(version("done")).track("ann", "Go").pause("walk").after("30m").resume("walk", "over", "9h")

    assert world.after("2h").times("completed") == ["2026-03-02T10:00Z"]


def test_rule_8_2_while_it_waits_for_its_turn_a_run_can_still_leave() -> None:
    world = paused_for_two_days("exit_on: [{event: Bought}]").resume("walk", "over", "2h").track("ann", "Bought")

    assert world.after("3h").story()[-1] == ("exited", "exit_on")
    assert world.contact().tags == []


def test_rule_8_2_a_pause_while_runs_wait_for_their_turn_holds_them_again() -> None:
    world = paused_for_two_days().resume("walk", "over", "2h").pause("walk").after("3h")

    assert world.story()[-1] == ("waiting", "pause", "for ever", "paused")
    world.resume("walk")
    assert world.story()[-1] == ("completed",)


# --- shift -----------------------------------------------------------------------------------------------------------


def test_rule_8_2_a_shift_moves_every_due_time_by_the_length_of_the_pause() -> None:
    world = World(version("done")).track("ann", "Go").after("10m").track("bob", "Go").after("20m").pause("walk")

    world.after("50m").resume("walk", "shift")

    assert world.story("ann")[2:] == [
        ("waiting", "pause", "for ever", "paused"),
        ("waiting", "pause", "2026-03-02T10:50Z"),
    ]
    assert world.story("bob")[2:] == [
        ("waiting", "pause", "for ever", "paused"),
        ("waiting", "pause", "2026-03-02T11:00Z"),
    ]
    world.after("5h")
    assert (world.times("completed", "ann"), world.times("completed", "bob")) == (
        ["2026-03-02T10:50Z"],
        ["2026-03-02T11:00Z"],
    )


def test_rule_8_2_a_shift_moves_who_is_not_due_yet() -> None:
    world = World(version("done")).track("ann", "Go").pause("walk").after("30m").resume("walk", "shift").after("2h")

    assert world.story()[2] == ("waiting", "pause", "2026-03-02T10:30Z")
    assert world.times("completed") == ["2026-03-02T10:30Z"]


def test_rule_8_2_after_a_shift_a_wait_for_listens_on_until_its_moved_timeout() -> None:
    world = World(flow(LISTEN)).track("ann", "Go").pause("walk").after("3h").resume("walk", "shift")

    world.after("30m").track("ann", "Deed").after("1h")

    assert world.story()[3:] == [
        ("waiting", "listen", "2026-03-02T13:00Z"),
        ("resumed", "listen", "event"),
        ("ran", "listen", "case 0"),
        ("ran", "mark"),
        ("completed",),
    ]


def test_rule_8_2_after_a_shift_a_wait_for_sees_what_came_to_hold_while_it_was_held() -> None:
    world = World(flow(LISTEN)).track("ann", "Go").pause("walk").after("3h").tag("ann", "vip").resume("walk", "shift")

    assert world.story()[4:6] == [("resumed", "listen", "condition"), ("ran", "listen", "case 1")]


def test_rule_8_2_a_run_that_stands_before_a_node_waits_for_nothing_and_goes_on_at_a_shift() -> None:
    world = World(flow(LISTEN)).track("ann", "Go").pause("walk").track("ann", "Deed").after("3h")

    assert world.resume("walk", "shift").times("completed") == ["2026-03-02T12:00Z"]


UNTIL = """
until: {type: wait, until: {attribute: day}, next: mark}
mark: {type: tag, add: [done]}
"""


def test_rule_8_2_a_shifted_wait_for_a_date_stays_shifted_until_the_date_changes() -> None:
    world = World(flow(UNTIL)).appear("ann", day="2026-03-03T09:00:00Z").track("ann", "Go").pause("walk")
    world.after("2h").resume("walk", "shift").identify("ann", name="Ann").after("1m")

    assert world.story()[2:] == [("waiting", "until", "2026-03-03T11:00Z")]

    world.identify("ann", day="2026-03-05T09:00:00Z")
    assert world.story()[3:] == [("waiting", "until", "2026-03-05T09:00Z")]


def test_rule_8_2_two_shifts_add_up() -> None:
    world = World(version("done")).track("ann", "Go").pause("walk").after("2h").resume("walk", "shift")

    world.pause("walk").after("2h").resume("walk", "shift").after("9h")

    assert world.times("completed") == ["2026-03-02T14:00Z"]


def test_rule_8_2_two_pauses_that_a_contact_follows_at_once_shift_it_twice() -> None:
    world = World(version("done")).track("ann", "Go").pause("walk").after("2h").end_pause("walk", "shift")

    world.states["walk"], world.paused["walk"] = "paused", world.now
    world.now += timedelta(hours=1)
    world.resume("walk", "shift").after("9h")

    assert world.times("completed") == ["2026-03-02T13:00Z"]


# --- skip ------------------------------------------------------------------------------------------------------------

MAILS = """
pause: {type: wait, for: 1h, next: first}
first: {type: email, template: letter, next: mark}
mark: {type: tag, add: [done], next: second}
second: {type: email, template: letter, next: rest}
rest: {type: wait, for: 1d, next: third}
third: {type: email, template: letter}
"""


def test_rule_8_2_a_skip_passes_over_the_messages_that_are_late_and_nothing_else() -> None:
    world = World(flow(MAILS)).appear("ann", email=ANN).track("ann", "Go").pause("walk").after("9h")

    world.resume("walk", "skip").after("2d")

    assert world.story()[3:] == [
        ("resumed", "pause", "timer"),
        ("skipped", "first", "past"),
        ("ran", "mark"),
        ("skipped", "second", "past"),
        ("waiting", "rest", "2026-03-03T18:00Z"),
        ("resumed", "rest", "timer"),
        ("message", "third", "queued"),
        ("completed",),
    ]
    assert [message.node for message in world.messages()] == ["third"]


def test_rule_8_2_a_skip_leaves_alone_who_is_not_late() -> None:
    world = World(flow(MAILS)).appear("ann", email=ANN).track("ann", "Go").pause("walk").after("30m")

    world.resume("walk", "skip").after("2d")

    assert [message.node for message in world.messages()] == ["first", "second", "third"]


def test_rule_8_2_a_skip_passes_over_a_message_that_waited_for_the_morning() -> None:
    quiet = "workspace: shop\nquiet_hours: {from: '21:00', to: '08:00'}\n---\n"
    world = World(quiet, flow("mail: {type: email, template: letter}"), start="2026-03-02T22:00Z")
    world.appear("ann", email=ANN).track("ann", "Go").pause("walk").after("1d").resume("walk", "skip")

    assert world.story()[-3:] == [("resumed", "mail", "timer"), ("skipped", "mail", "past"), ("completed",)]


# --- its place -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["now", "over", "shift", "skip"])
def test_rule_8_2_nobody_is_lost_however_runs_go_on(mode: ResumeMode) -> None:
    world = World(version("done", "key: trigger.id"))
    for number in range(20):
        world.after("5m").track("ann", "Go", id=number)

    world.pause("walk").after("9h").resume("walk", mode, "1h").after("12h")

    numbers = world.numbers("walk")
    assert (numbers["entered"], numbers["completed"]) == (20, 20)


@pytest.mark.parametrize("mode", ["now", "over", "shift", "skip"])
def test_rule_8_2_what_arrived_before_the_end_of_the_pause_is_handled_before_it(mode: ResumeMode) -> None:
    """The engine was down: an order came during the pause, which has ended since."""
    world = paused_for_two_days("exit_on: [{event: Bought}]").end_pause("walk", mode, "1h")

    world.track("ann", "Bought", arrived="2026-03-03T09:00Z")

    assert world.after("5d").story()[-1] == ("exited", "exit_on")


def test_rule_8_2_a_contact_that_is_touched_first_follows_the_end_of_the_pause_first() -> None:
    world = paused_for_two_days("exit_on: [{event: Bought}]").end_pause("walk").after("1m")

    world.track("ann", "Bought")

    assert world.story()[-1] == ("completed",)


def test_rule_8_2_a_timer_that_came_due_in_the_pause_and_was_not_taken_is_late_all_the_same() -> None:
    world = World(version("done")).track("ann", "Go").pause("walk")
    world.engine_down_until("2026-03-02T12:00Z")
    world.contacts["ann"].timer_at = None  # nobody looks
    world.end_pause("walk", "over", "0s").put_wake("ann")

    assert world.story()[2:5] == [
        ("waiting", "pause", "for ever", "paused"),
        ("waiting", "pause", "2026-03-02T12:00Z", "paused"),
        ("resumed", "pause", "timer"),
    ]


def test_rule_8_2_who_enters_after_the_pause_is_not_shifted() -> None:
    world = World(version("done")).pause("walk").after("2h").end_pause("walk", "shift").track("ann", "Go").after("5h")

    assert world.times("completed") == ["2026-03-02T12:00Z"]
    assert [kind for kind, *_ in world.story()].count("waiting") == 1


def test_rule_8_2_the_end_of_a_pause_is_followed_once() -> None:
    world = World(version("done")).track("ann", "Go").pause("walk").after("30m").resume("walk", "shift")

    world.put_wake("ann").put_wake("ann").after("1m").put_wake("ann")

    assert world.story()[2:] == [("waiting", "pause", "2026-03-02T10:30Z")]
