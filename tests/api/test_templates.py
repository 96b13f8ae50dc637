"""Templates to look at, and to send as a test: nothing is used up by either."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.api.shop import JOURNEY, TEMPLATE, WORKSPACE, Hands, JSONObject, Shop
from tests.channels.mail_server import MailServer

from journeyflow.bootstrap import open_installation
from journeyflow.db import tables
from journeyflow.db.store import read
from journeyflow.settings import Settings

BODY = (
    '<p>{{ contact.first_name }} {{ trigger.total | money: "GBP" }} {{ event.total }} {{ vars.coupon.code }} '
    '{{ vars.coupon.expires_at | date: "%Y-%m-%d" }}</p><a href="https://shop.example/tea">Tea</a>{% survey "taste" %}'
)
SURVEY: JSONObject = {
    "survey": "taste",
    "question": "Tea?",
    "choices": [{"id": "tea", "label": "Tea", "tag": "likes-tea"}],
}
POOL: JSONObject = {"coupon_pool": "ten", "codes": "generated", "prefix": "TEN-", "valid_for": "14d"}
NODES: JSONObject = {
    "code": {"type": "coupon", "pool": "ten", "next": "mail"},
    "mail": {"type": "email", "template": "hello", "topic": "offers"},
}
DOCUMENTS = (WORKSPACE, SURVEY, POOL, TEMPLATE | {"body": BODY}, JOURNEY | {"start": "code", "nodes": NODES})


@pytest.fixture
def ann(shop: Shop) -> Shop:
    """A shop that knows Ann."""
    shop.publish(*DOCUMENTS)
    shop.identify("ann", email="ann@example.com", first_name="Ann & Co")
    return shop


def rows(shop: Shop) -> dict[str, int]:
    """How many rows each table has."""
    with read(shop.installation.engine) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables.metadata.sorted_tables
        }


# --- previews --------------------------------------------------------------------------------------------------------


def test_a_template_is_shown_as_a_contact_would_see_it(ann: Shop) -> None:
    found = ann.client("admin").get("/v1/templates/hello/preview", params={"contact": "ann"}).json()

    assert found["subject"] == "Hello Ann & Co"
    assert "<p>Ann &amp; Co" in found["html"]
    assert "TEN-TEST-CODE 2026-03-16" in found["text"]
    assert "Long Street 1, Gdansk" in found["text"]
    assert found["reads"] == [
        "contact.first_name",
        "currency",
        "event.total",
        "locale",
        "now",
        "timezone",
        "trigger.total",
        "vars.coupon.code",
        "vars.coupon.expires_at",
    ]


def test_values_go_before_what_is_known(ann: Shop) -> None:
    values = {"contact": {"first_name": "Bob"}, "trigger": {"total": 12.5}, "vars": {"coupon": {"code": "X"}}}
    found = ann.client("admin").post("/v1/templates/hello/preview", json={"contact": "ann", "values": values}).json()

    assert found["subject"] == "Hello Bob"
    assert found["text"].startswith("Bob £12.50 12.5 X")


def test_nobody_in_particular_may_look_too(ann: Shop) -> None:
    found = ann.client("admin").get("/v1/templates/hello/preview").json()

    assert (found["subject"], found["preheader"]) == ("Hello", "")


def test_the_links_of_a_preview_are_those_of_its_author_and_change_nothing(ann: Shop) -> None:
    html = ann.client("admin").get("/v1/templates/hello/preview", params={"contact": "ann"}).json()["html"]
    before = rows(ann)

    assert 'href="https://shop.example/tea"' in html
    assert "/t/" not in html
    for path in re.findall(r'href="https://shop\.example(/[sup]/[^"]+)"', html):
        for method in ("GET", "POST"):
            page = ann.visitor().request(method, path, data={"answer": "tea", "topic": "tips"})
            assert (page.status_code, "This was a test" in page.text) == (200, True), path
    ann.settle()
    assert rows(ann) == before


def test_a_preview_uses_up_nothing(ann: Shop) -> None:
    admin = ann.client("admin")
    before = rows(ann)
    admin.get("/v1/templates/hello/preview", params={"contact": "ann"})
    admin.post("/v1/templates/hello/preview", json={"contact": "ann"})

    assert rows(ann) == before


def test_a_text_that_is_not_published_can_be_looked_at(ann: Shop) -> None:
    admin = ann.client("admin")
    draft = {"template": "new", "subject": "New {{ contact.first_name }}", "body": "x"}
    found = admin.post("/v1/templates/new/preview", json={"document": draft, "contact": "ann"})
    wrong = admin.post("/v1/templates/new/preview", json={"document": draft | {"layout": "gone"}})

    assert found.json()["subject"] == "New Ann & Co"
    assert (wrong.status_code, wrong.json()["errors"][0]["path"]) == (422, "layout")
    assert admin.get("/v1/templates/new/preview").status_code == 404


def test_what_is_not_there_or_fails_is_told(ann: Shop) -> None:
    admin = ann.client("admin")
    assert admin.get("/v1/templates/gone/preview").status_code == 404
    assert admin.get("/v1/templates/hello/preview", params={"contact": "nobody"}).status_code == 404
    failed = admin.post("/v1/templates/hello/preview", json={"values": {"trigger": {"total": {}}}})
    assert (failed.status_code, "money" in failed.json()["detail"]) == (422, True)
    assert ann.client("read").get("/v1/templates/hello/preview").status_code == 403


def test_a_template_of_transactional_messages_alone_has_no_footer(ann: Shop) -> None:
    mail = {"type": "email", "template": "hello", "transactional": True}
    ann.publish(JOURNEY | {"start": "code", "nodes": NODES | {"mail": mail}})
    text = ann.client("admin").get("/v1/templates/hello/preview").json()["text"]

    assert "Unsubscribe" not in text


# --- tests -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def posting(tmp_path: Path, server: MailServer) -> Iterator[Shop]:
    """A shop that knows Ann, and sends through a mail server."""
    clock = Hands()
    settings = Settings.model_validate(
        {
            "database_url": str(tmp_path / "posting.db"),
            "base_url": "https://shop.example",
            "email_url": f"smtp://127.0.0.1:{server.port}",
        }
    )
    shop = Shop(open_installation(settings, clock), clock)
    shop.ingest.start()
    shop.publish(*DOCUMENTS)
    shop.identify("ann", email="ann@example.com", first_name="Ann")
    yield shop
    shop.ingest.stop()
    shop.installation.engine.dispose()


def test_a_test_goes_out_as_the_message_would_and_uses_up_nothing(posting: Shop, server: MailServer) -> None:
    admin = posting.client("admin")
    before = rows(posting)
    answer = admin.post("/v1/templates/hello/send-test", json={"to": "boss@shop.example", "contact": "ann"})

    assert answer.json() == {
        "template": "hello",
        "to": "boss@shop.example",
        "subject": "Hello Ann",
        "channel": "smtp",
        "provider_id": answer.json()["provider_id"],
    }
    (mail,) = server.messages
    assert (mail["To"], mail["Subject"], mail["From"]) == (
        "boss@shop.example",
        "Hello Ann",
        "The Shop <hello@shop.example>",
    )
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    part = mail.get_body(("html",))
    assert part is not None
    assert "TEN-TEST-CODE" in part.get_content()
    assert rows(posting) == before


def test_the_links_of_a_test_lead_on_and_tell_nothing(posting: Shop, server: MailServer) -> None:
    posting.client("admin").post("/v1/templates/hello/send-test", json={"to": "boss@shop.example", "contact": "ann"})
    (mail,) = server.messages
    part = mail.get_body(("html",))
    assert part is not None
    html = part.get_content()
    before = rows(posting)
    (click,) = re.findall(r"https://shop\.example(/t/c/[\w-]+)", html)
    (image,) = re.findall(r"https://shop\.example(/t/o/[\w-]+\.gif)", html)

    assert posting.visitor().get(click).headers["location"] == "https://shop.example/tea"
    assert posting.visitor().get(image).status_code == 200
    assert (
        posting.visitor().post(mail["List-Unsubscribe"].strip("<>").removeprefix("https://shop.example")).status_code
        == 200
    )
    posting.settle()
    assert rows(posting) == before
    assert posting.contact("ann")["topics"]["offers"] is True


def test_an_address_that_is_none_is_refused(posting: Shop) -> None:
    answer = posting.client("admin").post("/v1/templates/hello/send-test", json={"to": "nobody at all"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "to")


def test_an_sms_is_shown_and_sent_by_its_own_channel(posting: Shop, server: MailServer) -> None:
    posting.publish({"template": "short", "channel": "sms", "body": "Hello {{ contact.first_name }}"})
    admin = posting.client("admin")

    shown = admin.get("/v1/templates/short/preview", params={"contact": "ann"}).json()
    sent = admin.post("/v1/templates/short/send-test", json={"to": "+48123456789", "contact": "ann"}).json()
    assert (shown["text"], shown["html"], shown["subject"]) == ("Hello Ann", "", "")
    assert (sent["channel"], sent["subject"], server.messages) == ("mailbox", "Hello Ann", [])
    assert admin.post("/v1/templates/short/send-test", json={"to": "me@shop.example"}).json()["detail"] == (
        'to: expected a telephone number such as +48 123 456 789, found "me@shop.example"'
    )
