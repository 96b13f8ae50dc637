"""Runs that go over to the newest version of their journey (semantics, rule 8.4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.core.test_chapter_8 import ANN
from tests.core.world import World, flow, short

from journeyflow.core.instructions import ResumeMode

MARK = "\nmark: {type: tag, add: [done]}"


def journey(first: str, *lines: str, rest: str = MARK) -> str:
    return flow(f"{first}{rest}", *lines)


def waiting(length: str) -> str:
    return journey(f"pause: {{type: wait, for: {length}, next: mark}}")


def gone(*documents: str, **places: str | None) -> World:
    """Ann goes in at nine on Monday; two days later the second version is published, and she goes over to it."""
    world = World(documents[0]).appear("ann", email=ANN).track("ann", "Go").after("2d")
    for document in documents[1:]:
        world.publish(document)
    return world.migrate("walk", **places)


def steps(world: World, after: str = "moved") -> list[tuple[str, ...]]:
    """The story from the last record of a kind on."""
    story = world.story()
    return story[max(place for place, step in enumerate(story) if step[0] == after) :]


# --- where to --------------------------------------------------------------------------------------------------------


def test_rule_8_4_a_run_goes_to_the_node_of_the_same_name_and_by_the_new_version_from_there() -> None:
    world = gone(waiting("5d"), waiting("5d").replace("[done]", "[new]"))

    assert world.details("moved") == [{"from": "pause", "to": "pause", "from_version": 1}]
    world.after("4d")
    assert world.contact().tags == ["new"]
    assert [record.version for record in world.trail()] == [1, 1, 2, 2, 2, 2, 2]


def test_rule_8_4_a_run_goes_where_the_map_says() -> None:
    new = journey("rest: {type: wait, for: 3d, next: mark}")

    world = gone(waiting("5d"), new, pause="rest")

    assert world.details("moved") == [{"from": "pause", "to": "rest", "from_version": 1}]
    assert steps(world) == [("moved", "rest"), ("waiting", "rest", "2026-03-05T09:00Z")]
    assert world.numbers("walk")["nodes"] == {
        "pause": {"visits": 1, "waiting": 0},
        "rest": {"visits": 1, "waiting": 1},
        "mark": {"visits": 0, "waiting": 0},
    }


def test_rule_8_4_a_run_for_which_there_is_no_place_leaves_and_what_it_queued_is_withdrawn() -> None:
    first = "mail: {type: email, template: letter, next: pause}\npause: {type: wait, for: 5d, next: mark}"

    world = gone(journey(first), waiting("5d"), pause=None)

    assert world.story()[-2:] == [("exited", "migrated"), ("message", "mail", "cancelled", "migrated")]
    assert world.memory.outbox == set()
    assert [record.version for record in world.trail()] == [1] * 5


def test_rule_8_4_a_run_that_stands_where_nobody_was_expected_stays_on_its_version() -> None:
    world = gone(waiting("5d"), journey("rest: {type: wait, for: 3d, next: mark}"))

    assert world.run().version == 1
    assert world.alerts() == [
        f"journey walk, run {world.run().id}: stays on version 1, since version 2 has no place for pause"
    ]
    assert world.after("3d").story()[-1] == ("completed",)


def test_rule_8_4_only_active_runs_of_older_versions_go() -> None:
    world = World(waiting("1h")).track("ann", "Go").after("2h").publish(waiting("5d")).track("bob", "Go").after("1m")
    held_out = flow("pause: {type: wait, for: 1h}", "holdout: 100", name="other", trigger="{type: event, event: Other}")
    world.publish(held_out).track("cid", "Other").after("1m").publish(held_out)

    world.migrate("walk").migrate("other")

    assert "moved" not in {record.kind for record in world.trail()}


# --- how each type of node is taken over -----------------------------------------------------------------------------


def test_rule_8_4_a_wait_keeps_the_time_that_is_over() -> None:
    assert steps(gone(waiting("5d"), waiting("7d"))) == [("moved", "pause"), ("waiting", "pause", "2026-03-09T09:00Z")]


def test_rule_8_4_a_wait_whose_new_length_is_over_goes_on_at_once() -> None:
    world = gone(waiting("5d"), waiting("1d"))

    assert steps(world) == [("moved", "pause"), ("resumed", "pause", "timer"), ("ran", "mark"), ("completed",)]
    assert world.times("completed") == ["2026-03-04T09:00Z"]


def test_rule_8_4_a_wait_that_is_over_in_the_new_version_is_not_late_for_that() -> None:
    world = World(waiting("5d")).track("ann", "Go").after("2d").publish(waiting("1d")).begin_migration("walk")

    world.contacts["ann"].timer_at = world.now  # a task comes by, and nothing has happened
    world.settle()

    assert world.times("completed") == ["2026-03-04T09:00Z"]
    assert "due" not in world.details("resumed")[0]


@pytest.mark.parametrize(
    ("length", "until"),
    [
        ("{type: wait, for: 3d, at: '14:00', next: mark}", "2026-03-05T14:00Z"),
        ("{type: wait, for: 3d, weekdays: [fri], next: mark}", "2026-03-06T09:00Z"),
        ("{type: wait, until_time: {at: '14:00', weekdays: [thu]}, next: mark}", "2026-03-05T14:00Z"),
        ("{type: wait, until: {date: '2026-03-08T09:00Z'}, next: mark}", "2026-03-08T09:00Z"),
        ("{type: wait, until: {attribute: day}, next: mark}", "2026-03-20T09:00Z"),
    ],
)
def test_rule_8_4_a_wait_of_another_form_is_reckoned_from_when_the_run_came(length: str, until: str) -> None:
    world = World(waiting("5d")).appear("ann", day="2026-03-20T09:00:00Z").track("ann", "Go").after("2d")

    world.publish(journey(f"pause: {length}")).migrate("walk")

    assert steps(world) == [("moved", "pause"), ("waiting", "pause", until)]


@pytest.mark.parametrize(
    ("day", "reason"), [("2026-03-03T09:00:00Z", "past"), ("soon", "unreadable"), (None, "missing")]
)
def test_rule_8_4_a_date_that_is_past_or_missing_is_not_waited_for(day: str | None, reason: str) -> None:
    until = "pause: {type: wait, until: {attribute: day}, on_past: late, next: mark}\nlate: {type: tag, add: [late]}"
    world = World(waiting("5d")).appear("ann", day=day).track("ann", "Go").after("2d")

    world.publish(journey(until)).migrate("walk")

    assert steps(world)[:3] == [("moved", "pause"), ("skipped", "pause", reason), ("ran", "late")]


def test_rule_8_4_a_date_that_came_while_the_run_was_waiting_for_its_turn_is_not_past() -> None:
    until = "pause: {type: wait, until: {date: '2026-03-04T10:00Z'}, on_past: late, next: mark}\nlate: {type: end}"
    world = World(journey(until)).track("ann", "Go").after("2d").publish(journey(until)).begin_migration("walk")

    world.engine_down_until("2026-03-04T11:00Z").after("1m")

    assert steps(world)[2:4] == [("resumed", "pause", "timer"), ("ran", "mark")]


LISTEN = """
listen:
  type: wait_for
  cases: [{event: Deed, next: mark}, {when: {tag: vip}, next: mark}]
  timeout: TIMEOUT
