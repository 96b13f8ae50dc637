"""Conditions that name what is not there, lead back to themselves, or ask a segment what it can't know."""

from __future__ import annotations

import pytest

from journeyflow.core.values import JSON
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_data

Document = dict[str, JSON]
WORKSPACE: Document = {
    "workspace": "shop",
    "topics": [{"id": "offers", "name": "Offers"}],
    "stages": [{"id": "new", "when": {"all": []}}],
}
VIP: Document = {"segment": "vip", "when": {"tag": "vip"}}


def problems(*documents: Document) -> list[tuple[str, str, str]]:
    """What is wrong: the code, the document's place, the path inside it."""
    found = check_data([*documents], [], LiquidRenderer()).errors
    return [(one.code, one.file, one.path) for one in found]


def walk(**more: JSON) -> Document:
    return {"journey": "walk", "start": "a", "nodes": {"a": {"type": "end"}}, **more}


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        ({"segment": "vips"}, "segment"),
        ({"topic": "offer"}, "topic"),
        ({"in_journey": "run"}, "in_journey"),
        ({"been_in_journey": "run", "within": "2d"}, "been_in_journey"),
    ],
)
def test_an_unknown_id_in_a_condition_is_told_with_its_own_place(condition: Document, place: str) -> None:
    journey = walk(enter_if={"all": [{"tag": "x"}, {"not": condition}]})

    assert problems(WORKSPACE, VIP, journey) == [("JF012", "documents[2]", f"enter_if.all[1].not.{place}")]


@pytest.mark.parametrize(
    ("trigger", "path"),
    [
        ({"type": "segment", "entered": "vips"}, "triggers[0].entered"),
        ({"type": "segment", "left": "vips"}, "triggers[0].left"),
        ({"type": "schedule", "cron": "0 9 * * *", "segment": "vips"}, "triggers[0].segment"),
        ({"type": "topic", "subscribed": "offer"}, "triggers[0].subscribed"),
    ],
)
def test_an_unknown_id_in_a_trigger_is_told(trigger: Document, path: str) -> None:
    assert problems(WORKSPACE, VIP, walk(triggers=[trigger])) == [("JF012", "documents[2]", path)]


def test_an_unknown_stage_is_told() -> None:
    nodes: Document = {"a": {"type": "stage", "to": "old"}}

    assert problems(WORKSPACE, walk(nodes=nodes)) == [("JF012", "documents[1]", "nodes.a.to")]
    assert problems(WORKSPACE, walk(stage="old")) == [("JF012", "documents[1]", "stage")]
    assert problems(walk(stage="old")) == [], "without stages there is no map yet that it could be missing on"


def test_segments_that_refer_to_each_other_in_a_circle_are_refused() -> None:
    one: Document = {"segment": "one", "when": {"not": {"segment": "two"}}}
    two: Document = {"segment": "two", "when": {"any": [{"segment": "three"}, {"tag": "x"}]}}
    three: Document = {"segment": "three", "when": {"all": [{"segment": "one"}]}}
    aside: Document = {"segment": "aside", "when": {"segment": "one"}}

    assert problems(one, two, three, aside) == [("JF020", f"documents[{place}]", "when") for place in range(3)]
    assert problems({"segment": "one", "when": {"segment": "one"}}) == [("JF020", "documents[0]", "when")]


def test_stages_and_segments_in_a_circle_are_refused() -> None:
    stages: JSON = [{"id": "old", "when": {"segment": "aged"}}]
    aged: Document = {"segment": "aged", "when": {"attribute": "stage", "eq": "old"}}

    assert problems({"workspace": "shop", "stages": stages}, aged) == [
        ("JF020", "documents[0]", "stages"),
        ("JF020", "documents[1]", "when"),
    ]


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        ({"var": "coupon.code", "exists": True}, "when.var"),
        ({"property": "total", "gt": 1}, "when.property"),
        ({"event": "A", "since": "entry"}, "when.since"),
        ({"attribute": "n", "eq": {"ref": "trigger.n"}}, "when.eq"),
        ({"attribute": "n", "in": [1, {"ref": "trigger.n"}]}, "when.in[1]"),
        ({"event": "A", "where": {"property": "n", "eq": {"ref": "vars.n"}}}, "when.where.eq"),
        ({"event": "A", "count": {"gte": {"ref": "vars.n"}}}, "when.count.gte"),
    ],
)
def test_a_segment_knows_no_run(condition: Document, path: str) -> None:
    assert problems({"segment": "odd", "when": condition}) == [("JF021", "documents[0]", path)]


def test_a_segment_may_compare_with_the_contact_and_look_into_events() -> None:
    condition: Document = {"event": "A", "where": {"property": "city", "eq": {"ref": "contact.city"}}}

    assert problems({"segment": "near", "when": condition}) == []


def test_a_window_of_a_segment_is_no_longer_than_history() -> None:
    condition: Document = {"any": [{"event": "A", "within": "900d"}]}

    assert problems({"segment": "old", "when": condition}) == [("JF014", "documents[0]", "when.any[0].within")]


