"""Frequency caps (semantics 5.1, 5.9)."""

from __future__ import annotations

import pytest
from tests.core.world import Step, World, flow, short

ANN = "ann@shop.example"
ALWAYS = "reentry: {policy: always}"
MORNING = "2026-03-02T09:00Z"


def shop(*caps: str, more: str = "") -> str:
    return f"workspace: shop\nfrequency_caps: [{', '.join(caps)}]\n{more}\n---\n"


def cap(max: int = 1, per: str = "1d", then: str = "skip", channel: str = "email") -> str:
    return f"{{channel: {channel}, max: {max}, per: {per}, when_reached: {then}}}"


def mail(name: str = "walk", *lines: str, more: str = "", event: str = "Go") -> str:
    node = f"mail: {{type: email, template: letter, next: after{more}}}\nafter: {{type: tag, add: [after]}}"
    return flow(node, ALWAYS, *lines, name=name, trigger=f"{{type: event, event: {event}}}")


def outcomes(world: World, contact: str = "ann", journey: str | None = None) -> list[Step]:
    return [step[2:] for step in world.story(contact, journey) if step[0] == "message"]


def queued_at(world: World) -> list[str]:
    return [short(message.queued_at) for message in world.messages() if message.status == "queued"]


def world(*documents: str, start: str = MORNING) -> World:
    return World(*documents, start=start).appear("ann", email=ANN, phone="+48600100200")


# --- what is counted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("again", "expected"),
    [("2026-03-03T08:59:59.999999Z", ("skipped", "frequency_cap")), ("2026-03-03T09:00Z", ("queued",))],
)
def test_rule_5_9_a_message_stops_counting_at_exactly_its_time_and_the_caps_length(again: str, expected: Step) -> None:
    lived = world(shop(cap()), mail()).track("ann", "Go").at(again).track("ann", "Go")

    assert outcomes(lived) == [("queued",), expected]


def test_rule_5_9_so_many_messages_are_let_through() -> None:
    lived = world(shop(cap(max=2)), mail()).track("ann", "Go")
    for _ in range(3):
        lived.after("1h").track("ann", "Go")

    assert outcomes(lived) == [("queued",), ("queued",), ("skipped", "frequency_cap"), ("skipped", "frequency_cap")]
    assert lived.story()[-3:] == [("message", "mail", "skipped", "frequency_cap"), ("ran", "after"), ("completed",)]


def test_rule_5_9_a_skipped_message_takes_no_place() -> None:
    lived = world(shop(cap()), mail()).track("ann", "Go").after("20h").track("ann", "Go").after("4h").track("ann", "Go")

    assert outcomes(lived) == [("queued",), ("skipped", "frequency_cap"), ("queued",)]


def test_rule_5_9_transactional_messages_are_exempt_and_not_counted() -> None:
    receipt = mail("receipt", more=", transactional: true", event="Paid")
    lived = world(shop(cap()), mail(), receipt)

    lived.track("ann", "Paid").after("1m").track("ann", "Go").after("1m").track("ann", "Paid")

    assert outcomes(lived, journey="receipt") == [("queued",), ("queued",)]
    assert outcomes(lived, journey="walk") == [("queued",)]


def test_rule_5_9_a_transactional_topic_makes_a_message_exempt_too() -> None:
    topics = "topics: [{id: account, name: Account, transactional: true}]"
    lived = world(shop(cap(), more=topics), mail(more=", topic: account")).track("ann", "Go").after("1m")

    assert outcomes(lived.track("ann", "Go")) == [("queued",), ("queued",)]


def test_rule_5_9_each_channel_has_its_own_count() -> None:
    text = flow("sms: {type: sms, text: Hi}", ALWAYS, name="text")
    lived = world(shop(cap(), cap(channel="sms", max=2)), mail(), text)

    for _ in range(3):
        lived.track("ann", "Go").after("1m")

    assert outcomes(lived, journey="walk") == [("queued",), *[("skipped", "frequency_cap")] * 2]
    assert outcomes(lived, journey="text") == [("queued",), ("queued",), ("skipped", "frequency_cap")]


