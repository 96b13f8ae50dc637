"""Walking: how long a run waits, where the clock is changed, and dates that move (semantics, rules 4.3 to 4.5)."""

from __future__ import annotations

import pytest
from tests.core.world import Step, World, flow

from journeyflow.core.values import JSON

WARSAW = "timezone: Europe/Warsaw"
"""Where the clock goes forward on 29 March 2026 at 02:00 (01:00Z) and back on 25 October at 03:00 (01:00Z)."""


def until(wait: str, *lines: str, start: str = "2026-03-02T14:00Z", **attributes: JSON) -> str:
    """The instant at which a wait that is begun at ``start`` ends."""
    world = World(flow(f"pause: {{type: wait, {wait}}}", *lines), start=start)
    world.appear("ann", attributes=attributes).track("ann", "Go")
    assert world.run().active, "the run waits"
    world.after("400d")
    assert [step[0] for step in world.story()] == ["entered", "waiting", "resumed", "completed"]
    (waiting,) = [step for step in world.story() if step[0] == "waiting"]
    assert world.times("resumed") == [waiting[2]], "it wakes when it said"
    return waiting[2]


def at_once(wait: str, attributes: dict[str, JSON] | None = None) -> Step:
    """What a wait that does not stand writes."""
    world = World(flow(f"pause: {{type: wait, {wait}}}"), start="2026-03-02T14:00Z")
    world.appear("ann", attributes=attributes).track("ann", "Go")
    assert [step[0] for step in world.story()][2:] == ["completed"]
    return world.story()[1]


# --- 4.3, 4.4 --------------------------------------------------------------------------------------------------------


def test_rule_4_3_two_days_are_forty_eight_hours() -> None:
    assert until("for: 2d") == "2026-03-04T14:00Z"


def test_rule_4_3_two_days_are_forty_eight_hours_also_when_the_clock_is_changed() -> None:
    assert until("for: 2d", WARSAW, start="2026-03-28T14:00Z") == "2026-03-30T14:00Z"


@pytest.mark.parametrize(
    ("weekdays", "ends"),
    [("[wed]", "2026-03-04T14:00Z"), ("[mon, fri]", "2026-03-06T14:00Z"), ("[tue]", "2026-03-10T14:00Z")],
)
def test_rule_4_3_weekdays_move_the_end_to_the_same_local_time_of_the_next_allowed_day(
    weekdays: str, ends: str
) -> None:
    assert until(f"for: 2d, weekdays: {weekdays}") == ends


def test_rule_4_3_the_weekday_is_that_of_where_the_contact_is() -> None:
    """Sunday 22:30Z is already Monday in Warsaw; the clock there goes forward on the 29th."""
    assert until("for: 1d, weekdays: [mon]", start="2026-03-07T22:30Z") == "2026-03-09T22:30Z"
    assert until("for: 1d, weekdays: [mon]", WARSAW, start="2026-03-07T23:30Z") == "2026-03-08T23:30Z"
    assert until("for: 1d, weekdays: [mon]", WARSAW, start="2026-03-27T12:00Z") == "2026-03-30T11:00Z"


@pytest.mark.parametrize(
    ("wait", "ends"),
    [
        ("for: 2d, at: '09:00'", "2026-03-04T09:00Z"),
        ("for: 1d, at: '23:00'", "2026-03-03T23:00Z"),
        ("for: 0d, at: '15:00'", "2026-03-02T15:00Z"),
        ("for: 0d, at: '09:00'", "2026-03-03T09:00Z"),
        ("for: 2w, at: '09:00'", "2026-03-16T09:00Z"),
        ("for: 2d, at: '09:00', weekdays: [sat]", "2026-03-07T09:00Z"),
        ("for: 0d, at: '09:00', weekdays: [mon]", "2026-03-09T09:00Z"),
    ],
)
def test_rule_4_3_with_at_it_is_that_many_local_calendar_days_later_at_that_time(wait: str, ends: str) -> None:
    assert until(wait) == ends


def test_rule_4_3_zero_days_include_now() -> None:
    assert at_once("for: 0d, at: '14:00'") == ("ran", "pause")
    assert at_once("for: 0s") == ("ran", "pause")
    assert until("for: 0d, at: '14:00'", start="2026-03-02T14:00:00.000001Z") == "2026-03-03T14:00Z"


def test_rule_4_3_the_days_are_those_of_where_the_contact_is() -> None:
    assert until("for: 1d, at: '09:00'", start="2026-03-02T23:30Z") == "2026-03-03T09:00Z"
    assert until("for: 1d, at: '09:00'", WARSAW, start="2026-03-02T23:30Z") == "2026-03-04T08:00Z"
    assert until("for: 1d, at: '09:00'", WARSAW, start="2026-03-02T23:30Z", timezone="UTC") == "2026-03-03T09:00Z"


