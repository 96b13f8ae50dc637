"""``explain``: a contact's trail as a story, with what each decision saw."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import stores
from tests.api.shop import TEMPLATE, WORKSPACE, JSONObject, Shop, new_shop

from journeyflow.channels.outlet import Outlet
from journeyflow.core.errors import NotFound
from journeyflow.db import outbox, pauses
from journeyflow.db.outbox import Outcome
from journeyflow.db.store import read, write
from journeyflow.services.dispatch import write_down
from journeyflow.services.explain import Explanation, explain
from journeyflow.worker.dispatcher import Dispatcher

STORES = stores.BOTH
CART: JSONObject = {
    "journey": "cart",
    "timezone": "Europe/Warsaw",
    "triggers": [
        {"type": "event", "event": "Checkout Started", "where": {"property": "value", "gte": 20}},
        {"type": "manual"},
    ],
    "key": "trigger.id",
    "enter_if": {"topic": "offers"},
    "exit_on": [{"event": "Order Completed"}],
    "goal": {"event": "Order Completed", "value": "total"},
    "start": "mail",
    "nodes": {
        "mail": {"type": "email", "template": "hello", "topic": "offers", "next": "click"},
        "click": {
            "type": "wait_for",
            "cases": [{"event": "Email Link Clicked", "next": "worth", "name": "interested"}],
            "timeout": "1d",
            "on_timeout": "worth",
        },
        "worth": {
            "type": "branch",
            "cases": [
                {"when": {"attribute": "vip", "eq": True}, "next": "label", "name": "very important"},
                {"when": {"event": "Order Completed", "within": "30d", "sum": "total", "gte": 200}, "next": "label"},
            ],
            "else": "pause",
        },
        "label": {"type": "tag", "add": ["good"], "next": "pause"},
        "pause": {"type": "wait", "for": "2d", "next": "done"},
        "done": {"type": "update", "set": {"reminded": True}},
    },
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with new_shop(tmp_path) as shop:
        shop.publish(WORKSPACE, TEMPLATE, CART)
        yield shop


def story(shop: Shop, contact: str, journey: str | None = None) -> Explanation:
    with read(shop.installation.engine) as connection:
        return explain(connection, contact, journey, shop.clock())


def told_of_pauses(shop: Shop) -> list[str]:
    return [note for note in story(shop, "ann").notes if "paused from" in note]


def told(shop: Shop, contact: str) -> list[str]:
    """The newest run: node, sentence, and what was seen."""
    lines = []
    for step in story(shop, contact).runs[0].steps:
        lines.append(f"{step.node}: {step.text}" if step.node else step.text)
        lines.extend(f"  {line}" for line in step.because)
    return lines


def test_a_run_is_told_step_by_step(shop: Shop) -> None:
    shop.identify("ann", email="ann@example.com", vip=True)
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.later(hours=2)
    shop.track("ann", "Email Link Clicked")
    shop.later(days=2)

    assert told(shop, "ann") == [
        "entered by event Checkout Started, trigger 1 of 2 (id = c1, value = 50)",
        "  triggers[0].where: property value = 50 (wanted: gte 20): held",
        "  enter_if: topic offers: subscribed: held",
        "mail: message hello queued to ann@example.com; not sent yet",
        "click: waited, at most until Tue 3 Mar 2026 11:00:00",
        "click: Email Link Clicked came: took case 1 of 1 (interested)",
        "worth: took case 1 of 2 (very important)",
        "  nodes.worth.cases[0].when: attribute vip = true (wanted: eq true): held",
        "label: put on tag good",
        "pause: waited until Wed 4 Mar 2026 13:00:00",
        "done: set reminded = true",
        "done: completed",
    ]


def test_a_decision_shows_what_was_missing(shop: Shop) -> None:
    shop.track("bob", "Checkout Started", id="c1", value=50)
    shop.later(days=1)

    assert told(shop, "bob")[3:] == [
        "mail: message hello skipped: no_address (the contact has no address)",
        "click: waited until Tue 3 Mar 2026 11:00:00",
        "click: none of it came in time",
        "worth: no case held: went the way of else",
        "  nodes.worth.cases[0].when: attribute vip = missing (wanted: eq true): did not hold",
        "  nodes.worth.cases[1].when: event Order Completed within 30d: sum of total = 0 (wanted: gte 200)"
        ": did not hold",
        "pause: waits until Thu 5 Mar 2026 11:00:00",
    ]
    assert story(shop, "bob").runs[0].status == "active, stands at pause until Thu 5 Mar 2026 11:00:00"


def test_an_exit_names_the_event_and_what_was_withdrawn(shop: Shop) -> None:
    shop.identify("ann", email="ann@example.com")
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.later(hours=1)
    shop.track("ann", "Order Completed", total=70)

    assert told(shop, "ann")[-3:] == [
        "click: left: Order Completed came (exit_on)",
        "mail: message hello to ann@example.com withdrawn before it was sent: exit_on",
        "reached the goal, value 70",
    ]
    assert story(shop, "ann").runs[0].status == "exited: exit_on"


def test_times_are_those_of_the_contact(shop: Shop) -> None:
    shop.identify("ann", timezone="America/New_York")
    shop.track("ann", "Checkout Started", id="c1", value=50)

    found = story(shop, "ann")

    assert found.timezone == "America/New_York"
    assert found.runs[0].steps[0].local == "Mon 2 Mar 2026 05:00:00"


def test_refusals_of_a_day_are_counted_and_explained(shop: Shop) -> None:
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.track("ann", "Checkout Started", value=50)

    found = {one.reason: one for one in story(shop, "ann").refusals}

    assert found["duplicate"].text == (
        "refused 2 times that day, last by event Checkout Started: duplicate (a run was active already)"
    )
    assert found["no_key"].text == (
        "refused by event Checkout Started: no_key (the event has no value for the journey's key)"
    )


def test_what_a_refusal_saw_is_told(shop: Shop) -> None:
    shop.client("admin").post("/v1/contacts", json={"contact": "ann", "topics": {"offers": False}})
    shop.settle()
    shop.track("ann", "Checkout Started", id="c1", value=50)

    refusal = story(shop, "ann").refusals[0]

    assert refusal.because[-1] == "enter_if: topic offers: not subscribed: did not hold"


def test_the_newest_run_comes_first(shop: Shop) -> None:
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.later(hours=1)
    shop.track("ann", "Checkout Started", id="c2", value=60)

    entered = [run.steps[0].text for run in story(shop, "ann").runs]

    assert [("c2" in text, "c1" in text) for text in entered] == [(True, False), (False, True)]


def test_a_journey_that_never_took_notice_says_what_it_waits_for(shop: Shop) -> None:
    shop.track("ann", "Checkout Started", id="c1", value=5)

    notes = story(shop, "ann", "cart").notes

    assert notes == (
        "journey cart (it is live) has not let it in, and not refused it in 30 days",
        "it lets in by event Checkout Started",
        "  the contact has had 1 Checkout Started, the last Mon 2 Mar 2026 10:00:00:"
        " before it was live, while it was paused, too late, or its where did not hold",
        "it lets in by hand",
    )


def come_late(shop: Shop, contact: str, *times: str) -> None:
    for time in times:
        body = {
            "userId": contact,
            "event": "Checkout Started",
            "timestamp": time,
            "properties": {"id": time, "value": 50},
        }
        assert shop.client("write").post("/v1/track", json=body).status_code == 200
    shop.settle()


def test_rule_1_11_an_event_that_came_too_late_is_told(shop: Shop) -> None:
    come_late(shop, "ann", "2026-03-01T09:59:59Z")

    assert story(shop, "ann").notes == (
        "no journey has let it in, and none has refused it in 30 days",
        "cart: the Checkout Started of Sun 1 Mar 2026 09:59:59 came Mon 2 Mar 2026 10:00:00, 1d1s later: "
        "too old to let anybody in (max_event_age is 1d)",
    )


def test_events_that_came_too_late_are_told_beside_runs_and_only_of_the_journey_that_was_asked_for(shop: Shop) -> None:
    shop.publish(CART | {"journey": "other", "triggers": [{"type": "event", "event": "Signed Up"}]})
    shop.track("ann", "Checkout Started", id="c1", value=50)
    come_late(shop, "ann", "2026-02-01T10:00:00Z", "2026-02-02T10:00:00Z", "2026-03-01T10:00:00Z")

    assert story(shop, "ann", "cart").notes == (
        "cart: 2 Checkout Started were too old to let anybody in (max_event_age is 1d); "
        "the last, of Mon 2 Feb 2026 10:00:00 came Mon 2 Mar 2026 10:00:00, 28d later",
    )
    assert not any("too old" in note for note in story(shop, "ann", "other").notes)


def test_an_event_from_before_the_journey_did_not_come_too_late_for_it(shop: Shop) -> None:
    come_late(shop, "ann", "2026-02-01T10:00:00Z")
    shop.later(hours=1)
    shop.publish(CART | {"journey": "newer"})

    assert story(shop, "ann", "newer").notes[-1] == "it lets in by hand"


@pytest.mark.parametrize("body", [{}, {"entries": True}])
def test_rule_8_2_an_event_that_came_while_the_journey_is_paused_let_nobody_in(shop: Shop, body: JSONObject) -> None:
    shop.track("ann", "Checkout Started", id="c0", value=50)
    shop.later(hours=1)
    assert shop.client("admin").post("/v1/journeys/cart/pause", json=body).status_code == 200
    shop.later(hours=1)
    shop.track("ann", "Page Viewed")
    assert story(shop, "ann").notes == ()

    shop.track("ann", "Checkout Started", id="c1", value=50)

    assert story(shop, "ann").notes == (
        "cart: the Checkout Started of Mon 2 Mar 2026 12:00:00 let nobody in: "
        "the journey is paused since Mon 2 Mar 2026 11:00:00",
    )


@pytest.mark.parametrize("body", [{}, {"entries": True}])
def test_rule_8_2_an_event_that_came_in_a_pause_is_told_after_it_too(shop: Shop, body: JSONObject) -> None:
    admin = shop.client("admin")
    for hours in (1, 1):
        shop.track("ann", "Checkout Started", id=f"before-{shop.clock()}", value=1)
        shop.later(hours=hours)
        assert admin.post("/v1/journeys/cart/pause", json=body).status_code == 200
        shop.later(hours=1)
        shop.track("ann", "Checkout Started", id="c1", value=50)
        shop.track("ann", "Page Viewed")
        shop.later(hours=1)
        assert admin.post("/v1/journeys/cart/resume", json={"now": True}).status_code == 200

    assert told_of_pauses(shop) == [
        "cart: the Checkout Started of Mon 2 Mar 2026 12:00:00 let nobody in: "
        "the journey was paused from Mon 2 Mar 2026 11:00:00 to Mon 2 Mar 2026 13:00:00",
        "cart: the Checkout Started of Mon 2 Mar 2026 15:00:00 let nobody in: "
        "the journey was paused from Mon 2 Mar 2026 14:00:00 to Mon 2 Mar 2026 16:00:00",
    ]


def test_rule_8_2_a_pause_that_becomes_one_of_another_kind_is_told_from_its_beginning(shop: Shop) -> None:
    admin = shop.client("admin")
    assert admin.post("/v1/journeys/cart/pause", json={"entries": True}).status_code == 200
    shop.later(hours=1)
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.later(hours=1)
    assert admin.post("/v1/journeys/cart/pause").status_code == 200
    shop.later(hours=1)
    assert admin.post("/v1/journeys/cart/archive").status_code == 200

    assert story(shop, "ann").notes[1:] == (
        "cart: the Checkout Started of Mon 2 Mar 2026 11:00:00 let nobody in: "
        "the journey was paused from Mon 2 Mar 2026 10:00:00 to Mon 2 Mar 2026 12:00:00",
    )


def test_so_many_of_the_last_pauses_are_remembered(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "PAUSES_MAX", 2)
    admin = shop.client("admin")
    for _ in range(4):
        assert admin.post("/v1/journeys/cart/pause").status_code == 200
        shop.later(hours=1)
        shop.track("ann", "Checkout Started", id="c1", value=50)
        assert admin.post("/v1/journeys/cart/resume", json={"now": True}).status_code == 200

    assert len(told_of_pauses(shop)) == 2


def test_rule_8_2_a_run_that_is_resumed_over_a_time_says_when_it_goes_on(shop: Shop) -> None:
    admin = shop.client("admin")
    shop.identify("ann", email="ann@example.com")
    shop.track("ann", "Checkout Started", id="c1", value=50)
    assert admin.post("/v1/journeys/cart/pause").status_code == 200
    shop.later(days=2)
    assert story(shop, "ann").runs[0].steps[-1].text.startswith("waits for the journey to be resumed")

    assert admin.post("/v1/journeys/cart/resume", json={"mode": "over", "over": "10h"}).status_code == 200
    shop.settle()

    told = story(shop, "ann").runs[0]
    assert told.steps[-1].text.startswith("the journey was resumed: this run goes on Wed 4 Mar 2026 ")
    assert told.status.endswith(told.steps[-1].text.partition("goes on ")[2].removesuffix(" (resume --over)"))
    shop.later(hours=10)
    assert any("this run was to go on Wed 4 Mar 2026" in step.text for step in story(shop, "ann").runs[0].steps)


def test_somebody_no_journey_knows_is_told_so(shop: Shop) -> None:
    shop.identify("ann", name="Ann")

    assert story(shop, "ann").notes == ("no journey has let it in, and none has refused it in 30 days",)


def test_the_trail_is_that_of_rule_9_1_with_the_refusals_in_it(shop: Shop) -> None:
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.later(minutes=1)
    shop.track("ann", "Checkout Started", id="c1", value=50)

    records = story(shop, "ann").trail

    assert [record["kind"] for record in records] == ["entered", "message", "waiting", "refused"]
    assert records[-1]["run"] is None
    assert records[-1]["count"] == 1
    assert records[0]["at"] == "2026-03-02T10:00:00.000000Z"


def test_rule_10_4_who_was_merged_is_explained_as_who_it_is(shop: Shop) -> None:
    client = shop.client("write")
    client.post("/v1/identify", json={"anonymousId": "a-1", "traits": {"email": "ann@example.com"}})
    client.post(
        "/v1/track", json={"anonymousId": "a-1", "event": "Checkout Started", "properties": {"id": 1, "value": 50}}
    )
    shop.later(hours=1)
    client.post("/v1/alias", json={"userId": "ann", "previousId": "a-1"})
    shop.later(days=2)

    found = story(shop, "a-1")

    assert found == story(shop, "ann")
    assert found.contact == "ann"
    assert found.merged == ("a-1 was merged into it on Mon 2 Mar 2026 11:00:00",)
    assert [(one["contact"], one["kind"]) for one in found.trail] == [
        ("a-1", "entered"),
        ("a-1", "message"),
        ("a-1", "waiting"),
        *[("ann", kind) for kind in ("resumed", "ran", "ran", "waiting")],
    ]


def test_of_an_address_the_contacts_that_have_it_are_named(shop: Shop) -> None:
    for key in ("cat", "ann"):
        shop.identify(key, email="Cat@example.com")

    with pytest.raises(NotFound, match=r"no contact 'cat@example.com'; that is the address of ann, cat$"):
        story(shop, "cat@example.com")


def test_of_an_address_that_many_have_it_is_said_how_many_more_have_it(shop: Shop) -> None:
    for number in range(7):
        shop.identify(f"cat-{number}", email="cat@example.com")

    with pytest.raises(NotFound, match=r"address of cat-0, cat-1, cat-2, cat-3, cat-4, and 2 more$"):
        story(shop, "cat@example.com")


def test_a_contact_spelled_otherwise_is_suggested(shop: Shop) -> None:
    shop.identify("ann", name="Ann")

    with pytest.raises(NotFound, match="there is no contact ' ANN'; there is ann"):
        story(shop, " ANN")


def test_of_contacts_spelled_otherwise_it_is_said_how_many_more_there_are(shop: Shop) -> None:
    for spelled in ("ann", "Ann", "aNn", "anN", "ANn", "aNN", "AnN"):
        shop.identify(spelled, name="Ann")

    with pytest.raises(NotFound, match=r"there is ANn, AnN, Ann, aNN, aNn, and 2 more$"):
        story(shop, "ANN")


def test_an_unknown_journey_is_said_to_be_unknown(shop: Shop) -> None:
    shop.identify("ann", name="Ann")

    with pytest.raises(NotFound, match="there is no journey basket"):
        story(shop, "ann", "basket")


LIMITED: JSONObject = {
    **WORKSPACE,
    "frequency_caps": [
        {"channel": "email", "max": 1, "per": "1d", "when_reached": "defer"},
        {"channel": "sms", "max": 1, "per": "7d"},
    ],
}
PUSHY: JSONObject = {
    "journey": "pushy",
    "triggers": [{"type": "event", "event": "Go"}],
    "reentry": {"policy": "always"},
    "start": "ask",
    "nodes": {
        "ask": {
            "type": "branch",
            "cases": [{"when": {"message": {"channel": "email", "within": "3d"}, "opened": {"eq": 0}}, "next": "text"}],
        },
        "text": {"type": "sms", "text": "Hi", "next": "mail"},
        "mail": {"type": "email", "template": "hello"},
    },
}


def test_caps_and_what_became_of_messages_are_told_in_words(shop: Shop) -> None:
    shop.publish(LIMITED, PUSHY)
    shop.identify("ann", email="ann@example.com", phone="+44 20 7946 0000")
    shop.track("ann", "Go")
    assert told(shop, "ann")[3:5] == [
        "text: sms queued to +44 20 7946 0000; not sent yet",
        "mail: message hello queued to ann@example.com; not sent yet",
    ]

    shop.later(hours=1)
    shop.track("ann", "Go")
    assert told(shop, "ann") == [
        "entered by event Go",
        "ask: took case 1 of 1",
        "  nodes.ask.cases[0].when: messages (channel = email, within = 3d): opened = 0 (wanted: eq 0): held",
        "text: sms skipped: frequency_cap (the contact has had as many as the cap allows)",
        "mail: waits for room under the frequency cap until Tue 3 Mar 2026 10:00:00",
    ]


def test_a_message_in_the_mailbox_is_said_to_be_there_and_its_status_is_sent(shop: Shop) -> None:
    shop.identify("ann", email="ann@example.com")
    shop.track("ann", "Checkout Started", id="c1", value=50)
    one = shop.installation
    asyncio.run(Dispatcher(one.engine, one.postmaster, Outlet(), one.clock, lambda *_: None).dispatch())

    assert "mail: message hello queued to ann@example.com; kept in the mailbox 11:00:00, sent nowhere" in told(
        shop, "ann"
    )
    timeline = shop.client("read").get("/v1/contacts/ann/timeline").json()["items"]
    (entry,) = [entry for entry in timeline if entry["kind"] == "message"]
    assert (entry["message"]["status"], entry["note"]) == ("sent", "kept in the mailbox, sent nowhere")


def test_a_run_that_went_over_to_another_version_is_told_by_the_version_of_each_step(shop: Shop) -> None:
    shop.track("ann", "Checkout Started", id="c1", value=50)
    case = {"event": "Never", "next": "pause"}
    nodes = {**CART["nodes"], "ask": {**CART["nodes"]["click"], "cases": [case], "timeout": "5d"}}
    del nodes["mail"], nodes["click"]
    shop.publish({**CART, "start": "ask", "nodes": nodes})
    shop.later(hours=10)
    migrate = "/v1/journeys/cart/migrate"

    shop.client("admin").post(migrate, json={"map": {"click": "ask", "mail": "exit"}})
    shop.settle()
    shop.publish({**CART, "start": "ask", "nodes": {**nodes, "ask": {**nodes["ask"], "timeout": "3h"}}})
    shop.client("admin").post(migrate)
    shop.settle()

    assert [line for line in told(shop, "ann") if not line.startswith("  ")][:7] == [
        "entered by event Checkout Started, trigger 1 of 2 (id = c1, value = 50)",
        "mail: message hello skipped: no_address (the contact has no address)",
        "click: began to wait until Tue 3 Mar 2026 11:00:00",
        "ask: moved here from click of version 1",
        "ask: began to wait until Sat 7 Mar 2026 11:00:00",
        "ask: went over from version 2 of the journey to version 3",
        "ask: none of it came in time",
    ]


def test_a_message_that_failed_says_why(shop: Shop) -> None:
    shop.track("ann", "Unsubscribed", topic="tips")
    shop.identify("ann", email="ann@example.com")
    shop.track("ann", "Checkout Started", id="c1", value=50)
    with write(shop.installation.engine) as connection:
        claimed = outbox.claim(connection, shop.clock(), shop.clock(), 10)
        write_down(connection, [Outcome(one, "failed", shop.clock(), "expired") for one in claimed])

    (line,) = [line for line in told(shop, "ann") if line.startswith("mail: ")]
    assert line == "mail: message hello queued to ann@example.com; failed: expired (it waited too long to be of use)"