def test_rule_5_9_each_contact_has_its_own_count() -> None:
    lived = world(shop(cap()), mail()).appear("bob", email="bob@shop.example").track("ann", "Go").track("bob", "Go")

    assert (outcomes(lived), outcomes(lived, "bob")) == ([("queued",)], [("queued",)])


def test_rule_5_9_of_several_caps_each_must_have_room() -> None:
    lived = world(shop(cap(max=2, per="1h"), cap(max=3, per="1d")), mail())
    for pause in ("1m", "1m", "1h", "1h", "1d"):
        lived.track("ann", "Go").after(pause)

    reached = ("skipped", "frequency_cap")
    assert outcomes(lived) == [("queued",), ("queued",), reached, ("queued",), reached]


def test_rule_5_9_a_withdrawn_message_gives_its_place_back() -> None:
    nodes = "mail: {type: email, template: letter, next: pause}\npause: {type: wait, for: 1h}"
    leaving = flow(nodes, ALWAYS, "exit_on: [{event: Stop}]", name="leaving")
    lived = world(shop(cap()), leaving, mail("other", event="Other"))

    lived.track("ann", "Go").after("1m").track("ann", "Stop").after("1m").track("ann", "Other")

    assert outcomes(lived, journey="leaving") == [("queued",), ("cancelled", "exit_on")]
    assert outcomes(lived, journey="other") == [("queued",)]


def test_rule_5_9_withdrawn_in_the_same_handling_it_gives_its_place_back_as_well() -> None:
    first = flow("mail: {type: email, template: letter, next: pause}\npause: {type: wait, for: 1h}",
                 "exit_on: [{event: Tag Added}]", "priority: 90", name="first")  # fmt: skip
    second = flow("label: {type: tag, add: [x], next: pause}\npause: {type: wait, for: 1m, next: mail}\n"
                  "mail: {type: email, template: letter}", name="second")  # fmt: skip
    lived = world(shop(cap()), first, second).track("ann", "Go").after("1h")

    assert outcomes(lived, journey="first") == [("queued",), ("cancelled", "exit_on")]
    assert outcomes(lived, journey="second") == [("queued",)]


def test_rule_5_9_a_message_that_failed_before_it_was_sent_gives_its_place_back() -> None:
    lived = world(shop(cap()), mail()).track("ann", "Go").after("1m")
    lived.fail(lived.messages()[0]).after("1m").track("ann", "Go")

    assert outcomes(lived) == [("queued",), ("queued",)]


def test_rule_5_9_at_one_instant_priority_decides_who_gets_the_place() -> None:
    lived = world(shop(cap()), mail("apple", "priority: 10"), mail("zebra", "priority: 90"), mail("plum"))

    lived.track("ann", "Go")

    assert {name: outcomes(lived, journey=name) for name in ("apple", "plum", "zebra")} == {
        "apple": [("skipped", "frequency_cap")],
        "plum": [("skipped", "frequency_cap")],
        "zebra": [("queued",)],
    }


# --- defer -----------------------------------------------------------------------------------------------------------


def test_rule_5_1_a_deferred_message_waits_until_there_is_room() -> None:
    lived = world(shop(cap(then="defer")), mail()).track("ann", "Go").after("6h").track("ann", "Go").after("2d")

    assert lived.story()[4:] == [
        ("entered",),
        ("waiting", "mail", "2026-03-03T09:00Z", "frequency_cap"),
        ("resumed", "mail", "timer"),
        ("message", "mail", "queued"),
        ("ran", "after"),
        ("completed",),
    ]
    assert queued_at(lived) == [MORNING, "2026-03-03T09:00Z"]
    assert lived.details("waiting") == [{"until": "2026-03-03T09:00:00.000000Z", "reason": "frequency_cap"}]


