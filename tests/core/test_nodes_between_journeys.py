"""What one journey does to another: ``emit``, ``enroll``, ``remove``, ``topic`` (semantics 2.7, 3.5, 7.1, 9.3)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tests.core.world import World, flow, read

ALWAYS = "reentry: {policy: always}"
TOPICS = "workspace: shop\ntopics: [{id: offers, name: Offers}, {id: tips, name: Tips, default: unsubscribed}]\n---\n"
WAIT = "pause: {type: wait, for: 1h}"


def listener(name: str, event: str, nodes: str = "mark: {type: tag, add: [heard]}", *lines: str) -> str:
    return flow(nodes, ALWAYS, *lines, name=name, trigger=f"{{type: event, event: '{event}'}}")


# --- emit ------------------------------------------------------------------------------------------------------------


def test_rule_2_7_what_emit_names_is_handled_after_the_step() -> None:
    tell = "tell: {type: emit, event: Won, properties: {n: 1}, next: label}\nlabel: {type: tag, add: [told]}"
    world = World(flow(tell), listener("other", "Won"))

    world.track("ann", "Go")

    assert world.story() == [
        ("entered",),
        ("ran", "tell"),
        ("ran", "label"),
        ("completed",),
        ("entered",),
        ("ran", "mark"),
        ("completed",),
    ]
    assert world.details("ran")[0] == {"event": "Won"}
    assert world.made()[2:4] == [("Won", {"n": 1}), ("Tag Added", {"tag": "told"})]


def test_rule_2_7_a_star_never_matches_what_is_emitted() -> None:
    world = World(flow("tell: {type: emit, event: Won}"), listener("all", "W*"), listener("named", "Won"))

    world.track("ann", "Go")

    assert [record.journey for record in world.trail() if record.kind == "entered"] == ["walk", "named"]


def test_what_is_emitted_has_values_texts_and_references_filled_in() -> None:
    tell = """
    tell:
      type: emit
      event: Won
      properties:
        prize: {name: "{{ trigger.prize | upcase }}", worth: {ref: trigger.worth}, none: {ref: trigger.nothing}}
        list: [1, {ref: trigger.worth}, {ref: trigger.nothing}]
        gone: {ref: contact.nothing}
    """
    world = World(flow(tell)).track("ann", "Go", prize="cup", worth=7)

    assert world.made()[-1] == ("Won", {"prize": {"name": "CUP", "worth": 7}, "list": [1, 7, None]})


def test_rule_4_8_a_text_that_fails_is_written_down_and_the_run_goes_on() -> None:
    world = World(flow("tell: {type: emit, event: Won, properties: {n: '{{ 1 | divided_by: 0 }}'}, next: end}"))

    assert [step[0] for step in world.track("ann", "Go").story()] == ["entered", "failed", "completed"]


def test_rule_2_2_an_emitted_event_ends_runs_and_counts() -> None:
    world = World(flow("tell: {type: emit, event: Won}"), listener("other", "Begin", WAIT, "exit_on: [{event: Won}]"))

    world.track("ann", "Begin").track("ann", "Go")

    assert ("exited", "exit_on") in world.story(journey="other")
    assert world.contact().counts["Won"].count == 1


# --- enroll ----------------------------------------------------------------------------------------------------------


def test_rule_2_7_enroll_lets_the_contact_in_and_the_run_walks_after_the_step() -> None:
    world = World(
        flow("in: {type: enroll, journey: other, properties: {n: {ref: trigger.n}}, next: label}\n"
             "label: {type: tag, add: [told]}"),
        flow("mark: {type: update, set: {got: {ref: trigger.n}}}", name="other", trigger="{type: manual}"),
    )  # fmt: skip

    world.track("ann", "Go", n=4)

    assert [(record.journey, record.kind) for record in world.trail()] == [
        ("walk", "entered"),
        ("walk", "ran"),
        ("other", "entered"),
        ("walk", "ran"),
        ("walk", "completed"),
        ("other", "ran"),
        ("other", "completed"),
    ]
    assert world.details("ran")[0] == {"journey": "other", "done": True}
    assert world.details("entered")[1] == {"trigger": None, "properties": {"n": 4}}
    assert world.contact().attributes["got"] == 4


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["enter_if: {tag: vip}"], "enter_if"),
        (["key: trigger.n"], "no_key"),
    ],
)
def test_enroll_obeys_the_other_journeys_rules_of_entry(lines: list[str], reason: str) -> None:
    world = World(
        flow("in: {type: enroll, journey: other}"), flow(WAIT, *lines, name="other", trigger="{type: manual}")
    )

    world.track("ann", "Go")

    assert world.details("ran") == [{"journey": "other", "done": False}]
    assert world.story(journey="other") == [("refused", reason)]


def test_enroll_of_who_is_in_it_or_was_in_it_does_nothing() -> None:
    by_hand = flow(WAIT, name="other", trigger="{type: manual}")
    world = World(flow("in: {type: enroll, journey: other}", ALWAYS), by_hand)

    for _ in range(3):
        world.track("ann", "Go").after("40m")

    assert [detail["done"] for detail in world.details("ran")] == [True, False, False]
    assert {step for step in world.story(journey="other") if step[0] == "refused"} == {
        ("refused", "duplicate"),
        ("refused", "reentry"),
    }


def test_enroll_into_a_journey_that_is_not_live_does_nothing() -> None:
    world = World(
        flow("in: {type: enroll, journey: other}", ALWAYS), flow(WAIT, name="other", trigger="{type: manual}")
    )
    world.pause_entries("other")

    world.track("ann", "Go")

    assert world.details("ran") == [{"journey": "other", "done": False}]
    assert world.story(journey="other") == []


def test_who_is_held_out_of_the_other_journey_is_enrolled_as_such() -> None:
    world = World(
        flow("in: {type: enroll, journey: other}"), flow(WAIT, "holdout: 100", name="other", trigger="{type: manual}")
    )

    world.track("ann", "Go")

    assert world.details("ran") == [{"journey": "other", "done": True}]
    assert world.story(journey="other") == [("holdout",)]


def test_a_run_that_restarts_its_own_journey_ends_there() -> None:
    world = World(
        flow(f"{WAIT}\nin: {{type: enroll, journey: walk}}".replace("1h}", "1h, next: in}"), "on_duplicate: restart")
    )

    world.track("ann", "Go").after("1h")

    assert world.story()[:7] == [
        ("entered",),
        ("waiting", "pause", "2026-03-02T10:00Z"),
        ("resumed", "pause", "timer"),
        ("ran", "in", "done"),
        ("exited", "restarted"),
        ("entered",),
        ("waiting", "pause", "2026-03-02T11:00Z"),
    ]


def test_rule_2_7_two_journeys_that_enroll_each_other_are_cut_short() -> None:
    to = "in: {{type: enroll, journey: {}}}"
    world = World(
        flow(to.format("pong"), ALWAYS, name="ping"),
        flow(to.format("ping"), ALWAYS, name="pong", trigger="{type: manual}"),
    )

    world.appear("ann").track("ann", "Go")

    entered = [record for record in world.trail() if record.kind == "entered"]
    failed = world.details("failed")
    assert len(entered) == 51
    assert failed == [{"error": "more than 50 events in a chain; the rest was dropped"}]
    assert world.details("ran")[-1]["done"] is False
    assert len(world.alerts()) == 1


def test_rule_2_7_a_journey_that_emits_what_begins_it_is_cut_short() -> None:
    world = World(flow("tell: {type: emit, event: Again}", ALWAYS, trigger="{type: event, event: Again}"))

    world.appear("ann").track("ann", "Again")

    assert len([record for record in world.trail() if record.kind == "entered"]) == 51
    assert world.details("failed") == [{"error": "more than 50 events in a chain; the rest was dropped"}]


def test_what_enroll_finds_out_a_branch_behind_it_sees_at_once() -> None:
    world = World(
        flow("out: {type: remove, journey: other, next: in}\nin: {type: enroll, journey: other}", ALWAYS),
        flow(WAIT, ALWAYS, name="other", trigger="{type: manual}"),
    )

    world.track("ann", "Go").after("1m").track("ann", "Go")

    assert [detail["done"] for detail in world.details("ran")] == [False, True, True, True]


# --- remove ----------------------------------------------------------------------------------------------------------


def test_rule_7_1_remove_ends_the_contacts_runs() -> None:
    world = World(flow("out: {type: remove, journey: other}"), listener("other", "Begin", WAIT, "key: trigger.n"))

    world.track("ann", "Begin", n=1).track("ann", "Begin", n=2).track("bob", "Begin", n=1).after("1m").track(
        "ann", "Go"
    )

    assert world.details("ran") == [{"journey": "other", "done": True}]
    assert [step for step in world.story(journey="other") if step[0] == "exited"] == [("exited", "removed")] * 2
    assert world.run("bob").active


def test_remove_ends_only_the_run_that_its_properties_name() -> None:
    world = World(
        flow("out: {type: remove, journey: other, properties: {n: {ref: trigger.which}}}", ALWAYS),
        listener("other", "Begin", WAIT, "key: trigger.n"),
    )

    world.track("ann", "Begin", n=1).track("ann", "Begin", n=2).after("1m")
    world.track("ann", "Go", which=2).after("1m").track("ann", "Go", which=3)

    assert [(run.key, run.active) for run in world.runs("ann", "other")] == [("1", True), ("2", False)]
    assert [detail["done"] for detail in world.details("ran")] == [True, False]


def test_a_run_that_removes_its_own_journey_has_its_step_before_its_end() -> None:
    world = World(flow("out: {type: remove, journey: walk, next: label}\nlabel: {type: tag, add: [never]}"))

    assert world.track("ann", "Go").story() == [("entered",), ("ran", "out", "done"), ("exited", "removed")]


# --- topic -----------------------------------------------------------------------------------------------------------


def test_rule_2_7_topic_changes_consent_and_makes_events_of_what_changed() -> None:
    node = "ask: {type: topic, subscribe: [offers, tips]}"
    world = World(TOPICS, flow(node, ALWAYS), listener("no", "Stop", "no: {type: topic, unsubscribe: [tips]}"))

    world.track("ann", "Go").track("ann", "Stop").track("ann", "Stop").track("ann", "Go")

    assert world.details("ran") == [
        {"subscribed": ["tips"], "unsubscribed": []},
        {"subscribed": [], "unsubscribed": ["tips"]},
        {"subscribed": [], "unsubscribed": []},
        {"subscribed": ["tips"], "unsubscribed": []},
    ]
    assert [one for one in world.made() if "ubscribed" in one[0]] == [
        ("Subscribed", {"topic": "tips"}),
        ("Unsubscribed", {"topic": "tips"}),
        ("Subscribed", {"topic": "tips"}),
    ]


def test_a_topic_on_both_sides_is_refused() -> None:
    with pytest.raises(ValidationError, match="not in both"):
        read(flow("ask: {type: topic, subscribe: [tips], unsubscribe: [tips]}"))


# --- hold ------------------------------------------------------------------------------------------------------------

HELD = "label: {type: tag, add: [done], hold: true}"
OPEN = "label: {type: tag, add: [done]}"


def test_hold_keeps_who_arrives_standing_before_the_node() -> None:
    world = World(flow(HELD, "exit_on: [{event: Left}]", "goal: {event: Bought}"))

    world.track("ann", "Go").after("30d").track("ann", "Bought").after("1m").track("ann", "Left")

    assert world.story() == [
        ("entered",),
        ("waiting", "label", "for ever", "hold"),
        ("converted",),
        ("exited", "exit_on"),
    ]
    assert world.details("waiting") == [{"until": None, "reason": "hold"}]
    assert world.numbers("walk")["nodes"] == {"label": {"visits": 0, "waiting": 0}}


def test_a_version_without_hold_lets_them_go_on() -> None:
    world = World(flow(HELD, "stay_if: {not: {tag: stop}}"))
    world.track("ann", "Go").track("bob", "Go").tag("bob", "stop").after("2h")

    world.publish(flow(OPEN, "stay_if: {not: {tag: stop}}"))

    assert world.story()[1:] == [
        ("waiting", "label", "for ever", "hold"),
        ("resumed", "label", "timer"),
        ("ran", "label"),
        ("completed",),
    ]
    assert {record.version for record in world.trail("ann")} == {1}
    assert world.story("bob")[-1] == ("exited", "stay_if")


def test_a_version_with_hold_stops_those_of_older_versions_too() -> None:
    world = World(flow(f"{WAIT[:-1]}, next: label}}\n{OPEN}")).track("ann", "Go").after("10m")

    world.publish(flow(f"{WAIT[:-1]}, next: label}}\n{HELD}")).after("2h")

    assert world.story()[-1] == ("waiting", "label", "for ever", "hold")


def test_resuming_the_journey_does_not_open_the_node() -> None:
    world = World(flow(f"{WAIT[:-1]}, next: label}}\n{HELD}")).track("ann", "Go")

    world.pause("walk").after("2h").resume("walk")
    assert [step for step in world.story() if step[0] == "waiting"][-1] == ("waiting", "label", "for ever", "hold")

    world.pause("walk").publish(flow(f"{WAIT[:-1]}, next: label}}\n{OPEN}"))
    assert world.run().held == "hold"

    world.resume("walk")
    assert world.story()[-1] == ("completed",)
