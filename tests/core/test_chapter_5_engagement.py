"""What became of messages, told by events (semantics 5.7)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.core.world import World, flow

from journeyflow.core.effects import Message
from journeyflow.core.values import JSON

ANN = "ann@shop.example"
OTHER = "template: other\nsubject: Other\nbody: Hello\n---\n"
ALWAYS = "reentry: {policy: always}"


def mail(name: str, template: str = "letter", event: str = "Go") -> str:
    trigger = f"{{type: event, event: {event}}}"
    return flow(f"{name}-mail: {{type: email, template: {template}}}", ALWAYS, name=name, trigger=trigger)


def world() -> World:
    lived = World(OTHER, mail("one"), mail("two", "other", "Other")).appear("ann", email=ANN, phone="+48600100200")
    return lived.track("ann", "Go").after("1h").track("ann", "Other").after("1h")


def stored(lived: World, name: str) -> list[dict[str, JSON]]:
    return [properties for made, properties in lived.made() if made == name]


def described(message: Message) -> dict[str, JSON]:
    return {
        "message": message.id,
        "template": message.template,
        "journey": message.journey,
        "node": message.node,
        "run": message.run,
    }


@pytest.mark.parametrize(
    "name", ["Email Delivered", "Email Opened", "Email Link Clicked", "Email Bounced", "Email Marked as Spam"]
)
def test_rule_5_7_an_event_without_a_message_belongs_to_the_latest(name: str) -> None:
    lived = world()
    _, latest = lived.messages()

    lived.track("ann", name, url="https://shop.example")

    assert stored(lived, name) == [{"url": "https://shop.example", **described(latest)}]


def test_rule_5_7_or_to_the_latest_of_its_template() -> None:
    lived = world()
    of_letter, _ = lived.messages()

    lived.track("ann", "Email Opened", template="letter")

    assert stored(lived, "Email Opened") == [described(of_letter)]


def test_rule_5_7_of_two_messages_at_one_instant_the_one_queued_last_is_the_latest() -> None:
    lived = World(mail("first"), mail("second")).appear("ann", email=ANN).track("ann", "Go").after("1m")

    lived.track("ann", "Email Opened")

    assert [one["journey"] for one in stored(lived, "Email Opened")] == ["second"]


def test_rule_5_7_what_an_event_says_of_its_message_is_left_as_it_is() -> None:
    lived = world()
    one, _ = lived.messages()

    lived.track("ann", "Email Opened", message=one.id, journey="elsewhere", template=None)

    assert stored(lived, "Email Opened") == [{**described(one), "journey": "elsewhere"}]


@pytest.mark.parametrize("given", [{"message": "unknown"}, {"template": "unknown"}, {"message": 5}])
def test_rule_5_7_an_event_of_a_message_that_is_not_known_is_stored_as_it_came(given: dict[str, JSON]) -> None:
    lived = world().track("ann", "Email Opened", given)

    assert stored(lived, "Email Opened") == [given]


def test_rule_5_7_it_belongs_to_no_other_contact_message_and_to_none_where_there_is_none() -> None:
    lived = world().appear("bob", email="bob@shop.example")
    ann, _ = lived.messages()

    lived.track("bob", "Email Opened").track("bob", "Email Opened", message=ann.id)

    assert [properties for name, properties in lived.made("bob") if name == "Email Opened"] == [{}, {"message": ann.id}]


def test_rule_5_7_a_skipped_a_withdrawn_and_a_failed_message_are_nobodys_latest() -> None:
    nodes = "mail: {type: email, template: letter, next: pause}\npause: {type: wait, for: 1d}"
    leaving = flow(nodes, ALWAYS, "exit_on: [{event: Stop}]", name="leaving")
    lived = World(leaving).appear("ann", email=ANN).track("ann", "Go").after("2d")
    (first,) = lived.send_queued().messages()
    lived.track("ann", "Go").after("1m").track("ann", "Stop").after("1m")  # withdrawn
    lived.track("ann", "Go").after("1m").fail(lived.messages()[-1]).after("1d")
    lived.identify("ann", email=None).track("ann", "Go").after("1m")  # skipped

    lived.track("ann", "Email Opened")

    assert [message.status for message in lived.messages()] == ["queued", "queued", "queued", "skipped"]
    assert stored(lived, "Email Opened") == [described(first)]


def test_rule_5_7_an_e_mail_event_is_about_no_sms() -> None:
    text = flow("text: {type: sms, text: Hi}", name="text", trigger="{type: event, event: Text}")
    lived = World(mail("one"), text).appear("ann", email=ANN, phone="+48600100200")
    lived.track("ann", "Go").after("1h").track("ann", "Text").after("1h").track("ann", "Email Opened")

    assert [one["journey"] for one in stored(lived, "Email Opened")] == ["one"]


def test_rule_5_7_an_opening_that_comes_late_is_of_a_message_that_was_there_then() -> None:
    lived = world()
    early, _ = lived.messages()

    lived.track("ann", "Email Opened", occurred="2026-03-02T09:30Z")

    assert stored(lived, "Email Opened") == [described(early)]


def test_rule_5_7_journeys_see_what_was_filled_in() -> None:
    opened = "{type: event, event: Email Opened, where: {property: template, eq: letter}}"
    listening = flow("label: {type: tag, add: [opened]}", name="listening", trigger=opened)
    lived = World(mail("one"), listening).appear("ann", email=ANN).track("ann", "Go").after("1h")

    lived.track("ann", "Email Opened")

    (message,) = lived.messages()
    assert [detail["properties"] for detail in lived.details("entered")][1] == described(message)


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("Email Opened", {}, ["opened"]),
        ("Email Opened", {"machine": True}, []),
        ("Email Opened", {"machine": False}, ["opened"]),
        ("Email Link Clicked", {}, ["clicked"]),
        ("Email Link Clicked", {"machine": True}, []),
        ("Email Delivered", {}, []),
        ("Email Bounced", {}, []),
    ],
)
def test_rule_5_7_what_a_machine_does_is_not_a_persons(
    name: str, properties: dict[str, JSON], expected: list[str]
) -> None:
    lived = world().track("ann", name, properties).settle()

    assert [one.what for effects in lived.effects for one in effects.engaged] == expected


def test_rule_5_7_imported_openings_count_and_do_not_take_the_latest_message_for_theirs() -> None:
    lived = world()
    one, _ = lived.messages()
    before = lived.now - timedelta(days=30)

    lived.track("ann", "Email Opened", occurred=before.isoformat(), imported=True)
    lived.track("ann", "Email Opened", message=one.id, imported=True).settle()

    assert [engaged.message for effects in lived.effects for engaged in effects.engaged] == [one.id]


def test_rule_5_8_a_bounce_of_an_address_that_was_filled_in_suppresses_it() -> None:
    lived = world().track("ann", "Email Bounced", type="hard").after("1m").track("ann", "Go")

    assert [(message.status, message.reason) for message in lived.messages()][-1] == ("skipped", "suppressed")