"""


def listening(timeout: str) -> str:
    return journey(LISTEN.strip().replace("TIMEOUT", timeout))


def test_rule_8_4_a_wait_for_keeps_the_time_that_is_over_and_listens_to_the_new_cases() -> None:
    world = gone(listening("5d").replace("Deed", "Old"), listening("7d"))

    assert steps(world) == [("moved", "listen"), ("waiting", "listen", "2026-03-09T09:00Z")]
    world.track("ann", "Old").after("1m").track("ann", "Deed")
    assert steps(world)[2:4] == [("resumed", "listen", "event"), ("ran", "listen", "case 0")]


def test_rule_8_4_a_wait_for_whose_new_timeout_is_over_ends_at_once() -> None:
    world = gone(listening("5d"), listening("1d"))

    assert steps(world)[1:3] == [("resumed", "listen", "timeout"), ("ran", "listen", "else")]


def test_rule_8_4_a_wait_for_takes_a_new_case_whose_condition_holds_and_no_event_of_before() -> None:
    world = World(listening("5d").replace("vip", "other").replace("Deed", "Old")).track("ann", "Go").after("1h")
    world.track("ann", "Deed").after("1d").publish(listening("5d")).migrate("walk")
    assert steps(world) == [("moved", "listen"), ("waiting", "listen", "2026-03-07T09:00Z")]

    world.tag("ann", "rare").after("1h").publish(listening("5d").replace("vip", "rare")).migrate("walk")

    assert steps(world)[2:4] == [("resumed", "listen", "condition"), ("ran", "listen", "case 1")]


def test_rule_8_4_a_wait_for_that_never_ends_and_one_that_does() -> None:
    world = gone(listening("never"), listening("3d"))
    assert steps(world) == [("moved", "listen"), ("waiting", "listen", "2026-03-05T09:00Z")]

    world.after("1s").publish(listening("never")).migrate("walk")
    assert steps(world) == [("moved", "listen"), ("waiting", "listen", "for ever")]


def test_rule_8_4_another_type_of_node_is_come_to_anew() -> None:
    world = gone(waiting("5d"), listening("7d"), pause="listen")
    assert steps(world) == [("moved", "listen"), ("waiting", "listen", "2026-03-11T09:00Z")]

    world.after("1s").publish(mailing()).migrate("walk", listen="mail")
    assert steps(world) == [("moved", "mail"), ("message", "mail", "queued"), ("ran", "mark"), ("completed",)]


QUIET = "workspace: shop\nquiet_hours: {from: '21:00', to: '08:00'}\n---\n"
CAPPED = "workspace: shop\nfrequency_caps: [{channel: email, max: 1, per: 5d, when_reached: defer}]\n---\n"


def mailing(name: str = "mail", more: str = "") -> str:
    return journey(f"{name}: {{type: email, template: letter, {more}next: mark}}")


def at_night() -> World:
    world = World(QUIET, mailing(), start="2026-03-02T22:00Z").appear("ann", email=ANN).track("ann", "Go")
    return world.after("1h")


def test_rule_8_4_a_message_that_waits_for_the_morning_goes_out_once_and_as_the_new_version_has_it() -> None:
    world = at_night().publish(mailing(more="subject: New, ")).migrate("walk")

    assert steps(world) == [("moved", "mail"), ("waiting", "mail", "2026-03-03T08:00Z", "quiet_hours")]
    (message,) = world.after("1d").messages()
    assert (message.version, message.overrides) == (2, {"subject": "New"})


def test_rule_8_4_a_message_that_waits_and_gets_another_name_goes_out_once() -> None:
    world = at_night().publish(mailing("letter")).migrate("walk", mail="letter").after("1d")

    assert [(message.node, message.status) for message in world.messages()] == [("letter", "queued")]
    assert world.run().visits == {"mail": 1, "letter": 1, "mark": 1}


def test_rule_8_4_a_message_that_waits_for_its_cap_waits_no_longer_than_seven_days_in_all() -> None:
    other = flow("mail: {type: email, template: letter}", name="other", trigger="{type: event, event: Other}")
    world = World(CAPPED, mailing(), other).appear("ann", email=ANN).track("ann", "Other").after("1m")
    world.track("ann", "Go").after("4d").publish(mailing()).migrate("walk")
    assert steps(world) == [("moved", "mail"), ("waiting", "mail", "2026-03-07T09:00Z", "frequency_cap")]

    world.at("2026-03-07T08:59Z").enroll("ann", "other").after("1s")
    world.memory.sent["ann"].append(world.memory.sent["ann"][0]._replace(queued_at=world.now, id="another"))

    world.after("9d")
    assert world.story()[-3] == ("message", "mail", "skipped", "frequency_cap")
    assert world.times("completed")[-1] == "2026-03-09T09:01Z"


HOOK = "call: {type: webhook, url: 'https://crm.example', save_as: reply, timeout: TIMEOUT, next: mark}"


def calling(timeout: str) -> str:
    return journey(HOOK.replace("TIMEOUT", timeout))


def test_rule_8_4_a_webhook_waits_on_for_the_reply_to_the_call_that_was_made() -> None:
    world = gone(calling("5d"), calling("4d"))
    assert steps(world) == [("moved", "call"), ("waiting", "call", "2026-03-06T09:00Z")]

    world.reply("ann", "call", body={"a": 1})

    assert steps(world)[2:4] == [("resumed", "call", "reply"), ("ran", "call")]
    assert (world.run().vars, len(world.calls())) == ({"reply": {"a": 1}}, 1)


def test_rule_8_4_a_call_does_not_get_more_time_than_it_was_given() -> None:
    assert steps(gone(calling("5d"), calling("9d")))[1] == ("waiting", "call", "2026-03-07T09:00Z")


def test_rule_8_4_the_reply_finds_a_webhook_that_has_got_another_name() -> None:
    world = gone(calling("5d"), calling("5d").replace("call:", "ask:").replace("start: call", "start: ask"), call="ask")
    world.after("1s").publish(calling("5d")).migrate("walk", ask="call")

    world.reply("ann", "call", body=7)

    assert (world.run().vars, world.story()[-1], len(world.calls())) == ({"reply": 7}, ("completed",), 1)
    assert world.run().called_as is None


def test_rule_8_4_where_nobody_waits_for_the_reply_any_more_the_run_goes_on() -> None:
    world = gone(calling("5d"), calling("5d").replace("save_as: reply, ", ""))

    assert steps(world) == [("moved", "call"), ("ran", "call"), ("ran", "mark"), ("completed",)]
    assert world.details("ran")[0] == {"status": None}


# --- held ------------------------------------------------------------------------------------------------------------


def held() -> World:
    """Ann's wait of a day ended on Tuesday; the journey has been paused since Monday at ten, and it is Wednesday."""
    world = World(waiting("1d")).appear("ann", email=ANN).track("ann", "Go").after("1h").pause("walk").after("47h")
    assert world.story()[-1] == ("waiting", "pause", "for ever", "paused")
    return world


