"""The virtual clock: what is handled when, in which order, from where to where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.simulate_scenario import FakeRenderer, at, documents, event, run

from journeyflow.core.effects import TrailRecord
from journeyflow.core.errors import InvalidInput, NotFound
from journeyflow.core.inputs import Event, Identify, Input
from journeyflow.services.simulate import simulate_inputs

PAUSE = """
journey: pause
triggers: [{type: event, event: Came}]
exit_on: [{event: Bought}]
reentry: {policy: always}
start: wait
nodes:
  wait: {type: wait, for: 1h, next: label}
  label: {type: tag, add: [waited]}
"""

HELLO = """
journey: hello
triggers: [{type: contact, change: created}]
start: stop
nodes: {stop: {type: end}}
"""


# The end of the window wakes the contact, and nobody sees it.
WATCHED = """
journey: watched
triggers: [{type: event, event: Came}]
start: stand
nodes:
  stand: {type: wait_for, timeout: never, cases: [{when: {all: [{event: Bought}, {event: Came, within: 30d}]}}]}
"""


def each_event(*names: str) -> str:
    """A journey that anyone enters with each such event and leaves at once."""
    triggers = ", ".join(f"{{type: event, event: {name}}}" for name in names)
    return f"""
journey: each
triggers: [{triggers}]
reentry: {{policy: always}}
start: stop
nodes: {{stop: {{type: end}}}}
"""


def test_rule_1_2_events_of_an_unsorted_file_are_handled_in_order_of_their_instant(tmp_path: Path) -> None:
    events = [
        event("ann", "Bought", "03-02 10:30"),
        event("bob", "Came", "03-02 09:00"),
        event("ann", "Came", "03-02 10:00"),
    ]

    outcome = run(tmp_path, PAUSE, events)

    assert outcome.steps("ann") == [("03-02 10:00", "entered"), ("03-02 10:00", "waiting"), ("03-02 10:30", "exited")]
    assert [one.contact for one in outcome.trail][:2] == ["bob", "bob"]


def test_rule_1_2_of_events_at_one_instant_the_first_in_the_file_is_the_first(tmp_path: Path) -> None:
    came_first = run(tmp_path, PAUSE, [event("ann", "Came", "03-02 10:00"), event("ann", "Bought", "03-02 10:00")])
    bought_first = run(tmp_path, PAUSE, [event("ann", "Bought", "03-02 10:00"), event("ann", "Came", "03-02 10:00")])

    assert came_first.summary["journeys"]["pause"]["exited"] == {"exit_on": 1}
    assert bought_first.summary["journeys"]["pause"]["completed"] == 1


def test_rule_1_2_an_event_is_handled_when_it_was_received(tmp_path: Path) -> None:
    bought = event("ann", "Bought", "03-02 10:30", received_at="2026-03-02T11:30:00Z")

    outcome = run(tmp_path, PAUSE, [bought, event("ann", "Came", "03-02 10:00")])

    assert outcome.summary["journeys"]["pause"]["completed"] == 1


def test_rule_1_3_who_buys_in_the_very_second_the_wait_ends_gets_no_label(tmp_path: Path) -> None:
    outcome = run(tmp_path, PAUSE, [event("ann", "Came", "03-02 10:00"), event("ann", "Bought", "03-02 11:00")])

    assert outcome.summary["journeys"]["pause"]["exited"] == {"exit_on": 1}


def test_at_one_instant_contacts_come_in_the_order_of_their_code_points(tmp_path: Path) -> None:
    names = ["ann", "ä", "Zoe", "\U0001f600", "\uffff", "10", "9"]

    outcome = run(tmp_path, PAUSE, [event(name, "Came", "03-02 10:00") for name in names])

    entered = [one.contact for one in outcome.trail if one.kind == "entered"]
    woken = [one.contact for one in outcome.trail if one.kind == "resumed"]
    assert entered == woken == ["10", "9", "Zoe", "ann", "ä", "\uffff", "\U0001f600"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob", "Bob", "é"]),
            st.sampled_from(["Came", "Bought", "Seen"]),
            st.integers(0, 180),
            st.integers(0, 30),
        ),
        max_size=30,
    )
)
def test_rule_9_1_the_trail_comes_out_by_instant_then_contact_then_order_of_handling(
    lines: list[tuple[str, str, int, int]],
) -> None:
    begin = datetime(2026, 3, 2, 10, tzinfo=UTC)
    inputs = []
    for contact, name, minute, delay in lines:
        occurred_at = begin + timedelta(minutes=minute)
        inputs.append((contact, Event(occurred_at + timedelta(minutes=delay), name, occurred_at)))
    trail: list[TrailRecord] = []

    simulate_inputs(documents(PAUSE, each_event("Came", "Seen")), FakeRenderer(), inputs, on_trail=trail.append)

    places = [(one.at, one.contact) for one in trail]
    assert places == sorted(places)
    for run_id in {one.run for one in trail if one.run is not None}:
        numbers = [one.seq for one in trail if one.run == run_id]
        assert numbers == list(range(len(numbers)))


def test_events_before_the_start_are_history_and_the_start_itself_is_not(tmp_path: Path) -> None:
    events = [event("ann", "Came", "03-02 09:59:59"), event("bob", "Came", "03-02 10:00")]

    outcome = run(tmp_path, PAUSE, events, start=at("03-02 10:00"))

    assert outcome.entries() == [("03-02 10:00", "bob")]
    assert outcome.summary["events"] == 2
    assert outcome.summary["contacts"] == 2


def test_history_counts_for_conditions_and_attributes(tmp_path: Path) -> None:
    flows = """
