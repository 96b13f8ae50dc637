"""Life of a journey: versions, pausing, archiving (semantics, chapter 8)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.world import RENDERER, World, flow, read

from journeyflow.core.template import NO_PARTS
from journeyflow.core.view import StoredTemplate

ANN = "ann@shop.example"
PAUSE_THEN_TAG = "pause: {type: wait, for: 1h, next: mark}\nmark: {type: tag, add: [TAG]}"
ALWAYS = "reentry: {policy: always}"


def version(tag: str, *lines: str) -> str:
    return flow(PAUSE_THEN_TAG.replace("TAG", tag), ALWAYS, *lines)


# --- 8.1, 8.5 --------------------------------------------------------------------------------------------------------


def test_rule_8_1_runs_stay_on_the_version_that_they_began_with() -> None:
    world = World(version("old")).track("ann", "Go")

    world.publish(version("new")).track("bob", "Go").after("2h")

    assert (world.contact("ann").tags, world.contact("bob").tags) == (["old"], ["new"])
    assert {record.version for record in world.trail("ann")} == {1}
    assert {record.version for record in world.trail("bob")} == {2}


def test_rule_8_1_a_run_of_an_old_version_leaves_by_its_old_rules() -> None:
    world = World(version("old", "exit_on: [{event: Bought}]")).track("ann", "Go")

    world.publish(version("new", "goal: {event: Bought}")).track("ann", "Bought")

    assert world.story()[-1] == ("exited", "exit_on")


def test_rule_8_1_publishing_leaves_a_pause() -> None:
    world = World(version("old")).track("ann", "Go").pause("walk")

    world.publish(version("new")).track("bob", "Go").after("2h")

    assert world.trail("bob") == []
    assert world.story("ann")[-1] == ("waiting", "pause", "for ever", "paused")


def test_rule_8_5_templates_are_looked_up_live() -> None:
    world = World(flow("pause: {type: wait, for: 1h, next: mail}\nmail: {type: email, template: letter}"))
    world.appear("ann", email=ANN, zero=0).track("ann", "Go").settle()
    (newer,) = read("{template: letter, subject: '{{ 1 | divided_by: contact.zero }}', body: x}")

    world.library.templates = {"letter": StoredTemplate(2, RENDERER.message(newer, NO_PARTS))}  # type: ignore[arg-type]  # a template
    world.after("2h")

    assert world.story()[-2] == ("message", "mail", "skipped", "template_error")
    assert world.messages()[0].template_version == 2


def test_rule_8_5_pools_are_looked_up_live() -> None:
    nodes = "pause: {type: wait, for: 1h, next: code}\ncode: {type: coupon, pool: ten}"
    world = World("coupon_pool: ten\ncodes: generated\nvalid_for: 30d", flow(nodes)).track("ann", "Go").settle()

    world.library.pools = {"ten": world.documents.pools["ten"].model_copy(update={"valid_for": world.now - world.now})}
    world.after("2h").settle()

    assert world.contact().coupons[0].expires_at == "2026-03-02T23:59:59+00:00"


# --- 8.2 -------------------------------------------------------------------------------------------------------------


def test_rule_8_2_with_entries_paused_nobody_new_enters_and_runs_go_on() -> None:
    world = World(version("done")).track("ann", "Go").pause_entries("walk")

    world.track("bob", "Go").enroll("cid", "walk").after("2h")

    assert world.contact("ann").tags == ["done"]
    assert world.trail("bob") == world.trail("cid") == []


def test_rule_8_2_paused_nobody_enters_either() -> None:
    world = World(version("done")).pause("walk").track("ann", "Go").after("2h")

    assert world.trail() == []
    world.resume("walk").track("ann", "Go").after("2h")
    assert world.contact().tags == ["done"]


def test_rule_8_2_a_due_timer_is_taken_and_the_run_is_held_until_the_journey_goes_on() -> None:
    world = World(version("done")).track("ann", "Go").after("1m").pause("walk").after("2h")

    assert world.story()[2:] == [("waiting", "pause", "for ever", "paused")]
    assert (world.run().held, world.run().due_at, world.next_timer()) == ("wait", None, None)
    world.resume("walk")

    assert world.story()[3:] == [("resumed", "pause", "timer"), ("ran", "mark"), ("completed",)]
    assert world.times("resumed") == ["2026-03-02T11:01Z"]


def test_rule_8_2_who_is_not_due_yet_waits_on_as_if_nothing_had_been() -> None:
    world = World(version("done")).track("ann", "Go").pause("walk").after("30m").resume("walk").after("2h")

    assert world.times("resumed") == ["2026-03-02T10:00Z"]


def test_rule_8_2_exit_on_and_goals_work_also_for_a_held_run() -> None:
    lines = ["exit_on: [{event: Bought}]", "goal: {event: Bought}"]
    world = World(version("done", *lines)).track("ann", "Go").pause("walk").after("2h")

    world.track("ann", "Bought").resume("walk").after("2h")

    assert world.story()[-2:] == [("exited", "exit_on"), ("converted",)]
    assert world.numbers("walk")["nodes"] == {"pause": {"visits": 1, "waiting": 0}, "mark": {"visits": 0, "waiting": 0}}


LISTEN = """
listen:
  type: wait_for
  cases: [{event: Deed, next: mark}, {when: {tag: vip}, next: mark}]
  timeout: 1h
  on_timeout: late
