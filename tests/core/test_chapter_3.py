"""Who is let in, and who is refused and why (semantics, chapter 3)."""

from __future__ import annotations

import pytest
from tests.core.world import MONDAY_NINE, World, flow, instant

from journeyflow.core.inputs import Enroll
from journeyflow.core.values import JSON

PAUSE = "pause: {type: wait, for: 1d}"
MARK = "mark: {type: tag, add: [seen]}"


def entered_and_refused(world: World, contact: str = "ann") -> list[str]:
    return [step[-1] for step in world.story(contact) if step[0] in ("entered", "refused")]


# --- 3.1 -------------------------------------------------------------------------------------------------------------


def two_triggers(first: str, second: str, *lines: str) -> str:
    return flow(MARK, *lines, trigger=f"{first}, {second}")


def test_rule_3_1_of_several_triggers_that_match_the_first_listed_counts() -> None:
    world = World(two_triggers("{type: event, event: 'G*'}", "{type: event, event: Go}"))

    world.track("ann", "Go")

    assert [detail["trigger"] for detail in world.details("entered")] == [0]
    assert world.times("refused") == []


def test_rule_3_1_a_trigger_whose_where_says_no_is_passed_over_silently() -> None:
    world = World(
        two_triggers(
            "{type: event, event: Go, where: {property: n, gte: 9}}",
            "{type: event, event: Go, where: {property: n, gte: 5}}",
        )
    )

    world.track("ann", "Go", n=5).track("bob", "Go", n=1)

    assert [detail["trigger"] for detail in world.details("entered")] == [1]
    assert world.trail("bob") == []


def test_rule_3_1_the_first_listed_counts_even_if_it_is_then_refused() -> None:
    world = World(two_triggers("{type: event, event: 'G*'}", "{type: event, event: Go}", "enter_if: {tag: vip}"))

    world.track("ann", "Go")

    assert entered_and_refused(world) == ["enter_if"]


def test_rule_3_1_of_several_silences_that_end_together_the_first_listed_counts() -> None:
    world = World(
        two_triggers(
            "{type: inactivity, event: A, for: 1h}",
            "{type: inactivity, event: B, for: 1h}",
            "reentry: {policy: always}",
        )
    )

    world.track("ann", "A").track("ann", "B").after("5h")

    assert [detail["trigger"] for detail in world.details("entered")] == [0]
    assert world.times("refused") == []


EVERYTHING_REFUSES = ["key: trigger.id", "enter_if: {property: ok, eq: true}", "reentry: {policy: once}"]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"ok": False}, "no_key"),
        ({"id": 1, "ok": False}, "enter_if"),
        ({"id": 1, "ok": True}, "duplicate"),
        ({"id": 2, "ok": True}, "reentry"),
    ],
)
def test_rule_3_1_the_first_that_says_no_is_the_reason(properties: dict[str, JSON], reason: str) -> None:
    """Key, enter_if, an active run, re-entry: run 1 is active, run 2 has been there."""
    nodes = "ask: {type: branch, cases: [{when: {property: id, eq: 1}, next: pause}]}\npause: {type: wait, for: 9d}"
    world = World(flow(nodes, *EVERYTHING_REFUSES))
    world.track("ann", "Go", id=1, ok=True).track("ann", "Go", id=2, ok=True).after("1m")

    world.track("ann", "Go", properties)

    assert entered_and_refused(world)[2:] == [reason]


def test_rule_3_1_while_a_run_is_active_re_entry_is_not_asked() -> None:
    world = World(flow(PAUSE, "reentry: {policy: once}", "on_duplicate: restart"))

    world.track("ann", "Go").after("1m").track("ann", "Go")

    assert entered_and_refused(world) == ["entered", "entered"]


def test_rule_3_1_without_an_active_run_on_duplicate_is_not_asked() -> None:
    world = World(flow(MARK, "reentry: {policy: once}", "on_duplicate: restart"))

    world.track("ann", "Go").after("1m").track("ann", "Go")

    assert entered_and_refused(world) == ["entered", "reentry"]