journey: regulars
triggers: [{type: event, event: Came}]
enter_if: {all: [{event: Bought, within: 30d, count: {gte: 2}}, {attribute: plan, eq: gold}]}
start: stop
nodes: {stop: {type: end}}
"""
    events = [
        event("ann", "Bought", "02-20 10:00"),
        event("ann", "Bought", "02-21 10:00"),
        event("ann", "$identify", "02-22 10:00", properties={"plan": "gold"}),
        event("ann", "Came", "03-02 10:00"),
    ]

    outcome = run(tmp_path, flows, events, start=at("03-01 00:00"))

    assert outcome.entries() == [("03-02 10:00", "ann")]


def test_rule_3_6_a_silence_that_began_in_history_ends_after_the_start(tmp_path: Path) -> None:
    flows = """
journey: silent
triggers: [{type: inactivity, event: Bought, for: 10d}]
start: stop
nodes: {stop: {type: end}}
"""
    events = [event("long", "Bought", "02-01 10:00"), event("new", "Bought", "02-25 10:00")]

    outcome = run(tmp_path, flows, events, start=at("03-01 00:00"))

    assert outcome.entries() == [("03-07 10:00", "new")]


def test_rule_1_7_what_happens_at_exactly_the_end_counts(tmp_path: Path) -> None:
    events = [event("ann", "Came", "03-02 10:00"), event("bob", "Came", "03-02 11:00")]

    until = run(tmp_path, PAUSE, events, until=at("03-02 11:00"))
    before = run(tmp_path, PAUSE, events, until=at("03-02 10:59:59"))

    assert until.summary["journeys"]["pause"]["completed"] == 1
    assert until.summary["journeys"]["pause"]["entered"] == 2
    assert before.summary["journeys"]["pause"]["completed"] == 0
    assert before.summary["journeys"]["pause"]["nodes"]["wait"] == {"visits": 1, "waiting": 1}
    assert before.summary["events"] == 1


def test_the_clock_runs_for_400_days_after_the_last_event(tmp_path: Path) -> None:
    def completed(wait: str) -> int:
        outcome = run(tmp_path, PAUSE.replace("1h", wait), [event("ann", "Came", "03-02 10:00")])
        return int(outcome.summary["journeys"]["pause"]["completed"])

    assert completed("400d") == 1
    assert completed("400d1s") == 0


def test_an_end_that_is_given_wins_over_the_400_days(tmp_path: Path) -> None:
    outcome = run(tmp_path, PAUSE.replace("1h", "500d"), [event("ann", "Came", "03-02 10:00")], until=at("12-31 00:00"))
    later = datetime(2028, 1, 1, tzinfo=UTC)
    longer = run(tmp_path, PAUSE.replace("1h", "500d"), [event("ann", "Came", "03-02 10:00")], until=later)

    assert outcome.summary["journeys"]["pause"]["active"] == 1
    assert longer.summary["journeys"]["pause"]["completed"] == 1


def test_the_last_day_of_the_calendar_is_an_end_like_any_other(tmp_path: Path) -> None:
    outcome = run(tmp_path, PAUSE, [event("ann", "Came", "03-02 10:00")], until=datetime.max.replace(tzinfo=UTC))

    assert outcome.summary["journeys"]["pause"]["completed"] == 1


def test_an_end_before_the_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="before its start"):
        run(tmp_path, PAUSE, [], start=at("03-02 10:00"), until=at("03-01 10:00"))


def test_rule_1_6_contacts_of_the_file_exist_from_the_start_and_are_no_news(tmp_path: Path) -> None:
    contacts = "contact,created_at\nold,2026-03-01T00:00:00Z\nsame,2026-03-02T10:00:00Z\nplain,\nlater,2026-03-03\n"

    outcome = run(tmp_path, HELLO, [event("new", "Came", "03-02 10:00")], contacts)

    assert outcome.entries() == [("03-02 10:00", "new"), ("03-03 00:00", "later")]
    assert outcome.summary["contacts"] == 5


def test_rule_1_6_a_contact_that_would_be_created_after_the_end_never_exists(tmp_path: Path) -> None:
    contacts = "contact,created_at\nlater,2026-03-04\n"

    outcome = run(tmp_path, PAUSE, [event("ann", "Came", "03-02 10:00")], contacts, until=at("03-03 00:00"))

    assert outcome.summary["contacts"] == 1


def test_rule_1_6_an_event_before_created_at_makes_the_contact_with_the_attributes_of_the_file(tmp_path: Path) -> None:
    flows = """