mark: {type: tag, add: [case]}
late: {type: tag, add: [late]}
"""


def test_rule_8_2_a_wait_for_takes_its_case_and_the_run_stands_before_the_next_node() -> None:
    world = World(flow(LISTEN)).track("ann", "Go").after("1m").pause("walk")

    world.track("ann", "Deed").after("5h")

    assert world.story()[2:] == [
        ("resumed", "listen", "event"),
        ("ran", "listen", "case 0"),
        ("waiting", "mark", "for ever", "paused"),
    ]
    assert world.contact().tags == []
    world.resume("walk")
    assert world.story()[5:] == [("resumed", "mark", "timer"), ("ran", "mark"), ("completed",)]
    assert world.numbers("walk")["nodes"] == {
        "listen": {"visits": 1, "waiting": 0},
        "mark": {"visits": 1, "waiting": 0},
        "late": {"visits": 0, "waiting": 0},
    }


def test_rule_8_2_once_its_timeout_was_taken_a_held_run_takes_no_case() -> None:
    world = World(flow(LISTEN)).track("ann", "Go").after("1m").pause("walk").after("2h")

    world.track("ann", "Deed").tag("ann", "vip").after("1h").resume("walk")

    assert world.contact().tags == ["vip", "late"]


def test_rule_8_2_nor_when_time_alone_makes_one_hold() -> None:
    nodes = LISTEN.replace("{tag: vip}", "{event: Seen, within: 3h, count: {eq: 0}}")
    world = (
        World(flow(nodes)).track("ann", "Seen").track("ann", "Go").after("1m").pause("walk").after("9h").resume("walk")
    )

    assert world.contact().tags == ["late"]


def test_rule_8_2_a_paused_run_whose_condition_time_makes_true_stands_before_the_next_node() -> None:
    nodes = LISTEN.replace("{tag: vip}", "{event: Seen, within: 30m, count: {eq: 0}}")
    world = World(flow(nodes)).track("ann", "Seen").track("ann", "Go").after("1m").pause("walk").after("9h")

    assert world.story()[2:] == [
        ("resumed", "listen", "condition"),
        ("ran", "listen", "case 1"),
        ("waiting", "mark", "for ever", "paused"),
    ]


def test_rule_8_2_a_message_that_waited_for_the_morning_is_held_too() -> None:
    quiet = "workspace: shop\nquiet_hours: {from: '21:00', to: '08:00'}\n---\n"
    world = World(quiet, flow("mail: {type: email, template: letter}"), start="2026-03-02T22:00Z")
    world.appear("ann", email=ANN).track("ann", "Go").after("1m").pause("walk").at("2026-03-03T22:30Z")
    assert world.messages() == []

    world.resume("walk").after("1d")

    assert world.story()[-5:] == [
        ("resumed", "mail", "timer"),
        ("waiting", "mail", "2026-03-04T08:00Z", "quiet_hours"),
        ("resumed", "mail", "timer"),
        ("message", "mail", "queued"),
        ("completed",),
    ]


def test_rule_8_2_a_run_that_goes_on_is_asked_stay_if() -> None:
    world = World(version("done", "stay_if: {not: {tag: leaver}}")).track("ann", "Go").pause("walk").after("2h")

    world.tag("ann", "leaver").resume("walk")

    assert world.story()[-2:] == [("resumed", "pause", "timer"), ("exited", "stay_if")]


def test_rule_8_2_runs_that_go_on_together_go_by_priority() -> None:
    world = World(
        *(
            flow(PAUSE_THEN_TAG.replace("TAG", name), f"priority: {priority}", name=name)
            for name, priority in (("a", 10), ("b", 90))
        )
    )
    world.track("ann", "Go").pause("a").pause("b").after("2h").settle()
    world.states.update(a="live", b="live")

    world.resume("a")

    assert world.contact().tags == ["b", "a"]


@pytest.mark.parametrize("state", ["pause", "pause_entries"])
def test_rule_8_2_nobody_is_lost(state: str) -> None:
    world = World(version("done", "key: trigger.id"))
    for number in range(20):
        world.after("5m").track("ann", "Go", id=number)

    getattr(world, state)("walk").after("9h").resume("walk").after("2h")

    numbers = world.numbers("walk")
    assert (numbers["entered"], numbers["completed"]) == (20, 20)


# --- 8.3 -------------------------------------------------------------------------------------------------------------


def test_rule_8_3_archiving_exits_all_runs() -> None:
    world = (
        World(version("done", "key: trigger.id"))
        .track("ann", "Go", id=1)
        .track("ann", "Go", id=2)
        .track("bob", "Go", id=1)
    )

    world.after("1m").archive("walk").after("5h")

    assert [run.reason for run in [*world.runs("ann"), *world.runs("bob")]] == ["archived"] * 3
    assert set(world.times("exited")) == {"2026-03-02T09:01Z"}
    assert world.contact().tags == []


def test_rule_8_3_held_runs_too() -> None:
    world = World(version("done")).track("ann", "Go").pause("walk").after("2h").archive("walk")

    assert world.story()[-1] == ("exited", "archived")


def test_rule_8_3_a_contact_that_is_touched_first_leaves_before_what_touched_it() -> None:
    world = World(version("done", "exit_on: [{event: Bought}]")).track("ann", "Go").after("1m").settle()
    world.flows = replace(world.flows, states={"walk": "archived"}, entrances={}, starred=[], silences=[])

    world.track("ann", "Bought")

    assert world.story()[-1] == ("exited", "archived")


def test_rule_8_3_nobody_enters_an_archived_journey() -> None:
    world = World(version("done")).archive("walk").track("ann", "Go").enroll("ann", "walk")

    assert world.trail() == []


def test_rule_8_3_goals_of_archived_runs_count() -> None:
    world = World(version("done", "goal: {event: Bought}")).track("ann", "Go").after("1m").archive("walk")

    world.after("1d").track("ann", "Bought")

    assert world.story()[-2:] == [("exited", "archived"), ("converted",)]