@pytest.mark.parametrize("mode", ["now", "over", "shift", "skip"])
def test_rule_8_4_a_run_that_a_pause_holds_stays_held_and_goes_on_as_chosen(mode: ResumeMode) -> None:
    world = held().publish(waiting("12h")).migrate("walk")
    assert steps(world) == [("moved", "pause"), ("waiting", "pause", "for ever", "paused")]
    assert world.run().held_at == world.now - timedelta(hours=36)

    world.at("2026-03-04T10:00Z").resume("walk", mode, "2h").after("3d")

    (end,) = world.times("completed")
    if mode == "over":
        assert "2026-03-04T10:00Z" < end < "2026-03-04T12:00Z"
    else:
        assert end == {"now": "2026-03-04T10:00Z", "shift": "2026-03-04T21:00Z", "skip": "2026-03-04T10:00Z"}[mode]
    assert world.run().version == 2


def test_rule_8_4_a_wait_that_is_not_over_in_the_new_version_is_not_held() -> None:
    world = held().publish(waiting("3d")).migrate("walk")

    assert steps(world) == [("moved", "pause"), ("waiting", "pause", "2026-03-05T09:00Z")]
    assert world.after("2d").story()[-1] == ("waiting", "pause", "for ever", "paused")
    assert world.resume("walk").story()[-1] == ("completed",)


