"""Time and order: what is handled late, what arrives late, what is only history (semantics, rules 1.9 to 1.11)."""

from __future__ import annotations

import pytest
from tests.core.world import World, flow, instant, short

from journeyflow.core.values import JSON

LISTEN = """
listen: {type: wait_for, cases: [{event: A, next: mark}], timeout: 10d}
mark: {type: tag, add: [taken]}
"""
TWO_WAITS = """
one: {type: wait, for: 1h, next: two}
two: {type: wait, for: 1h}
"""


def asking(condition: str, *lines: str) -> str:
    return flow(f"ask: {{type: branch, cases: [{{when: {condition}, next: end}}]}}", *lines)


# --- 1.9 -------------------------------------------------------------------------------------------------------------


def test_rule_1_9_an_overdue_timer_is_handled_now_and_says_when_it_was_due() -> None:
    world = World(flow(TWO_WAITS))

    world.track("ann", "Go").engine_down_until("2026-03-02T12:00Z")

    resumed = world.trail("ann")[2]
    assert (resumed.kind, short(resumed.at)) == ("resumed", "2026-03-02T12:00Z")
    assert resumed.detail == {"by": "timer", "due": "2026-03-02T10:00:00.000000Z"}


def test_rule_1_9_what_follows_from_an_overdue_input_says_so_too_and_waits_from_now() -> None:
    world = World(flow(TWO_WAITS))

    world.track("ann", "Go").engine_down_until("2026-03-02T12:00Z")

    assert world.details("waiting")[1] == {
        "until": "2026-03-02T13:00:00.000000Z",
        "due": "2026-03-02T10:00:00.000000Z",
    }


@pytest.mark.parametrize(("handled", "told"), [("2026-03-02T10:00:01Z", False), ("2026-03-02T10:00:01.000001Z", True)])
def test_rule_1_9_up_to_a_second_is_not_late(handled: str, told: bool) -> None:
    world = World(flow(TWO_WAITS))

    world.track("ann", "Go").engine_down_until(handled)

    assert ("due" in world.details("resumed")[0]) is told


def test_rule_1_9_an_overdue_event_is_handled_now_too() -> None:
    world = World(asking("{local_time: {from: '12:00'}}"))

    world.engine_down_until("2026-03-02T12:00Z").track("ann", "Go", arrived="2026-03-02T11:00Z")

    assert world.details("entered")[0]["due"] == "2026-03-02T11:00:00.000000Z"
    assert ("ran", "ask", "case 0") in world.story()


def test_rule_1_9_an_overdue_refusal_says_so_too() -> None:
    world = World(asking("{tag: vip}"))
    world.track("ann", "Go")

    world.engine_down_until("2026-03-02T12:00Z").track("ann", "Go", arrived="2026-03-02T11:00Z")

    assert world.details("refused") == [{"reason": "reentry", "due": "2026-03-02T11:00:00.000000Z"}]


def test_rule_1_9_quiet_hours_are_those_of_the_instant_of_handling() -> None:
    world = World(
        "workspace: shop\nquiet_hours: {from: '21:00', to: '08:00'}",
        flow("pause: {type: wait, for: 1h, next: mail}\nmail: {type: email, template: letter}"),
    )
    world.appear("ann", email="ann@shop.example").track("ann", "Go")

    world.engine_down_until("2026-03-02T23:00Z")

    assert world.story()[-1] == ("waiting", "mail", "2026-03-03T08:00Z", "quiet_hours")


def test_rule_1_9_handled_in_time_nothing_is_due() -> None:
    world = World(flow(TWO_WAITS))

    world.track("ann", "Go").after("1d")

    assert all("due" not in record.detail for record in world.trail())


def test_rule_1_9_a_silence_that_a_late_event_shows_to_be_over_is_not_overdue() -> None:
    world = World(flow("mark: {type: tag, add: [silent]}", trigger="{type: inactivity, event: Seen, for: 1h}"))

    world.at("12:00").track("ann", "Seen", occurred="2026-03-02T10:30Z")

    assert world.times("entered") == ["2026-03-02T12:00Z"]
    assert "due" not in world.details("entered")[0]


# --- 1.10 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("within", "case"), [("1h", "else"), ("2h", "else"), ("3h", "case 0")])
@pytest.mark.parametrize("question", ["count: {gte: 1}", "sum: total, gte: 5"])
def test_rule_1_10_windows_look_at_when_an_event_occurred(question: str, within: str, case: str) -> None:
    world = World(asking(f"{{event: Bought, within: {within}, {question}}}"))

    world.track("ann", "Bought", occurred="2026-03-02T07:00Z", total=5).track("ann", "Go")

    assert ("ran", "ask", case) in world.story()


def test_rule_1_10_inactivity_looks_at_when_an_event_occurred() -> None:
    world = World(flow("mark: {type: tag, add: [silent]}", trigger="{type: inactivity, event: Seen, for: 1d}"))

    world.at("12:00").track("ann", "Seen", occurred="2026-03-02T10:00Z").after("5d")

    assert world.times("entered") == ["2026-03-03T10:00Z"]


