"""Silence, and what time alone changes (semantics, rules 3.6 and 3.7)."""

from __future__ import annotations

import pytest
from tests.core.world import World, flow

MARK = "mark: {type: tag, add: [silent]}"
ALWAYS = "reentry: {policy: always}"


def silence(event: str = "Seen", more: str = "", duration: str = "1d") -> str:
    return flow(MARK, ALWAYS, trigger=f"{{type: inactivity, event: {event}, for: {duration}{more}}}")


# --- 3.6 -------------------------------------------------------------------------------------------------------------


def test_rule_3_6_a_silence_is_over_at_its_exact_instant() -> None:
    world = World(silence(), start="2026-03-02T09:00:00.000007Z")

    world.track("ann", "Seen").after("2d")

    assert world.times("entered") == ["2026-03-03T09:00:00.000007Z"]


def test_rule_3_6_a_silence_fires_once() -> None:
    world = World(silence())

    world.track("ann", "Seen").after("100d").track("ann", "Other").after("100d")

    assert len(world.times("entered")) == 1


def test_rule_3_6_activity_again_then_silence_again_fires_again() -> None:
    world = World(silence())

    world.track("ann", "Seen").after("3d").track("ann", "Seen").after("3d")

    assert world.times("entered") == ["2026-03-03T09:00Z", "2026-03-06T09:00Z"]


def test_rule_3_6_activity_begins_the_silence_anew() -> None:
    world = World(silence())

    world.track("ann", "Seen").after("23h").track("ann", "Seen").after("2d")

    assert world.times("entered") == ["2026-03-04T08:00Z"]


def test_rule_3_6_activity_at_the_very_instant_breaks_the_silence() -> None:
    world = World(silence())

    world.track("ann", "Seen").after("1d").track("ann", "Seen").after("2d")

    assert world.times("entered") == ["2026-03-04T09:00Z"]


def test_rule_3_6_a_silence_that_was_refused_is_over_too() -> None:
    world = World(flow(MARK, "enter_if: {tag: vip}", trigger="{type: inactivity, event: Seen, for: 1d}"))

    world.track("ann", "Seen").after("2d").tag("ann", "vip").after("5d")

    assert [step[0] for step in world.story()] == ["refused"]


def test_rule_3_6_whoever_never_did_it_is_not_silent() -> None:
    world = World(silence())

    world.track("ann", "Other").identify("ann", plan="pro").after("100d")

    assert world.trail() == []


def test_rule_3_6_of_several_events_the_last_counts() -> None:
    world = World(silence("[Seen, Bought]"))

    world.track("ann", "Seen").after("12h").track("ann", "Bought").after("3d")

    assert world.times("entered") == ["2026-03-03T21:00Z"]
    assert world.details("entered")[0]["properties"] == {"event": "Bought", "last_at": "2026-03-02T21:00:00.000000Z"}


def test_rule_3_6_only_events_that_its_where_takes_count() -> None:
    world = World(silence(more=", where: {property: page, eq: shop}"))

    world.track("ann", "Seen", page="shop").after("12h").track("ann", "Seen", page="blog").after("3d")

    assert world.times("entered") == ["2026-03-03T09:00Z"]


@pytest.mark.parametrize("condition", ["{attribute: plan, eq: pro}", "{property: page, eq: {ref: contact.page}}"])
def test_rule_3_6_its_where_may_ask_for_more_than_the_event(condition: str) -> None:
    world = World(silence(more=f", where: {condition}"))
    world.appear("ann", plan="pro", page="shop").appear("bob")

    world.track("ann", "Seen", page="shop").track("bob", "Seen", page="blog").after("3d")

    assert world.times("entered") == ["2026-03-03T09:00Z"]
    assert world.times("entered", "bob") == []


def test_rule_3_6_imported_events_start_the_clock_too() -> None:
    world = World(silence(duration="30d"))

    world.track("ann", "Seen", occurred="2026-02-20T09:00Z", imported=True).after("60d")

    assert world.times("entered") == ["2026-03-22T09:00Z"]


def test_rule_3_6_who_is_silent_already_on_publishing_does_not_enter() -> None:
    world = World()
    world.track("ann", "Seen").track("bob", "Seen").after("1d").track("bob", "Seen").after("1h")

    world.publish(silence()).after("30d")

    assert world.times("entered", "ann") == []
    assert world.times("entered", "bob") == ["2026-03-04T09:00Z"]