def test_a_key_of_another_kind_of_condition_is_not_offered_as_what_was_meant() -> None:
    (problem,) = check_data([{"segment": "odd", "when": {"tag": "a", "topic": "t"}}], [], LiquidRenderer()).errors

    assert problem.message == "the key 'topic' does not go with the others here"


def test_ids_of_topics_stages_and_touchpoints_come_once() -> None:
    doubled: JSON = [{"id": "new"}, {"id": "new"}]
    topics: JSON = [{"id": "news", "name": "News"}, {"id": "news", "name": "More news", "default": "unsubscribed"}]

    assert problems({"workspace": "shop", "topics": topics}) == [("JF006", "documents[0]", "topics[1].id")]
    assert [code for code, *_ in problems({"workspace": "shop", "stages": doubled})] == ["JF006"]
    assert [code for code, *_ in problems({"workspace": "shop", "touchpoints": doubled})] == ["JF006"]


# --- windows and what is kept ----------------------------------------------------------------------------------------

KEPT: Document = {"workspace": "shop", "retention": {"events": "90d", "trail": "10d", "messages": "30d"}}


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        ({"event": "Go", "within": "90d1s"}, "within"),
        ({"event": "Go", "within": "91d", "sum": "n", "gt": 1}, "within"),
        ({"been_in_journey": "walk", "within": "91d"}, "within"),
        ({"message": {"channel": "email", "within": "31d"}, "sent": {"eq": 0}}, "message.within"),
        ({"message": {"channel": "email", "last": 2, "settled": "31d"}, "sent": {"eq": 0}}, "message.settled"),
    ],
)
def test_a_window_longer_than_what_it_looks_at_is_kept_is_refused(condition: Document, place: str) -> None:
    assert problems(KEPT, walk(stay_if={"not": condition})) == [("JF014", "documents[1]", f"stay_if.not.{place}")]


def test_a_goal_that_counts_for_longer_than_events_are_kept_is_refused() -> None:
    assert problems(KEPT, walk(goal={"event": "Buy", "within": "91d"})) == [("JF014", "documents[1]", "goal.within")]
    assert problems(walk(goal={"event": "Buy", "within": "801d"})) == [("JF014", "documents[0]", "goal.within")]


@pytest.mark.parametrize(
    "more",
    [
        {"goal": {"event": "Buy", "within": "90d"}},
        {"goal": {"event": "Buy"}},
        {"enter_if": {"event": "Go", "within": "90d"}},
        {"enter_if": {"been_in_journey": "walk", "within": "90d"}},
        {"enter_if": {"message": {"channel": "email", "within": "30d", "settled": "30d"}, "sent": {"eq": 0}}},
    ],
)
def test_a_window_as_long_as_what_it_looks_at_is_kept_is_fine(more: Document) -> None:
    assert problems(KEPT, walk(**more)) == []


def test_a_window_that_is_too_long_is_told_with_both_lengths() -> None:
    (found,) = check_data([KEPT, walk(goal={"event": "Buy", "within": "90d1h"})], [], LiquidRenderer()).errors

    assert (found.value, found.message) == (
        "90d1h",
        "expected at most the 90d for which the workspace keeps events",
    )


# --- names of events -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"exit_on": [{"event": "Order *"}]}, "exit_on[0].event"),
        ({"goal": {"event": "Order *"}}, "goal.event"),
        ({"stay_if": {"not": {"event": "Order *"}}}, "stay_if.not.event"),
        ({"triggers": [{"type": "event", "event": "Order * Completed"}]}, "triggers[0].event"),
        ({"triggers": [{"type": "event", "event": "Order**"}]}, "triggers[0].event"),
        ({"triggers": [{"type": "inactivity", "event": "Order *", "for": "9d"}]}, "triggers[0].event"),
        ({"triggers": [{"type": "inactivity", "event": ["A", "Order *"], "for": "9d"}]}, "triggers[0].event[1]"),
        (
            {
                "nodes": {
                    "a": {"type": "wait_for", "cases": [{"event": "Order *"}], "timeout": "1d"},
                }
            },
            "nodes.a.cases[0].event",
        ),
        ({"nodes": {"a": {"type": "emit", "event": "Order *"}}}, "nodes.a.event"),
    ],
)
def test_a_star_stands_only_at_the_end_of_the_name_in_an_event_trigger(more: Document, path: str) -> None:
    (found,) = check_data([walk(**more)], [], LiquidRenderer()).errors

    assert (found.code, found.path) == ("JF006", path)
    assert "*" in found.message


def test_a_star_is_no_name_of_an_event_of_a_touchpoint() -> None:
    touchpoints: JSON = [{"id": "shop", "events": ["Page *"]}]

    assert problems({**WORKSPACE, "touchpoints": touchpoints}) == [
        ("JF006", "documents[0]", "touchpoints[0].events[0]")
    ]


def test_a_star_at_the_end_of_a_triggers_name_is_fine() -> None:
    both: JSON = [{"type": "event", "event": "Order *"}, {"type": "event", "event": "*"}]

    assert problems(walk(triggers=both)) == []