def test_rule_4_3_a_zone_that_the_run_itself_changed_counts_from_the_next_node_on() -> None:
    nodes = """
    ask: {type: branch, cases: [{when: {local_time: {from: '23:00'}}, next: end}], else: move}
    move: {type: update, set: {timezone: America/New_York}, next: pause}
    pause: {type: wait, until_time: {at: '18:00'}}
    """
    world = World(flow(nodes)).track("ann", "Go")

    assert world.story()[-1] == ("waiting", "pause", "2026-03-02T23:00Z")


@pytest.mark.parametrize(
    ("time", "start", "ends"),
    [
        ("02:30", "2026-03-28T12:00Z", "2026-03-29T01:00Z"),  # skipped: the first instant after the gap
        ("02:00", "2026-03-28T12:00Z", "2026-03-29T01:00Z"),
        ("03:00", "2026-03-28T12:00Z", "2026-03-29T01:00Z"),
        ("02:30", "2026-10-24T12:00Z", "2026-10-25T00:30Z"),  # twice: the first
        ("09:00", "2026-03-28T12:00Z", "2026-03-29T07:00Z"),
        ("09:00", "2026-10-24T12:00Z", "2026-10-25T08:00Z"),
    ],
)
@pytest.mark.parametrize("form", ["for: 1d, at: 'TIME'", "for: 0d, at: 'TIME'", "until_time: {at: 'TIME'}"])
def test_rule_4_4_local_times_that_a_clock_change_skips_or_repeats(form: str, time: str, start: str, ends: str) -> None:
    assert until(form.replace("TIME", time), WARSAW, start=start) == ends


@pytest.mark.parametrize(
    ("local", "ends"),
    [("2026-03-29T02:30", "2026-03-29T01:00Z"), ("2026-10-25T02:30", "2026-10-25T00:30Z")],
)
def test_rule_4_4_an_instant_without_an_offset_is_local(local: str, ends: str) -> None:
    assert until(f"until: {{date: '{local}'}}", WARSAW, start="2026-03-28T12:00Z") == ends
    assert until("until: {attribute: day}", WARSAW, start="2026-03-28T12:00Z", day=local) == ends


# --- 4.5 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wait", "ends"),
    [
        ("until: {attribute: day}", "2026-03-20T00:00Z"),
        ("until: {attribute: day, at: '09:30'}", "2026-03-20T09:30Z"),
        ("until: {attribute: day, offset: -3d}", "2026-03-17T00:00Z"),
        ("until: {attribute: day, offset: -3d, at: '09:30'}", "2026-03-17T09:30Z"),
        ("until: {attribute: day, offset: 36h}", "2026-03-21T12:00Z"),
        ("until: {attribute: day, offset: 36h, at: '09:30'}", "2026-03-21T09:30Z"),
        ("until: {attribute: flight.departs, offset: -90m}", "2026-03-09T14:30Z"),
        ("until: {property: day}", "2026-04-01T00:00Z"),
        ("until: {date: '2026-03-03'}", "2026-03-03T00:00Z"),
        ("until: {date: '2026-03-03T10:00+02:00'}", "2026-03-03T08:00Z"),
        ("until_time: {at: '14:30'}", "2026-03-02T14:30Z"),
        ("until_time: {at: '13:30'}", "2026-03-03T13:30Z"),
        ("until_time: {at: '13:30', weekdays: [sat, sun]}", "2026-03-07T13:30Z"),
    ],
)
def test_rule_4_5_a_wait_until_ends_at_its_instant(wait: str, ends: str) -> None:
    world = World(flow(f"pause: {{type: wait, {wait}}}"), start="2026-03-02T14:00Z")

    world.appear("ann", day="2026-03-20", flight={"departs": "2026-03-09T16:00:00Z"})
    world.track("ann", "Go", day="2026-04-01").after("400d")

    assert world.times("resumed") == [ends]


@pytest.mark.parametrize(
    ("offset", "ends"),
    [
        ("offset: 1d", "2026-03-29T09:00Z"),
        ("offset: 24h", "2026-03-29T09:00Z"),
        ("offset: 1d, at: '10:00'", "2026-03-29T08:00Z"),
    ],
)
def test_rule_4_5_a_day_of_an_offset_is_24_hours_unless_there_is_an_at(offset: str, ends: str) -> None:
    """In Warsaw the clock goes on between 28 March 10:00 and the next day's 10:00."""
    wait = f"until: {{attribute: day, {offset}}}"
    assert until(wait, WARSAW, start="2026-03-27T12:00Z", day="2026-03-28T10:00") == ends


