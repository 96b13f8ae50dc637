"""SMS and push beside e-mail (semantics, chapter 5)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.core.world import RENDERER, Step, World, flow, read

from journeyflow.core.check.references import findings
from journeyflow.core.documents import Documents
from journeyflow.core.journey import Journey
from journeyflow.core.values import JSON

PHONE = "+48 600 100 200"
SHORT = "template: short\nchannel: sms\nbody: Hi {{ contact.first_name }}\n---\n"
SHOP = "workspace: shop\ntopics: [{id: offers, name: Offers}]\n---\n"
REACHED: dict[str, JSON] = {"email": "ann@shop.example", "phone": PHONE, "push_token": "token-1"}


def sent(node: str, *documents: str, start: str = "2026-03-02T12:00Z", **attributes: JSON) -> World:
    return sent_to(attributes, node, *documents, start=start)


def sent_to(attributes: Mapping[str, JSON], node: str, *documents: str, start: str = "2026-03-02T12:00Z") -> World:
    journey = flow(f"node: {{{node}, next: after}}\nafter: {{type: tag, add: [after]}}")
    return World(*documents, journey, start=start).appear("ann", attributes=attributes).track("ann", "Go")


def outcome(world: World) -> Step:
    (found,) = [step[2:] for step in world.story() if step[0] == "message"]
    return found


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        (PHONE, ("queued",)),
        ("0048 (600) 100-200", ("queued",)),
        (48600100200, ("queued",)),
        (None, ("skipped", "no_address")),
        ("", ("skipped", "no_address")),
        ("ann@shop.example", ("skipped", "no_address")),
        (True, ("skipped", "no_address")),
        (-48600100200, ("skipped", "no_address")),
        ("12", ("skipped", "no_address")),
    ],
)
def test_rule_5_1_an_sms_goes_to_the_attribute_phone(phone: JSON, expected: Step) -> None:
    assert outcome(sent("type: sms, text: Hi", email="ann@shop.example", phone=phone)) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("dGhpcyBpcyBh:token", ("queued",)),
        (None, ("skipped", "no_address")),
        ("two words", ("skipped", "no_address")),
        (["a", "b"], ("skipped", "no_address")),
    ],
)
def test_rule_5_1_a_push_message_goes_to_the_attribute_push_token(token: JSON, expected: Step) -> None:
    assert outcome(sent("type: push, text: Hi", phone=PHONE, push_token=token)) == expected


@pytest.mark.parametrize("channel", ["sms", "push"])
def test_rule_9_3_a_message_that_is_written_in_its_node_has_no_template(channel: str) -> None:
    world = sent_to(REACHED, f"type: {channel}, text: 'Hi {{{{ contact.first_name }}}}'")

    (detail,) = world.details("message")
    to = PHONE if channel == "sms" else "token-1"
    assert detail == {"channel": channel, "template": None, "to": to, "outcome": "queued", "reason": None}
    (message,) = world.messages()
    assert (message.channel, message.template) == (channel, None)
    assert message.overrides == {"text": "Hi {{ contact.first_name }}"}


def test_rule_5_3_a_short_message_keeps_what_its_template_reads() -> None:
    world = sent("type: sms, template: short", SHORT, phone=PHONE, first_name="Ann", secret="x")

    (message,) = world.messages()
    assert (message.template, message.template_version) == ("short", 1)
    assert message.values == {"contact": {"first_name": "Ann"}}, "what the template reads, and nothing else"
    assert message.expires_at is not None
    assert (message.expires_at - message.queued_at).total_seconds() == 12 * 3600


def test_rule_5_1_a_text_that_fails_is_a_template_error() -> None:
    node = "type: sms, text: '{{ 1 | divided_by: contact.zero }}'"

    assert outcome(sent(node, phone=PHONE, zero=0)) == ("skipped", "template_error")
    assert outcome(sent(node, phone=PHONE, zero=1)) == ("queued",)


def test_rule_5_1_a_text_that_shows_a_code_which_was_not_given() -> None:
    nodes = "code: {type: coupon, pool: ten, next: text}\ntext: {type: sms, text: '{{ vars.coupon.code }}'}"
    world = World("coupon_pool: ten\ncodes: generated\n---\n", flow(nodes)).appear("ann", phone=PHONE)
    world.memory.empty.add("ten")

    assert outcome(world.track("ann", "Go")) == ("skipped", "no_coupon")


@pytest.mark.parametrize("node", ["type: sms, text: Hi", "type: push, text: Hi", "type: sms, text: Hi, topic: offers"])
def test_rule_5_8_who_unsubscribes_from_everything_gets_nothing_by_any_channel(node: str) -> None:
    journey = flow(f"node: {{{node}}}", "reentry: {policy: always}")
    world = World(SHOP, journey).appear("ann", attributes=REACHED).track("ann", "Unsubscribed").track("ann", "Go")

    assert outcome(world) == ("skipped", "unsubscribed")
    world.after("1m").track("ann", "Subscribed").track("ann", "Go")
    assert world.messages()[-1].status == "queued"


def test_rule_5_8_who_has_only_a_telephone_can_unsubscribe_from_everything() -> None:
    journey = flow("ask: {type: branch, cases: [{when: {topic: offers}, next: text}]}\ntext: {type: sms, text: Hi}")
    world = World(SHOP, journey).appear("ann", phone=PHONE).track("ann", "Unsubscribed").track("ann", "Go")

    assert world.story()[1] == ("ran", "ask", "else")


def test_rule_5_8_an_address_that_an_event_names_is_the_only_one_it_is_about() -> None:
    world = World(SHOP, flow("text: {type: sms, text: Hi}")).appear("ann", attributes=REACHED)

    world.track("ann", "Unsubscribed", email="ann@shop.example").track("ann", "Go")

    assert outcome(world) == ("queued",)


def test_rule_5_8_a_hard_bounce_suppresses_the_e_mail_address_alone() -> None:
    world = World(flow("text: {type: sms, text: Hi}")).appear("ann", attributes=REACHED)

    assert outcome(world.track("ann", "Email Bounced", type="hard").track("ann", "Go")) == ("queued",)


def test_rule_5_1_consent_for_the_topic_counts_for_an_sms() -> None:
    world = World(SHOP, flow("text: {type: sms, text: Hi, topic: offers}")).appear("ann", phone=PHONE)

    assert outcome(world.topics("ann", offers=False).track("ann", "Go")) == ("skipped", "unsubscribed")


@pytest.mark.parametrize("channel", ["sms", "push"])
def test_rule_5_1_quiet_hours_are_for_every_channel(channel: str) -> None:
    quiet = "workspace: shop\nquiet_hours: {from: '21:00', to: '08:00'}\n---\n"
    world = sent_to(REACHED, f"type: {channel}, text: Hi", quiet, start="2026-03-02T23:00Z")

    assert world.story()[1] == ("waiting", "node", "2026-03-03T08:00Z", "quiet_hours")


def test_rule_5_1_a_transactional_sms_may_go_to_another_number() -> None:
    world = sent("type: sms, text: Hi, transactional: true, to: '{{ trigger.phone }}'", phone=PHONE)
    assert outcome(world) == ("skipped", "no_address")

    journey = flow("text: {type: sms, text: Hi, transactional: true, to: '{{ trigger.phone }}'}")
    other = World(journey).appear("ann", phone=PHONE).track("ann", "Go", phone="+44 20 7946 0000")
    assert [message.to for message in other.messages()] == ["+44 20 7946 0000"]


def test_rule_5_2_a_skipped_sms_goes_on_by_on_skip() -> None:
    world = sent("type: sms, text: Hi, on_skip: end")

    assert world.story()[1:] == [("message", "node", "skipped", "no_address"), ("completed",)]


# --- documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"type": "sms"}, "expected one of template, text"),
        ({"type": "push", "text": "Hi", "template": "short"}, "found template and text"),
        ({"type": "sms", "text": "Hi", "to": "+44"}, "transactional"),
        ({"type": "sms", "text": "Hi", "subject": "Hi"}, "Extra inputs"),
    ],
)
def test_what_an_sms_node_may_not_be(node: dict[str, JSON], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Journey.model_validate({"journey": "walk", "start": "node", "nodes": {"node": node}})


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ("type: sms, template: letter", "letter"),
        ("type: push, template: short", "short"),
        ("type: email, template: short", "short"),
    ],
)
def test_a_template_must_be_for_the_channel_of_its_node(node: str, value: str) -> None:
    letter = "template: letter\nsubject: Hi\nbody: Hello\n---\n"
    documents = Documents.of(read(f"{letter}{SHORT}{flow(f'node: {{{node}}}')}"))

    (found,) = findings(documents, RENDERER)

    assert (found.kind, found.id, found.path, found.code) == ("journey", "walk", "nodes.node.template", "JF006")
    channel = node.removeprefix("type: ").partition(",")[0]
    assert found.message.startswith(f"expected a template with channel: {channel}, this one is for ")
    assert found.value == value
