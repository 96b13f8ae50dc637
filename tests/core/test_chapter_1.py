"""Time and order: instants, who goes first, what is counted twice or too late (semantics, chapter 1)."""

from __future__ import annotations

import pytest
from tests.core.world import World, flow, instant, short

from journeyflow.core.workspace import DEFAULT

PAUSE_THEN_TAG = "pause: {type: wait, for: 1h, next: mark}\nmark: {type: tag, add: [woken]}"
PAUSE_THEN_MAIL = "pause: {type: wait, for: 1h, next: mail}\nmail: {type: email, template: letter}"


def tagging(name: str, *lines: str, trigger: str = "{type: event, event: Go}", wait: str = "for: 1h") -> str:
    return flow(
        f"pause: {{type: wait, {wait}, next: mark}}\nmark: {{type: tag, add: [{name}]}}",
        *lines,
        name=name,
        trigger=trigger,
    )


# --- 1.1, 1.2, 1.3 ---------------------------------------------------------------------------------------------------


def test_rule_1_1_instants_are_kept_to_the_microsecond() -> None:
    world = World(flow(PAUSE_THEN_TAG), start="2026-03-02T09:00:00.000001Z")

    world.track("ann", "Go").after("2h")

    assert world.times("resumed") == ["2026-03-02T10:00:00.000001Z"]


def test_rule_1_1_a_wait_that_ends_a_microsecond_later_has_not_ended() -> None:
    world = World(flow(PAUSE_THEN_TAG))

    world.track("ann", "Go").at("2026-03-02T09:59:59.999999Z")
    assert world.story()[-1] == ("waiting", "pause", "2026-03-02T10:00Z")
    world.at("2026-03-02T10:00:00Z")
    assert world.story()[-1] == ("completed",)


TWO_CASES = """
  listen:
    type: wait_for
    cases: [{event: B, next: end}, {event: A, next: end}]
    timeout: 1d
"""


@pytest.mark.parametrize(("order", "case"), [("AB", "case 1"), ("BA", "case 0")])
def test_rule_1_2_events_of_one_instant_are_handled_in_order_of_arrival(order: str, case: str) -> None:
    world = World(flow(TWO_CASES))
    world.track("ann", "Go").after("1m")

    for name in order:
        world.track("ann", name)

    assert ("ran", "listen", case) in world.story()


def test_rule_1_2_an_event_is_handled_when_it_arrives_not_when_it_occurred() -> None:
    world = World(flow(TWO_CASES))

    world.track("ann", "Go", occurred="2026-03-02T08:00Z")

    assert world.times("entered") == ["2026-03-02T09:00Z"]
    assert world.times("waiting") == ["2026-03-02T09:00Z"]


def test_rule_1_2_what_came_meanwhile_is_handled_in_order_of_its_instants() -> None:
    world = World(flow(PAUSE_THEN_MAIL, "exit_on: [{event: Bought}]"))
    world.appear("ann", email="ann@shop.example").track("ann", "Go")

    world.engine_down_until("2026-03-02T12:00Z").track("ann", "Bought", arrived="2026-03-02T11:00Z")

    assert [step[0] for step in world.story()] == ["entered", "waiting", "resumed", "message", "completed", "message"]
    assert world.details("message")[1]["outcome"] == "cancelled"


def test_rule_1_2_an_event_that_came_before_the_timer_is_handled_before_it_however_late() -> None:
    world = World(flow(PAUSE_THEN_MAIL, "exit_on: [{event: Bought}]"))
    world.appear("ann", email="ann@shop.example").track("ann", "Go")

    world.engine_down_until("2026-03-02T12:00Z").track("ann", "Bought", arrived="2026-03-02T09:59Z")

    assert world.story() == [("entered",), ("waiting", "pause", "2026-03-02T10:00Z"), ("exited", "exit_on")]


def test_rule_1_3_who_buys_in_the_very_second_the_wait_ends_gets_no_reminder() -> None:
    world = World(flow(PAUSE_THEN_MAIL, "exit_on: [{event: Bought}]"))
    world.appear("ann", email="ann@shop.example").track("ann", "Go")

    world.at("10:00").track("ann", "Bought")

    assert world.story()[-1] == ("exited", "exit_on")
    assert world.messages() == []


def test_rule_1_3_an_event_at_the_very_timeout_is_taken() -> None:
    world = World(flow(TWO_CASES))
    world.track("ann", "Go")

    world.at("2026-03-03T09:00Z").track("ann", "A")

    assert ("ran", "listen", "case 1") in world.story()


# --- 1.4 -------------------------------------------------------------------------------------------------------------

WINDOW_EDGE = """
  listen:
    type: wait_for
    cases: [{when: {event: Seen, within: 1h, count: {eq: 0}}, next: mark}]
    timeout: 1d
  mark: {type: tag, add: [low]}
"""