journey: came
triggers: [{type: event, event: Came}]
enter_if: {all: [{attribute: city, eq: Oslo}, {tag: vip}]}
start: stop
nodes: {stop: {type: end}}
"""
    contacts = "contact,created_at,city,tags\nann,2026-03-05,Oslo,vip\n"

    outcome = run(tmp_path, f"{flows}---{HELLO}", [event("ann", "Came", "03-02 10:00")], contacts)

    assert [(one.journey, one.kind) for one in outcome.trail] == [
        ("came", "entered"),
        ("came", "completed"),
        ("hello", "entered"),
        ("hello", "completed"),
    ]
    assert {one.at for one in outcome.trail} == {at("03-02 10:00")}


def test_rule_1_6_who_is_created_in_the_very_second_of_the_first_event_is_created_before_it(tmp_path: Path) -> None:
    flows = f"{each_event('Came')}---{HELLO}"
    contacts = "contact,created_at\nann,2026-03-02T10:00:00Z\n"

    outcome = run(tmp_path, flows, [event("bob", "Came", "03-01 10:00"), event("ann", "Came", "03-02 10:00")], contacts)

    entered = [one.journey for one in outcome.trail if one.kind == "entered" and one.contact == "ann"]
    assert entered == ["hello", "each"]


def test_a_row_of_history_makes_the_contact_in_silence(tmp_path: Path) -> None:
    contacts = "contact,created_at\nann,2026-03-05\n"

    outcome = run(tmp_path, HELLO, [event("ann", "Came", "03-01 10:00")], contacts, start=at("03-02 00:00"))

    assert outcome.trail == []
    assert outcome.summary["contacts"] == 1


def test_only_the_journeys_that_are_named_run(tmp_path: Path) -> None:
    flows = PAUSE + "---" + each_event("Came")

    outcome = run(tmp_path, flows, [event("ann", "Came", "03-02 10:00")], journeys=["each"])

    assert list(outcome.summary["journeys"]) == ["each"]
    with pytest.raises(NotFound, match="no journey peach; the folder has each, pause"):
        run(tmp_path, flows, [], journeys=["peach"])


@pytest.mark.parametrize("status", ["draft", "archived", "live"])
def test_every_journey_of_the_folder_counts_as_live(tmp_path: Path, status: str) -> None:
    outcome = run(tmp_path, f"{PAUSE}status: {status}\n", [event("ann", "Came", "03-02 10:00")])

    assert outcome.summary["journeys"]["pause"]["completed"] == 1


def test_identify_is_an_input_and_no_event(tmp_path: Path) -> None:
    flows = """
