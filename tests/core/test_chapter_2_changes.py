"""Triggers that wait for a change are fired by a change, not by an event that bears its name (rules 2.7, 3.7)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.world import World, flow

Properties = dict[str, Any]  # Any: JSON, spread over the arguments of a call
SHOP = "{workspace: shop, topics: [{id: offers, name: Offers, default: subscribed}]}"
VIP = "{segment: vip, when: {tag: vip}}"
NOTE = "note: {type: update, set: {noted: true}}"
CHANGES: list[tuple[str, str, Properties]] = [
    ("{type: contact, change: created}", "Contact Created", {}),
    ("{type: contact, change: updated}", "Contact Updated", {"attribute": "plan", "from": None, "to": "pro"}),
    ("{type: contact, change: updated, attribute: plan}", "Contact Updated", {"attribute": "plan", "to": "pro"}),
    ("{type: tag, added: vip}", "Tag Added", {"tag": "vip"}),
    ("{type: tag, removed: vip}", "Tag Removed", {"tag": "vip"}),
    ("{type: segment, entered: vip}", "Segment Entered", {"segment": "vip"}),
    ("{type: segment, left: vip}", "Segment Left", {"segment": "vip"}),
]  # fmt: skip
TOPICS: list[tuple[str, str, Properties]] = [
    ("{type: topic, subscribed: offers}", "Subscribed", {"topic": "offers"}),
    ("{type: topic, unsubscribed: offers}", "Unsubscribed", {"topic": "offers"}),
]


@pytest.mark.parametrize(("trigger", "name", "properties"), CHANGES)
def test_rule_2_7_an_incoming_event_that_bears_the_name_of_a_change_is_none(
    trigger: str, name: str, properties: Properties
) -> None:
    world = World(VIP, flow(NOTE, trigger=trigger))
    world.appear("ann").track("ann", name, **properties)

    assert world.trail() == []


@pytest.mark.parametrize(("trigger", "name", "properties"), [*CHANGES, *TOPICS])
def test_rule_2_7_an_emitted_event_that_bears_the_name_of_a_change_is_none(
    trigger: str, name: str, properties: Properties
) -> None:
    world = World(
        SHOP,
        VIP,
        flow(
            f"say: {{type: emit, event: {name}, properties: {_inline(properties)}}}",
            trigger="{type: event, event: Go}",
            name="says",
        ),
        flow(NOTE, trigger=trigger, name="hears"),
    )
    world.appear("ann").track("ann", "Go")

    assert world.story(journey="says")[-1] == ("completed",)
    assert world.story(journey="hears") == []


@pytest.mark.parametrize(("trigger", "name", "properties"), CHANGES)
def test_rule_2_7_a_trigger_that_names_the_event_matches_it_wherever_it_comes_from(
    trigger: str, name: str, properties: Properties
) -> None:
    world = World(
        VIP,
        flow("tagged: {type: tag, add: [told]}", trigger=f"{{type: event, event: {name}}}", name="by-name"),
        flow("starred: {type: tag, add: [seen]}", trigger="{type: event, event: '*'}", name="by-star"),
    )
    world.appear("ann").track("ann", name, **properties)

    assert world.story(journey="by-name")[0] == ("entered",)
    assert world.story(journey="by-star")[0] == ("entered",)


def test_rule_2_7_exits_goals_and_waits_go_by_the_name() -> None:
    world = World(
        flow("stand: {type: wait, for: 1h}", "exit_on: [{event: Tag Added}]", name="exits"),
        flow("stand: {type: wait, for: 1h}", "goal: {event: Tag Added, within: 1d}", name="converts"),
        flow("stand: {type: wait_for, cases: [{event: Tag Added, next: end}], timeout: 1h}", name="moves"),
    )
    world.track("ann", "Go").after("1m").track("ann", "Tag Added", tag="vip")

    assert world.story(journey="exits")[-1] == ("exited", "exit_on")
    assert world.story(journey="converts")[-1] == ("converted",)
    assert ("ran", "stand", "case 0") in world.story(journey="moves")


def _inline(properties: Properties) -> str:
    return "{" + ", ".join(f"{key}: {'null' if value is None else value}" for key, value in properties.items()) + "}"