def test_rule_1_4_window_edges_go_before_runs_whatever_their_priority() -> None:
    world = World(flow(WINDOW_EDGE, "priority: 1", name="low"), tagging("high", "priority: 99"))

    world.track("ann", "Seen").track("ann", "Go").at("10:00")

    assert [record.journey for record in world.trail("ann") if record.kind == "resumed"] == ["low", "high"]
    assert world.contact().tags == ["low", "high"]


def test_rule_1_4_a_silence_goes_before_a_run_that_wakes_at_the_same_instant() -> None:
    silent = tagging("silent", "priority: 1", trigger="{type: inactivity, event: Seen, for: 1h}", wait="for: 0s")
    world = World(silent, tagging("high", "priority: 99"))

    world.track("ann", "Seen").track("ann", "Go").at("10:00")

    assert world.contact().tags == ["silent", "high"]


def test_rule_1_4_all_facts_of_an_instant_are_one_input_in_which_priority_decides() -> None:
    silent = tagging("silent", "priority: 99", trigger="{type: inactivity, event: Seen, for: 1h}", wait="for: 0s")
    world = World(flow(WINDOW_EDGE, "priority: 1", name="low"), silent)

    world.track("ann", "Seen").track("ann", "Go").at("10:00")

    kinds = [
        (record.journey, record.kind) for record in world.trail("ann") if record.at == instant("2026-03-02T10:00Z")
    ]
    assert kinds == [
        ("silent", "entered"),
        ("silent", "ran"),
        ("silent", "ran"),
        ("silent", "completed"),
        ("low", "resumed"),
        ("low", "ran"),
        ("low", "ran"),
        ("low", "completed"),
    ]


def test_rule_1_4_runs_that_one_event_begins_go_by_priority_then_by_journey() -> None:
    names = ["b-middle", "c-high", "a-middle", "d-low"]
    priority = {"c-high": 90, "d-low": 10}
    world = World(*(tagging(name, f"priority: {priority.get(name, 50)}", wait="for: 0s") for name in names))

    world.track("ann", "Go")

    assert world.contact().tags == ["c-high", "a-middle", "b-middle", "d-low"]


def test_rule_1_4_runs_that_wake_at_one_instant_go_by_priority_then_entry_time_then_journey() -> None:
    until = "until: {date: '2026-03-02T12:00Z'}"
    world = World(
        tagging("a-later", wait=until, trigger="{type: event, event: Second}"),
        tagging("b-earlier", wait=until, trigger="{type: event, event: First}"),
        tagging("c-high", "priority: 60", wait=until, trigger="{type: event, event: Second}"),
        tagging("d-earlier", wait=until, trigger="{type: event, event: First}"),
    )

    world.track("ann", "First").after("1h").track("ann", "Second").at("12:00")

    assert world.contact().tags == ["c-high", "b-earlier", "d-earlier", "a-later"]


def test_rule_1_4_runs_of_one_journey_and_entry_time_go_by_run_id() -> None:
    world = World(flow(PAUSE_THEN_TAG, "key: trigger.cart"))

    for cart in range(6):
        world.track("ann", "Go", cart=cart)
    world.at("10:00")

    woken = [record.run for record in world.trail("ann") if record.kind == "resumed"]
    assert len(woken) == 6
    assert woken == sorted(woken, key=str)


def test_rule_1_4_runs_that_one_event_moves_go_by_priority() -> None:
    listen = "listen: {type: wait_for, cases: [{event: Next, next: mark}], timeout: 1d}\nmark: {type: tag, add: [NAME]}"
    world = World(
        flow(listen.replace("NAME", "low"), "priority: 1", name="a-low"),
        flow(listen.replace("NAME", "high"), "priority: 2", name="b-high"),
    )

    world.track("ann", "Go").after("1m").track("ann", "Next")

    assert world.contact().tags == ["high", "low"]


# --- 1.5, 1.6 --------------------------------------------------------------------------------------------------------

ALWAYS = flow("mark: {type: tag, add: [seen]}", "reentry: {policy: always}")


@pytest.mark.parametrize("imported", [False, True])
def test_rule_1_5_an_event_that_comes_again_is_ignored(imported: bool) -> None:
    world = World(ALWAYS)

    world.track("ann", "Go", message_id="m1", imported=imported)
    for _ in range(3):
        world.after("1d").track("ann", "Go", message_id="m1")

    assert world.contact().counts["Go"].count == 1
    assert len(world.times("entered")) == (0 if imported else 1)


def test_rule_1_5_an_event_is_ignored_for_thirty_days_after_the_first_of_its_id() -> None:
    world = World(ALWAYS)

    world.track("ann", "Go", message_id="m1").after("20d").track("ann", "Go", message_id="m1")
    world.after("10d").track("ann", "Go", message_id="m1")
    assert world.contact().counts["Go"].count == 1
    world.after("1s").track("ann", "Go", message_id="m1")

    assert world.contact().counts["Go"].count == 2


