"""Leaving, what is withdrawn, and goals (semantics, chapter 7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.core.world import World, flow

from journeyflow.core.values import JSON

ANN = "ann@shop.example"
PAUSE = "pause: {type: wait, for: 9d}"


# --- 7.1 -------------------------------------------------------------------------------------------------------------


EXITS = ["exit_on", "stay_if", "restarted", "removed", "archived", "end:bored", "end:loop"]
COMPLETIONS = ["end without reason", "no next", "completed"]


@pytest.mark.parametrize("reason", [*EXITS, *COMPLETIONS])
def test_rule_7_1_a_run_exits_for_a_reason_or_completes(reason: str) -> None:
    nodes = """
    listen: {type: wait_for, cases: [{event: End, next: end}, {event: Bored, next: bored}, {event: Loop, next: zero},
      {event: Plain, next: plain}, {event: Done}, {event: Act, next: act}], timeout: 9d}
    bored: {type: end, reason: bored}
    plain: {type: end}
    zero: {type: wait, for: 0s, next: zero}
    act: {type: tag, add: [x]}
    """
    world = World(flow(nodes, "exit_on: [{event: Bought}]", "stay_if: {not: {tag: leaver}}", "on_duplicate: restart"))
    world.track("ann", "Go").after("1m").settle()
    run = world.run()

    what_happens: dict[str, Callable[[], World]] = {
        "exit_on": lambda: world.track("ann", "Bought"),
        "stay_if": lambda: world.tag("ann", "leaver").track("ann", "Act"),
        "restarted": lambda: world.track("ann", "Go"),
        "removed": lambda: world.remove("ann", run.id),
        "archived": lambda: world.archive("walk"),
        "end:bored": lambda: world.track("ann", "Bored"),
        "end:loop": lambda: world.track("ann", "Loop"),
        "end without reason": lambda: world.track("ann", "Plain"),
        "no next": lambda: world.track("ann", "Done"),
        "completed": lambda: world.track("ann", "End"),
    }
    what_happens[reason]().settle()

    mine = [record for record in world.trail() if record.run == run.id]
    assert (run.status, run.reason) == (("exited", reason) if reason in EXITS else ("completed", None))
    assert mine[-1].kind == run.status
    assert run.ended_at == world.now


def test_rule_7_1_only_the_run_that_is_named_is_removed_and_only_once() -> None:
    world = World(flow(PAUSE, "key: trigger.id")).track("ann", "Go", id=1).track("ann", "Go", id=2).settle()
    first, second = world.runs()

    world.remove("ann", first.id).remove("ann", first.id).remove("bob", second.id)
    world.settle()

    assert [run.reason for run in (first, second)] == ["removed", None]


# --- 7.2 -------------------------------------------------------------------------------------------------------------


def test_rule_7_2_an_exit_is_stamped_with_the_instant_of_its_handling() -> None:
    world = World(flow(PAUSE, "exit_on: [{event: Bought}]")).track("ann", "Go")

    world.at("12:00").track("ann", "Bought", occurred="2026-03-02T11:00Z")

    assert world.times("exited") == ["2026-03-02T12:00Z"]
    assert world.details("exited") == [{"reason": "exit_on", "occurred_at": "2026-03-02T11:00:00.000000Z"}]


@pytest.mark.parametrize("occurred", ["2026-03-02T12:00Z", "2026-03-02T11:59:59Z"])
def test_rule_7_2_an_event_that_is_not_late_tells_no_time_of_its_own(occurred: str) -> None:
    world = World(flow(PAUSE, "exit_on: [{event: Bought}]")).track("ann", "Go")

    world.at("12:00").track("ann", "Bought", occurred=occurred)

    assert world.details("exited") == [{"reason": "exit_on"}]


MAIL_THEN_PAUSE = """
mail: {type: email, template: letter, next: pause}
pause: {type: wait, for: 1h, next: act}
act: {type: tag, add: [x]}
"""
TWO_MAILS = """
one: {type: email, template: letter, next: wait}
wait: {type: wait, for: 1h, next: two}
two: {type: email, template: letter, next: pause}
pause: {type: wait, for: 9d}
"""


@pytest.mark.parametrize("reason", ["exit_on", "stay_if", "restarted", "removed", "archived"])
def test_rule_7_2_what_the_run_queued_and_is_not_yet_sent_is_withdrawn(reason: str) -> None:
    world = World(
        flow(MAIL_THEN_PAUSE, "exit_on: [{event: Bought}]", "stay_if: {not: {tag: leaver}}", "on_duplicate: restart")
    )
    world.appear("ann", email=ANN).track("ann", "Go").after("1m").settle()
    run = world.run()

    {
        "exit_on": lambda: world.track("ann", "Bought"),
        "stay_if": lambda: world.tag("ann", "leaver").after("2h"),
        "restarted": lambda: world.track("ann", "Go"),
        "removed": lambda: world.remove("ann", run.id),
        "archived": lambda: world.archive("walk"),
    }[reason]()

    mine = [record for record in world.trail() if record.run == run.id]
    assert [record.kind for record in mine[-2:]] == ["exited", "message"]
    assert (mine[-1].node, mine[-1].type) == ("mail", "email")
    assert mine[-1].detail == {
        "channel": "email",
        "template": "letter",
        "to": ANN,
        "outcome": "cancelled",
        "reason": reason,
    }
    (message, *_) = world.messages()
    assert [one for effects in world.effects for one in effects.withdrawn] == [("ann", message.id)]


def test_rule_7_2_a_reason_that_an_end_node_gives_withdraws_nothing() -> None:
    world = World(flow("mail: {type: email, template: letter, next: done}\ndone: {type: end, reason: told}"))

    world.appear("ann", email=ANN).track("ann", "Go").after("1m").settle()

    assert world.details("exited") == [{"reason": "end:told"}]
    assert [detail["outcome"] for detail in world.details("message")] == ["queued"]


def test_rule_7_2_what_is_being_sent_is_not_withdrawn() -> None:
    world = World(flow(MAIL_THEN_PAUSE, "exit_on: [{event: Bought}]"))

    world.appear("ann", email=ANN).track("ann", "Go").after("1m").send_queued().track("ann", "Bought")

    assert world.story()[-1] == ("exited", "exit_on")
    assert [one for effects in world.effects for one in effects.withdrawn] == []


def test_rule_7_2_of_several_only_those_in_the_outbox_are_withdrawn() -> None:
    world = World(flow(TWO_MAILS, "exit_on: [{event: Bought}]"))

    world.appear("ann", email=ANN).track("ann", "Go").after("1m").send_queued().after("2h").track("ann", "Bought")

    assert [(one.kind, one.node) for one in world.trail()][-2:] == [("exited", "pause"), ("message", "two")]


def test_rule_7_2_an_exit_on_event_also_withdraws_what_a_completed_run_queued() -> None:
    world = World(flow("mail: {type: email, template: letter}", "exit_on: [{event: Bought}]"))

    world.appear("ann", email=ANN).track("ann", "Go").after("1h").track("ann", "Bought")
    world.after("1m").track("ann", "Bought")

    assert world.story()[1:] == [
        ("message", "mail", "queued"),
        ("completed",),
        ("message", "mail", "cancelled", "exit_on"),
    ]
    assert world.run().status == "completed"


def test_rule_7_2_another_event_withdraws_nothing_of_a_completed_run() -> None:
    where = "where: {property: cart, eq: {ref: trigger.cart}}"
    world = World(flow("mail: {type: email, template: letter}", f"exit_on: [{{event: Bought, {where}}}]"))

    world.appear("ann", email=ANN).track("ann", "Go", cart=1).after("1h").track("ann", "Bought", cart=2).track(
        "ann", "Seen"
    )

    assert world.story()[-1] == ("completed",)


def test_rule_7_2_a_message_that_waits_for_the_morning_is_never_queued_after_an_exit() -> None:
    quiet = "workspace: shop\nquiet_hours: {from: '21:00', to: '08:00'}\n---\n"
    world = World(
        quiet, flow("mail: {type: email, template: letter}", "exit_on: [{event: Bought}]"), start="2026-03-02T23:00Z"
    )

    world.appear("ann", email=ANN).track("ann", "Go").after("1h").track("ann", "Bought").after("3d")

    assert world.messages() == []
    assert world.story()[-1] == ("exited", "exit_on")


# --- 7.3 -------------------------------------------------------------------------------------------------------------


def test_rule_7_3_a_goal_is_counted_once_a_run() -> None:
    world = World(flow(PAUSE, "goal: {event: Bought}"))

    world.track("ann", "Go").after("1m").track("ann", "Bought").track("ann", "Bought")

    assert len(world.times("converted")) == 1
    assert world.numbers("walk")["converted"] == 1


def test_rule_7_3_each_run_counts_for_itself() -> None:
    world = World(
        flow(PAUSE, "key: trigger.id", "goal: {event: Bought, where: {property: id, gte: {ref: trigger.id}}}")
    )

    for number in (1, 2, 3):
        world.track("ann", "Go", id=number)
    world.after("1m").track("ann", "Bought", id=2)

    assert world.numbers("walk")["converted"] == 2


@pytest.mark.parametrize("ends", ["active", "completed", "exited"])
@pytest.mark.parametrize(("later", "converted"), [("1d", 1), ("1d1s", 0)])
def test_rule_7_3_within_its_time_whether_the_run_is_active_or_ended(ends: str, later: str, converted: int) -> None:
    pause = "9d" if ends == "active" else "1h"
    world = World(
        flow(f"pause: {{type: wait, for: {pause}}}", "goal: {event: Bought, within: 1d}", "exit_on: [{event: Left}]")
    )

    world.track("ann", "Go").after("1m").settle()
    if ends == "exited":
        world.track("ann", "Left")
    world.at("2026-03-03T09:00Z" if later == "1d" else "2026-03-03T09:00:01Z").track("ann", "Bought")

    assert len(world.times("converted")) == converted
    assert world.run().status == ends


def test_rule_7_3_without_a_time_a_goal_may_come_years_later() -> None:
    world = World(flow("mark: {type: tag, add: [x]}", "goal: {event: Bought}"))

    world.track("ann", "Go").after("3000d").track("ann", "Bought")

    assert len(world.times("converted")) == 1


@pytest.mark.parametrize(
    ("value", "properties", "shown"),
    [
        ("", {"total": 5}, None),
        (", value: total", {"total": 5}, 5),
        (", value: total", {}, None),
        (", value: 'a[0].b'", {"a": [{"b": "x"}]}, "x"),
    ],
)
def test_rule_7_3_the_goals_value_is_told(value: str, properties: dict[str, JSON], shown: JSON) -> None:
    world = World(flow(PAUSE, f"goal: {{event: Bought{value}}}"))

    world.track("ann", "Go").after("1m").track("ann", "Bought", properties)

    assert world.details("converted") == [{"value": shown, "since_message": None}]


def test_rule_7_3_the_last_message_before_it_is_named() -> None:
    world = World(flow(TWO_MAILS, "goal: {event: Bought}")).appear("ann", email=ANN).track("ann", "Go")
    world.appear("bob", email="bob@shop.example").track("bob", "Go")

    world.after("1m").track("ann", "Bought").after("2h").track("bob", "Bought")

    assert world.details("converted", "ann")[0]["since_message"] == world.messages("ann")[0].id
    assert world.details("converted", "bob")[0]["since_message"] == world.messages("bob")[1].id


def test_rule_7_3_a_message_that_was_skipped_caused_nothing() -> None:
    world = World(flow("mail: {type: email, template: letter}", "goal: {event: Bought}"))

    world.track("ann", "Go").after("1m").track("ann", "Bought")

    assert world.details("converted")[0]["since_message"] is None


@pytest.mark.parametrize("sent", [False, True])
def test_rule_7_3_a_message_that_the_goal_itself_withdrew_caused_nothing(sent: bool) -> None:
    world = World(flow(MAIL_THEN_PAUSE, "goal: {event: Bought}", "exit_on: [{event: Bought}]"))
    world.appear("ann", email=ANN).track("ann", "Go").after("1m").settle()
    if sent:
        world.send_queued()

    world.track("ann", "Bought")

    assert world.details("converted")[0]["since_message"] == (world.messages()[0].id if sent else None)


# --- 7.1, erasing -----------------------------------------------------------------------------------------------------


def test_rule_7_1_runs_of_a_contact_that_is_deleted_exit_and_their_mail_is_withdrawn() -> None:
    mail = "mail: {type: email, template: letter, next: pause}\npause: {type: wait, for: 2d}"
    done = flow("mail: {type: email, template: letter}", name="done")
    world = World(flow(mail), done).identify("ann", email=ANN).track("ann", "Go").settle()

    world.forget("ann").settle()

    assert world.story(journey="walk")[-2:] == [
        ("exited", "contact_deleted"),
        ("message", "mail", "cancelled", "contact_deleted"),
    ]
    assert world.story(journey="done")[-1] == ("message", "mail", "cancelled", "contact_deleted")
    assert (world.numbers("walk")["exited"], world.numbers("walk")["active"]) == ({"contact_deleted": 1}, 0)
    assert (world.contact().exists, world.contact().attributes, world.contact().runs) == (False, {}, [])
    assert world.effects[-1].forgotten == ["ann"]


def test_rule_5_8_what_was_said_of_an_address_outlives_its_contact() -> None:
    world = World(flow("mail: {type: email, template: letter}")).identify("ann", email=ANN).track("ann", "Unsubscribed")
    world.forget("ann").settle()

    world.identify("bea", email=ANN).track("bea", "Go")

    assert world.story("bea")[1] == ("message", "mail", "skipped", "unsubscribed")
