"""Messages: the gates, the outbox, consent (semantics, chapter 5)."""

from __future__ import annotations

import uuid

import pytest
from tests.core.world import Step, World, flow, short

from journeyflow.core.effects import Message
from journeyflow.core.values import JSON

SHOP = """
workspace: shop
topics:
  - {id: offers, name: Offers}
  - {id: news, name: News, default: unsubscribed}
  - {id: account, name: Account, transactional: true}
---
"""
QUIET = "workspace: shop\nquiet_hours: {from: '21:00', to: '08:00'}\ntopics: [{id: offers, name: Offers}]\n---\n"
ANN = "ann@shop.example"


def mail(more: str = "", template: str = "letter") -> str:
    return flow(f"mail: {{type: email, template: {template}, next: after{more}}}\nafter: {{type: tag, add: [after]}}")


def outcome(world: World, contact: str = "ann") -> Step:
    """What became of the message."""
    (found,) = [step[2:] for step in world.story(contact) if step[0] == "message"]
    return found


def sent(*documents: str, start: str = "2026-03-02T12:00Z", **attributes: JSON) -> Step:
    world = World(*documents, start=start).appear("ann", attributes=attributes).track("ann", "Go")
    return outcome(world)


# --- 5.1: address, suppression, consent ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "email",
    [None, "", "   ", "ann", "@shop.example", "ann@", "a b@shop.example", "<ann@shop.example>", 5, ["x"], "a@b,c@d"],
)
def test_rule_5_1_without_an_address_a_message_is_skipped(email: JSON) -> None:
    assert sent(mail(), email=email) == ("skipped", "no_address")


@pytest.mark.parametrize("email", [ANN, f"  {ANN} ", "Ann.O'Hara+x@mail.shop.example", "żółw@żółw.example"])
def test_rule_5_1_with_an_address_it_is_queued(email: str) -> None:
    assert sent(mail(), email=email) == ("queued",)


def suppressed(world: World) -> World:
    return world.track("ann", "Email Bounced", type="hard")


@pytest.mark.parametrize("more", ["", ", transactional: true", ", topic: account", ", topic: offers"])
def test_rule_5_1_suppression_stops_transactional_messages_too(more: str) -> None:
    world = suppressed(World(SHOP, mail(more)).appear("ann", email=ANN)).track("ann", "Go")

    assert outcome(world) == ("skipped", "suppressed")


@pytest.mark.parametrize(
    ("more", "told", "reason"),
    [
        (", topic: news", None, "unsubscribed"),
        (", topic: offers", {"topic": "offers"}, "unsubscribed"),
        (", topic: offers", {"topic": "news"}, None),
        (", topic: offers", {}, "unsubscribed"),
        ("", {"topic": "offers"}, None),
        ("", {}, "unsubscribed"),
        (", topic: account", {}, None),
        (", topic: account", {"topic": "account"}, None),
        (", topic: news, transactional: true", {}, None),
        (", transactional: true", {}, None),
    ],
)
def test_rule_5_1_consent_for_the_topic_or_for_everything(
    more: str, told: dict[str, JSON] | None, reason: str | None
) -> None:
    world = World(SHOP, mail(more)).appear("ann", email=ANN)
    if told is not None:
        world.track("ann", "Unsubscribed", told)

    world.track("ann", "Go")

    assert outcome(world) == (("queued",) if reason is None else ("skipped", reason))


def test_rule_5_1_a_transactional_message_may_go_to_another_address() -> None:
    world = World(SHOP, mail(", transactional: true, to: '{{ contact.work }}'"))

    world.appear("ann", email=ANN, work="ann@work.example").track("ann", "Go")
    world.appear("bob", email="bob@shop.example", work="ann@work.example")
    world.track("bob", "Email Bounced", type="hard", email="Ann@Work.example").track("bob", "Go")

    assert [message.to for message in world.messages()] == ["ann@work.example"] * 2
    assert (outcome(world, "ann"), outcome(world, "bob")) == (("queued",), ("skipped", "suppressed"))