def test_rule_1_5_the_same_id_twice_at_one_instant_counts_once() -> None:
    world = World(ALWAYS)

    world.track("ann", "Go", message_id="m1").track("ann", "Go", message_id="m1")

    assert world.contact().counts["Go"].count == 1


def test_rule_1_5_another_contact_may_have_an_event_of_the_same_id() -> None:
    world = World(ALWAYS)

    world.track("ann", "Go", message_id="m1").track("bob", "Go", message_id="m1")

    assert len(world.times("entered", "ann")) == len(world.times("entered", "bob")) == 1


def test_rule_1_5_events_without_an_id_are_never_duplicates() -> None:
    world = World(ALWAYS)

    world.track("ann", "Go").track("ann", "Go")

    assert len(world.times("entered")) == 2


@pytest.mark.parametrize("made_by", ["event", "identify", "tag", "topics"])
def test_rule_1_6_the_first_input_that_names_a_contact_makes_it(made_by: str) -> None:
    world = World()
    world.after("1h")

    {
        "event": lambda: world.track("ann", "Seen"),
        "identify": lambda: world.identify("ann", plan="pro"),
        "tag": lambda: world.tag("ann", "vip"),
        "topics": lambda: world.topics("ann", offers=True),
    }[made_by]()
    world.after("1h").track("ann", "Seen")

    assert world.contact().created_at == instant("2026-03-02T10:00Z")
    assert [name for name, _ in world.made()].count("Contact Created") == 1


def test_rule_1_6_an_import_makes_the_contact_and_tells_nobody() -> None:
    world = World(flow("mark: {type: tag, add: [new]}", trigger="{type: contact, change: created}"))

    world.track("ann", "Seen", imported=True).identify("bob", imported=True, plan="pro").tag(
        "cid", "vip", imported=True
    )

    assert world.trail() == []
    assert all(world.contact(key).exists for key in ("ann", "bob", "cid"))
    assert world.contact("bob").attributes == {"plan": "pro"}


def test_rule_1_6_what_asks_only_for_a_look_makes_nobody() -> None:
    world = World()

    world.remove("ann", "no-such-run")

    assert not world.contact("ann").exists
    assert all(effects.contacts == {} for effects in world.effects)


# --- 1.7, 1.8 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("later", "case"), [("2026-03-02T09:59:59.999999Z", "case 0"), ("2026-03-02T10:00Z", "else")])
def test_rule_1_7_an_event_stops_counting_at_exactly_its_time_and_the_window(later: str, case: str) -> None:
    world = World(flow("ask: {type: branch, cases: [{when: {event: Seen, within: 1h}, next: end}]}"))

    world.track("ann", "Seen").at(later).track("ann", "Go")

    assert ("ran", "ask", case) in world.story()


def test_rule_1_7_an_event_of_this_very_instant_counts() -> None:
    world = World(flow("ask: {type: branch, cases: [{when: {event: Go, within: 1s}, next: end}]}"))

    world.track("ann", "Go")

    assert ("ran", "ask", "case 0") in world.story()


@pytest.mark.parametrize(("gap", "entered"), [("6d23h59m59s", 1), ("7d", 2)])
def test_rule_1_7_a_gap_that_has_passed_exactly_has_passed(gap: str, entered: int) -> None:
    world = World(flow("mark: {type: tag, add: [seen]}", "reentry: {policy: after, gap: 7d}"))

    world.track("ann", "Go").after(gap).track("ann", "Go")

    assert len(world.times("entered")) == entered


@pytest.mark.parametrize(("later", "converted"), [("2026-03-03T09:00Z", 1), ("2026-03-03T09:00:00.000001Z", 0)])
def test_rule_1_7_a_goal_at_exactly_the_end_of_its_time_counts(later: str, converted: int) -> None:
    world = World(flow("mark: {type: tag, add: [seen]}", "goal: {event: Bought, within: 1d}"))

    world.track("ann", "Go").at(later).track("ann", "Bought")

    assert len(world.times("converted")) == converted


def test_rule_1_8_without_a_workspace_document_the_defaults_hold() -> None:
    assert World().library.workspace is DEFAULT
    assert (DEFAULT.workspace, DEFAULT.timezone, DEFAULT.topics, DEFAULT.quiet_hours) == ("default", "UTC", (), None)
    assert short(instant("2026-01-01T00:00Z") + DEFAULT.max_event_age) == "2026-01-02T00:00Z"
    kept = DEFAULT.retention
    assert [kept.events.days, kept.trail.days, kept.messages.days] == [800, 400, 400]


def test_rule_1_8_a_message_at_night_needs_no_workspace() -> None:
    world = World(flow("mail: {type: email, template: letter}"), start="2026-03-02T23:30Z")

    world.appear("ann", email="ann@shop.example").track("ann", "Go")

    assert world.story()[-2:] == [("message", "mail", "queued"), ("completed",)]
