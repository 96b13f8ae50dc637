"""Drafts that go live by name."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.api.shop import JOURNEY, TEMPLATE, WORKSPACE, Shop

from journeyflow.db import documents
from journeyflow.db.store import write

JSONObject = dict[str, Any]  # Any: JSON

DRAFT: JSONObject = {**JOURNEY, "journey": "idea", "status": "draft"}


def publish(shop: Shop, id_: str = "idea", **headers: str) -> httpx.Response:
    return shop.client("admin").post(f"/v1/journeys/{id_}/publish", headers=headers)


def test_rule_8_1_publishing_a_draft_lets_contacts_in(busy_shop: Shop) -> None:
    busy_shop.publish(DRAFT)

    answer = publish(busy_shop)

    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["version"], answer.headers["ETag"]) == ("live", 2, '"2"')
    shown = busy_shop.client("read").get("/v1/journeys/idea").json()
    assert shown["document"] == {**DRAFT, "status": "live"}
    busy_shop.track("ann", "Signed Up")
    assert busy_shop.client("read").get("/v1/journeys/idea/stats").json()["entered"] == 1


def test_publishing_what_is_published_changes_nothing(busy_shop: Shop) -> None:
    busy_shop.publish(DRAFT)

    first, second = publish(busy_shop), publish(busy_shop)

    assert (second.status_code, second.json(), second.headers["ETag"]) == (200, first.json(), first.headers["ETag"])
    assert publish(busy_shop, "welcome").json()["version"] == 1


def test_a_request_to_publish_that_comes_again_does_not_publish_the_next_draft(busy_shop: Shop) -> None:
    busy_shop.publish(DRAFT)
    first = publish(busy_shop, **{"Idempotency-Key": "p1"})
    busy_shop.publish({**DRAFT, "priority": 60})

    again = publish(busy_shop, **{"Idempotency-Key": "p1"})

    assert (again.status_code, again.json(), again.headers["ETag"]) == (200, first.json(), '"2"')
    assert publish(busy_shop).json()["version"] == 4


def test_a_draft_that_somebody_else_changed_is_not_published(busy_shop: Shop) -> None:
    busy_shop.publish(DRAFT)
    busy_shop.publish({**DRAFT, "priority": 60})

    assert publish(busy_shop, **{"If-Match": '"1"'}).status_code == 412
    assert busy_shop.client("read").get("/v1/journeys/idea").json()["status"] == "draft"
    assert publish(busy_shop, **{"If-Match": '"2"'}).status_code == 200


def test_rule_8_1_a_pause_outlasts_publishing_and_an_archive_is_for_good(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    busy_shop.publish(DRAFT)
    publish(busy_shop)
    admin.post("/v1/journeys/idea/pause")
    busy_shop.publish({**DRAFT, "priority": 60})

    assert (publish(busy_shop).json()["status"], publish(busy_shop).json()["version"]) == ("paused", 4)

    admin.post("/v1/journeys/idea/archive")
    assert publish(busy_shop).status_code == 409
    assert publish(busy_shop, "unknown").status_code == 404


def test_a_draft_that_is_wrong_by_now_is_not_published(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    segment: JSONObject = {"segment": "fans", "name": "Fans", "when": {"tag": "fan"}}
    busy_shop.publish(segment, {**DRAFT, "enter_if": {"segment": "fans"}})
    with write(busy_shop.installation.engine) as connection:
        documents.add(connection, "segment", "fans", segment, "removed", busy_shop.clock())

    answer = publish(busy_shop)

    assert answer.status_code == 422
    assert "fans" in answer.text
    assert admin.get("/v1/journeys/idea").json()["status"] == "draft"


def test_rule_8_1_applying_a_draft_of_a_journey_that_is_live_says_what_goes_on(busy_shop: Shop) -> None:
    busy_shop.publish(DRAFT)
    publish(busy_shop)
    admin = busy_shop.client("admin")

    applied = admin.post("/v1/documents:apply", json={"documents": [DRAFT]}).json()

    assert applied["changes"][0]["differences"] == ["status: 'live' → 'draft'"]
    assert applied["notes"] == [
        "journey idea goes on as version 2: its file says status: draft, so that its text is only stored; take that "
        "line out, or say journeyflow journeys publish idea"
    ]
    assert admin.get("/v1/journeys/idea").json()["status"] == "live"
    assert admin.post("/v1/documents:apply", json={"documents": [{**DRAFT, "status": "live"}]}).json()["notes"] == []


MAIL: JSONObject = {"type": "email", "template": "hello", "transactional": True}
LETTER: JSONObject = {
    "journey": "letter",
    "triggers": [{"type": "event", "event": "Paid"}],
    "start": "mail",
    "nodes": {"mail": MAIL},
}


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_who_publishes_e_mails_that_nobody_sends_is_told(shop: Shop, verb: str) -> None:
    admin = shop.client("admin")
    own = {**LETTER, "journey": "own", "nodes": {"mail": {**MAIL, "from": "me@shop.example"}}}
    others = [own, {**LETTER, "journey": "past", "status": "archived"}]

    def told(*documents: JSONObject) -> list[str]:
        answer = admin.post(f"/v1/documents:{verb}", json={"documents": [TEMPLATE, *documents]}).json()
        notes: list[str] = answer["notes"]
        return notes

    assert told(WORKSPACE, LETTER, {**LETTER, "journey": "again"}, *others) == []
    nobody = {key: value for key, value in WORKSPACE.items() if key != "sender"}
    assert told(nobody, LETTER, {**LETTER, "journey": "again"}, *others) == [
        "e-mails of journeys again, letter will fail: they have no sender; set sender in the workspace, or from at the "
        "node"
    ]


def test_a_sender_that_is_published_already_counts(shop: Shop) -> None:
    def told(*documents: JSONObject) -> list[str]:
        notes: list[str] = (
            shop.client("admin").post("/v1/documents:plan", json={"documents": documents}).json()["notes"]
        )
        return notes

    (before,) = told(TEMPLATE, LETTER)
    shop.publish(WORKSPACE)

    assert before.startswith("e-mails of journey letter will fail: they have no sender; ")
    assert told(TEMPLATE, LETTER) == []


def test_who_takes_the_sender_away_is_told_of_the_journeys_that_need_it(shop: Shop) -> None:
    admin = shop.client("admin")
    nobody = {key: value for key, value in WORKSPACE.items() if key != "sender"}
    shop.publish(WORKSPACE, TEMPLATE, LETTER, {**LETTER, "journey": "past"})
    admin.post("/v1/journeys/past/archive")

    def told(verb: str, *documents: JSONObject, prune: bool = False) -> list[str]:
        body = {"documents": documents, "prune": prune}
        notes: list[str] = admin.post(f"/v1/documents:{verb}", json=body).json()["notes"]
        return notes

    (missing,) = told("plan", nobody)
    assert missing.startswith("e-mails of journey letter will fail")
    assert told("plan", TEMPLATE, LETTER) == []
    assert told("plan", TEMPLATE, LETTER, prune=True) == told("plan", nobody), "the workspace goes as well"
    assert told("plan", nobody, prune=True) == [], "nobody is left who sends"
    assert told("apply", TEMPLATE, LETTER, prune=True) == [missing]