def test_rule_5_1_it_waits_for_the_message_that_makes_room_not_for_the_last() -> None:
    lived = world(shop(cap(max=2, then="defer")), mail()).track("ann", "Go").after("1h").track("ann", "Go").after("1h")

    lived.track("ann", "Go").after("2d")

    assert queued_at(lived) == [MORNING, "2026-03-02T10:00Z", "2026-03-03T09:00Z"]


def test_rule_5_1_two_that_wait_go_one_after_the_other_by_priority() -> None:
    lived = world(shop(cap(then="defer")), mail("first", event="First"), mail("low", "priority: 10"), mail("high"))

    lived.track("ann", "First").after("1h").track("ann", "Go").after("5d")

    waits = {name: [step[2] for step in lived.story(journey=name) if step[0] == "waiting"] for name in ("low", "high")}
    assert waits == {
        "high": ["2026-03-03T09:00Z"],
        "low": ["2026-03-03T09:00Z", "2026-03-04T09:00Z"],
    }
    assert queued_at(lived) == [MORNING, "2026-03-03T09:00Z", "2026-03-04T09:00Z"]


@pytest.mark.parametrize(
    ("meanwhile", "then"),
    [
        ("unsubscribe", ("message", "mail", "skipped", "unsubscribed")),
        ("no address", ("message", "mail", "skipped", "no_address")),
        ("bounce", ("message", "mail", "skipped", "suppressed")),
        ("leave", ("exited", "stay_if")),
    ],
)
def test_rule_5_1_after_the_wait_for_a_cap_all_gates_are_asked_again(meanwhile: str, then: Step) -> None:
    lived = world(shop(cap(then="defer")), mail("walk", "stay_if: {not: {tag: leave}}"))
    lived.track("ann", "Go").after("1h").track("ann", "Go").after("1h")
    {
        "unsubscribe": lambda: lived.track("ann", "Unsubscribed"),
        "no address": lambda: lived.identify("ann", email=None),
        "bounce": lambda: lived.track("ann", "Email Bounced", type="hard"),
        "leave": lambda: lived.tag("ann", "leave"),
    }[meanwhile]()

    lived.after("2d")

    assert lived.story()[6:8] == [("resumed", "mail", "timer"), then]


def test_rule_5_1_from_the_cap_into_quiet_hours() -> None:
    quiet = "quiet_hours: {from: '08:00', to: '10:00'}"
    lived = world(shop(cap(per="23h", then="defer"), more=quiet), mail(), start="2026-03-02T10:00Z")

    lived.track("ann", "Go").after("1h").track("ann", "Go").after("2d")

    assert [step[2:] for step in lived.story() if step[0] == "waiting"] == [
        ("2026-03-03T09:00Z", "frequency_cap"),
        ("2026-03-03T10:00Z", "quiet_hours"),
    ]
    assert queued_at(lived) == ["2026-03-02T10:00Z", "2026-03-03T10:00Z"]


def test_rule_5_1_it_waits_for_at_most_seven_days_and_is_skipped_then() -> None:
    lived = world(shop(cap(per="30d", then="defer")), mail(more=", on_skip: end")).track("ann", "Go").after("1h")

    lived.track("ann", "Go").after("20d")

    assert lived.story()[5:] == [
        ("waiting", "mail", "2026-03-09T10:00Z", "frequency_cap"),
        ("resumed", "mail", "timer"),
        ("message", "mail", "skipped", "frequency_cap"),
        ("completed",),
    ]


def test_rule_5_1_room_that_comes_after_exactly_seven_days_is_in_time() -> None:
    lived = world(shop(cap(per="7d", then="defer")), mail("other", event="Other"), mail())

    lived.track("ann", "Other").track("ann", "Go").after("8d")

    assert queued_at(lived) == [MORNING, "2026-03-09T09:00Z"]


