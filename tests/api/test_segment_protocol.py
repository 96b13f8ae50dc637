"""Events over HTTP: what is stored, what is not, and how that is told."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs
from tests.api.shop import Shop

from journeyflow.core.errors import Overloaded


def event(**given: Any) -> dict[str, Any]:  # Any: JSON
    return {"type": "track", "userId": "ann", "event": "Order Completed", **given}


def events_of(shop: Shop, contact: str) -> list[dict[str, Any]]:  # Any: JSON
    found = shop.client("read").get(f"/v1/contacts/{contact}/timeline").json()["items"]
    return [one["event"] for one in reversed(found) if one["kind"] == "event"]


def test_an_event_that_was_answered_with_200_is_on_disk_though_no_engine_runs(shop: Shop) -> None:
    shop.rest()

    answer = shop.client("write").post("/v1/track", json={"userId": "ann", "event": "Signed Up"})

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    shop.working = True
    shop.settle()
    assert [one["name"] for one in events_of(shop, "ann")] == ["Signed Up", "Contact Created"]


def test_a_batch_tells_which_of_its_events_were_not_taken_and_stores_the_others(shop: Shop) -> None:
    batch = [event(), event(timestamp="yesterday"), event(userId="bob"), "nonsense", event(type="alias")]

    with capture_logs() as logged:
        answer = shop.client("write").post("/v1/batch", json={"batch": batch})

    assert answer.status_code == 200
    (line,) = [one for one in logged if one["event"] == "events of a batch were rejected"]
    assert (line["rejected"], line["taken"], line["first"].partition(":")[0]) == (3, 2, "batch[1].timestamp")
    told = answer.json()
    assert told["success"] is True
    assert [(one["index"], one["field"]) for one in told["rejected"]] == [
        (1, "batch[1].timestamp"),
        (3, "batch[3]"),
        (4, "batch[4].previousId"),
    ]
    shop.settle()
    assert shop.contact("ann")["contact"] == "ann"
    assert shop.contact("bob")["contact"] == "bob"


def test_a_batch_of_which_nothing_was_taken_is_an_error_that_names_each_field(shop: Shop) -> None:
    answer = shop.client("write").post("/v1/batch", json={"batch": [event(event=7), event(userId=None)]})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["field"] for one in answer.json()["errors"]] == ["batch[0].event", "batch[1].userId"]


def test_an_empty_batch_is_no_error(shop: Shop) -> None:
    assert shop.client("write").post("/v1/batch", json={"batch": []}).json() == {"success": True}


@pytest.mark.parametrize("body", [{}, {"batch": None}, {"batch": {}}, {"batch": "x"}])
def test_a_batch_without_a_list_of_events_is_an_error(shop: Shop, body: dict[str, Any]) -> None:  # Any: JSON
    answer = shop.client("write").post("/v1/batch", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "batch")


def test_more_than_2500_events_are_too_many(shop: Shop) -> None:
    batch = [{"type": "track", "userId": "a", "event": "x"}] * 2_501

    answer = shop.client("write").post("/v1/batch", json={"batch": batch})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (413, "batch")


def test_pages_and_screens_are_events_with_their_name_among_the_properties(shop: Shop) -> None:
    client = shop.client("write")
    client.post("/v1/page", json={"userId": "ann", "name": "Tea", "category": "Shop", "properties": {"url": "/tea"}})
    client.post("/v1/screen", json={"userId": "ann", "name": "Cart"})
    shop.settle()

    seen = [(one["name"], one["properties"]) for one in events_of(shop, "ann") if one["name"] != "Contact Created"]
    assert seen == [
        ("Page Viewed", {"url": "/tea", "name": "Tea", "category": "Shop"}),
        ("Screen Viewed", {"name": "Cart"}),
    ]


def test_identify_sets_attributes_and_group_sets_one(shop: Shop) -> None:
    shop.identify("ann", email="ann@example.com", plan="gold")
    client = shop.client("write")
    client.post("/v1/group", json={"userId": "ann", "groupId": "g1", "traits": {"name": "Tea Ltd"}})
    shop.settle()

    assert shop.contact("ann")["attributes"] == {
        "email": "ann@example.com",
        "plan": "gold",
        "group": {"name": "Tea Ltd"},
    }


def test_an_event_with_the_same_message_id_counts_once(shop: Shop) -> None:
    for _ in range(2):
        shop.client("write").post("/v1/track", json={"userId": "ann", "event": "Signed Up", "messageId": "m-1"})
    shop.settle()

    assert [one["name"] for one in events_of(shop, "ann")].count("Signed Up") == 1


def test_an_attribute_named_like_a_part_of_python_is_kept_like_any_other(shop: Shop) -> None:
    traits = {"__class__": "x", "__init__": {"__globals__": 1}}
    shop.identify("ann", **traits)

    assert shop.contact("ann")["attributes"] == traits


# --- bodies ----------------------------------------------------------------------------------------------------------


def test_a_compressed_batch_is_taken(shop: Shop) -> None:
    body = gzip.compress(orjson.dumps({"batch": [event()]}))

    answer = shop.client("write").post("/v1/batch", content=body, headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 200
    shop.settle()
    assert shop.contact("ann")["contact"] == "ann"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(b" " * 200_000_000), 413),
        (gzip.compress(b"{}") + b"more", 400),
        (gzip.compress(b'{"batch": []}')[:-5], 400),
        (b"not gzip at all", 400),
    ],
    ids=["a bomb", "something behind it", "cut off", "none"],
)
def test_a_compressed_body_that_is_not_what_it_says_is_refused(shop: Shop, body: bytes, status: int) -> None:
    answer = shop.client("write").post("/v1/batch", content=body, headers={"Content-Encoding": "gzip"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, "body")


def test_other_compressions_are_not_read(shop: Shop) -> None:
    answer = shop.client("write").post("/v1/batch", content=b"x", headers={"Content-Encoding": "br"})

    assert answer.status_code == 415


def test_an_event_of_10_megabytes_is_refused_and_the_next_one_taken(shop: Shop) -> None:
    client = shop.client("write")

    answer = client.post("/v1/track", json=event(properties={"text": "x" * 10_000_000}))

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (413, "body")
    assert client.post("/v1/track", json=event()).status_code == 200


def test_a_body_that_does_not_say_how_long_it_is_is_not_read_to_its_end(shop: Shop) -> None:
    async def endless() -> Any:  # Any: an async generator
        while True:
            yield b"x" * 100_000

    assert shop.client("write").post("/v1/track", content=endless()).status_code == 413


@pytest.mark.parametrize(("size", "status"), [(500_000, 200), (500_001, 413)])
def test_a_request_has_at_most_500_000_bytes(shop: Shop, size: int, status: int) -> None:
    body = b'{"batch": []}'

    assert shop.client("write").post("/v1/batch", content=body.ljust(size)).status_code == status


def test_one_event_of_a_batch_that_is_too_large_does_not_spoil_the_others(shop: Shop) -> None:
    batch = [event(), event(properties={"text": "x" * 40_000})]

    answer = shop.client("write").post("/v1/batch", json={"batch": batch})

    assert answer.status_code == 200
    assert [one["field"] for one in answer.json()["rejected"]] == ["batch[1]"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b'{"userId": "\xff"}', b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000],
)
def test_what_is_no_json_object_is_an_error(shop: Shop, body: bytes) -> None:
    answer = shop.client("write").post("/v1/track", content=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "body")


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (b'"properties": {"a": ["\\ud83d"]}', "batch[0].properties.a[0]"),
        (b'"properties": {"a\\u0000b": 1}', "batch[0].properties"),
        (b'"properties": {"text": "\\u0000"}', "batch[0].properties.text"),
        (b'"properties": {"total": NaN}', "batch[0].properties.total"),
        (b'"properties": {"total": 1e999}', "batch[0].properties.total"),
        (b'"properties": ' + b'{"a":' * 300 + b"1" + b"}" * 300, "batch[0]"),
    ],
    ids=["half a character", "NUL in a name", "NUL", "not a number", "infinity", "too deep"],
)
def test_what_no_store_can_keep_spoils_its_own_event_only(shop: Shop, broken: bytes, field: str) -> None:
    body = b'{"batch": [{"type": "track", "userId": "ann", "event": "x", ' + broken + b"}, "
    body += b'{"type": "track", "userId": "bob", "event": "x"}]}'

    answer = shop.client("write").post("/v1/batch", content=body)

    assert answer.status_code == 200
    assert [one["field"] for one in answer.json()["rejected"]] == [field]
    shop.settle()
    assert shop.contact("bob")["contact"] == "bob"


def test_numbers_beyond_64_bits_are_kept_as_floats_and_of_a_doubled_key_the_last_counts(shop: Shop) -> None:
    body = b'{"userId": "ann", "event": "x", "properties": {"n": 123456789012345678901234567890, "k": 1, "k": 2}}'

    assert shop.client("write").post("/v1/track", content=body).status_code == 200
    shop.settle()
    assert events_of(shop, "ann")[0]["properties"] == {"n": 1.2345678901234568e29, "k": 2}


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["browser", "write", "admin"])
def test_these_keys_may_send_events(shop: Shop, scope: Any) -> None:  # Any: a Scope, from the list above
    assert shop.client(scope).post("/v1/track", json=event()).status_code == 200


def test_the_key_may_be_the_user_name_of_basic_authentication_or_stand_in_the_body(shop: Shop) -> None:
    key = shop.key("write")

    assert shop.visitor().post("/v1/track", json=event(), auth=(key, "")).status_code == 200
    assert shop.visitor().post("/v1/t", json=event(writeKey=key)).status_code == 200


def test_without_a_key_nothing_is_taken(shop: Shop) -> None:
    answer = shop.visitor().post("/v1/track", json=event())

    assert answer.status_code == 401
    assert "Basic" in answer.headers["www-authenticate"]
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header", ["Bearer nonsense", "Basic nonsense", "Basic %%%", "Basic", "Bearer", "Digest x", "Bearer \xe9"]
)
def test_a_key_that_is_none_opens_nothing(shop: Shop, header: str) -> None:
    headers = [(b"authorization", header.encode("latin-1"))]

    assert shop.visitor().post("/v1/track", json=event(), headers=headers).status_code == 401


def test_a_key_for_reading_can_not_write(shop: Shop) -> None:
    assert shop.client("read").post("/v1/track", json=event()).status_code == 403


@pytest.mark.parametrize("name", ["Unsubscribed", "Email Bounced", "Coupon Redeemed", "Tag Added"])
def test_a_browser_key_can_not_claim_what_others_tell(shop: Shop, name: str) -> None:
    answer = shop.client("browser").post("/v1/track", json=event(event=name))

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "event")


def test_a_browser_key_changes_no_address_that_is_known(shop: Shop) -> None:
    shop.identify("ann", email="ann@example.com")
    body = {"batch": [{"type": "identify", "userId": "ann", "traits": {"email": "eve@example.com", "plan": "gold"}}]}

    answer = shop.client("browser").post("/v1/batch", json=body)

    assert answer.status_code == 200
    assert [one["field"] for one in answer.json()["dropped"]] == ["batch[0].traits.email"]
    shop.settle()
    assert shop.contact("ann")["attributes"] == {"email": "ann@example.com", "plan": "gold"}


def test_a_browser_key_changes_no_address_that_is_about_to_be_known(shop: Shop) -> None:
    shop.rest()
    shop.client("write").post("/v1/identify", json={"userId": "ann", "traits": {"email": "ann@example.com"}})

    answer = shop.client("browser").post("/v1/identify", json={"userId": "ann", "traits": {"email": "eve@example.com"}})

    assert [one["field"] for one in answer.json()["dropped"]] == ["traits.email"]


def test_a_browser_key_may_say_an_address_that_is_new_or_the_same(shop: Shop) -> None:
    client = shop.client("browser")
    for _ in range(2):
        answer = client.post("/v1/identify", json={"userId": "ann", "traits": {"email": "ann@example.com"}})
        assert answer.json() == {"success": True}
        shop.settle()

    assert shop.contact("ann")["email"] == "ann@example.com"


@pytest.mark.parametrize("path", ["identify", "track"])
@pytest.mark.parametrize("settled", [True, False])
def test_a_browser_key_gives_no_address_to_a_contact_that_a_server_named(
    shop: Shop, path: str, *, settled: bool
) -> None:
    if not settled:
        shop.rest()
    shop.client("write").post(f"/v1/{path}", json={"userId": "ann", "event": "Signed Up", "traits": {"plan": "gold"}})
    shop.settle()

    traits = {"email": "eve@example.com", "phone": "+15550100", "plan": "free"}
    answer = shop.client("browser").post("/v1/identify", json={"userId": "ann", "traits": traits})

    assert [one["field"] for one in answer.json()["dropped"]] == ["traits.email", "traits.phone"]
    shop.working = True
    shop.settle()
    assert shop.contact("ann")["attributes"] == {"plan": "free"}


def test_a_contact_that_only_browsers_named_may_be_given_an_address(shop: Shop) -> None:
    client = shop.client("browser")
    client.post("/v1/track", json=event(event="Signed Up"))
    shop.settle()

    answer = client.post("/v1/identify", json={"userId": "ann", "traits": {"email": "ann@example.com"}})

    assert answer.json() == {"success": True}
    shop.settle()
    assert shop.contact("ann")["email"] == "ann@example.com"


def test_a_contact_that_only_browsers_named_may_be_given_another_address(shop: Shop) -> None:
    client = shop.client("browser")
    for address in ("ann@example.com", "ann@work.example"):
        answer = client.post("/v1/identify", json={"userId": "ann", "traits": {"email": address}})
        assert answer.json() == {"success": True}
        shop.settle()

    assert shop.contact("ann")["email"] == "ann@work.example"


@pytest.mark.parametrize("settled", [True, False])
def test_a_browser_key_changes_no_address_that_a_server_told_of_a_visitor(shop: Shop, *, settled: bool) -> None:
    if not settled:
        shop.rest()
    shop.client("write").post("/v1/identify", json={"anonymousId": "a-1", "traits": {"email": "ann@example.com"}})
    shop.settle()

    told = shop.client("browser").post(
        "/v1/identify", json={"anonymousId": "a-1", "traits": {"email": "eve@example.com"}}
    )

    assert [one["field"] for one in told.json()["dropped"]] == ["traits.email"]
    shop.working = True
    shop.settle()
    assert shop.contact("a-1")["email"] == "ann@example.com"


def test_pages_of_other_sites_may_send_events_and_nothing_else(shop: Shop) -> None:
    asked = shop.visitor().request("OPTIONS", "/v1/track", headers={"Origin": "https://shop.example"})
    refused = shop.visitor().post("/v1/track", json=event())
    elsewhere = shop.client("admin").get("/v1/contacts")

    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "*"
    assert refused.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in elsewhere.headers


# --- too much --------------------------------------------------------------------------------------------------------


def test_overload_says_when_to_come_back_and_stores_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise Overloaded("too many events at once; nothing of this request was stored")

    client = shop.client("write")
    with monkeypatch.context() as patched:
        patched.setattr(shop.ingest, "submit", full)
        answer = client.post("/v1/track", json=event())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    shop.settle()
    assert shop.client("read").get("/v1/contacts").json()["items"] == []