def test_rule_1_10_an_event_out_of_order_does_not_move_a_silence_back() -> None:
    world = World(flow("mark: {type: tag, add: [silent]}", trigger="{type: inactivity, event: Seen, for: 1d}"))

    world.at("12:00").track("ann", "Seen").track("ann", "Seen", occurred="2026-03-02T10:00Z").after("5d")

    assert world.times("entered") == ["2026-03-03T12:00Z"]


@pytest.mark.parametrize(
    ("occurred", "arrives", "converted"),
    [("2026-03-02T08:00Z", "2026-03-02T09:30Z", 1), ("2026-03-02T09:30Z", "2026-03-02T10:30Z", 0)],
)
def test_rule_1_10_a_goal_looks_at_when_an_event_is_handled(occurred: str, arrives: str, converted: int) -> None:
    world = World(flow("pause: {type: wait, for: 5h}", "goal: {event: Bought, within: 1h}"))

    world.track("ann", "Go").at(arrives).track("ann", "Bought", occurred=occurred)

    assert len(world.times("converted")) == converted


def test_rule_1_10_since_entry_looks_at_when_an_event_is_handled() -> None:
    nodes = """
    pause: {type: wait, for: 1h, next: ask}
    ask: {type: branch, cases: [{when: {event: Bought, since: entry}, next: end}]}
    """
    world = World(flow(nodes))

    world.track("ann", "Bought").track("ann", "Go")
    world.track("bob", "Go").after("1m").track("bob", "Bought", occurred="2026-03-02T08:00Z").after("2h")

    assert ("ran", "ask", "else") in world.story("ann")
    assert ("ran", "ask", "case 0") in world.story("bob")


def test_rule_1_10_an_event_of_the_future_gets_its_arrival_and_keeps_its_claim() -> None:
    world = World()

    world.track("ann", "Seen", occurred="2026-03-02T09:05:00.000001Z").track(
        "ann", "Seen", occurred="2026-03-02T09:05Z"
    )
    world.settle()

    first, second = (event for effects in world.effects for event in effects.events if event.name == "Seen")
    assert (short(first.occurred_at), first.claimed_at) == ("2026-03-02T09:00Z", instant("2026-03-02T09:05:00.000001Z"))
    assert (short(second.occurred_at), second.claimed_at) == ("2026-03-02T09:05Z", None)


def test_rule_1_10_a_clock_that_is_a_little_fast_counts_from_its_own_time_on() -> None:
    nodes = """
    listen: {type: wait_for, cases: [{when: {event: Seen, within: 1h}, next: mark}], timeout: 1d}
    mark: {type: tag, add: [seen]}
    """
    world = World(flow(nodes))

    world.track("ann", "Go").after("1m").track("ann", "Seen", occurred="2026-03-02T09:05Z").after("1h")

    assert world.times("resumed") == ["2026-03-02T09:05Z"]


# --- 1.11 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "entered"), [("2026-03-01T09:00Z", 1), ("2026-03-01T08:59:59.999999Z", 0)])
def test_rule_1_11_an_event_older_than_a_day_lets_nobody_in(age: str, entered: int) -> None:
    world = World(asking("{tag: vip}"))

    world.track("ann", "Go", occurred=age)

    assert len(world.times("entered")) == entered
    assert world.times("refused") == []


def test_rule_1_11_the_workspace_says_how_old_an_event_may_be() -> None:
    world = World("workspace: shop\nmax_event_age: 1h", asking("{tag: vip}"))

    world.track("ann", "Go", occurred="2026-03-02T08:00Z").track("bob", "Go", occurred="2026-03-02T07:59Z")

    assert len(world.times("entered", "ann")) == 1
    assert world.times("entered", "bob") == []


def test_rule_1_11_the_age_is_that_on_arrival_however_late_it_is_handled() -> None:
    world = World(asking("{tag: vip}"))

    world.engine_down_until("2026-03-05T09:00Z").track(
        "ann", "Go", occurred="2026-03-02T09:00Z", arrived="2026-03-03T09:00Z"
    )

    assert len(world.times("entered")) == 1


def test_rule_1_11_an_old_event_takes_no_case() -> None:
    world = World(flow(LISTEN))

    world.track("ann", "Go").after("1m").track("ann", "A", occurred="2026-02-20T09:00Z")

    assert world.story()[-1][0] == "waiting"


def test_rule_1_11_an_old_event_makes_no_condition_be_taken_either() -> None:
    nodes = "listen: {type: wait_for, cases: [{when: {event: A}, next: end}], timeout: 10d}"
    world = World(flow(nodes))

    world.track("ann", "Go").after("1m").track("ann", "A", occurred="2026-02-20T09:00Z")

    assert world.story()[-1][0] == "waiting"


def test_rule_1_11_an_old_event_still_moves_the_edges_of_windows() -> None:
    """Two old events make a count of two, which becomes the one that is waited for when the first leaves the window."""
    condition = "{event: A, within: 7d, count: {eq: 1}}"
    world = World(flow(f"listen: {{type: wait_for, cases: [{{when: {condition}, next: end}}], timeout: 10d}}"))

    world.track("ann", "Go").after("1m")
    world.track("ann", "A", occurred="2026-02-27T09:00Z").track("ann", "A", occurred="2026-02-28T09:00Z").after("10d")

    assert world.times("resumed") == ["2026-03-06T09:00Z"]


