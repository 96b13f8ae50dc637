"""The condition on what became of messages (format.md, "Conditions")."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.asking import NOW, Asked, condition
from tests.core.test_next_change import stays_the_same
from tests.core.world import RENDERER, World, flow, read

from journeyflow.core.check.references import findings
from journeyflow.core.contact import PastMessage
from journeyflow.core.documents import Documents
from journeyflow.core.values import JSON

Row = tuple[str, bool, bool]
"""How long ago a message was queued, and whether a person opened it and clicked in it."""
DAY = timedelta(days=1)
FLOWS = """
workspace: shop
---
template: letter
subject: Hi
body: Hello
---
template: silent
subject: Hi
body: Hello
tracking: {opens: false}
---
journey: quiet
tracking: {opens: false, clicks: false}
start: stop
nodes: {stop: {type: end}}
---
journey: loud
start: stop
nodes: {stop: {type: end}}
---
"""


def contact(
    *rows: Row, flows: str = FLOWS, template: str = "letter", journey: str = "loud", channel: str = "email"
) -> Asked:
    """Ann, with her messages, the oldest first."""
    found = Asked(flows=Documents.of(read(flows)).published(RENDERER, NOW))
    for ago, opened, clicked in rows:
        write(found, ago, opened, clicked, template, journey, channel)
    return found


def write(
    asked: Asked,
    ago: str,
    opened: bool = False,
    clicked: bool = False,
    template: str | None = "letter",
    journey: str = "loud",
    channel: str = "email",
) -> None:
    kept = asked.memory.sent.setdefault("ann", [])
    at = NOW - {"h": timedelta(hours=1), "d": DAY}[ago[-1]] * int(ago[:-1])
    kept.append(PastMessage(f"m{len(kept)}", channel, template, journey, "mail", "run", False, at, opened, clicked))


def holds(asked: Asked, choice: dict[str, JSON], **what: JSON) -> bool:
    return asked.holds(condition({"message": {"channel": "email", **choice}, **what}))


def none(what: str) -> dict[str, JSON]:
    return {what: {"eq": 0}}


UNREAD: Row = ("5d", False, False)
READ: Row = ("5d", True, False)
CLICKED: Row = ("5d", True, True)


# --- how many --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "what", "expected"),
    [
        ([], {"sent": {"eq": 0}}, True),
        ([UNREAD, READ, CLICKED], {"sent": {"eq": 3}}, True),
        ([UNREAD, READ, CLICKED], {"opened": {"eq": 2}}, True),
        ([UNREAD, READ, CLICKED], {"clicked": {"eq": 1}}, True),
        ([UNREAD, UNREAD], {"opened": {"eq": 0}}, True),
        ([UNREAD, READ], {"opened": {"eq": 0}}, False),
        ([UNREAD, READ], {"opened": {"gte": 1, "lt": 2}}, True),
    ],
)
def test_messages_are_counted(rows: list[Row], what: dict[str, JSON], expected: bool) -> None:
    assert holds(contact(*rows), {}, **what) is expected


def test_without_last_the_youngest_message_counts_too() -> None:
    assert holds(contact(("0h", False, False)), {}, sent={"eq": 1})
    assert holds(contact(("0h", False, False)), {"within": "1d"}, opened={"eq": 0})


@pytest.mark.parametrize(
    ("age", "settled", "expected"),
    [("47h", None, False), ("48h", None, True), ("5h", "6h", False), ("6h", "6h", True), ("0h", "0s", True)],
)
def test_last_looks_at_messages_that_are_settled(age: str, settled: str | None, expected: bool) -> None:
    choice: dict[str, JSON] = {"last": 1} if settled is None else {"last": 1, "settled": settled}

    assert holds(contact((age, False, False)), choice, opened={"eq": 0}) is expected


def test_with_fewer_settled_messages_than_last_it_does_not_hold() -> None:
    two = contact(UNREAD, UNREAD, ("1h", False, False))

    assert holds(two, {"last": 2}, opened={"eq": 0})
    assert not holds(two, {"last": 3}, opened={"eq": 0})
    assert not holds(two, {"last": 3}, sent={"gte": 0})
    assert two.sees(condition({"message": {"channel": "email", "last": 3}, "opened": {"eq": 0}})) == "2 of 3 messages"


def test_last_means_the_youngest_of_them() -> None:
    opened_long_ago = contact(("9d", True, True), UNREAD, UNREAD)

    assert holds(opened_long_ago, {"last": 2}, opened={"eq": 0})
    assert not holds(opened_long_ago, {"last": 3}, opened={"eq": 0})


def test_settled_may_be_asked_without_last() -> None:
    assert holds(contact(UNREAD, ("1h", False, False)), {"settled": "2h"}, sent={"eq": 1})


@pytest.mark.parametrize(("within", "expected"), [("5d", 1), ("6d", 2), ("4d", 1), ("3d", 0)])
def test_within_is_open_at_its_far_end(within: str, expected: int) -> None:
    """A message stops counting at exactly its time and the window's length (rule 1.7)."""
    assert holds(contact(("5d", True, False), ("3d", True, False)), {"within": within}, opened={"eq": expected})