def test_rule_8_4_a_run_that_waits_on_a_paused_journey_is_held_when_its_time_comes() -> None:
    world = World(waiting("5d")).track("ann", "Go").after("2d").pause("walk").publish(waiting("1d")).migrate("walk")

    assert steps(world) == [("moved", "pause"), ("waiting", "pause", "for ever", "paused")]
    assert world.after("1d").resume("walk").times("completed") == ["2026-03-05T09:00Z"]


def test_rule_8_4_a_date_that_came_in_the_pause_is_not_past_afterwards() -> None:
    until = "pause: {type: wait, until: {date: '2026-03-03T09:00Z'}, on_past: late, next: mark}\nlate: {type: end}"
    world = World(journey(until)).track("ann", "Go").after("1h").pause("walk").after("2d").publish(journey(until))

    world.migrate("walk").after("1h").resume("walk")

    assert world.contact().tags == ["done"]


def test_rule_8_4_a_run_that_is_held_before_a_node_stands_before_the_new_one() -> None:
    world = World(listening("5d")).track("ann", "Go").pause("walk").track("ann", "Deed").after("2d")
    assert world.run().held == "node"
    since = world.run().held_at

    world.publish(journey("hello: {type: tag, add: [hello], next: mark}")).migrate("walk", mark="hello")

    assert steps(world) == [("moved", "hello"), ("waiting", "hello", "for ever", "paused")]
    assert world.run().held_at == since
    assert world.after("1s").resume("walk").contact().tags == ["hello", "done"]