# --- 5.1: quiet hours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "until"),
    [
        ("2026-03-02T20:59:59.999999Z", None),
        ("2026-03-02T21:00Z", "2026-03-03T08:00Z"),
        ("2026-03-03T00:00Z", "2026-03-03T08:00Z"),
        ("2026-03-03T07:59:59.999999Z", "2026-03-03T08:00Z"),
        ("2026-03-03T08:00Z", None),
    ],
)
def test_rule_5_1_from_belongs_to_quiet_hours_and_to_does_not(start: str, until: str | None) -> None:
    world = World(QUIET, mail(), start=start)

    world.appear("ann", email=ANN).track("ann", "Go")

    assert world.story()[1] == (
        ("message", "mail", "queued") if until is None else ("waiting", "mail", until, "quiet_hours")
    )


@pytest.mark.parametrize(("start", "quiet"), [("2026-03-02T12:59Z", False), ("2026-03-02T13:00Z", True)])
def test_rule_5_1_quiet_hours_may_lie_within_a_day(start: str, quiet: bool) -> None:
    world = World(QUIET.replace("21:00", "13:00").replace("08:00", "15:00"), mail(), start=start)

    world.appear("ann", email=ANN).track("ann", "Go")

    assert (world.story()[1][0] == "waiting") is quiet


def test_rule_5_1_quiet_hours_are_those_of_where_the_contact_is() -> None:
    world = World(QUIET, mail(), start="2026-03-02T20:30Z")

    world.appear("ann", email=ANN, timezone="Europe/Warsaw").appear("bob", email="bob@shop.example")
    world.track("ann", "Go").track("bob", "Go")

    assert world.story("ann")[1] == ("waiting", "mail", "2026-03-03T07:00Z", "quiet_hours")
    assert outcome(world, "bob") == ("queued",)


@pytest.mark.parametrize("more", [", transactional: true", ", topic: account"])
def test_rule_5_1_transactional_messages_know_no_quiet_hours(more: str) -> None:
    quiet = QUIET.replace("topics: [", "topics: [{id: account, name: Account, transactional: true}, ")

    assert sent(quiet, mail(more), start="2026-03-02T23:00Z", email=ANN) == ("queued",)


def test_rule_5_1_who_may_get_nothing_does_not_wait_for_the_morning() -> None:
    assert sent(QUIET, mail(), start="2026-03-02T23:00Z") == ("skipped", "no_address")


def test_rule_5_1_when_they_end_the_message_is_queued() -> None:
    world = World(QUIET, mail(), start="2026-03-02T23:00Z")

    world.appear("ann", email=ANN).track("ann", "Go").after("1d")

    assert world.story()[1:4] == [
        ("waiting", "mail", "2026-03-03T08:00Z", "quiet_hours"),
        ("resumed", "mail", "timer"),
        ("message", "mail", "queued"),
    ]
    (message,) = world.messages()
    assert short(message.queued_at) == "2026-03-03T08:00Z"
    assert message.id == _uuid5(world.run().id, "mail\x1f0")


@pytest.mark.parametrize(
    ("meanwhile", "then"),
    [
        ("no address", ("message", "mail", "skipped", "no_address")),
        ("bounce", ("message", "mail", "skipped", "suppressed")),
        ("unsubscribe", ("message", "mail", "skipped", "unsubscribed")),
        ("moves west", ("waiting", "mail", "2026-03-03T13:00Z", "quiet_hours")),
        ("not only_if", ("skipped", "mail", "only_if")),
        ("not stay_if", ("exited", "stay_if")),
    ],
)
def test_rule_5_1_after_quiet_hours_all_is_asked_again(meanwhile: str, then: Step) -> None:
    journey = mail(", topic: offers, only_if: {not: {tag: skip}}").replace(
        "nodes:", "stay_if: {not: {tag: leave}}\nnodes:"
    )
    world = World(QUIET, journey, start="2026-03-02T23:00Z").appear("ann", email=ANN).track("ann", "Go").after("1h")

    {
        "no address": lambda: world.identify("ann", email=None),
        "bounce": lambda: suppressed(world),
        "unsubscribe": lambda: world.track("ann", "Unsubscribed", topic="offers"),
        "moves west": lambda: world.identify("ann", timezone="America/New_York"),
        "not only_if": lambda: world.tag("ann", "skip"),
        "not stay_if": lambda: world.tag("ann", "leave"),
    }[meanwhile]()
    # New York's clock goes forward on 8 March; on the 3rd 08:00 there is 13:00Z.
    world.at("2026-03-03T08:30Z")

    assert world.story()[2:4] == [("resumed", "mail", "timer"), then]


