"""Contacts over HTTP: a change is an input that has its turn."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from tests.api.shop import Shop

from journeyflow.api import changes

JSONObject = dict[str, Any]  # Any: JSON


def test_a_contact_is_made_and_shown(busy_shop: Shop) -> None:
    body = {
        "contact": "ann",
        "email": "ann@example.com",
        "attributes": {"first_name": "Ann"},
        "tags": ["vip"],
        "topics": {"tips": True},
    }

    answer = busy_shop.client("admin").post("/v1/contacts", json=body)

    assert answer.status_code == 200
    assert answer.json() == {
        "contact": "ann",
        "email": "ann@example.com",
        "attributes": {"first_name": "Ann", "email": "ann@example.com"},
        "tags": ["vip"],
        "topics": {"offers": True, "tips": True},
        "stage": None,
        "suppressed": False,
        "created_at": "2026-03-02T10:00:00.000000Z",
        "runs": [],
    }
    assert busy_shop.contact("ann") == answer.json()


def test_a_change_leaves_what_it_does_not_name_and_null_takes_away(shop: Shop) -> None:
    shop.identify("ann", plan="gold", size="M")

    answer = shop.client("admin").request("PATCH", "/v1/contacts/ann", json={"attributes": {"size": None, "age": 7}})

    assert answer.json()["attributes"] == {"plan": "gold", "age": 7}


def test_tags_are_put_on_and_taken_off(shop: Shop) -> None:
    shop.identify("ann")
    admin = shop.client("admin")
    admin.post("/v1/contacts/ann/tags", json={"add": ["a", "b"]})

    answer = admin.post("/v1/contacts/ann/tags", json={"add": ["c"], "remove": ["a"]})

    assert answer.json()["tags"] == ["b", "c"]


def test_consent_is_written_down(busy_shop: Shop) -> None:
    busy_shop.identify("ann")

    answer = busy_shop.client("admin").post("/v1/contacts/ann/topics", json={"topics": {"offers": False}})

    assert answer.json()["topics"] == {"offers": False, "tips": False}


def test_an_unknown_topic_is_told(busy_shop: Shop) -> None:
    busy_shop.identify("ann")

    answer = busy_shop.client("admin").post("/v1/contacts/ann/topics", json={"topics": {"ofers": False}})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "topics.ofers")


@pytest.mark.parametrize("path", ["", "/tags", "/topics"])
def test_changing_somebody_who_is_not_there_makes_nobody(shop: Shop, path: str) -> None:
    method, body = ("PATCH", {}) if not path else ("POST", {"topics": {"x": True}} if path == "/topics" else {})

    answer = shop.client("admin").request(method, f"/v1/contacts/nobody{path}", json=body)

    assert answer.status_code == 404
    assert shop.client("read").get("/v1/contacts/nobody").status_code == 404


def test_a_change_whose_turn_does_not_come_is_accepted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "WAIT_SECONDS", 0.01)
    shop.rest()

    answer = shop.client("admin").post("/v1/contacts", json={"contact": "ann"})

    assert answer.status_code == 202
    assert int(answer.json()["id"]) > 0


@pytest.mark.parametrize("key", ["a/b", "a/timeline/b", "zoë", "100%", "a b", "q?x", "#1", "tags", "%2F", "a%2Fb"])
def test_a_key_may_hold_any_sign(shop: Shop, key: str) -> None:
    admin = shop.client("admin")
    admin.post("/v1/contacts", json={"contact": key})

    assert admin.get(f"/v1/contacts/{quote(key, safe='')}").json()["contact"] == key
    assert admin.post(f"/v1/contacts/{quote(key, safe='')}/tags", json={"add": ["x"]}).json()["tags"] == ["x"]


@pytest.mark.parametrize("end", ["tags", "topics", "timeline", "explanation"])
def test_a_slash_inside_a_key_is_no_end_of_it(shop: Shop, end: str) -> None:
    admin = shop.client("admin")
    for key in ("k1", f"k1/{end}"):
        admin.post("/v1/contacts", json={"contact": key})
    part = quote(f"k1/{end}", safe="")

    assert admin.get(f"/v1/contacts/{part}").json()["contact"] == f"k1/{end}"
    assert admin.get(f"/v1/contacts/{part}/{end}").status_code == 200
    admin.post(f"/v1/contacts/{part}/tags", json={"add": ["x"]})
    assert admin.get("/v1/contacts/k1/tags").json() == {"tags": []}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "contact"),
        ({"contact": ""}, 422, "contact"),
        ({"contact": "a\x00b"}, 400, "contact"),
        ({"contact": "x" * 256}, 422, "contact"),
        ({"contact": "ann", "attributes": []}, 422, "attributes"),
        ({"contact": "ann", "attributes": {"a": {"b": "\x00"}}}, 400, "attributes.a.b"),
        ({"contact": "ann", "tags": ["", "x"]}, 422, "tags[0]"),
        ({"contact": "ann", "color": "red"}, 422, "color"),
    ],
)
def test_what_is_wrong_with_a_contact_is_told_with_its_field(
    shop: Shop, body: JSONObject, status: int, field: str
) -> None:
    answer = shop.client("admin").post("/v1/contacts", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"


def test_where_many_parts_are_wrong_the_summary_says_how_many_more(shop: Shop) -> None:
    answer = shop.client("admin").post("/v1/contacts", json={"contact": "ann", **{f"x{n}": 1 for n in range(5)}})

    assert len(answer.json()["errors"]) == 5
    assert answer.json()["detail"].endswith("; and 2 more")


def test_a_body_that_is_no_json_or_says_so_is_told(shop: Shop) -> None:
    admin = shop.client("admin")
    broken = admin.post("/v1/contacts", content=b'{"contact": ', headers={"Content-Type": "application/json"})
    form = admin.post("/v1/contacts", data={"contact": "ann"})
    large = admin.post("/v1/contacts", json={"contact": "ann", "attributes": {"a": "x" * 6_000_000}})

    assert (broken.status_code, broken.json()["errors"][0]["field"]) == (400, "body")
    assert form.status_code == 415
    assert (large.status_code, large.json()["errors"][0]["field"]) == (413, "body")


# --- lists -----------------------------------------------------------------------------------------------------------


def test_lists_are_turned_page_by_page(shop: Shop) -> None:
    for number in range(7):
        shop.identify(f"c{number}")
    reader = shop.client("read")
    found: list[list[str]] = []
    cursor: JSONObject = {}
    while cursor != {"cursor": None}:
        page = reader.get("/v1/contacts", params={"limit": 3, **cursor}).json()
        found.append([one["contact"] for one in page["items"]])
        cursor = {"cursor": page["next_cursor"]}

    assert [len(one) for one in found] == [3, 3, 1]
    assert sorted(key for page in found for key in page) == [f"c{number}" for number in range(7)]


@pytest.mark.parametrize("cursor", ["", "x", "WzFd", "W10", "bnVsbA", "WzEsMl0", "é", "%00"])
def test_a_cursor_that_was_tampered_with_is_told(shop: Shop, cursor: str) -> None:
    answer = shop.client("read").get("/v1/contacts", params={"cursor": cursor})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1e9"])
def test_a_limit_has_limits(shop: Shop, limit: str) -> None:
    answer = shop.client("read").get("/v1/contacts", params={"limit": limit})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limit")


# --- repeated requests -----------------------------------------------------------------------------------------------


def test_a_request_that_is_repeated_with_its_key_changes_nothing_more(shop: Shop) -> None:
    shop.identify("ann")
    admin = shop.client("admin")
    headers = {"Idempotency-Key": "k-1"}
    first = admin.post("/v1/contacts/ann/tags", json={"add": ["a"]}, headers=headers)
    admin.post("/v1/contacts/ann/tags", json={"remove": ["a"]})

    again = admin.post("/v1/contacts/ann/tags", json={"add": ["a"]}, headers=headers)

    assert (first.json()["tags"], again.json()["tags"], shop.contact("ann")["tags"]) == (["a"], ["a"], [])


def test_another_request_under_the_same_key_is_refused(shop: Shop) -> None:
    shop.identify("ann")
    admin = shop.client("admin")
    headers = {"Idempotency-Key": "k-1"}
    admin.post("/v1/contacts/ann/tags", json={"add": ["a"]}, headers=headers)

    answer = admin.post("/v1/contacts/ann/tags", json={"add": ["b"]}, headers=headers)

    assert answer.status_code == 409
    assert shop.contact("ann")["tags"] == ["a"]


def test_a_contact_is_not_made_by_another_request_under_the_same_key(shop: Shop) -> None:
    admin, once = shop.client("admin"), {"Idempotency-Key": "k-1"}
    bodies = [{"contact": "ann"}, {"contact": "ann"}, {"contact": "ann", "tags": ["a"]}, {"contact": "bob"}]

    assert [admin.post("/v1/contacts", json=one, headers=once).status_code for one in bodies] == [200, 200, 409, 409]
    assert admin.get("/v1/contacts/bob").status_code == 404


def test_tags_and_topics_are_read_by_themselves(busy_shop: Shop) -> None:
    busy_shop.identify("ann")
    admin = busy_shop.client("admin")
    admin.post("/v1/contacts/ann/tags", json={"add": ["a", "b"]})
    reader = busy_shop.client("read")

    assert reader.get("/v1/contacts/ann/tags").json() == {"tags": ["a", "b"]}
    assert reader.get("/v1/contacts/ann/topics").json() == {"topics": busy_shop.contact("ann")["topics"]}
    assert reader.get("/v1/contacts/bob/tags").status_code == 404


@pytest.mark.parametrize("path", ["contacts", "journeys", "journeys/welcome/runs", "messages", "contacts/ann/timeline"])
def test_a_list_names_a_parameter_that_it_does_not_know(busy_shop: Shop, path: str) -> None:
    busy_shop.identify("ann")
    answer = busy_shop.client("read").get(f"/v1/{path}", params={"emial": "ann@example.com", "limit": 5})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "emial")
    assert busy_shop.visitor().get(f"/v1/{path}", params={"emial": "x"}).status_code == 401


# --- timeline --------------------------------------------------------------------------------------------------------


def test_the_timeline_tells_everything_newest_first(busy_shop: Shop) -> None:
    busy_shop.identify("ann", email="ann@example.com")
    busy_shop.later(minutes=1)
    busy_shop.track("ann", "Signed Up")

    items = busy_shop.client("read").get("/v1/contacts/ann/timeline").json()["items"]

    told = [one["kind"] + " " + (one["event"] or {}).get("name", (one["step"] or {}).get("kind", "")) for one in items]
    assert told == [
        "message ",
        "step waiting",
        "step message",
        "step entered",
        "event Signed Up",
        "event Contact Updated",
        "event Contact Created",
    ]
    assert items[0]["message"]["to"] == "ann@example.com"


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_the_pages_of_a_timeline_together_are_the_timeline(busy_shop: Shop, limit: int) -> None:
    busy_shop.identify("ann", email="ann@example.com", a=1, b=2)
    busy_shop.track("ann", "Signed Up")
    busy_shop.track("ann", "Signed Up")
    busy_shop.later(days=2)
    reader = busy_shop.client("read")
    whole = reader.get("/v1/contacts/ann/timeline", params={"limit": 500}).json()["items"]
    pages: list[JSONObject] = []
    cursor: JSONObject = {}
    while cursor != {"cursor": None}:
        page = reader.get("/v1/contacts/ann/timeline", params={"limit": limit, **cursor}).json()
        pages.extend(page["items"])
        cursor = {"cursor": page["next_cursor"]}

    assert any(one["kind"] == "refusal" for one in whole)
    steps = {(one["kind"], "count" in one["step"]) for one in whole if one["step"]}
    assert steps == {("step", False), ("refusal", True)}
    assert pages == whole


def test_the_explanation_says_why(busy_shop: Shop) -> None:
    busy_shop.identify("ann")
    busy_shop.track("ann", "Signed Up")

    told = busy_shop.client("read").get("/v1/contacts/ann/explanation", params={"journey": "welcome"}).json()

    assert told["contact"] == "ann"
    assert [run["journey"] for run in told["runs"]] == ["welcome"]
    assert any("address" in step["text"] for step in told["runs"][0]["steps"])


def test_of_a_contact_that_is_not_there_nothing_is_told(shop: Shop) -> None:
    reader = shop.client("read")

    assert reader.get("/v1/contacts/nobody").status_code == 404
    assert reader.get("/v1/contacts/nobody/timeline").status_code == 404
    assert reader.get("/v1/contacts/nobody/explanation").status_code == 404


def test_who_is_known_by_a_telephone_alone_is_shown_unsubscribed_from_everything(busy_shop: Shop) -> None:
    busy_shop.identify("ann", phone="+44 20 7946 0000")
    assert busy_shop.contact("ann")["topics"]["offers"] is True

    busy_shop.track("ann", "Unsubscribed")

    assert busy_shop.contact("ann")["topics"] == {"offers": False, "tips": False}


def test_who_unsubscribed_from_everything_is_shown_so_also_where_a_topic_is_chosen(busy_shop: Shop) -> None:
    busy_shop.identify("ann", email="ann@example.com")
    assert "unsubscribed" not in busy_shop.contact("ann")
    busy_shop.track("ann", "Unsubscribed")

    answer = busy_shop.client("admin").post("/v1/contacts/ann/topics", json={"topics": {"offers": True}}).json()

    assert answer["topics"]["offers"] is False
    assert answer["unsubscribed"] is True
    assert busy_shop.contact("ann")["unsubscribed"] is True


# --- erasing ---------------------------------------------------------------------------------------------------------


def test_a_contact_is_erased_and_comes_back_as_somebody_new(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    busy_shop.identify("ann", email="ann@example.com", plan="gold")
    busy_shop.track("ann", "Signed Up")
    run = busy_shop.contact("ann")["runs"][0]["id"]

    answer = admin.request("DELETE", "/v1/contacts/ann")

    assert (answer.status_code, answer.content) == (204, b"")
    assert admin.get("/v1/contacts/ann").status_code == 404
    assert admin.get(f"/v1/runs/{run}").status_code == 404
    assert admin.get("/v1/messages", params={"contact": "ann"}).json()["items"] == []
    stats = admin.get("/v1/journeys/welcome/stats").json()
    assert (stats["entered"], stats["active"], stats["exited"]) == (1, 0, {"contact_deleted": 1})
    busy_shop.track("ann", "Signed Up")
    assert busy_shop.contact("ann")["attributes"] == {}
    assert len(busy_shop.contact("ann")["runs"]) == 1


def test_somebody_who_is_not_there_can_not_be_erased(shop: Shop) -> None:
    assert shop.client("admin").request("DELETE", "/v1/contacts/nobody").status_code == 404
    assert shop.client("read").request("DELETE", "/v1/contacts/nobody").status_code == 403


def test_erasing_waits_for_its_turn(busy_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "WAIT_SECONDS", 0.0)
    busy_shop.identify("ann")
    busy_shop.rest()

    answer = busy_shop.client("admin").request("DELETE", "/v1/contacts/ann")

    assert (answer.status_code, answer.json().keys()) == (202, {"id"})


def test_an_erasure_that_is_asked_for_twice_under_one_name_erases_nobody_new(busy_shop: Shop) -> None:
    admin, once = busy_shop.client("admin"), {"Idempotency-Key": "erase ann"}
    statuses = []
    for _ in range(2):
        busy_shop.identify("ann")
        statuses.append(admin.request("DELETE", "/v1/contacts/ann", headers=once).status_code)

    assert statuses == [204, 204]
    assert busy_shop.contact("ann")["contact"] == "ann"