def test_rule_8_4_a_held_run_sends_nothing_when_it_goes_to_a_message() -> None:
    world = held().publish(mailing()).migrate("walk", pause="mail")

    assert steps(world) == [("moved", "mail"), ("waiting", "mail", "for ever", "paused")]
    assert world.after("1s").resume("walk", "skip").story()[-3:] == [
        ("skipped", "mail", "past"),
        ("ran", "mark"),
        ("completed",),
    ]


def test_rule_8_4_a_run_that_has_its_place_in_a_spread_keeps_it() -> None:
    world = held().resume("walk", "over", "2h")
    place = world.run().due_at
    assert place is not None
    assert place > world.now

    world.after("1s").publish(mailing()).migrate("walk", pause="mail")

    assert steps(world) == [("moved", "mail"), ("waiting", "mail", short(place), "paused")]
    assert world.after("3h").times("completed") == [short(place)]


def test_rule_8_4_a_run_in_a_spread_whose_new_date_is_past_goes_on_at_its_place() -> None:
    world = held().resume("walk", "over", "2h").after("1s")
    place = world.run().due_at
    assert place is not None
    late = "pause: {type: wait, until: {date: '2026-03-03T12:00Z'}, on_past: late, next: mark}"

    world.publish(journey(f"{late}\nlate: {{type: tag, add: [late]}}")).migrate("walk")

    assert steps(world)[1:] == [("skipped", "pause", "past"), ("waiting", "late", short(place), "paused")]
    assert world.after("3h").times("completed") == [short(place)]
    assert world.contact().tags == ["late"]


def test_rule_8_4_a_node_on_hold_in_the_newest_version_holds_who_goes_there() -> None:
    before = "rest: {type: tag, add: [rested], hold: true, next: mark}"
    world = World(journey(before)).track("ann", "Go").after("1d")
    assert world.story()[-1] == ("waiting", "rest", "for ever", "hold")

    world.publish(journey(before.replace("rest:", "calm:"), rest=MARK)).migrate("walk", rest="calm")
    assert steps(world) == [("moved", "calm"), ("waiting", "calm", "for ever", "hold")]

    world.after("1s").publish(journey("open: {type: tag, add: [opened], next: mark}")).migrate("walk", calm="open")
    assert world.contact().tags == ["opened", "done"]


# --- shifted by a pause ----------------------------------------------------------------------------------------------


def shifted() -> World:
    """Ann waits; a pause of two days was added to her waits."""
    world = World(waiting("5d")).appear("ann", day="2026-03-20T09:00:00Z").track("ann", "Go").after("1h").pause("walk")
    return world.after("2d").resume("walk", "shift").after("1h")


def test_rule_8_4_the_length_of_a_pause_that_was_added_stays_added() -> None:
    world = shifted().publish(waiting("7d")).migrate("walk")
    assert steps(world) == [("moved", "pause"), ("waiting", "pause", "2026-03-11T09:00Z")]

    world.after("1s").publish(waiting("8d")).migrate("walk")
    assert steps(world) == [("moved", "pause"), ("waiting", "pause", "2026-03-12T09:00Z")]