PAST = [
    ("until: {date: '2026-03-02T13:59:59.999999Z'}", "past"),
    ("until: {attribute: past}", "past"),
    ("until: {attribute: missing}", "missing"),
    ("until: {attribute: nothing}", "missing"),
    ("until: {attribute: word}", "unreadable"),
    ("until: {attribute: number}", "unreadable"),
    ("until: {property: missing}", "missing"),
    ("until: {attribute: far, offset: 36500d}", "unreadable"),
]
ATTRIBUTES: dict[str, JSON] = {"past": "2020-01-01", "nothing": None, "word": "soon", "number": 5, "far": "9999-12-31"}


@pytest.mark.parametrize(("wait", "reason"), PAST)
def test_rule_4_5_what_is_past_missing_or_unreadable_goes_on_at_once(wait: str, reason: str) -> None:
    assert at_once(wait, ATTRIBUTES) == ("skipped", "pause", reason)


@pytest.mark.parametrize(("wait", "reason"), PAST)
def test_rule_4_5_by_on_past_where_given(wait: str, reason: str) -> None:
    nodes = f"""
    pause: {{type: wait, {wait}, on_past: late, next: wrong}}
    late: {{type: tag, add: [late]}}
    wrong: {{type: tag, add: [wrong]}}
    """
    world = World(flow(nodes), start="2026-03-02T14:00Z")

    world.appear("ann", attributes=ATTRIBUTES).track("ann", "Go")

    assert world.story()[1:3] == [("skipped", "pause", reason), ("ran", "late")]


def test_rule_4_5_exactly_now_is_not_past() -> None:
    nodes = """
    pause: {type: wait, until: {attribute: day}, on_past: wrong, next: right}
    wrong: {type: tag, add: [wrong]}
    right: {type: tag, add: [right]}
    """
    world = World(flow(nodes))

    world.appear("ann", day="2026-03-02T09:00Z").track("ann", "Go")

    assert world.story()[1:3] == [("ran", "pause"), ("ran", "right")]
    assert world.details("ran")[0] == {}


FOLLOWING = """
pause: {type: wait, until: {attribute: trip.day}, on_past: late, next: right}
late: {type: tag, add: [late]}
right: {type: tag, add: [right]}
"""


def test_rule_4_5_a_changed_date_moves_the_wait() -> None:
    world = World(flow(FOLLOWING))
    world.appear("ann", trip={"day": "2026-03-20"}).track("ann", "Go").after("1d")

    world.identify("ann", trip={"day": "2026-03-30"}).after("1d").identify("ann", trip={"day": "2026-03-10"})
    world.after("30d")

    assert world.story()[1:] == [
        ("waiting", "pause", "2026-03-20T00:00Z"),
        ("waiting", "pause", "2026-03-30T00:00Z"),
        ("waiting", "pause", "2026-03-10T00:00Z"),
        ("resumed", "pause", "timer"),
        ("ran", "right"),
        ("completed",),
    ]
    assert world.times("resumed") == ["2026-03-10T00:00Z"]


def test_rule_4_5_a_change_of_something_else_writes_nothing() -> None:
    world = World(flow(FOLLOWING))
    world.appear("ann", trip={"day": "2026-03-20"}).track("ann", "Go").after("1d").settle()
    so_far = world.story()

    world.identify("ann", trip={"day": "2026-03-20", "to": "Rome"}).track("ann", "Seen").tag("ann", "vip")

    assert world.story() == so_far


@pytest.mark.parametrize("trip", [None, {"day": None}, {"day": "soon"}, {"day": "2026-03-01"}])
def test_rule_4_5_a_date_that_is_removed_or_past_ends_the_wait(trip: JSON) -> None:
    world = World(flow(FOLLOWING))
    world.appear("ann", trip={"day": "2026-03-20"}).track("ann", "Go").after("1d")

    world.identify("ann", trip=trip)

    assert world.story()[2:] == [("resumed", "pause", "condition"), ("ran", "late"), ("completed",)]


def test_rule_4_5_a_date_that_is_changed_to_this_very_instant_is_not_past() -> None:
    world = World(flow(FOLLOWING))
    world.appear("ann", trip={"day": "2026-03-20"}).track("ann", "Go").after("1d")

    world.identify("ann", trip={"day": "2026-03-03T09:00Z"})

    assert world.story()[2:] == [("resumed", "pause", "condition"), ("ran", "right"), ("completed",)]


def test_rule_4_5_a_local_date_follows_the_contact_to_another_zone() -> None:
    world = World(flow(FOLLOWING))
    world.appear("ann", trip={"day": "2026-03-20"}).track("ann", "Go").after("1d")

    world.identify("ann", timezone="America/New_York")

    assert world.story()[-1] == ("waiting", "pause", "2026-03-20T04:00Z")


def test_rule_4_5_a_property_stays_what_it_was() -> None:
    world = World(flow("pause: {type: wait, until: {property: day}}"))

    world.track("ann", "Go", day="2026-03-20").after("1d").track("ann", "Go", day="2026-03-25").after("60d")

    assert world.times("resumed") == ["2026-03-20T00:00Z"]