# --- 5.1: templates and coupons; 5.2 ---------------------------------------------------------------------------------

FRAGILE = "template: fragile\nsubject: 'Half: {{ 10 | divided_by: contact.zero }}'\nbody: Hello\n---\n"
SHOWS_CODE = "template: coded\nsubject: Hi\nbody: '{{ vars.coupon.code }}'\n---\n"
POOL = "coupon_pool: ten\ncodes: generated\n---\n"


def test_rule_5_1_a_template_that_can_fail_and_does() -> None:
    assert sent(FRAGILE, mail(template="fragile"), email=ANN, zero=0) == ("skipped", "template_error")
    assert sent(FRAGILE, mail(template="fragile"), email=ANN, zero=5) == ("queued",)


def with_coupon(coupon: str = "", template: str = "coded") -> str:
    return flow(
        f"code: {{type: coupon, pool: ten, next: mail{coupon}}}\n"
        f"mail: {{type: email, template: {template}, next: after}}\nafter: {{type: tag, add: [after]}}"
    )


@pytest.mark.parametrize(
    ("coupon", "template", "expected"),
    [
        ("", "coded", ("skipped", "no_coupon")),
        (", on_empty: mail", "coded", ("queued",)),
        (", save_as: other", "coded", ("queued",)),
        ("", "letter", ("queued",)),
        (", only_if: {tag: vip}", "coded", ("skipped", "no_coupon")),
    ],
)
def test_rule_5_1_a_template_that_shows_a_code_which_was_not_given(coupon: str, template: str, expected: Step) -> None:
    world = World(SHOWS_CODE, POOL, with_coupon(coupon, template))
    world.memory.empty.add("ten")

    world.appear("ann", email=ANN).track("ann", "Go")

    assert outcome(world) == expected


def test_rule_5_1_with_the_code_it_is_queued() -> None:
    world = World(SHOWS_CODE, POOL, with_coupon())

    world.appear("ann", email=ANN).track("ann", "Go")

    assert outcome(world) == ("queued",)
    (message,) = world.messages()
    assert message.values == {"vars": {"coupon": world.run().vars["coupon"]}}


def test_rule_5_1_a_coupon_node_that_was_not_visited_promises_nothing() -> None:
    nodes = """
    ask: {type: branch, cases: [{when: {tag: vip}, next: code}], else: mail}
    code: {type: coupon, pool: ten, next: mail}
    mail: {type: email, template: coded}
    """
    assert sent(SHOWS_CODE, POOL, flow(nodes), email=ANN) == ("queued",)


@pytest.mark.parametrize(
    ("good", "expected"),
    [
        (set(), ("message", "mail", "skipped", "no_address")),
        ({"address"}, ("message", "mail", "skipped", "suppressed")),
        ({"address", "bounce"}, ("message", "mail", "skipped", "unsubscribed")),
        ({"address", "bounce", "unsubscribe"}, ("waiting", "mail", "2026-03-03T08:00Z", "quiet_hours")),
        ({"address", "bounce", "unsubscribe", "night"}, ("message", "mail", "skipped", "template_error")),
        ({"address", "bounce", "unsubscribe", "night", "zero"}, ("message", "mail", "skipped", "no_coupon")),
    ],
)
def test_rule_5_1_the_first_gate_that_holds_decides(good: set[str], expected: Step) -> None:
    """From everything being wrong, one thing after the other is put right."""
    template = "template: coded\nsubject: '{{ 1 | divided_by: contact.zero }}'\nbody: '{{ vars.coupon.code }}'\n---\n"
    start = "2026-03-02T12:00Z" if "night" in good else "2026-03-02T23:00Z"
    world = World(QUIET, template, POOL, with_coupon(), start=start)
    world.memory.empty.add("ten")
    world.appear("ann", email=ANN, zero=1 if "zero" in good else 0)
    if "bounce" not in good:
        suppressed(world)
    if "unsubscribe" not in good:
        world.track("ann", "Unsubscribed")
    if "address" not in good:
        world.identify("ann", email="nowhere")

    world.track("ann", "Go")

    assert world.story()[2] == expected