def test_rule_8_4_it_is_not_added_to_another_date() -> None:
    world = shifted().publish(journey("pause: {type: wait, until: {attribute: day}, next: mark}")).migrate("walk")

    assert steps(world) == [("moved", "pause"), ("waiting", "pause", "2026-03-20T09:00Z")]


# --- the new version's rules -----------------------------------------------------------------------------------------


def test_rule_8_4_exit_on_stay_if_and_goals_are_those_of_the_new_version() -> None:
    goal = "goal: {event: Bought, within: 3d}"
    for event, line in (("Left", "exit_on: [{event: Left}]"), ("Bought", goal)):
        world = gone(waiting("5d"), journey("pause: {type: wait, for: 5d, next: mark}", line)).track("ann", event)
        assert world.story()[-1] in (("exited", "exit_on"), ("converted",))

    late = gone(waiting("5d"), journey("pause: {type: wait, for: 5d, next: mark}", goal)).after("25h")
    assert late.track("ann", "Bought").story()[-1][0] != "converted", "it counts from entry"

    stays = gone(waiting("5d"), journey("pause: {type: wait, for: 5d, next: mark}", "stay_if: {tag: vip}"))
    assert stays.after("4d").story()[-1] == ("exited", "stay_if")


# --- its place -------------------------------------------------------------------------------------------------------


def test_rule_8_4_what_arrived_before_is_handled_by_the_version_before() -> None:
    world = World(listening("5d").replace("done", "old")).track("ann", "Go").after("1d").publish(listening("5d"))
    world.begin_migration("walk").engine_down_until("2026-03-03T12:00Z")

    world.track("ann", "Deed", arrived="2026-03-03T08:00Z").after("1m")

    assert world.contact().tags == ["old"]


def test_rule_8_4_whoever_is_touched_first_goes_over_first() -> None:
    world = World(listening("5d").replace("done", "old")).track("ann", "Go").after("1d").publish(listening("5d"))

    world.begin_migration("walk").after("1h").track("ann", "Deed").after("1m")

    assert world.contact().tags == ["done"]
    assert world.details("moved")[0]["due"] == "2026-03-03T09:00:00.000000Z"


def test_rule_8_4_two_migrations_are_followed_one_after_the_other_and_each_once() -> None:
    world = World(waiting("5d")).track("ann", "Go").after("1d")
    world.publish(journey("rest: {type: wait, for: 6d, next: mark}")).begin_migration("walk", pause="rest")
    world.after("1h").publish(journey("calm: {type: wait, for: 7d, next: mark}"))
    world.begin_migration("walk", pause=None, rest="calm").after("1h")

    world.put_wake("ann").put_wake("ann")

    assert [one["to"] for one in world.details("moved")] == ["rest", "calm"]
    assert steps(world) == [("moved", "calm"), ("waiting", "calm", "2026-03-09T09:00Z")]


def test_rule_8_4_who_was_moved_back_by_hand_afterwards_stays_there() -> None:
    world = World(waiting("5d")).track("ann", "Go").after("1d").publish(waiting("5d")).begin_migration("walk")

    world.after("1h").move("ann", world.run().id, "pause", 1).after("1h").put_wake("ann")

    assert world.run().version == 1


@pytest.mark.parametrize(
    ("first", "tag", "end"), [("resume", "done", "2026-03-04T09:00:01Z"), ("migrate", "new", "2026-03-05T09:00Z")]
)
def test_rule_8_4_ends_of_pauses_and_migrations_are_followed_in_order(first: str, tag: str, end: str) -> None:
    """The wait of a day is over before the migration only where the end of the pause comes first."""
    world = held().publish(waiting("3d").replace("done", "new"))
    if first == "resume":
        world.end_pause("walk").engine_down_until("2026-03-04T09:00:01Z").begin_migration("walk")
    else:
        world.begin_migration("walk").engine_down_until("2026-03-04T09:00:01Z").end_pause("walk")

    world.put_wake("ann").after("9d")

    assert (world.contact().tags, world.times("completed")) == ([tag], [end])