def test_rule_1_11_an_old_event_exits_and_tells_its_own_time() -> None:
    world = World(flow(LISTEN, "exit_on: [{event: Bought}]"))

    world.track("ann", "Go").after("1m").track("ann", "Bought", occurred="2026-02-20T09:00Z")

    assert world.details("exited") == [{"reason": "exit_on", "occurred_at": "2026-02-20T09:00:00.000000Z"}]


def test_rule_1_11_an_old_event_is_a_goal_reached() -> None:
    world = World(flow(LISTEN, "goal: {event: Bought, within: 1h}"))

    world.track("ann", "Go").after("1m").track("ann", "Bought", occurred="2026-02-20T09:00Z")

    assert len(world.times("converted")) == 1


@pytest.mark.parametrize("imported", [False, True])
@pytest.mark.parametrize(
    ("name", "properties", "reason"),
    [
        ("Unsubscribed", {}, "unsubscribed"),
        ("Unsubscribed", {"topic": "offers"}, "unsubscribed"),
        ("Email Bounced", {"type": "hard"}, "suppressed"),
        ("Email Marked as Spam", {}, "suppressed"),
    ],
)
def test_rule_1_11_an_old_event_protects(name: str, properties: dict[str, JSON], reason: str, imported: bool) -> None:
    world = World(
        "workspace: shop\ntopics: [{id: offers, name: Offers}]",
        flow("mail: {type: email, template: letter, topic: offers}"),
    )
    world.appear("ann", email="ann@shop.example")

    world.track("ann", name, properties, occurred="2026-02-20T09:00Z", imported=imported).track("ann", "Go")

    assert ("message", "mail", "skipped", reason) in world.story()


@pytest.mark.parametrize("imported", [False, True])
def test_rule_1_11_an_old_event_counts(imported: bool) -> None:
    world = World(asking("{all: [{event: Bought, count: {eq: 1}}, {event: Bought, within: 30d, sum: total, gte: 5}]}"))

    world.track("ann", "Bought", occurred="2026-02-20T09:00Z", imported=imported, total=5).track("ann", "Go")

    assert ("ran", "ask", "case 0") in world.story()


def test_rule_1_11_an_old_event_does_not_swallow_a_silence_that_it_is_no_part_of() -> None:
    world = World(flow("mark: {type: tag, add: [silent]}", trigger="{type: inactivity, event: Seen, for: 1d}"))

    world.track("ann", "Seen").at("2026-03-03T09:00Z").track("ann", "Seen", occurred="2026-02-20T09:00Z")

    assert world.times("entered") == ["2026-03-03T09:00Z"]


@pytest.mark.parametrize("imported", [False, True])
def test_rule_1_11_a_silence_that_only_an_old_event_shows_lets_nobody_in(imported: bool) -> None:
    world = World(flow("mark: {type: tag, add: [silent]}", trigger="{type: inactivity, event: Seen, for: 1d}"))
    world.after("1d")

    world.track("ann", "Seen", occurred="2026-03-02T08:00Z", imported=imported).after("10d")

    assert world.trail() == []


def test_rule_1_11_an_import_moves_nothing_at_all() -> None:
    world = World(
        flow(LISTEN, "exit_on: [{event: Bought}]", "goal: {event: Bought}"),
        flow("mark: {type: tag, add: [x]}", name="by-tag", trigger="{type: tag, added: vip}"),
        flow("mark: {type: tag, add: [x]}", name="by-update", trigger="{type: contact, change: updated}"),
    )
    world.track("ann", "Go").after("1m")
    before = world.story()

    world.track("ann", "A", imported=True).track("ann", "Bought", imported=True)
    world.tag("ann", "vip", imported=True).identify("ann", imported=True, plan="pro")

    assert world.story() == before
    assert (world.contact().tags, world.contact().attributes) == (["vip"], {"plan": "pro"})


def test_rule_1_11_an_import_ends_no_wait_though_what_it_changed_is_seen_at_the_next_chance() -> None:
    nodes = "listen: {type: wait_for, cases: [{when: {attribute: plan, eq: pro}, next: end}], timeout: 10d}"
    world = World(flow(nodes))
    world.track("ann", "Go").after("1m")

    world.identify("ann", imported=True, plan="pro")
    assert world.story()[-1][0] == "waiting"
    world.after("1m").track("ann", "Seen")

    assert world.times("resumed") == ["2026-03-02T09:02Z"]


def test_rule_1_11_an_imported_event_still_moves_the_edges_of_windows() -> None:
    condition = "{event: A, within: 7d, count: {eq: 1}}"
    world = World(flow(f"listen: {{type: wait_for, cases: [{{when: {condition}, next: end}}], timeout: 10d}}"))
    world.track("ann", "Go").after("1m")

    for day in ("27", "28"):
        world.track("ann", "A", occurred=f"2026-02-{day}T09:00Z", imported=True)

    assert world.after("10d").times("resumed") == ["2026-03-06T09:00Z"]
