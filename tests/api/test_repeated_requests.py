"""Requests with an ``Idempotency-Key``: every write that takes one is here, and a new one fails until it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import func, select
from tests.api.shop import JSONObject, Shop

from journeyflow.api import once as once_module
from journeyflow.db import outbox, tables
from journeyflow.db.outbox import Outcome
from journeyflow.db.store import read, write

NAME = {"Idempotency-Key": "k-1"}
SEGMENT: JSONObject = {"segment": "tagged", "when": {"tag": "vip"}}
POOL: JSONObject = {"coupon_pool": "spring", "codes": "uploaded", "reuse": "never", "valid_for": "1d"}
REQUESTS: dict[tuple[str, str], JSONObject | None] = {
    ("post", "/v1/contacts"): {"contact": "eve", "tags": ["a"]},
    ("patch", "/v1/contacts/{key}"): {"attributes": {"plan": "gold"}},
    ("delete", "/v1/contacts/{key}"): None,
    ("post", "/v1/contacts/{key}/tags"): {"add": ["a"]},
    ("post", "/v1/contacts/{key}/topics"): {"topics": {"offers": False}},
    ("post", "/v1/imports/contacts"): {"contact": "eve", "attributes": {"email": "nowhere"}},
    ("post", "/v1/imports/events"): {"contact": "eve", "event": "Signed Up", "occurred_at": "2026-03-01"},
    ("put", "/v1/documents/{kind}/{id}"): SEGMENT,
    ("delete", "/v1/documents/{kind}/{id}"): None,
    ("post", "/v1/documents:check"): {"documents": [SEGMENT]},
    ("post", "/v1/documents:plan"): {"documents": [SEGMENT]},
    ("post", "/v1/documents:apply"): {"documents": [SEGMENT]},
    ("post", "/v1/journeys/{id}/publish"): None,
    ("post", "/v1/journeys/{id}/pause"): {"entries": True},
    ("post", "/v1/journeys/{id}/resume"): {"mode": "now"},
    ("post", "/v1/journeys/{id}/archive"): None,
    ("post", "/v1/journeys/{id}/migrate"): {"dry_run": False},
    ("post", "/v1/journeys/{id}/enroll"): {"contact": "ann"},
    ("post", "/v1/runs/{id}/remove"): None,
    ("post", "/v1/runs/{id}/move"): {"node": "label"},
    ("post", "/v1/messages/{id}/retry"): None,
    ("post", "/v1/coupons/{pool}"): {"codes": ["S-1"]},
    ("post", "/v1/simulations"): {"events": []},
    ("delete", "/v1/simulations/{id}"): None,
    ("delete", "/v1/keys/{id}"): None,
    ("post", "/v1/templates/{id}/preview"): {"values": {"contact": {"first_name": "Ann"}}},
    ("post", "/v1/templates/{id}/send-test"): {"to": "me@shop.example"},
}
SHOWN_ONCE = ("post", "/v1/keys")


@pytest.fixture
def open_shop(busy_shop: Shop) -> Shop:
    """A shop in which everything that can be changed is there."""
    busy_shop.publish(POOL)
    busy_shop.identify("ann", email="ann@example.com", first_name="Ann")
    busy_shop.track("ann", "Signed Up")
    now = busy_shop.clock()
    with write(busy_shop.installation.engine) as connection:
        claimed = outbox.claim(connection, now, now + timedelta(minutes=5), 10)
        outbox.finish(connection, [Outcome(one, "failed", now, "no such mailbox") for one in claimed])
    busy_shop.later(hours=1)
    return busy_shop


def writes(shop: Shop) -> Iterator[tuple[str, str, JSONObject]]:
    """Every operation under ``/v1`` that is no reading and takes no events."""
    for path, operations in shop.app.openapi()["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/v1/") and method != "get" and operation["tags"] != ["events"]:
                yield method, path, operation


def place(shop: Shop, method: str, path: str) -> str:
    """A path with what is there in place of its parameters."""
    admin = shop.client("admin")
    if path.startswith("/v1/documents/"):
        if method == "delete":
            shop.publish(SEGMENT)
        return "/v1/documents/segment/tagged"
    if path.startswith("/v1/simulations/"):
        return str(admin.post("/v1/simulations", json={"events": []}).headers["location"])
    if path.endswith("/resume"):
        admin.post("/v1/journeys/welcome/pause")
    first = {"runs": "/v1/journeys/welcome/runs", "messages": "/v1/messages?status=failed", "keys": "/v1/keys"}
    what = path.split("/")[2]
    known = {"contacts": "ann", "journeys": "welcome", "coupons": "spring", "templates": "hello"}
    if what in first and "{" in path:
        known[what] = admin.get(first[what]).json()["items"][0]["id"]
    for parameter in ("{key}", "{id}", "{pool}"):
        path = path.replace(parameter, known.get(what, ""))
    return path


def ask(shop: Shop, method: str, path: str, body: JSONObject | None) -> httpx.Response:
    json = {"Content-Type": "application/json"}
    content = b"" if body is None else orjson.dumps(body)
    return shop.client("admin").request(method.upper(), path, content=content, headers={**NAME, **json})


def seen(answer: httpx.Response) -> tuple[int, bytes, str | None, str | None]:
    return answer.status_code, answer.content, answer.headers.get("etag"), answer.headers.get("location")


@pytest.mark.on_sqlite
def test_every_write_takes_the_key_and_says_so(shop: Shop) -> None:
    asked = {(method, path): operation for method, path, operation in writes(shop)}

    assert asked.keys() == {*REQUESTS, SHOWN_ONCE}
    for operation in asked.values():
        taken = [one for one in operation["parameters"] if one["name"] == "Idempotency-Key"]
        assert [one["in"] for one in taken] == ["header"], operation["operationId"]
        assert "409" in operation["responses"], operation["operationId"]


@pytest.mark.parametrize(("method", "path"), [*REQUESTS])
def test_a_write_that_is_repeated_gets_the_first_answer_and_another_one_is_refused(
    open_shop: Shop, method: str, path: str
) -> None:
    where, body = place(open_shop, method, path), REQUESTS[method, path]

    first = ask(open_shop, method, where, body)
    open_shop.later(days=3)
    again = ask(open_shop, method, where, body)
    other = ask(open_shop, method, where, {"another": "request"})

    assert 200 <= first.status_code < 300, first.text
    assert seen(again) == seen(first)
    assert (other.status_code, "another request" in other.json()["detail"]) == (409, True)


def test_what_was_done_is_not_done_again_after_it_was_undone(open_shop: Shop) -> None:
    admin = open_shop.client("admin")
    first = ask(open_shop, "put", "/v1/documents/segment/tagged", SEGMENT)
    admin.request("DELETE", "/v1/documents/segment/tagged")

    again = ask(open_shop, "put", "/v1/documents/segment/tagged", SEGMENT)

    assert (first.status_code, seen(again)) == (201, seen(first))
    assert admin.get("/v1/documents/segment/tagged").status_code == 404


def test_a_request_that_was_refused_may_come_again(open_shop: Shop) -> None:
    first = ask(open_shop, "post", "/v1/contacts/eve/tags", {"add": ["a"]})
    open_shop.identify("eve")

    again = ask(open_shop, "post", "/v1/contacts/eve/tags", {"add": ["a"]})

    assert (first.status_code, again.status_code, again.json()["tags"]) == (404, 200, ["a"])


@pytest.mark.parametrize("path", [*(path for method, path in REQUESTS if path.startswith("/v1/journeys/"))])
def test_what_was_done_before_its_answer_could_be_kept_is_not_done_again(
    open_shop: Shop, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, body = place(open_shop, "post", path), REQUESTS["post", path]
    with monkeypatch.context() as patch:
        patch.setattr(once_module.Answers, "_keep", lambda _, token, answer: answer)
        first = ask(open_shop, "post", where, body)
    runs = open_shop.contact("ann")["runs"]
    open_shop.clock.move(hours=1)

    again = ask(open_shop, "post", where, body)

    assert (first.status_code, again.status_code) == (200, 200 if path.endswith("enroll") else 409)
    assert open_shop.contact("ann")["runs"] == runs


def test_what_is_asked_for_twice_at_once_is_done_once(open_shop: Shop) -> None:
    key = open_shop.key("admin")

    async def both() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=open_shop.app)
        headers = {"Authorization": f"Bearer {key}", **NAME}
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test", headers=headers) as client:
            uploads = [client.post("/v1/coupons/spring", json={"codes": ["S-1"]}) for _ in range(3)]
            return list(await asyncio.gather(*uploads))

    answers = asyncio.run(both())

    assert [(one.status_code, one.json()["imported"]) for one in answers] == [(200, 1)] * 3


def test_a_key_is_kept_nowhere_so_that_its_request_is_refused_when_it_comes_again(open_shop: Shop) -> None:
    first = ask(open_shop, *SHOWN_ONCE, {"scope": "read"})
    again = ask(open_shop, *SHOWN_ONCE, {"scope": "read"})

    assert (first.status_code, again.status_code, first.headers["cache-control"]) == (201, 409, "no-store")
    with read(open_shop.installation.engine) as connection:
        kept = connection.execute(select(tables.requests)).one()
    assert (kept.status, kept.body) == (None, None)


def test_an_answer_about_a_contact_is_erased_with_it(open_shop: Shop) -> None:
    ask(open_shop, "post", "/v1/contacts/ann/tags", {"add": ["a"]})

    open_shop.client("admin").request("DELETE", "/v1/contacts/ann")

    with read(open_shop.installation.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(tables.requests)) == 0


def test_an_answer_about_many_contacts_is_not_written_to_the_database(open_shop: Shop) -> None:
    first = ask(open_shop, "post", "/v1/imports/contacts", {"contact": "eve", "attributes": {"email": "nowhere"}})

    assert "nowhere" in first.text
    with read(open_shop.installation.engine) as connection:
        assert connection.scalars(select(tables.requests.c.body)).all() == [None]


def test_a_contact_that_is_merged_takes_its_requests_along(open_shop: Shop) -> None:
    write_key = open_shop.client("write")
    write_key.post("/v1/track", json={"anonymousId": "a-1", "event": "Seen"})
    open_shop.settle()
    first = ask(open_shop, "post", "/v1/contacts/a-1/tags", {"add": ["a"]})
    write_key.post("/v1/alias", json={"userId": "ann", "previousId": "a-1"})
    open_shop.settle()

    again = ask(open_shop, "post", "/v1/contacts/a-1/tags", {"add": ["a"]})

    assert seen(again) == seen(first)
    with read(open_shop.installation.engine) as connection:
        assert connection.scalars(select(tables.requests.c.contact)).all() == ["ann"]


def test_few_and_short_answers_are_kept_in_memory(open_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once_module, "KEPT_MAX", 2)
    monkeypatch.setattr(once_module, "BODY_BYTES_MAX", 20_000)
    admin = open_shop.client("admin")

    def preview(name: str, **values: Any) -> int:  # Any: JSON
        body = {"values": {"contact": values}}
        headers = {"Idempotency-Key": name}
        return admin.post("/v1/templates/hello/preview", json=body, headers=headers).status_code

    for name in ("a", "b", "c"):
        preview(name, first_name="Ann")
    preview("long", first_name="A" * 20_000)

    assert [preview(name, first_name="Bob") for name in ("a", "c", "long")] == [200, 409, 200]


def test_a_name_that_is_too_long_is_refused(open_shop: Shop) -> None:
    headers = {"Idempotency-Key": "k" * 256}
    answer = open_shop.client("admin").post("/v1/contacts/ann/tags", json={"add": ["a"]}, headers=headers)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