def test_rule_3_6_whose_silence_ends_in_the_instant_of_publishing_is_silent_already() -> None:
    world = World()
    world.track("ann", "Seen").after("1d")

    world.publish(silence()).after("30d")

    assert world.trail() == []


def test_rule_3_6_a_new_version_with_the_same_silence_goes_on_watching() -> None:
    world = World(silence())
    world.track("ann", "Seen").track("bob", "Seen").after("12h")

    world.publish(silence()).after("1d")
    world.publish(silence()).after("30d")

    assert world.times("entered") == ["2026-03-03T09:00Z"]
    assert world.run().version == 2


def test_rule_3_6_a_silence_does_not_end_while_nobody_may_enter() -> None:
    world = World(silence())

    world.pause("walk").track("ann", "Seen").after("5d")

    assert world.trail() == []


# --- 3.7 -------------------------------------------------------------------------------------------------------------


def waiting_for(condition: str) -> str:
    return flow(f"listen: {{type: wait_for, cases: [{{when: {condition}, next: end}}], timeout: 400d}}")


@pytest.mark.parametrize(
    ("condition", "instant"),
    [
        ("{event: Seen, within: 3h, count: {eq: 0}}", "2026-03-02T12:00Z"),
        ("{not: {event: Seen, within: 90m}}", "2026-03-02T10:30Z"),
        ("{event: Seen, within: 3h, sum: total, lt: 10}", "2026-03-02T12:00Z"),
        ("{event: Seen, where: {property: until, before: 1h}}", "2026-03-02T19:00:00.000001Z"),
        ("{not: {event: Seen, where: {property: until, after: 2h}}}", "2026-03-02T18:00Z"),
        ("{attribute: renewal, before: 7d}", "2026-03-13T00:00:00.000001Z"),
        ("{not: {attribute: renewal, after: 7d}}", "2026-03-13T00:00Z"),
        ("{attribute: seen_at, before: -1d}", "2026-03-03T09:00:00.000001Z"),
        ("{attribute: born, anniversary_in: 3d}", "2026-03-17T00:00Z"),
        ("{local_time: {from: '18:00'}}", "2026-03-02T18:00Z"),
        ("{local_time: {weekdays: [wed]}}", "2026-03-04T00:00Z"),
        ("{all: [{local_time: {weekdays: [wed]}}, {local_time: {from: '06:00', to: '07:00'}}]}", "2026-03-04T06:00Z"),
        ("{any: [{attribute: renewal, before: 7d}, {not: {event: Seen, within: 3h}}]}", "2026-03-02T12:00Z"),
    ],
)
def test_rule_3_7_what_time_alone_changes_happens_at_that_exact_instant(condition: str, instant: str) -> None:
    world = World(waiting_for(condition))
    world.appear("ann", renewal="2026-03-20", seen_at="2026-03-02T09:00Z", born="1980-03-20")

    world.track("ann", "Seen", total=10, until="2026-03-02T20:00Z").track("ann", "Go").after("30d")

    assert world.times("resumed") == [instant]
    assert world.details("resumed") == [{"by": "condition"}]


def test_rule_3_7_a_window_that_a_later_event_prolongs_ends_later() -> None:
    world = World(waiting_for("{event: Seen, within: 3h, count: {eq: 0}}"))

    world.track("ann", "Seen").track("ann", "Go").after("2h").track("ann", "Seen").after("10h")

    assert world.times("resumed") == ["2026-03-02T14:00Z"]


def test_rule_3_7_local_times_are_those_of_the_contact() -> None:
    world = World(waiting_for("{local_time: {from: '18:00'}}"))
    world.appear("ann", timezone="Europe/Warsaw").appear("bob", timezone="Nowhere/Else")

    world.track("ann", "Go").track("bob", "Go").after("10h")

    assert world.times("resumed", "ann") == ["2026-03-02T17:00Z"]
    assert world.times("resumed", "bob") == ["2026-03-02T18:00Z"]


def test_rule_3_7_nothing_is_polled() -> None:
    world = World(waiting_for("{event: Seen, within: 300d, count: {eq: 0}}"))
    world.track("ann", "Seen").track("ann", "Go").settle()
    so_far = len(world.effects)

    world.after("300d").settle()

    assert len(world.effects) == so_far + 1