def test_messages_that_are_kept_no_longer_do_not_count() -> None:
    kept = FLOWS.replace("workspace: shop", "workspace: shop\nretention: {messages: 4d}")

    assert holds(contact(UNREAD, ("3d", False, False), flows=kept), {}, sent={"eq": 1})


# --- which -----------------------------------------------------------------------------------------------------------


def mixed() -> Asked:
    asked = contact()
    write(asked, "9d", opened=True)
    write(asked, "8d", template="silent")
    write(asked, "7d", journey="other")
    write(asked, "6d", template=None, channel="sms")
    write(asked, "5d", channel="sms")
    return asked


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, 3),
        ({"channel": "sms"}, 2),
        ({"channel": "push"}, 0),
        ({"template": "letter"}, 2),
        ({"channel": "sms", "template": "letter"}, 1),
        ({"journey": "loud"}, 2),
        ({"journey": "loud", "template": "silent"}, 1),
    ],
)
def test_channel_template_and_journey_choose(choice: dict[str, JSON], expected: int) -> None:
    assert holds(mixed(), choice, sent={"eq": expected})


def test_last_counts_among_those_that_are_meant() -> None:
    assert holds(mixed(), {"journey": "loud", "template": "letter", "last": 1}, opened={"eq": 1})


# --- what nobody watched ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tracking", "what", "expected"),
    [
        ("{opens: false}", "opened", False),
        ("{opens: false}", "clicked", True),
        ("{clicks: false}", "opened", True),
        ("{clicks: false}", "clicked", False),
        ("{}", "opened", True),
    ],
)
@pytest.mark.parametrize("rows", [[], [UNREAD]])
def test_where_the_shop_does_not_track_it_does_not_hold(
    tracking: str, what: str, expected: bool, rows: list[Row]
) -> None:
    asked = contact(*rows, flows=FLOWS.replace("workspace: shop", f"workspace: shop\ntracking: {tracking}"))

    assert holds(asked, {}, **none(what)) is expected
    assert holds(asked, {}, sent={"gte": 0})


@pytest.mark.parametrize("more", [{"template": "silent"}, {"journey": "quiet"}])
@pytest.mark.parametrize("named", [True, False])
def test_where_a_template_or_a_journey_does_not_track_it_does_not_hold(more: dict[str, str], named: bool) -> None:
    asked = contact(UNREAD, **more)
    question: dict[str, JSON] = {"message": {"channel": "email", **(more if named else {})}, "opened": {"eq": 0}}

    assert not asked.holds(condition(question))
    assert asked.sees(condition(question)) == "not tracked"


def test_of_a_template_that_tracks_no_opens_clicks_are_known() -> None:
    assert holds(contact(UNREAD, template="silent"), {"template": "silent"}, clicked={"eq": 0})


def test_the_nearest_word_on_tracking_counts() -> None:
    """A template's own, then its journey's, then the shop's."""
    shop = FLOWS.replace("workspace: shop", "workspace: shop\ntracking: {opens: false}")
    shop = shop.replace("journey: loud", "journey: loud\ntracking: {opens: true}")

    assert holds(contact(UNREAD, flows=shop), {"journey": "loud"}, opened={"eq": 0})
    assert not holds(contact(UNREAD, flows=shop, template="silent"), {"journey": "loud"}, opened={"eq": 0})


def test_of_opens_and_of_clicks_each_has_its_nearest_word() -> None:
    shop = FLOWS.replace("workspace: shop", "workspace: shop\ntracking: {opens: false}")
    shop = shop.replace("journey: loud", "journey: loud\ntracking: {clicks: false}")

    assert not holds(contact(UNREAD, flows=shop), {"journey": "loud"}, opened={"eq": 0})
    assert not holds(contact(UNREAD, flows=shop), {"journey": "loud"}, clicked={"eq": 0})