def test_rule_3_1_a_refusal_tells_what_the_conditions_saw() -> None:
    world = World(
        flow(
            MARK,
            "enter_if: {attribute: plan, eq: pro}",
            trigger="{type: event, event: Go, where: {property: n, gte: 1}}",
        )
    )

    world.track("ann", "Go", n=1)

    assert world.details("refused") == [
        {
            "reason": "enter_if",
            "because": [
                {"path": "triggers[0].where", "leaf": {"property": "n", "gte": 1}, "value": 1, "held": True},
                {"path": "enter_if", "leaf": {"attribute": "plan", "eq": "pro"}, "value": "missing", "held": False},
            ],
        }
    ]


# --- 3.2 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("properties", [{}, {"id": None}, {"id": ""}, {"id": []}, {"id": {"a": 1}}])
def test_rule_3_2_without_a_key_nobody_enters(properties: dict[str, JSON]) -> None:
    world = World(flow(MARK, "key: trigger.id"))

    world.track("ann", "Go", properties)

    assert world.details("refused") == [{"reason": "no_key"}]


@pytest.mark.parametrize(("one", "other"), [(1, "1"), (1, 1.0), (1.5, "1.5"), ("1", 1.0), (-0.5, "-0.5")])
def test_rule_3_2_numbers_and_text_of_the_same_spelling_are_one_key(one: JSON, other: JSON) -> None:
    world = World(flow(PAUSE, "key: trigger.id"))

    world.track("ann", "Go", id=one).after("1m").track("ann", "Go", id=other)

    assert entered_and_refused(world) == ["entered", "duplicate"]


@pytest.mark.parametrize(("one", "other"), [(1, 2), ("a", "A"), ("1", "01"), (1, "1.0"), (0, False)])
def test_rule_3_2_another_spelling_is_another_key(one: JSON, other: JSON) -> None:
    world = World(flow(PAUSE, "key: trigger.id"))

    world.track("ann", "Go", id=one).after("1m").track("ann", "Go", id=other)

    assert entered_and_refused(world) == ["entered", "entered"]


def test_rule_3_2_zero_and_false_are_keys() -> None:
    world = World(flow(PAUSE, "key: trigger.id"))

    world.track("ann", "Go", id=0).track("ann", "Go", id=False)

    assert [run.key for run in world.runs()] == ["0", "false"]


def test_rule_3_2_a_key_may_be_an_attribute_of_the_contact() -> None:
    world = World(flow(PAUSE, "key: contact.cart.id"))

    world.identify("ann", cart={"id": 7}).track("ann", "Go").track("bob", "Go")

    assert [run.key for run in world.runs()] == ["7"]
    assert entered_and_refused(world, "bob") == ["no_key"]


# --- 3.3 -------------------------------------------------------------------------------------------------------------


def test_rule_3_3_once_is_for_ever() -> None:
    world = World(flow(MARK))

    world.track("ann", "Go").after("1000d").track("ann", "Go")

    assert entered_and_refused(world) == ["entered", "reentry"]


def test_rule_3_3_once_is_per_contact_and_key() -> None:
    world = World(flow(MARK, "key: trigger.id"))

    world.track("ann", "Go", id=1).track("ann", "Go", id=2).track("bob", "Go", id=1).after("1m").track(
        "ann", "Go", id=1
    )

    assert entered_and_refused(world) == ["entered", "entered", "reentry"]
    assert entered_and_refused(world, "bob") == ["entered"]


def test_rule_3_3_once_holds_whatever_the_version() -> None:
    world = World(flow(MARK))
    world.track("ann", "Go")

    world.publish(flow("other: {type: tag, add: [other]}")).track("ann", "Go").track("bob", "Go")

    assert entered_and_refused(world) == ["entered", "reentry"]
    assert world.run("bob").version == 2


def test_rule_3_3_always_lets_in_again_at_the_same_instant() -> None:
    world = World(flow(MARK, "reentry: {policy: always}"))

    world.track("ann", "Go").track("ann", "Go")

    assert entered_and_refused(world) == ["entered", "entered"]


def test_rule_3_3_after_counts_from_the_last_entry_that_was_no_restart() -> None:
    world = World(flow(PAUSE, "reentry: {policy: after, gap: 3d}", "on_duplicate: restart"))

    world.track("ann", "Go").after("12h").track("ann", "Go")  # restarts; the run ends a day later
    world.at("2026-03-05T08:59Z").track("ann", "Go")
    assert entered_and_refused(world) == ["entered", "entered", "reentry"]
    world.at("2026-03-05T09:00Z").track("ann", "Go")

    assert entered_and_refused(world)[-1] == "entered"


