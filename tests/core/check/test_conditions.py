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


def test_ids_of_stages_and_touchpoints_come_once() -> None:
    doubled: JSON = [{"id": "new"}, {"id": "new"}]

    assert [code for code, *_ in problems({"workspace": "shop", "stages": doubled})] == ["JF006"]
    assert [code for code, *_ in problems({"workspace": "shop", "touchpoints": doubled})] == ["JF006"]