def test_rule_5_1_seven_days_are_those_of_one_visit_to_the_node() -> None:
    """Each message of a run may wait for so long, whatever one before it has waited."""
    nodes = """
    one: {type: email, template: letter, next: two}
    two: {type: email, template: letter, next: three}
    three: {type: email, template: letter}
    """
    lived = world(shop(cap(per="6d", then="defer")), flow(nodes)).track("ann", "Go").after("30d")

    assert queued_at(lived) == [MORNING, "2026-03-08T09:00Z", "2026-03-14T09:00Z"]


def test_rule_5_1_of_caps_that_defer_all_are_waited_for_together() -> None:
    lived = world(shop(cap(per="1h", then="defer"), cap(per="1d", then="defer")), mail()).track("ann", "Go").after("1m")

    lived.track("ann", "Go")

    assert lived.times("waiting") == ["2026-03-02T09:01Z"]
    assert lived.story()[-1] == ("waiting", "mail", "2026-03-03T09:00Z", "frequency_cap")


def test_rule_5_1_one_cap_that_skips_is_not_waited_for() -> None:
    lived = world(shop(cap(per="1h", then="defer"), cap(per="1d")), mail()).track("ann", "Go").after("1m")

    assert outcomes(lived.track("ann", "Go")) == [("queued",), ("skipped", "frequency_cap")]


def test_rule_5_9_a_place_that_is_given_back_goes_to_who_waits_for_it_at_once() -> None:
    lived = world(shop(cap(then="defer")), mail()).track("ann", "Go").after("1h").track("ann", "Go").after("1h")

    lived.fail(lived.messages()[0]).after("1m")

    assert lived.story()[6:8] == [("resumed", "mail", "timer"), ("message", "mail", "queued")]
    assert queued_at(lived) == [MORNING, "2026-03-02T11:00Z"]


def test_rule_5_9_a_place_in_the_cap_of_another_channel_wakes_nobody() -> None:
    text = flow("sms: {type: sms, text: Hi}", name="text")
    lived = world(shop(cap(then="defer")), mail(), text).track("ann", "Go").after("1h").track("ann", "Go").after("1h")
    (sms,) = [message for message in lived.messages() if message.channel == "sms"]

    lived.fail(sms).after("1m")

    assert lived.story(journey="walk")[-1] == ("waiting", "mail", "2026-03-03T09:00Z", "frequency_cap")


def test_rule_8_2_a_message_that_waits_for_a_cap_is_held_while_its_journey_is_paused() -> None:
    lived = world(shop(cap(then="defer")), mail()).track("ann", "Go").after("1h").track("ann", "Go").after("1h")

    lived.pause("walk").after("2d").resume("walk")

    assert lived.story()[5:9] == [
        ("waiting", "mail", "2026-03-03T09:00Z", "frequency_cap"),
        ("waiting", "mail", "for ever", "paused"),
        ("resumed", "mail", "timer"),
        ("message", "mail", "queued"),
    ]


def test_rule_7_3_a_message_that_failed_caused_nothing() -> None:
    nodes = """
    one: {type: email, template: letter, next: hour}
    hour: {type: wait, for: 1h, next: two}
    two: {type: email, template: letter, next: long}
    long: {type: wait, for: 9d}
    """
    lived = world(flow(nodes, "goal: {event: Bought, within: 3d}")).track("ann", "Go").after("2h")
    one, two = lived.messages()

    lived.fail(two).after("1m").track("ann", "Bought")

    assert [detail["since_message"] for detail in lived.details("converted")] == [one.id]


def test_rule_7_2_a_message_that_failed_can_no_longer_be_withdrawn() -> None:
    nodes = "one: {type: email, template: letter, next: long}\nlong: {type: wait, for: 9d}"
    lived = world(flow(nodes, "exit_on: [{event: Bought}]")).track("ann", "Go").after("2h")
    (one,) = lived.messages()

    lived.fail(one).after("1m").track("ann", "Bought")

    assert outcomes(lived) == [("queued",)]