def test_rule_3_3_after_counts_from_the_entry_not_from_the_end() -> None:
    world = World(flow("pause: {type: wait, for: 6d}", "reentry: {policy: after, gap: 7d}"))

    world.track("ann", "Go").after("7d").track("ann", "Go")

    assert entered_and_refused(world) == ["entered", "entered"]


def test_rule_3_3_a_refused_entry_does_not_count() -> None:
    world = World(flow(MARK, "reentry: {policy: after, gap: 7d}"))

    world.track("ann", "Go").after("6d").track("ann", "Go").after("1d").track("ann", "Go")

    assert entered_and_refused(world) == ["entered", "reentry", "entered"]


def test_rule_3_3_a_restart_ends_the_old_run_and_begins_one_with_the_new_trigger() -> None:
    world = World(flow(PAUSE, "on_duplicate: restart"))

    world.track("ann", "Go", n=1).after("1m").track("ann", "Go", n=2)

    assert world.story() == [
        ("entered",),
        ("waiting", "pause", "2026-03-03T09:00Z"),
        ("exited", "restarted"),
        ("entered",),
        ("waiting", "pause", "2026-03-03T09:01Z"),
    ]
    assert [run.trigger for run in world.runs()] == [{"n": 1}, {"n": 2}]


def test_rule_3_3_a_restart_counts_as_entered_and_in_the_numbering_of_runs() -> None:
    world = World(flow(PAUSE, "on_duplicate: restart"))

    world.track("ann", "Go").track("ann", "Go").track("ann", "Go")

    assert [run.number for run in world.runs()] == [0, 1, 2]
    numbers = world.numbers("walk")
    assert (numbers["entered"], numbers["active"], numbers["exited"]) == (3, 1, {"restarted": 2})


def test_rule_3_3_only_a_run_of_the_same_key_is_a_duplicate() -> None:
    world = World(flow(PAUSE, "key: trigger.id", "on_duplicate: restart"))

    world.track("ann", "Go", id=1).after("1m").track("ann", "Go", id=2)

    assert [run.active for run in world.runs()] == [True, True]


# --- 3.5 -------------------------------------------------------------------------------------------------------------


def test_rule_3_5_the_run_keeps_its_triggers_properties_for_its_life() -> None:
    nodes = """
    listen: {type: wait_for, cases: [{event: Deed, next: ask}], timeout: 10d}
    ask: {type: branch, cases: [{when: {property: n, eq: 2}, next: keep}]}
    keep: {type: update, set: {first: {ref: trigger.n}, last: {ref: event.n}, text: '{{ trigger.n }}{{ event.n }}'}}
    """
    world = World(flow(nodes))

    world.track("ann", "Go", n=1).after("5d").track("ann", "Deed", n=2)

    assert world.contact().attributes == {"first": 1, "last": 2, "text": "12"}


def test_rule_3_5_values_and_texts_inside_lists_and_mappings_that_are_set_are_filled_in() -> None:
    keep = (
        "keep: {type: update, set: {list: [1, {ref: trigger.n}], map: {n: {ref: trigger.n}, text: 'n{{ trigger.n }}'}}}"
    )
    world = World(flow(keep))

    world.track("ann", "Go", n=7)

    assert world.contact().attributes == {"list": [1, 7], "map": {"n": 7, "text": "n7"}}


def test_rule_3_5_what_the_triggers_that_are_no_events_give() -> None:
    always = "reentry: {policy: always}"
    world = World(
        flow(MARK, always, name="silent", trigger="{type: inactivity, event: [Seen, Bought], for: 1h}"),
        flow(MARK, name="tagged", trigger="{type: tag, added: vip}"),
        flow(MARK, name="untagged", trigger="{type: tag, removed: vip}"),
        flow(MARK, name="created", trigger="{type: contact, change: created}"),
        flow(MARK, name="updated", trigger="{type: contact, change: updated, attribute: plan}"),
        flow(MARK, name="by-hand", trigger="{type: manual}"),
    )

    world.track("ann", "Seen").tag("ann", "vip").untag("ann", "vip").identify("ann", plan="pro")
    world.enroll("ann", "by-hand", coupon="X").after("2h")

    given = {
        one.journey: (one.detail["trigger"], one.detail["properties"]) for one in world.trail() if one.kind == "entered"
    }
    assert given == {
        "created": (0, {}),
        "tagged": (0, {"tag": "vip"}),
        "untagged": (0, {"tag": "vip"}),
        "updated": (0, {"attribute": "plan", "from": None, "to": "pro"}),
        "by-hand": (None, {"coupon": "X"}),
        "silent": (0, {"event": "Seen", "last_at": "2026-03-02T09:00:00.000000Z"}),
    }