journey: everything
triggers: [{type: event, event: "*"}]
reentry: {policy: always}
start: stop
nodes: {stop: {type: end}}
---
journey: movers
triggers: [{type: contact, change: updated, attribute: city}]
start: stop
nodes: {stop: {type: end}}
"""
    identify = event("ann", "$identify", "03-02 10:00", properties={"city": "Oslo"})

    outcome = run(tmp_path, flows, [identify])

    assert [one.journey for one in outcome.trail if one.kind == "entered"] == ["movers"]
    assert outcome.summary["events"] == 0


def test_inputs_at_hand_are_simulated_like_those_of_a_file(tmp_path: Path) -> None:
    inputs: list[tuple[str, Input]] = [
        ("ann", Event(at("03-02 10:00"), "Came", at("03-02 10:00"))),
        ("ann", Identify(at("03-02 10:10"), {"city": "Oslo"})),
        ("bob", Event(at("03-02 09:00"), "Came", at("03-02 09:00"))),
    ]
    trail: list[TrailRecord] = []
    simulation = simulate_inputs(documents(PAUSE), FakeRenderer(), inputs, on_trail=trail.append)

    events = [
        event("ann", "Came", "03-02 10:00"),
        event("ann", "$identify", "03-02 10:10", properties={"city": "Oslo"}),
        event("bob", "Came", "03-02 09:00"),
    ]
    outcome = run(tmp_path, PAUSE, events)

    assert trail == outcome.trail
    assert simulation == outcome.simulation


# --- one person, two contacts ----------------------------------------------------------------------------------------


def merge(contact: str, into: str, when: str) -> dict[str, object]:
    return event(contact, "$merge", when, properties={"into": into})


def test_rule_10_1_a_merge_is_no_event_and_makes_two_contacts_one(tmp_path: Path) -> None:
    events = [
        event("visitor", "Came", "03-02 10:00"),
        merge("visitor", "ann", "03-02 10:10"),
        event("ann", "Seen", "03-02 10:20"),
    ]

    outcome = run(tmp_path, PAUSE, events)

    assert (outcome.summary["events"], outcome.summary["contacts"]) == (2, 1)
    numbers = outcome.summary["journeys"]["pause"]
    assert (numbers["entered"], numbers["completed"], numbers["active"]) == (1, 1, 0)
    assert outcome.steps("ann")[-1] == ("03-02 11:00", "completed")


def test_rule_10_1_the_trail_of_one_instant_is_in_the_order_of_contacts(tmp_path: Path) -> None:
    """The merge is handled before the contacts that come before it in the alphabet."""
    events = [
        event("zoe", "Came", "03-02 10:00"),
        event("amy", "Came", "03-02 10:00"),
        merge("visitor", "ann", "03-02 10:00"),
        event("visitor", "Came", "03-02 10:00"),
        event("bob", "Came", "03-02 10:00"),
    ]

    outcome = run(tmp_path, PAUSE, events)

    begun = [(one.contact, one.kind) for one in outcome.trail if one.at == at("03-02 10:00")]
    assert begun == [(who, kind) for who in ("amy", "ann", "bob", "zoe") for kind in ("entered", "waiting")]


@pytest.mark.parametrize("known", ["ann", "zoe"])
def test_rule_10_4_at_one_instant_what_comes_by_the_old_key_goes_before_timers(tmp_path: Path, known: str) -> None:
    """Rule 1.3, whichever of the two keys comes first in the alphabet: who buys as the wait ends has bought."""
    events = [
        event(known, "Came", "03-02 10:00"),
        merge("visitor", known, "03-02 10:10"),
        event("visitor", "Bought", "03-02 11:00"),
    ]

    outcome = run(tmp_path, PAUSE, events)

    assert outcome.steps(known)[-1] == ("03-02 11:00", "exited")


def test_rule_10_4_of_one_instant_the_order_of_the_file_counts_across_both_keys(tmp_path: Path) -> None:
    events = [
        merge("visitor", "ann", "03-02 09:00"),
        event("visitor", "Came", "03-02 10:00", properties={"n": 1}),
        event("ann", "Bought", "03-02 10:00"),
        event("visitor", "Came", "03-02 10:00", properties={"n": 2}),
    ]

    outcome = run(tmp_path, PAUSE, events)

    assert [kind for _, kind in outcome.steps("ann")][:5] == ["entered", "waiting", "exited", "entered", "waiting"]


def test_rule_10_1_history_merges_too(tmp_path: Path) -> None:
    events = [
        event("visitor", "Came", "02-22 10:00"),
        merge("visitor", "ann", "02-23 10:00"),
        event("visitor", "Came", "03-02 10:00"),
    ]

    outcome = run(tmp_path, PAUSE, events, start=at("03-01 00:00"))

    assert outcome.entries() == [("03-02 10:00", "ann")]


def test_rule_10_2_a_row_of_the_contacts_file_is_merged_with_all_it_says(tmp_path: Path) -> None:
    contacts = "contact,plan,tags\nvisitor,free,a\nann,,b\n"
    flows = """
journey: who
triggers: [{type: event, event: Came}]
enter_if: {all: [{attribute: plan, eq: free}, {tag: a}, {tag: b}]}
start: stop
nodes: {stop: {type: end}}
"""

    outcome = run(
        tmp_path, flows, [merge("visitor", "ann", "03-02 10:00"), event("ann", "Came", "03-02 10:00")], contacts
    )

    assert outcome.entries() == [("03-02 10:00", "ann")]


@pytest.mark.parametrize(
    ("journey", "until", "end"),
    [
        (PAUSE, None, "03-02 11:00"),
        (WATCHED, None, "03-02 10:00"),
        (PAUSE, "03-02 10:30", "03-02 10:30"),
        (PAUSE, "03-09 10:00", "03-09 10:00"),
    ],
)
def test_the_period_ends_with_the_last_thing_that_happened_or_as_asked(
    tmp_path: Path, journey: str, until: str | None, end: str
) -> None:
    events = [event("ann", "Came", "03-02 10:00")]

    outcome = run(tmp_path, journey, events, until=None if until is None else at(until))

    assert outcome.simulation.span == (at("03-02 10:00"), at(end))


def test_the_period_does_not_end_before_it_begins(tmp_path: Path) -> None:
    outcome = run(tmp_path, PAUSE, [event("ann", "Came", "03-02 10:00")], start=at("03-03 00:00"))

    assert outcome.simulation.span == (at("03-03 00:00"), at("03-03 00:00"))
