"""Messages over HTTP: what was queued, and what the contact sees."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.api.shop import WORKSPACE, Shop

from journeyflow.db import outbox
from journeyflow.db.outbox import Outcome
from journeyflow.db.store import write

JSONObject = dict[str, Any]  # Any: JSON


@pytest.fixture
def mailing_shop(busy_shop: Shop) -> Shop:
    """A shop that has queued a mail to Ann and skipped one to Bob, who has no address."""
    busy_shop.identify("ann", email="ann@example.com", first_name="Ann")
    busy_shop.track("ann", "Signed Up")
    busy_shop.track("bob", "Signed Up")
    return busy_shop


def messages(shop: Shop, **parameters: str) -> list[JSONObject]:
    found: list[JSONObject] = shop.client("read").get("/v1/messages", params=parameters).json()["items"]
    return found


def finish(shop: Shop, status: str) -> None:
    """What a dispatcher does, but for the sending."""
    with write(shop.installation.engine) as connection:
        now = shop.clock()
        claimed = outbox.claim(connection, now, now + timedelta(minutes=5), 10)
        outbox.finish(
            connection, [Outcome(one, status, now, "no such mailbox", subject="Hello Ann") for one in claimed]
        )


def test_a_queued_message_is_listed_in_the_shape_of_the_docs(mailing_shop: Shop) -> None:
    queued = messages(mailing_shop, status="queued")

    assert [{**one, "id": "", "run": ""} for one in queued] == [
        {
            "id": "",
            "contact": "ann",
            "journey": "welcome",
            "node": "mail",
            "run": "",
            "channel": "email",
            "template": "hello",
            "to": "ann@example.com",
            "subject": None,
            "status": "queued",
            "reason": None,
            "queued_at": "2026-03-02T10:00:00.000000Z",
            "sent_at": None,
        }
    ]


def test_messages_are_listed_by_contact_and_page(mailing_shop: Shop) -> None:
    mailing_shop.later(days=2)
    mailing_shop.track("ann", "Signed Up")
    reader = mailing_shop.client("read")

    first = reader.get("/v1/messages", params={"limit": 2}).json()
    second = reader.get("/v1/messages", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    of_ann = reader.get("/v1/messages", params={"contact": "ann", "limit": 1}).json()
    later = reader.get("/v1/messages", params={"contact": "ann", "limit": 1, "cursor": of_ann["next_cursor"]}).json()

    assert sorted(one["contact"] for one in first["items"] + second["items"]) == ["ann", "ann", "bob"]
    assert [one["queued_at"][:10] for one in of_ann["items"] + later["items"]] == ["2026-03-02", "2026-03-04"]
    assert [one["reason"] for one in messages(mailing_shop, contact="bob")] == ["no_address"]


def test_a_message_is_shown_as_its_contact_sees_it(mailing_shop: Shop) -> None:
    id_ = messages(mailing_shop, contact="ann")[0]["id"]

    shown = mailing_shop.client("read").get(f"/v1/messages/{id_}").json()

    assert "<p>Hello Ann</p>" in shown["html"]
    assert "Hello Ann" in shown["text"]
    assert "Long Street 1, Gdansk" in shown["html"]
    headers = shown["headers"]
    assert headers["From"] == "The Shop <hello@shop.example>"
    assert (headers["To"], headers["Subject"]) == ("ann@example.com", "Hello Ann")
    assert headers["List-Unsubscribe"].startswith("<https://shop.example/u/")
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_message_that_was_skipped_shows_nothing(mailing_shop: Shop) -> None:
    id_ = messages(mailing_shop, contact="bob")[0]["id"]

    shown = mailing_shop.client("read").get(f"/v1/messages/{id_}").json()

    assert (shown["status"], shown["html"], shown["headers"]) == ("skipped", None, {})


def test_an_sms_is_shown_as_its_text(shop: Shop) -> None:
    text = {"type": "sms", "text": "Hi {{ contact.first_name }}", "topic": "offers"}
    shop.publish(
        {**WORKSPACE},
        {"journey": "text", "triggers": [{"type": "event", "event": "Go"}], "start": "sms", "nodes": {"sms": text}},
    )
    shop.identify("ann", phone="+44 20 7946 0000", first_name="Ann")
    shop.track("ann", "Go")
    (listed,) = messages(shop)

    shown = shop.client("read").get(f"/v1/messages/{listed['id']}").json()

    assert (listed["channel"], listed["template"], listed["to"]) == ("sms", None, "+44 20 7946 0000")
    assert (shown["text"], shown["html"], shown["headers"]) == ("Hi Ann", None, {})


def test_a_failed_message_can_be_tried_again_and_no_other(mailing_shop: Shop) -> None:
    id_ = messages(mailing_shop, contact="ann")[0]["id"]
    admin = mailing_shop.client("admin")

    assert admin.post(f"/v1/messages/{id_}/retry").status_code == 409
    finish(mailing_shop, "failed")
    assert messages(mailing_shop, status="failed")[0]["reason"] == "no such mailbox"
    again = admin.post(f"/v1/messages/{id_}/retry").json()

    assert (again["status"], again["reason"]) == ("queued", None)
    assert admin.post("/v1/messages/unknown/retry").status_code == 404
    assert admin.get("/v1/messages/unknown").status_code == 404


def test_a_status_that_is_none_is_told(shop: Shop) -> None:
    answer = shop.client("read").get("/v1/messages", params={"status": "lost"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "status")