# --- the triggers of format.md ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "enters"),
    [
        ("attribute: plan", True),
        ("attribute: plan, to: pro", True),
        ("attribute: plan, to: free", False),
        ("attribute: other", False),
        ("attribute: address", True),
        ("attribute: address.city", True),
        ("attribute: address.city, to: Sopot", True),
        ("attribute: address.zip", False),
        ("attribute: 'items[0].sku'", True),
        ("attribute: 'items[0].sku', to: tea", True),
        ("attribute: 'items[1].sku'", False),
        ("attribute: gone, to: null", True),
        ("attribute: plan, to: null", False),
    ],
)
def test_rule_3_5_a_contact_trigger_watches_an_attribute(trigger: str, enters: bool) -> None:
    world = World(flow(MARK, trigger=f"{{type: contact, change: updated, {trigger}}}"))
    world.appear("ann", gone=1, items=[{"sku": "mug"}, {"sku": "cup"}])

    world.identify("ann", plan="pro", address={"city": "Sopot"}, gone=None, items=[{"sku": "tea"}, {"sku": "cup"}])

    assert (world.story() != []) is enters


def test_rule_3_5_a_change_is_to_what_it_was_when_it_happened() -> None:
    """Two changes within one step: the first of them was to that value."""
    nodes = "one: {type: update, set: {plan: pro}, next: two}\ntwo: {type: update, set: {plan: free}}"
    world = World(
        flow(nodes), flow(MARK, name="to-pro", trigger="{type: contact, change: updated, attribute: plan, to: pro}")
    )

    world.track("ann", "Go")

    assert world.story(journey="to-pro")[0] == ("entered",)


def test_rule_3_5_whoever_appears_after_the_start_is_new() -> None:
    world = World(flow(MARK, trigger="{type: contact, change: created}"))

    world.appear("ann").appear("bob", announced=True).track("cid", "Seen")

    assert [world.story(key) != [] for key in ("ann", "bob", "cid")] == [False, True, True]


def test_rule_3_5_enrolling_by_hand_is_always_allowed_on_a_live_journey() -> None:
    world = World(flow(MARK, "reentry: {policy: always}"))

    world.enroll("ann", "walk").pause_entries("walk").enroll("ann", "walk").resume("walk").enroll("ann", "walk")
    world.archive("walk").enroll("ann", "walk").enroll("ann", "no-such-journey")

    assert entered_and_refused(world) == ["entered", "entered"]


def test_rule_1_6_enrolling_makes_no_contact() -> None:
    world = World(flow(PAUSE)).put("ann", Enroll(instant(MONDAY_NINE), "walk"))

    assert (world.trail(), world.contact().exists) == ([], False)


def test_rule_3_5_enrolling_asks_what_every_entry_asks() -> None:
    world = World(flow(PAUSE, "key: trigger.id", "enter_if: {property: ok, eq: true}"))

    world.enroll("ann", "walk").enroll("ann", "walk", id=1).enroll("ann", "walk", id=1, ok=True)
    world.enroll("ann", "walk", id=1, ok=True)

    assert entered_and_refused(world) == ["no_key", "enter_if", "entered", "duplicate"]


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_journey_whose_runs_let_the_contact_in_anew_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("journeyflow.core.entry.RUNS_MAX", 70)
    world = World(
        flow(
            "count: {type: update, increment: {n: 1}, next: pause}\npause: {type: wait, for: 1h, next: more}\n"
            "more: {type: update, increment: {n: 1}}",
            "key: contact.n",
            "reentry: {policy: always}",
            trigger="{type: contact, change: updated, attribute: n}, {type: event, event: Go}",
        )
    )

    world.identify("ann", n=1)
    world.after("90m")

    assert sum(run.active for run in world.runs()) <= 70
    assert "too_many_runs" in entered_and_refused(world)
    assert any("already in" in alert for alert in world.alerts())
