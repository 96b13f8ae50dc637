"""What incoming events say about addresses and consent (semantics, rule 5.8)."""

from __future__ import annotations

import pytest
from tests.core.world import Step, World, flow

from journeyflow.core.values import JSON

SHOP = """
workspace: shop
topics: [{id: offers, name: Offers}, {id: news, name: News, default: unsubscribed}]
---
"""
MAIL = flow("mail: {type: email, template: letter, topic: offers}", "reentry: {policy: always}")
ANN = "ann@shop.example"


def a_world() -> World:
    return World(SHOP, MAIL).appear("ann", email=ANN)


def next_message(world: World, contact: str = "ann") -> Step:
    """What becomes of a message now."""
    world.after("1m").track(contact, "Go")
    return next(step[2:] for step in reversed(world.story(contact)) if step[0] == "message")


SUPPRESSED = ("skipped", "suppressed")
UNSUBSCRIBED = ("skipped", "unsubscribed")
QUEUED = ("queued",)


@pytest.mark.parametrize(
    ("name", "properties", "then"),
    [
        ("Email Bounced", {"type": "hard"}, SUPPRESSED),
        ("Email Marked as Spam", {}, SUPPRESSED),
        ("Email Bounced", {"type": "soft"}, QUEUED),
        ("Email Bounced", {}, QUEUED),
        ("Email Opened", {}, QUEUED),
        ("Unsubscribed", {}, UNSUBSCRIBED),
        ("Unsubscribed", {"topic": "offers"}, UNSUBSCRIBED),
        ("Unsubscribed", {"topic": "news"}, QUEUED),
        ("Unsubscribed", {"topic": ""}, UNSUBSCRIBED),
        ("Unsubscribed", {"topic": None}, UNSUBSCRIBED),
    ],
)
def test_rule_5_8_bounces_and_complaints_suppress_and_unsubscribing_takes_consent(
    name: str, properties: dict[str, JSON], then: Step
) -> None:
    world = a_world().track("ann", name, properties)

    assert next_message(world) == then


def test_rule_5_8_it_holds_within_the_very_turn() -> None:
    world = a_world().track("ann", "Email Bounced", type="hard").track("ann", "Go")

    assert world.story()[-2] == ("message", "mail", "skipped", "suppressed")


@pytest.mark.parametrize("topic", [{}, {"topic": "offers"}])
def test_rule_5_8_subscribed_gives_back_what_was_taken(topic: dict[str, JSON]) -> None:
    world = a_world().track("ann", "Unsubscribed", topic)
    assert next_message(world) == UNSUBSCRIBED

    world.track("ann", "Subscribed", topic)

    assert next_message(world) == QUEUED


def test_rule_5_8_subscribed_to_everything_gives_no_topic_that_was_refused() -> None:
    world = (
        a_world().track("ann", "Unsubscribed", topic="offers").track("ann", "Unsubscribed").track("ann", "Subscribed")
    )

    assert next_message(world) == UNSUBSCRIBED


def test_rule_5_8_subscribing_lifts_no_suppression() -> None:
    world = a_world().track("ann", "Email Marked as Spam").track("ann", "Subscribed")

    assert next_message(world) == SUPPRESSED


def test_rule_5_8_the_incoming_event_is_the_engines_own_and_no_second_is_made() -> None:
    world = World(SHOP, flow("mark: {type: tag, add: [gone]}", trigger="{type: event, event: Unsubscribed}"))

    world.appear("ann", email=ANN).track("ann", "Unsubscribed", topic="offers")

    assert world.contact().tags == ["gone"]
    assert [name for name, _ in world.made()] == ["Unsubscribed", "Tag Added"]


def test_rule_5_8_what_the_api_changes_is_told_by_an_event_of_the_engine() -> None:
    world = World(SHOP, flow("mark: {type: tag, add: [gone]}", trigger="{type: event, event: Unsubscribed}"))

    world.appear("ann", email=ANN).topics("ann", offers=False)

    assert world.made()[0] == ("Unsubscribed", {"topic": "offers"})
    assert world.contact().tags == ["gone"]


