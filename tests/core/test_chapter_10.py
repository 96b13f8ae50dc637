"""One person, two contacts (semantics, chapter 10)."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.core.world import World, flow

from journeyflow.core.contact import Aggregate, Contact, Coupon, Entry, Run
from journeyflow.core.inputs import Event
from journeyflow.core.merge import RULES, join, join_aggregates, join_entries

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAUSE = "pause: {type: wait, for: 1h, next: label}\nlabel: {type: tag, add: [waited]}"
TOPICS = "workspace: shop\ntopics: [{id: offers, name: Offers}, {id: tips, name: Tips, default: unsubscribed}]\n---\n"
LETTER = flow("mail: {type: email, template: letter, topic: offers}", "reentry: {policy: always}")


# --- 10.1 ------------------------------------------------------------------------------------------------------------


def test_rule_10_1_what_was_anonymous_is_the_known_one_from_then_on() -> None:
    world = World(flow(PAUSE))
    world.appear("ann").track("visitor", "Go").at("09:20").merge("visitor", "ann")

    assert world.at("12:00").contact("ann").tags == ["waited"]
    assert "visitor" not in world.contacts
    assert [(one.contact, one.kind) for one in world.trail()] == [
        ("visitor", "entered"),
        ("visitor", "waiting"),
        ("ann", "resumed"),
        ("ann", "ran"),
        ("ann", "completed"),
    ]


def test_rule_10_1_a_known_contact_that_was_not_there_comes_into_being() -> None:
    world = World(flow(PAUSE, trigger="{type: contact, change: created}"))
    world.identify("visitor", plan="gold").at("10:00").merge("visitor", "ann")

    ann = world.contact("ann")
    assert (ann.created_at, ann.attributes) == (NOW, {"plan": "gold"})
    assert world.numbers("walk")["entered"] == 1, "it is new only once"


def test_rule_10_1_nobody_merged_into_nobody_is_nobody_yet() -> None:
    world = World(flow(PAUSE, trigger="{type: contact, change: created}"))
    world.merge("visitor", "ann")
    assert not world.contact("ann").exists

    world.track("visitor", "Came")
    assert world.contact("ann").exists
    assert world.numbers("walk")["entered"] == 1


def test_rule_10_1_at_one_instant_events_go_where_the_merge_found_them() -> None:
    world = World(flow("done: {type: end}", "reentry: {policy: always}"))
    world.appear("ann").settle()
    world.track("visitor", "Go", n=1).merge("visitor", "ann").track("visitor", "Go", n=2).track("ann", "Go", n=3)

    entered = [(one.contact, one.detail["properties"]) for one in world.trail() if one.kind == "entered"]
    assert entered == [("visitor", {"n": 1}), ("ann", {"n": 2}), ("ann", {"n": 3})]


@pytest.mark.parametrize("runner", ["visitor", "ann"])
def test_rule_10_1_a_merge_at_the_very_end_of_a_wait_comes_before_it(runner: str) -> None:
    world = World(flow(PAUSE, "stay_if: {not: {tag: leave-alone}}"))
    world.appear("ann", *(["leave-alone"] if runner == "visitor" else []))
    world.appear("visitor", *(["leave-alone"] if runner == "ann" else [])).track(runner, "Go").at("10:00")

    world.merge("visitor", "ann")
    assert world.times("exited") == ["2026-03-02T10:00Z"]
    assert world.contact("ann").tags == ["leave-alone"]


# --- 10.2 ------------------------------------------------------------------------------------------------------------


def test_rule_10_2_the_known_ones_attributes_win_and_tags_are_joined() -> None:
    world = World(flow(PAUSE))
    world.appear("ann", "a", "both", first_name="Ann", address={"city": "Oslo"}).at("09:30")
    world.appear("visitor", "both", "v", first_name="?", address={"zip": "1"}, plan="gold").merge("visitor", "ann")

    ann = world.contact("ann")
    assert ann.attributes == {"first_name": "Ann", "address": {"city": "Oslo"}, "plan": "gold"}
    assert ann.tags == ["a", "both", "v"]
    assert ann.created_at == NOW


@pytest.mark.parametrize(
    ("mine", "theirs", "joined"),
    [
        (True, False, False),
        (False, True, False),
        (None, False, False),
        (False, None, False),
        (None, True, True),
        (True, None, True),
        (True, True, True),
        (None, None, None),
    ],
)
def test_rule_10_2_an_explicit_unsubscribe_on_either_side_wins(
    mine: bool | None, theirs: bool | None, joined: bool | None
) -> None:
    world = World(TOPICS, LETTER)
    world.appear("ann").appear("visitor")
    for contact, consent in (("ann", mine), ("visitor", theirs)):
        if consent is not None:
            world.topics(contact, tips=consent)
    world.settle().merge("visitor", "ann")

    assert world.contact("ann").topics.get("tips") == joined


@pytest.mark.parametrize("name", ["Email Marked as Spam", "Unsubscribed"])
@pytest.mark.parametrize("sinner", ["ann", "visitor"])
def test_rule_10_2_suppression_and_unsubscribing_from_everything_win_on_either_side(name: str, sinner: str) -> None:
    world = World(TOPICS, LETTER)
    world.appear("ann", email="ann@example.com").appear("visitor", email="other@example.com")
    world.track(sinner, name).settle().merge("visitor", "ann").track("ann", "Go")

    reason = "suppressed" if name == "Email Marked as Spam" else "unsubscribed"
    assert [(one.to, one.reason) for one in world.messages("ann")] == [("ann@example.com", reason)]


def test_rule_10_2_conditions_answer_as_if_all_events_had_been_the_known_ones() -> None:
    world = World(
        flow(
            """
            ask:
              type: branch
              cases:
                - when: {all: [
                    {event: Seen, count: {eq: 3}},
                    {event: Seen, where: {property: page, eq: cart}, count: {eq: 2}},
                    {event: Seen, sum: n, eq: 7},
                    {event: Seen, max: n, eq: 4},
                    {event: Seen, within: 30m, count: {eq: 2}}]}
                  next: yes
            yes: {type: tag, add: ["yes"]}
            """
        )
    )
    world.track("ann", "Seen", page="cart", n=1).at("10:00").track("visitor", "Seen", page="tea", n=4)
    world.at("10:10").track("ann", "Seen", page="cart", n=2).merge("visitor", "ann").at("10:20").track("ann", "Go")

    assert world.contact("ann").tags == ["yes"], world.story()


def test_rule_10_2_counts_that_only_one_side_has_asked_for_are_whole() -> None:
    world = World(flow("done: {type: end}"))
    for contact in ("ann", "visitor"):
        world.track(contact, "Seen", page="cart")
    leaf = "{event: Seen, where: {property: page, eq: cart}, count: {gte: 1}}"
    world.publish(flow(f"ask: {{type: branch, cases: [{{when: {leaf}, next: end}}]}}", "reentry: {policy: always}"))
    world.at("10:00").track("ann", "Go").merge("visitor", "ann").track("ann", "Seen", page="cart")

    assert [kept.count for kept in world.contact("ann").leaves.values()] == [3]


@pytest.mark.parametrize("runner", ["ann", "visitor"])
def test_rule_10_2_since_entry_goes_by_the_instant_on_both_sides(runner: str) -> None:
    other = "visitor" if runner == "ann" else "ann"
    count = "{event: Seen, since: entry, count: {eq: 1}}"
    nodes = f"pause: {{type: wait, for: 1h, next: ask}}\nask: {{type: branch, cases: [{{when: {count}, next: end}}]}}"
    world = World(flow(nodes))
    world.track(other, "Seen").at("09:10").track(runner, "Go").at("09:20").track(other, "Seen")
    world.at("09:30").merge("visitor", "ann").at("11:00")

    assert [one["case"] for one in world.details("ran")] == [0]


@pytest.mark.parametrize("key", [None, "trigger.id"])
def test_rule_10_2_once_knows_the_entries_of_both(key: str | None) -> None:
    world = World(flow("done: {type: end}", *([] if key is None else [f"key: {key}"])))
    world.track("visitor", "Go", id=1).at("10:00").merge("visitor", "ann").at("11:00").track("ann", "Go", id=1)

    assert [one["reason"] for one in world.details("refused")] == ["reentry"]


@pytest.mark.parametrize("key", [None, "trigger.id"])
def test_rule_10_2_entries_of_both_are_counted_so_that_no_run_has_anothers_id(key: str | None) -> None:
    always = ["reentry: {policy: always}", *([] if key is None else [f"key: {key}"])]
    world = World(flow("done: {type: end}", *always))
    for contact in ("ann", "visitor", "ann", "visitor"):
        world.track(contact, "Go", id=1)
    world.merge("visitor", "ann").at("10:00").track("ann", "Go", id=1).track("visitor", "Go", id=1)

    entered = {one.run for one in world.trail() if one.kind == "entered"}
    assert len(entered) == 6


def test_rule_10_2_a_message_id_that_either_has_had_is_had() -> None:
    world = World(flow("done: {type: end}", "reentry: {policy: always}"))
    world.track("visitor", "Go", message_id="m1").at("10:00").merge("visitor", "ann")
    world.track("ann", "Go", message_id="m1").track("visitor", "Go", message_id="m1")

    assert world.numbers("walk")["entered"] == 1


def test_rule_10_2_a_run_moves_with_its_id_arms_visits_and_due_time() -> None:
    world = World(flow(PAUSE))
    world.track("visitor", "Go").at("09:20")
    before = replace(world.run("visitor"))
    world.appear("ann").track("ann", "Other").merge("visitor", "ann").settle()

    (moved,) = world.contact("ann").runs
    for one in fields(Run):
        if one.name != "entered_event":
            assert getattr(moved, one.name) == getattr(before, one.name)
    assert moved.entered_event == before.entered_event + 1
    assert world.contact("ann").timer_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize(("first", "second"), [("ann", "visitor"), ("visitor", "ann")])
def test_rule_10_2_of_two_active_runs_the_older_stays(first: str, second: str) -> None:
    world = World(flow(PAUSE))
    world.track(first, "Go").at("09:10").track(second, "Go").at("09:20").merge("visitor", "ann")

    (exited,) = [one for one in world.trail() if one.kind == "exited"]
    entered = [one.run for one in world.trail() if one.kind == "entered"]
    assert (exited.run, exited.contact, exited.detail) == (entered[1], "ann", {"reason": "merged"})
    assert world.at("10:00").times("completed") == ["2026-03-02T10:00Z"]
    assert world.numbers("walk")["exited"] == {"merged": 1}


def test_rule_10_2_runs_of_different_keys_all_stay() -> None:
    world = World(flow(PAUSE, "key: trigger.id"))
    world.track("visitor", "Go", id=1).track("ann", "Go", id=2).merge("visitor", "ann")

    assert sorted(run.key for run in world.contact("ann").runs) == ["1", "2"]


def test_rule_10_2_what_the_run_that_leaves_queued_is_withdrawn() -> None:
    nodes = "mail: {type: email, template: letter, next: pause}\npause: {type: wait, for: 1h}"
    world = World(flow(nodes))
    world.appear("ann", email="ann@example.com").appear("visitor", email="ann@example.com")
    world.track("ann", "Go").at("09:10").track("visitor", "Go").at("09:20").merge("visitor", "ann").settle()

    kept, withdrawn = (one.id for one in world.messages())
    assert withdrawn not in world.memory.outbox
    assert kept in world.memory.outbox
    assert [one["reason"] for one in world.details("message") if one["outcome"] == "cancelled"] == ["merged"]


def test_rule_10_2_a_goal_of_an_ended_run_is_reached_by_the_known_one() -> None:
    world = World(flow("done: {type: end}", "goal: {event: Bought, within: 1d, value: total}"))
    world.track("visitor", "Go").at("10:00").merge("visitor", "ann").at("11:00").track("ann", "Bought", total=9)

    assert [one["value"] for one in world.details("converted")] == [9]


def test_rule_10_2_codes_come_along_and_are_redeemed_where_they_were_given() -> None:
    world = World(
        "coupon_pool: ten\ncodes: generated\n---\n",
        flow("code: {type: coupon, pool: ten}", "reentry: {policy: always}"),
    )
    world.track("visitor", "Go").at("10:00").merge("visitor", "ann").track("ann", "Go")
    (first, second) = (one["code"] for kind in ("visitor", "ann") for one in world.details("ran", kind))
    assert first == second, "the same contact in the same journey gets its unused code again"

    world.track("ann", "Coupon Redeemed", code=first).settle()
    assert [one[:3] for effects in world.effects for one in effects.redeemed] == [("visitor", "ten", first)]


def test_rule_10_2_a_no_to_everything_is_a_no_by_every_channel_of_both() -> None:
    world = World(TOPICS, LETTER)
    world.appear("ann", email="ann@example.com").appear("visitor", email="v@example.com", phone="+48600100200")
    world.track("ann", "Unsubscribed").settle().merge("visitor", "ann").settle()

    view = {channel: world.memory.address(channel, text) for channel, text in REACHED.items()}
    assert {channel: one.unsubscribed for channel, one in view.items()} == {"email": True, "sms": True}


REACHED = {"email": "ann@example.com", "sms": "+48600100200"}


def test_rule_10_2_the_messages_of_both_count_for_caps_and_conditions() -> None:
    seen = "{message: {channel: email, last: 2, settled: 0s}, opened: {eq: 1}}"
    world = World(
        "workspace: shop\nfrequency_caps: [{channel: email, max: 2, per: 7d}]\n---\n",
        flow("mail: {type: email, template: letter}", "reentry: {policy: always}"),
        flow(
            f"ask: {{type: branch, cases: [{{when: {seen}, next: end}}]}}",
            name="asking",
            trigger="{type: event, event: Ask}",
        ),
    )
    world.appear("ann", email="ann@example.com").appear("visitor", email="ann@example.com")
    world.track("visitor", "Go").at("09:10").track("ann", "Go").send_queued()
    world.at("09:20").track("visitor", "Email Opened").merge("visitor", "ann")
    world.at("09:30").track("ann", "Go").at("09:40").track("ann", "Ask")

    assert [one.reason for one in world.messages()] == [None, None, "frequency_cap"]
    assert [one["case"] for one in world.details("ran")] == [0]


# --- 10.3 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trigger",
    [
        "{type: tag, added: v}",
        "{type: contact, change: updated, attribute: plan}",
        "{type: contact, change: created}",
        "{type: event, event: '*'}",
    ],
)
def test_rule_10_3_a_merge_lets_nobody_in(trigger: str) -> None:
    world = World(start="2026-03-02T08:00Z")
    world.appear("visitor", "v", plan="gold").track("visitor", "Seen").settle()
    world.publish(flow("done: {type: end}", trigger=trigger))
    world.merge("visitor", "ann").at("10:00")

    assert world.trail() == []


def test_rule_10_3_stay_if_is_asked_once_after_it() -> None:
    world = World(flow(PAUSE, "stay_if: {not: {tag: leave-alone}}"))
    world.track("visitor", "Go").appear("ann", "leave-alone").at("09:10").merge("visitor", "ann")

    (exited,) = world.details("exited")
    assert exited["reason"] == "stay_if"
    assert world.times("exited") == ["2026-03-02T09:10Z"]


@pytest.mark.parametrize("runner", ["ann", "visitor"])
def test_rule_10_3_the_conditions_of_a_wait_for_are_asked_after_it(runner: str) -> None:
    other = "visitor" if runner == "ann" else "ann"
    case = "{when: {event: Seen, count: {gte: 2}}, next: end}"
    world = World(flow(f"wait: {{type: wait_for, cases: [{case}], timeout: 1d}}"))
    world.track(runner, "Go").track(runner, "Seen").track(other, "Seen").at("09:10").merge("visitor", "ann")

    assert [(one["by"]) for one in world.details("resumed")] == ["condition"]
    assert world.times("completed") == ["2026-03-02T09:10Z"]


def test_rule_10_3_a_wait_for_an_attributes_date_follows_the_known_ones() -> None:
    world = World(flow("wait: {type: wait, until: {attribute: day}}"))
    world.identify("visitor", day="2026-03-02T12:00Z").track("visitor", "Go")
    world.identify("ann", day="2026-03-02T11:00Z").at("09:10").merge("visitor", "ann").at("13:00")

    assert world.times("completed") == ["2026-03-02T11:00Z"]


def test_rule_10_3_a_silence_that_either_kept_is_broken_by_the_other() -> None:
    world = World(flow("done: {type: end}", trigger="{type: inactivity, event: Seen, for: 1h}"))
    world.track("ann", "Seen").at("09:30").track("visitor", "Seen").at("09:50").merge("visitor", "ann").at("13:00")

    assert world.times("entered") == ["2026-03-02T10:30Z"]


def test_rule_10_3_a_silence_that_was_told_is_not_told_again() -> None:
    always = "reentry: {policy: always}"
    world = World(flow("done: {type: end}", always, trigger="{type: inactivity, event: Seen, for: 1h}"))
    world.track("ann", "Seen").track("visitor", "Seen").at("11:00").merge("visitor", "ann").at("20:00")

    assert world.numbers("walk")["entered"] == 2


def test_rule_10_3_a_held_run_stays_held() -> None:
    world = World(flow(PAUSE, "stay_if: {not: {tag: leave-alone}}"))
    world.track("visitor", "Go").settle()
    world.pause("walk").at("10:30").merge("visitor", "ann").at("11:00")
    assert [run.held for run in world.contact("ann").runs] == ["wait"]

    world.resume("walk")
    assert world.times("completed") == ["2026-03-02T11:00Z"]


# --- 10.4 ------------------------------------------------------------------------------------------------------------


def test_rule_10_4_later_inputs_go_to_the_known_one() -> None:
    world = World(flow("done: {type: end}"))
    world.appear("visitor").merge("visitor", "ann").at("10:00")
    world.track("visitor", "Go").identify("visitor", plan="gold").tag("visitor", "x").enroll("visitor", "walk")

    assert (world.contact("ann").attributes, world.contact("ann").tags) == ({"plan": "gold"}, ["x"])
    assert {one.contact for one in world.trail()} == {"ann"}


def test_rule_10_4_an_alias_is_never_pointed_elsewhere() -> None:
    world = World(flow("done: {type: end}"))
    world.appear("visitor").merge("visitor", "ann").at("10:00").merge("visitor", "bob").track("visitor", "Go")

    assert {one.contact for one in world.trail()} == {"ann"}
    assert world.alerts() == ["contact visitor was not merged into bob: it is ann, and stays so"]


def test_rule_10_4_two_known_contacts_are_not_merged() -> None:
    world = World(flow("done: {type: end}"))
    for contact in ("ann", "bob"):
        world.put(contact, Event(NOW, "Seen", NOW, known=True))
    world.at("10:00").merge("ann", "bob").track("ann", "Go")

    assert {one.contact for one in world.trail()} == {"ann"}
    assert len(world.alerts()) == 1


def test_rule_10_4_who_another_was_merged_into_is_known() -> None:
    world = World(flow("done: {type: end}"))
    world.appear("a").appear("b").appear("c").merge("a", "b").at("10:00").merge("b", "c").track("b", "Go")

    assert {one.contact for one in world.trail()} == {"b"}


def test_rule_10_4_a_merge_said_again_or_with_itself_changes_nothing() -> None:
    world = World(flow(PAUSE))
    world.track("visitor", "Go").merge("visitor", "visitor").at("09:10").merge("visitor", "ann")
    before = world.story("ann")
    world.at("09:20").merge("visitor", "ann").merge("ann", "visitor")

    assert world.story("ann") == before
    assert world.alerts() == []


def test_rule_10_4_of_two_who_are_each_the_other_the_first_to_say_so_goes() -> None:
    world = World(flow("done: {type: end}"))
    world.appear("a").appear("b").merge("b", "a").merge("a", "b").track("b", "Go")

    assert {one.contact for one in world.trail()} == {"a"}
    assert world.alerts() == []


# --- the joined state ------------------------------------------------------------------------------------------------


def test_every_field_of_a_contact_has_a_rule_for_merging() -> None:
    assert RULES.keys() == {one.name for one in fields(Contact)}


MOVES_AS_IT_IS = {
    "id", "journey", "version", "key", "number", "entered_at", "trigger", "status", "node", "event", "vars", "seq",
    "visits", "due_at", "check_at", "standing", "held", "ended_at", "reason", "converted", "last_message",
    "open_until", "queued", "left", "steps_at", "steps", "held_at", "moved_from", "followed_at", "deferred_at",
    "called_as", "stored",
}  # fmt: skip
"""Of a run. A new field belongs here, or `join` has to change it as it changes `entered_event`."""


def test_every_field_of_a_run_was_thought_of_in_merging() -> None:
    assert {one.name for one in fields(Run)} == MOVES_AS_IT_IS | {"entered_event"}


def test_every_field_of_what_a_contact_holds_was_thought_of_in_merging() -> None:
    assert [one.name for one in fields(Entry)] == ["first_at", "last_at", "count"]
    assert [one.name for one in fields(Coupon)] == ["code", "pool", "journey", "expires_at", "redeemed", "given_to"]


def test_joined_aggregates_are_those_of_all_events_together() -> None:
    one, other, all_ = Aggregate(), Aggregate(), Aggregate()
    for place, (hours, number) in enumerate([(1, 2.0), (0, None), (5, -1.0), (3, 7.0)]):
        for aggregate in ((one, other)[place % 2], all_):
            aggregate.add(NOW + timedelta(hours=hours), number)

    assert join_aggregates(one, other) == all_
    assert join_aggregates(all_, Aggregate()) == all_


def test_joined_entries_span_both() -> None:
    early, late = Entry(NOW, NOW, 1), Entry(NOW + timedelta(hours=1), NOW + timedelta(hours=2), 3)

    assert join_entries(late, early) == Entry(NOW, NOW + timedelta(hours=2), 4)


def test_at_most_a_thousand_event_names_are_counted_of_both() -> None:
    known = Contact("ann", counts={f"a{place}": Aggregate(1) for place in range(900)})
    other = Contact("visitor", counts={f"b{place}": Aggregate(1) for place in range(900)})

    join(known, other)
    assert len(known.counts) == 1_000
    assert "a899" in known.counts