@pytest.mark.parametrize(("on_skip", "tag"), [("", "after"), (", on_skip: other", "other")])
def test_rule_5_2_a_skipped_message_skips_only_itself(on_skip: str, tag: str) -> None:
    nodes = f"""
    mail: {{type: email, template: letter, next: after{on_skip}}}
    after: {{type: tag, add: [after]}}
    other: {{type: tag, add: [other]}}
    """
    world = World(flow(nodes))

    world.track("ann", "Go")

    assert world.story()[1:] == [
        ("message", "mail", "skipped", "no_address"),
        ("ran", tag),
        ("completed",),
    ]


def test_rule_5_2_a_queued_message_goes_on_along_next() -> None:
    world = World(flow("mail: {type: email, template: letter, on_skip: other}\nother: {type: tag, add: [other]}"))

    world.appear("ann", email=ANN).track("ann", "Go")

    assert world.story()[1:] == [("message", "mail", "queued"), ("completed",)]


# --- 5.3, 5.4 --------------------------------------------------------------------------------------------------------


def one_message(world: World) -> Message:
    (found,) = world.messages()
    return found


def test_rule_5_3_a_message_is_written_with_the_step_that_made_it() -> None:
    world = World(SHOP, mail(", topic: offers, subject: 'For {{ contact.first_name }}', reply_to: care@shop.example"))

    world.appear("ann", email=ANN, first_name="Ann", secret="x").track("ann", "Go").settle()

    (effects,) = [effects for effects in world.effects if effects.messages]
    assert [record.kind for _, record in effects.trail] == ["entered", "message", "ran", "completed"]
    message = one_message(world)
    assert (message.status, message.reason, message.to, message.channel) == ("queued", None, ANN, "email")
    assert (message.template, message.template_version, message.topic) == ("letter", 1, "offers")
    assert (message.journey, message.version, message.node, message.run) == ("walk", 1, "mail", world.run().id)
    assert message.overrides == {"subject": "For Ann", "reply_to": "care@shop.example"}
    assert message.values == {"contact": {"first_name": "Ann"}}, "what the template reads, and nothing else"


def test_rule_5_3_a_missing_variable_is_no_reason_to_skip() -> None:
    template = (
        "template: reads\nsubject: '{{ contact.name }} {{ event.x.y }} {{ vars.z }}'\nbody: '{{ trigger.q }}'\n---\n"
    )

    assert sent(template, mail(template="reads"), email=ANN) == ("queued",)


def test_rule_5_3_a_skipped_message_is_recorded_and_not_queued() -> None:
    world = World(mail()).track("ann", "Go")

    message = one_message(world)
    assert (message.status, message.reason, message.to, message.expires_at) == ("skipped", "no_address", None, None)
    assert (message.values, message.overrides) == ({}, {})


@pytest.mark.parametrize(
    ("more", "expires"),
    [("", "2026-03-02T21:00Z"), (", expires: 2h", "2026-03-02T11:00Z"), (", transactional: true", None)],
)
def test_rule_5_3_a_marketing_message_expires_after_twelve_hours_unless_its_node_says(
    more: str, expires: str | None
) -> None:
    world = World(mail(more)).appear("ann", email=ANN).track("ann", "Go")

    expires_at = one_message(world).expires_at
    assert (None if expires_at is None else short(expires_at)) == expires


def _uuid5(namespace: str, name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(namespace), name))


def test_rule_5_4_a_messages_identity_is_its_run_node_and_visit() -> None:
    nodes = """
    one: {type: email, template: letter, next: two}
    two: {type: email, template: letter, next: pause}
    pause: {type: wait, for: 1d, next: one}
    """
    world = World(flow(nodes)).appear("ann", email=ANN).track("ann", "Go").after("1d").settle()

    run = world.run().id
    names = ["one\x1f0", "two\x1f0", "one\x1f1", "two\x1f1"]
    assert [message.id for message in world.messages()] == [_uuid5(run, name) for name in names]


def test_rule_5_4_the_same_inputs_make_the_same_identities() -> None:
    worlds = [World(mail()).appear("ann", email=ANN).track("ann", "Go") for _ in range(2)]

    assert one_message(worlds[0]).id == one_message(worlds[1]).id