def test_of_a_contact_that_declines_to_be_tracked_nothing_is_known() -> None:
    asked = contact(UNREAD)
    asked.contact.attributes["tracking"] = False

    assert not holds(asked, {}, opened={"eq": 0})
    assert holds(asked, {}, sent={"eq": 1})


def test_what_holds_whatever_an_unwatched_message_was_holds() -> None:
    asked = contact(READ)
    write(asked, "4d", template="silent")

    assert holds(asked, {}, opened={"gte": 1})
    assert not holds(asked, {}, opened={"lt": 2})
    assert not holds(asked, {}, opened={"eq": 1})
    assert not holds(asked, {}, opened={"gte": 2})


@pytest.mark.parametrize("what", ["opened", "clicked"])
@pytest.mark.parametrize("channel", ["sms", "push"])
def test_of_short_messages_nothing_is_known_but_that_they_were_sent(channel: str, what: str) -> None:
    asked = contact(UNREAD, channel=channel)

    assert not holds(asked, {"channel": channel}, **none(what))
    assert holds(asked, {"channel": channel}, sent={"eq": 1})


# --- time alone ------------------------------------------------------------------------------------------------------

choices: st.SearchStrategy[dict[str, JSON]] = st.fixed_dictionaries(
    {"channel": st.just("email")},
    optional={
        "last": st.integers(1, 3),
        "within": st.sampled_from(["1d", "3d", "40h"]),
        "settled": st.sampled_from(["0s", "1h", "2d"]),
        "template": st.sampled_from(["letter", "silent"]),
    },
)
asked_counts = st.builds(
    lambda what, operator, number: {what: {operator: number}},
    st.sampled_from(["opened", "clicked", "sent"]),
    st.sampled_from(["eq", "gte", "lt"]),
    st.integers(0, 3),
)
sent = st.lists(
    st.tuples(st.integers(0, 90), st.booleans(), st.booleans(), st.sampled_from(["letter", "silent"])), max_size=5
)


