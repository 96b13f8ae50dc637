"""Documents over HTTP: the very texts of a flows folder."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from tests.api.shop import DOCUMENTS, JOURNEY, TEMPLATE, WORKSPACE, Client, Shop

JSONObject = dict[str, Any]  # Any: JSON


def put(client: Client, document: JSONObject, **headers: str) -> httpx.Response:
    kind, id_ = next(iter(document.items()))
    return client.request("PUT", f"/v1/documents/{kind}/{id_}", json=document, headers=headers)


def test_a_document_is_published_and_read_as_it_was_written(shop: Shop) -> None:
    admin = shop.client("admin")

    made = put(admin, TEMPLATE)
    again = put(admin, TEMPLATE)
    changed = put(admin, TEMPLATE | {"subject": "Hi"})

    assert [one.status_code for one in (made, again, changed)] == [201, 200, 200]
    assert [one.headers["etag"] for one in (made, again, changed)] == ['"1"', '"1"', '"2"']
    shown = shop.client("read").get("/v1/documents/template/hello")
    assert shown.content == orjson.dumps(TEMPLATE | {"subject": "Hi"})
    assert shop.client("read").get("/v1/documents/template/hello?version=1").json() == TEMPLATE
    assert shop.client("read").get("/v1/documents/template/hello?version=3").status_code == 404


def test_two_editors_can_not_overwrite_each_other(shop: Shop) -> None:
    admin = shop.client("admin")
    seen = put(admin, TEMPLATE).headers["etag"]

    first = put(admin, TEMPLATE | {"subject": "one"}, **{"If-Match": seen})
    second = put(admin, TEMPLATE | {"subject": "two"}, **{"If-Match": seen})

    assert (first.status_code, second.status_code) == (200, 412)
    assert second.headers["content-type"] == "application/problem+json"
    assert admin.get("/v1/documents/template/hello").json()["subject"] == "one"


def test_if_match_of_what_is_not_there_and_if_none_match_of_what_is_are_refused(shop: Shop) -> None:
    admin = shop.client("admin")

    assert put(admin, TEMPLATE, **{"If-Match": '"1"'}).status_code == 412
    assert put(admin, TEMPLATE, **{"If-None-Match": "*"}).status_code == 201
    assert put(admin, TEMPLATE, **{"If-None-Match": "*"}).status_code == 412
    assert put(admin, TEMPLATE, **{"If-Match": "*"}).status_code == 200


def test_a_named_request_with_another_version_in_mind_is_another_request(shop: Shop) -> None:
    admin = shop.client("admin")
    seen = put(admin, TEMPLATE).headers["ETag"]
    named = {"Idempotency-Key": "one"}

    first = put(admin, TEMPLATE | {"subject": "one"}, **named, **{"If-Match": seen})
    again = put(admin, TEMPLATE | {"subject": "one"}, **named, **{"If-Match": seen})
    other = put(admin, TEMPLATE | {"subject": "one"}, **named, **{"If-Match": first.headers["ETag"]})

    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 409)


def test_every_error_of_a_document_is_told_with_its_path_and_nothing_is_stored(shop: Shop) -> None:
    broken = JOURNEY | {"start": "nowhere", "priority": 500, "colour": "red"}

    answer = put(shop.client("admin"), broken)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert {(one["code"], one["path"]) for one in answer.json()["errors"]} == {
        ("JF004", "colour"),
        ("JF006", "priority"),
        ("JF010", "start"),
        ("JF012", "nodes.mail.template"),
        ("JF012", "nodes.mail.topic"),
    }
    assert all(one["field"] == one["path"] for one in answer.json()["errors"])
    assert shop.client("read").get("/v1/documents").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "JF001"),
        (b"{", "JF001"),
        (b"[]", "JF003"),
        (b'{"template": "hello", "subject": "a", "subject": "b", "body": "x"}', "JF002"),
        (b'{"template": "hello", "subject": "\xff", "body": "x"}', "JF008"),
        (b'{"template": "hello", "subject": "\\ud800", "body": "x"}', "JF006"),
        (b'{"template": "other", "subject": "x", "body": "x"}', "JF006"),
        (b'{"subject": "x", "template": "hello", "body": "x"}', "JF006"),
        (b'{"template": "hello", "subject": "x", "body": "{% if %}"}', "JF013"),
        (b"[" * 5_000, "JF008"),
    ],
    ids=[
        "empty",
        "broken",
        "a list",
        "a key twice",
        "no UTF-8",
        "half a sign",
        "another id",
        "order",
        "Liquid",
        "deep",
    ],
)
def test_what_is_no_document_is_refused(shop: Shop, body: bytes, code: str) -> None:
    answer = shop.client("admin").request("PUT", "/v1/documents/template/hello", content=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == code


def test_a_document_of_5_megabytes_is_refused(shop: Shop) -> None:
    answer = put(shop.client("admin"), TEMPLATE | {"body": "x" * 6_000_000})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (413, "body")


def test_an_unknown_kind_is_told(shop: Shop) -> None:
    answer = shop.client("admin").request("PUT", "/v1/documents/recipe/tea", json={"recipe": "tea"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "kind")


def test_a_draft_is_stored_and_not_published(busy_shop: Shop) -> None:
    put(busy_shop.client("admin"), JOURNEY | {"journey": "idea", "status": "draft"})

    shown = busy_shop.client("read").get("/v1/journeys/idea").json()
    assert (shown["status"], shown["version"]) == ("draft", 0)


def test_what_another_document_needs_can_not_be_deleted(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")

    refused = admin.request("DELETE", "/v1/documents/template/hello")
    assert refused.status_code == 409
    assert "of journey " in refused.json()["detail"]
    assert admin.request("DELETE", "/v1/documents/journey/welcome", headers={"If-Match": '"9"'}).status_code == 412
    assert admin.request("DELETE", "/v1/documents/journey/welcome", headers={"If-Match": '"1"'}).status_code == 204
    assert admin.request("DELETE", "/v1/documents/template/hello").status_code == 204
    assert admin.request("DELETE", "/v1/documents/template/hello").status_code == 404
    assert admin.get("/v1/documents/template/hello").status_code == 404


def test_documents_are_listed_by_kind_and_id(busy_shop: Shop) -> None:
    reader = busy_shop.client("read")
    first = reader.get("/v1/documents", params={"limit": 2}).json()
    second = reader.get("/v1/documents", params={"limit": 2, "cursor": first["next_cursor"]}).json()

    listed = [(one["kind"], one["id"]) for one in first["items"] + second["items"]]
    assert listed == [("journey", "welcome"), ("template", "hello"), ("workspace", "shop")]
    assert second["next_cursor"] is None
    only = reader.get("/v1/documents", params={"kind": "journey"}).json()["items"]
    assert [(one["id"], one["name"], one["version"]) for one in only] == [("welcome", "Welcome", 1)]


# --- many ------------------------------------------------------------------------------------------------------------


def test_a_plan_says_what_applying_would_do_and_changes_nothing(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    busy_shop.identify("ann")
    busy_shop.track("ann", "Signed Up")
    nodes = JOURNEY["nodes"] | {"pause": {"type": "wait", "for": "3d", "next": "label"}}
    documents = [WORKSPACE, JOURNEY | {"nodes": nodes}, TEMPLATE | {"template": "second"}]

    planned = admin.post("/v1/documents:plan", json={"documents": documents}).json()
    dry = admin.post("/v1/documents:apply", json={"documents": documents, "dry_run": True}).json()

    assert planned["applied"] is False
    assert dry == planned
    assert [(one["kind"], one["id"], one["what"]) for one in planned["changes"]] == [
        ("journey", "welcome", "changed"),
        ("template", "second", "added"),
    ]
    assert planned["changes"][0]["in_flight"] == {"pause": 1}
    assert planned["changes"][0]["exiting"] is None
    assert admin.get("/v1/documents/template/second").status_code == 404


def test_applying_makes_all_of_it_or_nothing(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    wrong = [TEMPLATE | {"subject": "new"}, JOURNEY | {"journey": "two", "start": "nowhere"}]

    refused = admin.post("/v1/documents:apply", json={"documents": wrong})

    assert refused.status_code == 422
    assert [one["path"] for one in refused.json()["errors"]] == ["start"]
    assert admin.get("/v1/documents/template/hello").json() == TEMPLATE
    applied = admin.post("/v1/documents:apply", json={"documents": [TEMPLATE | {"subject": "new"}]}).json()
    assert (applied["applied"], [one["what"] for one in applied["changes"]]) == (True, ["changed"])
    assert admin.get("/v1/documents/template/hello").json()["subject"] == "new"


def test_an_installation_is_one_workspace(busy_shop: Shop) -> None:
    other = WORKSPACE | {"workspace": "another"}

    answer = busy_shop.client("admin").post("/v1/documents:apply", json={"documents": [other]})

    assert (answer.status_code, "workspace shop" in answer.json()["detail"]) == (409, True)


def test_two_documents_of_one_id_are_told(shop: Shop) -> None:
    answer = shop.client("admin").post("/v1/documents:apply", json={"documents": [TEMPLATE, TEMPLATE]})

    found = answer.json()["errors"]
    assert [(one["code"], one["document"]) for one in found] == [("JF007", "documents[1]")]
    assert all(one["field"] for one in found)


def test_pruning_removes_what_is_not_given(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")

    answer = admin.post("/v1/documents:apply", json={"documents": [WORKSPACE, TEMPLATE], "prune": True})

    assert [(one["id"], one["what"]) for one in answer.json()["changes"]] == [("welcome", "removed")]
    missing = admin.post("/v1/documents:apply", json={"documents": [JOURNEY], "prune": True})
    assert missing.status_code == 422


def test_a_plan_tells_what_applying_would_refuse(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    busy_shop.identify("ann")
    busy_shop.track("ann", "Signed Up")
    body = {"documents": [WORKSPACE, TEMPLATE], "prune": True}

    planned = admin.post("/v1/documents:plan", json=body).json()["changes"]
    refused = admin.post("/v1/documents:apply", json=body)

    assert [(one["id"], one["in_flight"], one["blocked"]) for one in planned] == [
        ("welcome", {"pause": 1}, "needs archiving first: 1 run in flight (status: archived)")
    ]
    assert (refused.status_code, planned[0]["blocked"] in refused.json()["detail"]) == (409, True)
    assert admin.get("/v1/documents/journey/welcome").status_code == 200


@pytest.mark.parametrize("runs", [0, 1])
def test_a_plan_tells_how_many_runs_exit_because_their_journey_is_archived(busy_shop: Shop, runs: int) -> None:
    admin = busy_shop.client("admin")
    if runs:
        busy_shop.identify("ann")
        busy_shop.track("ann", "Signed Up")
    archived = {"documents": [JOURNEY | {"status": "archived"}]}

    (change,) = admin.post("/v1/documents:plan", json=archived).json()["changes"]

    assert (change["in_flight"], change["exiting"]) == ({"pause": 1} if runs else {}, runs)
    assert admin.post("/v1/documents:apply", json=archived).json()["changes"] == [change]


@pytest.mark.parametrize("by_hand", [True, False])
def test_rule_8_1_an_archived_journey_stays_so_when_it_was_removed(busy_shop: Shop, by_hand: bool) -> None:
    admin, given = busy_shop.client("admin"), {"documents": [JOURNEY]}
    if by_hand:
        admin.post("/v1/journeys/welcome/archive")
    else:
        busy_shop.publish(JOURNEY | {"status": "archived"})
    admin.post("/v1/documents:apply", json={"documents": [WORKSPACE, TEMPLATE], "prune": True})
    assert admin.get("/v1/journeys/welcome").status_code == 404

    (planned,) = admin.post("/v1/documents:plan", json=given).json()["changes"]
    refused = [
        admin.post("/v1/documents:apply", json=given),
        admin.request("PUT", "/v1/documents/journey/welcome", json=JOURNEY),
        admin.request("PUT", "/v1/documents/journey/welcome", json=JOURNEY | {"status": "draft"}),
    ]

    assert planned["blocked"].startswith("it is archived, and stays so; give the new one another id")
    assert [(one.status_code, planned["blocked"] in one.json()["detail"]) for one in refused] == [(409, True)] * 3
    again = admin.request("PUT", "/v1/documents/journey/welcome", json=JOURNEY | {"status": "archived"})
    assert (again.status_code, admin.get("/v1/journeys/welcome").json()["status"]) == (201, "archived")


def test_a_journey_that_was_removed_and_not_archived_may_come_back(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    admin.request("DELETE", "/v1/documents/journey/welcome")

    assert admin.request("PUT", "/v1/documents/journey/welcome", json=JOURNEY).status_code == 201
    assert admin.get("/v1/journeys/welcome").json()["status"] == "live"


def test_a_plan_tells_that_an_archived_journey_stays_so(busy_shop: Shop) -> None:
    busy_shop.publish(JOURNEY | {"status": "archived"})

    planned = busy_shop.client("admin").post("/v1/documents:plan", json={"documents": [JOURNEY]}).json()["changes"]

    assert planned[0]["blocked"].startswith("it is archived, and stays so; give the new one another id")


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_rule_8_1_a_journey_archived_by_hand_is_told_where_its_unchanged_text_says_live(
    busy_shop: Shop, verb: str
) -> None:
    admin = busy_shop.client("admin")
    unarchived = admin.post(f"/v1/documents:{verb}", json={"documents": DOCUMENTS}).json()
    assert admin.post("/v1/journeys/welcome/archive").status_code == 200

    told = admin.post(f"/v1/documents:{verb}", json={"documents": DOCUMENTS}).json()

    assert unarchived["notes"] == []
    assert told["changes"] == []
    (note,) = told["notes"]
    assert note.startswith("journey welcome was archived by hand; its file says live and will not bring it back")
    assert "another id" in note


def test_a_text_that_says_that_its_archived_journey_is_so_is_taken(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    assert admin.post("/v1/journeys/welcome/archive").status_code == 200

    answer = admin.post("/v1/documents:apply", json={"documents": [JOURNEY | {"status": "archived"}]}).json()

    assert ([one["blocked"] for one in answer["changes"]], answer["notes"]) == ([None], [])
    assert admin.get("/v1/journeys/welcome").json()["status"] == "archived"


def test_a_workspace_takes_the_place_of_another_that_is_pruned(busy_shop: Shop) -> None:
    other = WORKSPACE | {"workspace": "another"}
    body = {"documents": [other, TEMPLATE, JOURNEY], "prune": True}

    assert busy_shop.client("admin").post("/v1/documents:apply", json=body).status_code == 200


def test_checking_tells_everything_and_changes_nothing(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")

    fine = admin.post("/v1/documents:check", json={"documents": DOCUMENTS}).json()
    wrong = admin.post("/v1/documents:check", json={"documents": [JOURNEY | {"start": "nowhere"}, {"tea": 1}]}).json()

    assert fine == {"valid": True, "problems": []}
    assert wrong["valid"] is False
    assert [(one["document"], one["code"]) for one in wrong["problems"]] == [
        ("documents[0]", "JF010"),
        ("documents[1]", "JF003"),
    ]


def test_checking_tells_what_the_reading_found_together_with_the_rest(busy_shop: Shop) -> None:
    again = b'{"template": "a", "subject": "x", "subject": "y", "body": "z"}'
    wrong = b'{"journey": "a", "start": "nowhere", "nodes": {"go": {"type": "email", "template": "a"}}}'
    body = b'{"documents": [' + again + b"," + again + b"," + wrong + b"]}"

    answer = busy_shop.client("admin").post("/v1/documents:check", content=body)

    assert answer.status_code == 200
    assert [(one["document"], one["code"]) for one in answer.json()["problems"]] == [
        ("documents[0]", "JF002"),
        ("documents[1]", "JF002"),
        ("documents[1]", "JF007"),
        ("documents[2]", "JF010"),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 422),
        (b"[]", 422),
        (b'{"documents": {}}', 422),
        (b'{"documents": [1]}', 422),
        (b'{"documents": [], "prun": true}', 422),
        (b'{"documents": [], "documents": []}', 422),
        (b'{"documents": [{"template": "a", "subject": "x", "subject": "y", "body": ""}]}', 422),
        (b'{"documents": [{"template": "a", "subject": "\\ud800", "body": ""}]}', 422),
        (b"{", 422),
        (b"\xff", 400),
    ],
)
@pytest.mark.parametrize("path", ["check", "plan", "apply"])
def test_what_is_no_set_of_documents_is_refused(shop: Shop, path: str, body: bytes, status: int) -> None:
    answer = shop.client("admin").post(f"/v1/documents:{path}", content=body)

    if path == "check" and b'"body"' in body:
        assert answer.json()["valid"] is False
    else:
        assert (answer.status_code, bool(answer.json()["errors"])) == (status, True)


def test_a_key_that_comes_twice_is_told_with_its_document(shop: Shop) -> None:
    body = b'{"documents": [{"template": "a", "subject": "x", "subject": "y", "body": "z"}]}'

    found = shop.client("admin").post("/v1/documents:apply", content=body).json()["errors"]

    assert [(one["code"], one["document"], one["path"]) for one in found] == [("JF002", "documents[0]", "subject")]


def test_checking_tells_warnings_and_the_documents_are_valid_all_the_same(shop: Shop) -> None:
    lost = {"journey": "lost", "start": "a", "nodes": {"a": {"type": "end"}, "b": {"type": "end"}}}

    answer = shop.client("admin").post("/v1/documents:check", json={"documents": [lost]}).json()

    assert answer["valid"] is True
    assert [(one["code"], one["severity"], one["path"]) for one in answer["problems"]] == [
        ("JF101", "warning", "nodes.b")
    ]


def test_documents_are_applied_once_under_one_name(shop: Shop) -> None:
    admin, once = shop.client("admin"), {"Idempotency-Key": "k-1"}
    body: JSONObject = {"documents": [{"segment": "tagged", "when": {"tag": "vip"}}]}
    first = admin.post("/v1/documents:apply", json=body, headers=once)
    admin.request("DELETE", "/v1/documents/segment/tagged")

    again = admin.post("/v1/documents:apply", json=body, headers=once)
    other = admin.post("/v1/documents:apply", json={"documents": []}, headers=once)

    assert [len(one.json()["changes"]) for one in (first, again)] == [1, 1]
    assert other.status_code == 409
    assert admin.get("/v1/documents/segment/tagged").status_code == 404