@pytest.mark.parametrize(("name", "then"), [("Email Marked as Spam", SUPPRESSED), ("Unsubscribed", UNSUBSCRIBED)])
def test_rule_5_8_both_belong_to_the_address_whoever_has_it(name: str, then: Step) -> None:
    world = a_world().appear("bob", email="ANN@Shop.Example ").track("ann", name)

    assert next_message(world, "bob") == then


def test_rule_5_8_topics_belong_to_the_contact() -> None:
    world = a_world().appear("bob", email=ANN).track("ann", "Unsubscribed", topic="offers")

    assert next_message(world, "bob") == QUEUED


@pytest.mark.parametrize("name", ["Email Marked as Spam", "Unsubscribed"])
def test_rule_5_8_a_changed_address_is_a_new_one(name: str) -> None:
    world = a_world().track("ann", name).identify("ann", email="ann@new.example")
    assert next_message(world) == QUEUED

    world.identify("ann", email=ANN)

    assert next_message(world)[0] == "skipped"


def test_rule_5_8_an_event_may_name_the_address_that_it_is_about() -> None:
    world = a_world().track("ann", "Email Bounced", type="hard", email="ann@old.example")
    assert next_message(world) == QUEUED

    world.identify("ann", email="ann@old.example")

    assert next_message(world) == SUPPRESSED


def test_rule_5_8_another_spelling_of_the_address_is_the_same_address_within_the_turn() -> None:
    world = a_world().track("ann", "Email Bounced", type="hard", email="ANN@SHOP.EXAMPLE").track("ann", "Go")

    assert world.story()[-2] == ("message", "mail", "skipped", "suppressed")


def test_rule_5_8_without_an_address_there_is_nothing_to_suppress() -> None:
    world = World(SHOP, MAIL).track("ann", "Email Bounced", type="hard").identify("ann", email=ANN)

    assert next_message(world) == QUEUED


@pytest.mark.parametrize(
    ("told", "news", "offers"),
    [
        ([], False, True),
        ([("Subscribed", "news")], True, True),
        ([("Unsubscribed", "offers")], False, False),
        ([("Subscribed", "news"), ("Unsubscribed", None)], False, False),
        ([("Subscribed", "news"), ("Unsubscribed", None), ("Subscribed", None)], True, True),
    ],
)
def test_rule_5_8_conditions_see_consent(told: list[tuple[str, str | None]], news: bool, offers: bool) -> None:
    nodes = """
    news: {type: branch, cases: [{when: {topic: news}, next: tag-news}], else: offers}
    tag-news: {type: tag, add: [news], next: offers}
    offers: {type: branch, cases: [{when: {topic: offers}, next: tag-offers}]}
    tag-offers: {type: tag, add: [offers]}
    """
    world = World(SHOP, flow(nodes)).appear("ann", email=ANN)

    for name, topic in told:
        world.track("ann", name, topic=topic)
    world.track("ann", "Go")

    assert world.contact().tags == ["news"] * news + ["offers"] * offers


def test_rule_5_8_who_unsubscribes_before_an_address_is_known_is_not_written_to_afterwards() -> None:
    topics = "{workspace: shop, topics: [{id: offers, name: Offers}]}"
    world = World(
        topics, "{template: hello, subject: Hi, body: x}", flow("ask: {type: email, template: hello, topic: offers}")
    )

    world.track("ann", "Unsubscribed")
    world.identify("ann", email="ann@example.com").track("ann", "Go")

    assert [message.reason for message in world.messages()] == ["unsubscribed"]


def test_rule_5_8_a_topic_that_there_is_none_of_is_kept_and_told() -> None:
    world = a_world().track("ann", "Unsubscribed", topic="offres").track("ann", "Unsubscribed", topic="news")
    world.track("ann", "Unsubscribed", topic="former", message="from a link of an old mail")

    assert world.alerts() == ["contact ann: Unsubscribed names the topic 'offres'; there are offers, news"]
    assert next_message(world) == QUEUED