@given(choices, asked_counts, sent, st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_until_the_next_change_the_answer_stays_what_it_is(
    choice: dict[str, JSON],
    count: dict[str, JSON],
    rows: list[tuple[int, bool, bool, str]],
    parts: list[float],
) -> None:
    asked = contact()
    for hours, opened, clicked, template in sorted(rows, key=lambda row: -row[0]):
        write(asked, f"{hours}h", opened, clicked, template)
    question, now = condition({"message": choice, **count}), NOW

    for _ in range(6):
        change = stays_the_same(asked, question, now, parts)
        if change is None:
            return
        now = change


def test_it_changes_when_a_message_settles_and_when_it_leaves_the_window() -> None:
    asked = contact(("1h", False, False))
    question = condition({"message": {"channel": "email", "last": 1, "within": "3d"}, "opened": {"eq": 0}})

    edges: list[datetime] = []
    change = question.next_change(asked.view(NOW))
    while change is not None:
        edges.append(change)
        change = question.next_change(asked.view(change))

    assert edges == [NOW + timedelta(hours=47), NOW + timedelta(hours=71)]
    assert [asked.holds(question, at) for at in (NOW, *edges)] == [False, True, False]


# --- in journeys -----------------------------------------------------------------------------------------------------


def waiting(when: str) -> str:
    nodes = (
        f"look: {{type: wait_for, cases: [{{when: {when}, next: label}}], timeout: 9d}}\nlabel: {{type: tag, add: [x]}}"
    )
    return flow(nodes, name="waiting", trigger="{type: event, event: Watch}")


MAIL = flow("mail: {type: email, template: letter}", "reentry: {policy: always}", name="mail")


def lived(when: str) -> World:
    world = World(MAIL, waiting(when)).appear("ann", email="ann@shop.example").track("ann", "Watch")
    return world.after("1h").track("ann", "Go").after("1h")


def taken(world: World) -> list[str]:
    return [at for at in world.times("ran") if world.story(journey="waiting")[-2:-1] == [("ran", "label")]][-1:]


def test_rule_4_6_a_wait_sees_that_a_message_was_queued() -> None:
    world = lived("{message: {channel: email}, sent: {gte: 2}}")
    assert world.story(journey="waiting")[-1][0] == "waiting"

    world.track("ann", "Go")

    assert world.story(journey="waiting")[2:4] == [("resumed", "look", "condition"), ("ran", "look", "case 0")]
    assert taken(world) == ["2026-03-02T11:00Z"]


def test_rule_4_6_a_wait_sees_that_a_message_was_opened() -> None:
    world = lived("{message: {channel: email, within: 1d}, opened: {gte: 1}}")

    world.track("ann", "Email Opened", machine=True).after("1h")
    assert world.story(journey="waiting")[-1][0] == "waiting"
    world.track("ann", "Email Opened")

    assert taken(world) == ["2026-03-02T12:00Z"]


def test_rule_4_6_a_wait_sees_that_a_message_failed() -> None:
    world = lived("{all: [{tag: ready}, {message: {channel: email}, sent: {eq: 0}}]}").tag("ann", "ready").after("1h")
    assert world.story(journey="waiting")[-1][0] == "waiting"

    world.fail(world.messages()[0])

    assert taken(world) == ["2026-03-02T12:00Z"]


def test_rule_4_6_a_wait_sees_that_a_message_went_with_its_journey() -> None:
    leaving = flow("mail: {type: email, template: letter, next: pause}\npause: {type: wait, for: 9d}", name="leaving")
    when = "{all: [{tag: ready}, {message: {channel: email}, sent: {eq: 0}}]}"
    world = World(leaving, waiting(when)).appear("ann", email="ann@shop.example").track("ann", "Watch").after("1h")
    world.track("ann", "Go").after("1h").tag("ann", "ready").after("1h")
    assert world.story(journey="waiting")[-1][0] == "waiting"

    world.archive("leaving")

    assert taken(world) == ["2026-03-02T12:00Z"]


def test_rule_4_6_a_wait_sees_that_a_message_has_settled() -> None:
    """That was queued after the wait began, and of which nothing happened but time."""
    world = lived("{message: {channel: email, last: 1}, opened: {eq: 0}}").after("5d")

    assert taken(world) == ["2026-03-04T10:00Z"]


def test_rule_9_3_the_trail_says_how_many_were_opened() -> None:
    world = World(MAIL, flow("ask: {type: branch, cases: [{when: {message: {channel: email}, opened: {lt: 1}}}]}",
                             name="ask", trigger="{type: event, event: Ask}"))  # fmt: skip
    world.appear("ann", email="ann@shop.example").track("ann", "Go").after("1h").track("ann", "Ask")

    (detail,) = [one for one in world.details("ran") if "because" in one]
    leaf: JSON = {"message": {"channel": "email"}, "opened": {"lt": 1}}
    assert detail["because"] == [{"path": "nodes.ask.cases[0].when", "leaf": leaf, "value": 0, "held": True}]


# --- documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"message": {"channel": "email"}}, "expected one of opened, clicked, sent"),
        ({"message": {"channel": "email"}, "opened": {"eq": 0}, "sent": {"eq": 0}}, "found opened and sent"),
        ({"message": {"channel": "fax"}, "sent": {"eq": 0}}, "email"),
        ({"message": {}, "sent": {"eq": 0}}, "Field required"),
        ({"message": {"channel": "email", "last": 0}, "sent": {"eq": 0}}, "greater than or equal to 1"),
        ({"message": {"channel": "email"}, "opened": {}}, "expected an operator"),
    ],
)
def test_what_it_may_not_be(document: JSON, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        condition(document)


@pytest.mark.parametrize(
    ("choice", "path", "code"),
    [
        ("template: leter", "message.template", "JF012"),
        ("journey: other", "message.journey", "JF012"),
        ("within: 500d", "message.within", "JF014"),
    ],
)
def test_what_it_names_must_be_there_and_be_kept(choice: str, path: str, code: str) -> None:
    when = f"{{message: {{channel: email, {choice}}}, opened: {{eq: 0}}}}"
    documents = Documents.of(read(FLOWS + waiting(when)))

    (found,) = findings(documents, RENDERER)

    assert (found.path, found.code) == (f"nodes.look.cases[0].when.{path}", code)


def test_a_cap_longer_than_messages_are_kept_is_refused() -> None:
    caps = "frequency_caps: [{channel: email, max: 1, per: 500d}]"
    documents = Documents.of(read(FLOWS.replace("workspace: shop", f"workspace: shop\n{caps}")))

    (found,) = findings(documents, RENDERER)

    assert (found.kind, found.path, found.code) == ("workspace", "frequency_caps[0].per", "JF014")
