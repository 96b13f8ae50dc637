"""Journeys and runs over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from tests.api.shop import JOURNEY, Shop

from journeyflow.api import changes

JSONObject = dict[str, Any]  # Any: JSON

RECORD_KEYS = {"at", "contact", "journey", "version", "run", "seq", "kind", "node", "type", "detail"}
"""Of rule 9.1."""


def shown(shop: Shop, journey: str = "welcome") -> JSONObject:
    found: JSONObject = shop.client("read").get(f"/v1/journeys/{journey}").json()
    return found


def runs(shop: Shop, **parameters: str) -> list[JSONObject]:
    found: list[JSONObject] = shop.client("read").get("/v1/journeys/welcome/runs", params=parameters).json()["items"]
    return found


def test_a_journey_is_shown_with_its_document(busy_shop: Shop) -> None:
    assert shown(busy_shop) == {
        "id": "welcome",
        "name": "Welcome",
        "status": "live",
        "version": 1,
        "published_at": "2026-03-02T10:00:00.000000Z",
        "paused_at": None,
        "document": JOURNEY,
    }
    assert busy_shop.client("read").get("/v1/journeys/unknown").status_code == 404


def test_journeys_are_listed_by_id_and_status(busy_shop: Shop) -> None:
    busy_shop.publish(JOURNEY | {"journey": "another", "status": "draft"})
    reader = busy_shop.client("read")

    first = reader.get("/v1/journeys", params={"limit": 1}).json()
    second = reader.get("/v1/journeys", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    live = reader.get("/v1/journeys", params={"status": "live"}).json()

    assert [one["id"] for one in first["items"] + second["items"]] == ["another", "welcome"]
    assert [one["id"] for one in live["items"]] == ["welcome"]


def test_versions_are_listed_newest_first(busy_shop: Shop) -> None:
    busy_shop.publish(JOURNEY | {"priority": 60})
    busy_shop.publish(JOURNEY | {"status": "draft"})
    reader = busy_shop.client("read")

    first = reader.get("/v1/journeys/welcome/versions", params={"limit": 2}).json()
    second = reader.get("/v1/journeys/welcome/versions", params={"limit": 2, "cursor": first["next_cursor"]}).json()

    listed = [(one["version"], one["status"]) for one in first["items"] + second["items"]]
    assert listed == [(3, "stored"), (2, "published"), (1, "published")]


def test_numbers_are_those_of_a_simulation(busy_shop: Shop) -> None:
    busy_shop.identify("ann", email="ann@example.com")
    busy_shop.track("ann", "Signed Up")
    busy_shop.track("ann", "Signed Up")

    stats = busy_shop.client("read").get("/v1/journeys/welcome/stats").json()

    assert stats == {
        "entered": 1,
        "refused": {"duplicate": 1},
        "active": 1,
        "completed": 0,
        "exited": {},
        "converted": 0,
        "holdout": 0,
        "holdout_converted": 0,
        "nodes": {
            "mail": {"visits": 1, "waiting": 0},
            "pause": {"visits": 1, "waiting": 1},
            "label": {"visits": 0, "waiting": 0},
        },
    }


# --- enrolling and runs ----------------------------------------------------------------------------------------------


def test_a_contact_is_enrolled_and_the_answer_names_its_run(busy_shop: Shop) -> None:
    busy_shop.identify("ann")
    admin = busy_shop.client("admin")

    answer = admin.post("/v1/journeys/welcome/enroll", json={"contact": "ann", "properties": {"by": "hand"}}).json()

    assert answer["refused"] is None
    assert [run["id"] for run in answer["runs"]] == [answer["run"]]
    trail = admin.get(f"/v1/runs/{answer['run']}/trail").json()["items"]
    assert [(one["kind"], one["node"]) for one in trail] == [
        ("entered", None),
        ("message", "mail"),
        ("waiting", "pause"),
    ]
    assert trail[0]["detail"]["properties"] == {"by": "hand"}


def test_somebody_unknown_is_not_enrolled_and_not_made(busy_shop: Shop) -> None:
    answer = busy_shop.client("admin").post("/v1/journeys/welcome/enroll", json={"contact": "ann"})

    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no contact 'ann'")
    assert busy_shop.client("read").get("/v1/contacts/ann").status_code == 404


def test_who_is_about_to_be_made_can_be_enrolled(busy_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "WAIT_SECONDS", 0.2)
    busy_shop.rest()
    writer, admin = busy_shop.client("write"), busy_shop.client("admin")
    writer.post("/v1/identify", json={"userId": "ann", "traits": {"plan": "gold"}})

    assert admin.post("/v1/journeys/welcome/enroll", json={"contact": "ann"}).status_code == 202


def test_a_refusal_says_its_reason(busy_shop: Shop) -> None:
    busy_shop.identify("ann")
    admin = busy_shop.client("admin")
    admin.post("/v1/journeys/welcome/enroll", json={"contact": "ann"})
    busy_shop.later(seconds=1)

    answer = admin.post("/v1/journeys/welcome/enroll", json={"contact": "ann"}).json()

    assert (answer["run"], answer["refused"]) == (None, "duplicate")


def test_enrolling_again_with_the_same_key_is_the_same_enrolling(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    busy_shop.identify("ann")
    body, headers = {"contact": "ann"}, {"Idempotency-Key": "k"}
    first = admin.post("/v1/journeys/welcome/enroll", json=body, headers=headers).json()

    busy_shop.later(days=3)
    again = admin.post("/v1/journeys/welcome/enroll", json=body, headers=headers).json()

    assert again["run"] == first["run"] is not None
    assert len(runs(busy_shop)) == 1


def test_only_a_live_journey_lets_somebody_in(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    admin.post("/v1/journeys/welcome/pause")

    assert admin.post("/v1/journeys/welcome/enroll", json={"contact": "ann"}).status_code == 409
    assert admin.post("/v1/journeys/unknown/enroll", json={"contact": "ann"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"), [({}, "contact"), ({"contact": "ann", "properties": []}, "properties"), ([], "body")]
)
def test_what_is_wrong_with_an_enrolling_is_told(busy_shop: Shop, body: object, field: str) -> None:
    answer = busy_shop.client("admin").post("/v1/journeys/welcome/enroll", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_runs_are_listed_by_status_and_node(busy_shop: Shop) -> None:
    for contact in ("ann", "bob", "cid"):
        busy_shop.track(contact, "Signed Up")
    busy_shop.later(days=2)
    busy_shop.track("dan", "Signed Up")

    assert {one["contact"] for one in runs(busy_shop, status="completed")} == {"ann", "bob", "cid"}
    assert [one["contact"] for one in runs(busy_shop, node="pause")] == ["dan"]
    assert len(runs(busy_shop, limit="3")) == 3
    run = runs(busy_shop, status="active")[0]
    assert busy_shop.client("read").get(f"/v1/runs/{run['id']}").json() == run
    assert (run["due_at"], run["ended_at"]) == ("2026-03-06T10:00:00.000000Z", None)


def test_the_runs_of_one_contact(busy_shop: Shop) -> None:
    for key in ("ann", "bob"):
        busy_shop.track(key, "Signed Up")

    assert [one["contact"] for one in runs(busy_shop, contact="bob")] == ["bob"]
    assert runs(busy_shop, contact="eve") == []


def test_the_trail_of_a_run_is_turned_page_by_page(busy_shop: Shop) -> None:
    busy_shop.track("ann", "Signed Up")
    busy_shop.later(days=2)
    path = f"/v1/runs/{runs(busy_shop)[0]['id']}/trail"
    reader = busy_shop.client("read")

    first = reader.get(path, params={"limit": 4}).json()
    second = reader.get(path, params={"limit": 4, "cursor": first["next_cursor"]}).json()

    assert [one["seq"] for one in first["items"] + second["items"]] == [0, 1, 2, 3, 4, 5]
    assert second["next_cursor"] is None
    assert {*first["items"][0]} == RECORD_KEYS


def test_a_contact_is_taken_out_of_a_run(busy_shop: Shop) -> None:
    busy_shop.track("ann", "Signed Up")
    run = runs(busy_shop)[0]["id"]
    admin = busy_shop.client("admin")

    answer = admin.post(f"/v1/runs/{run}/remove")

    assert (answer.json()["status"], answer.json()["reason"]) == ("exited", "removed")
    assert admin.post(f"/v1/runs/{run}/remove").status_code == 409
    assert admin.post("/v1/runs/unknown/remove").status_code == 404


# --- pausing ---------------------------------------------------------------------------------------------------------


def test_a_paused_journey_lets_nobody_in_and_its_runs_stand_still(busy_shop: Shop) -> None:
    busy_shop.track("ann", "Signed Up")
    admin = busy_shop.client("admin")

    assert admin.post("/v1/journeys/welcome/pause").json()["status"] == "paused"

    busy_shop.track("bob", "Signed Up")
    busy_shop.later(days=2)
    assert [(one["contact"], one["status"]) for one in runs(busy_shop)] == [("ann", "active")]


def test_only_its_entries_can_be_paused(busy_shop: Shop) -> None:
    busy_shop.track("ann", "Signed Up")

    answer = busy_shop.client("admin").post("/v1/journeys/welcome/pause", json={"entries": True})

    assert answer.json()["status"] == "entries_paused"
    busy_shop.later(days=2)
    assert [one["status"] for one in runs(busy_shop)] == ["completed"]


def test_rule_8_2_resuming_asks_for_a_choice_when_runs_are_overdue_by_more_than_a_day(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    busy_shop.track("ann", "Signed Up")
    busy_shop.later(hours=36)
    busy_shop.track("bob", "Signed Up")
    admin.post("/v1/journeys/welcome/pause")
    busy_shop.later(hours=12)
    busy_shop.later(hours=36)

    asked = admin.post("/v1/journeys/welcome/resume")

    assert asked.status_code == 409
    assert asked.json()["overdue"] == 1
    assert shown(busy_shop)["status"] == "paused"

    chosen = admin.post("/v1/journeys/welcome/resume", json={"now": True})

    assert (chosen.json()["status"], chosen.json()["overdue"]) == ("live", 1)
    busy_shop.settle()
    assert {one["contact"]: one["status"] for one in runs(busy_shop)} == {"ann": "completed", "bob": "completed"}


def test_rule_8_2_a_short_pause_asks_nothing(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    busy_shop.track("ann", "Signed Up")
    admin.post("/v1/journeys/welcome/pause")
    busy_shop.later(hours=60)

    answer = admin.post("/v1/journeys/welcome/resume")

    assert (answer.status_code, answer.json()["overdue"]) == (200, 0)


def paused_for_days(shop: Shop) -> str:
    """Ann's wait of two days ended a day before the end of a pause of three; the id of her run."""
    shop.track("ann", "Signed Up")
    shop.client("admin").post("/v1/journeys/welcome/pause")
    shop.later(days=2)
    shop.later(days=1, hours=1)
    return str(runs(shop)[0]["id"])


def test_rule_8_2_resuming_without_a_choice_names_the_field_and_the_choices(busy_shop: Shop) -> None:
    paused_for_days(busy_shop)

    asked = busy_shop.client("admin").post("/v1/journeys/welcome/resume")

    assert asked.status_code == 409
    assert asked.headers["content-type"] == "application/problem+json"
    assert asked.json()["overdue"] == 1
    assert asked.json()["errors"] == [{"field": "mode", "detail": "expected one of now, over, shift and skip"}]


@pytest.mark.parametrize(
    ("choice", "due_at", "status"),
    [
        ({"mode": "now"}, None, "completed"),
        ({"now": True}, None, "completed"),
        ({"mode": "skip"}, None, "completed"),
        ({"skip": True}, None, "completed"),
        ({"mode": "shift"}, "2026-03-07T11:00:00.00000", "active"),
        ({"shift": True}, "2026-03-07T11:00:00.00000", "active"),
        ({"mode": "over", "over": "2h"}, "2026-03-05T1", "active"),
        ({"over": "PT2H"}, "2026-03-05T1", "active"),
    ],
)
def test_rule_8_2_each_choice_lets_late_runs_go_on(
    busy_shop: Shop, choice: JSONObject, due_at: str | None, status: str
) -> None:
    paused_for_days(busy_shop)

    answer = busy_shop.client("admin").post("/v1/journeys/welcome/resume", json=choice)

    assert (answer.status_code, answer.json()["status"], answer.json()["overdue"]) == (200, "live", 1)
    busy_shop.settle()
    (run,) = runs(busy_shop)
    assert run["status"] == status
    assert run["due_at"] == due_at or run["due_at"].startswith(str(due_at))
    busy_shop.later(days=3)
    assert [one["status"] for one in runs(busy_shop)] == ["completed"]


@pytest.mark.parametrize(
    ("choice", "status", "field"),
    [
        ({"mode": "over"}, 400, "over"),
        ({"mode": "now", "over": "2h"}, 400, "mode"),
        ({"now": True, "skip": True}, 400, "mode"),
        ({"over": "soon"}, 422, "over"),
        ({"over": "0s"}, 422, "over"),
        ({"mode": "later"}, 422, "mode"),
        ({"when": "now"}, 422, "when"),
    ],
)
def test_a_choice_that_is_none_is_refused_and_the_journey_stays_paused(
    busy_shop: Shop, choice: JSONObject, status: int, field: str
) -> None:
    busy_shop.client("admin").post("/v1/journeys/welcome/pause")

    answer = busy_shop.client("admin").post("/v1/journeys/welcome/resume", json=choice)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
    assert shown(busy_shop)["status"] == "paused"


def test_pausing_again_does_not_make_a_pause_shorter(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    first = admin.post("/v1/journeys/welcome/pause").json()
    busy_shop.later(hours=1)

    assert admin.post("/v1/journeys/welcome/pause").json() == first


def test_runs_that_stand_still_go_on_when_only_entries_stay_paused_unless_a_choice_is_due(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")
    paused_for_days(busy_shop)

    refused = admin.post("/v1/journeys/welcome/pause", json={"entries": True})

    assert refused.status_code == 409
    assert shown(busy_shop)["status"] == "paused"
    admin.post("/v1/journeys/welcome/resume", json={"now": True})
    busy_shop.track("bob", "Signed Up")
    admin.post("/v1/journeys/welcome/pause")
    busy_shop.later(days=2)
    busy_shop.later(hours=1)
    assert admin.post("/v1/journeys/welcome/pause", json={"entries": True}).json()["status"] == "entries_paused"
    busy_shop.settle()
    assert {one["contact"]: one["status"] for one in runs(busy_shop)} == {"ann": "completed", "bob": "completed"}


def test_what_is_not_paused_can_not_be_resumed(busy_shop: Shop) -> None:
    admin = busy_shop.client("admin")

    assert admin.post("/v1/journeys/welcome/resume").status_code == 409
    assert admin.post("/v1/journeys/unknown/resume").status_code == 404
    assert admin.post("/v1/journeys/unknown/pause").status_code == 404


def test_rule_8_3_archiving_exits_the_runs_and_is_for_good(busy_shop: Shop) -> None:
    busy_shop.track("ann", "Signed Up")
    admin = busy_shop.client("admin")

    assert admin.post("/v1/journeys/welcome/archive").json()["status"] == "archived"

    busy_shop.settle()
    assert [(one["status"], one["reason"]) for one in runs(busy_shop)] == [("exited", "archived")]
    assert admin.post("/v1/journeys/welcome/archive").json()["status"] == "archived"
    assert admin.post("/v1/journeys/welcome/pause").status_code == 409
    assert admin.post("/v1/journeys/unknown/archive").status_code == 404


# --- moving ----------------------------------------------------------------------------------------------------------


def test_a_run_is_moved_to_a_node(busy_shop: Shop) -> None:
    busy_shop.track("ann", "Signed Up")
    run = runs(busy_shop)[0]["id"]
    admin = busy_shop.client("admin")

    answer = admin.post(f"/v1/runs/{run}/move", json={"node": "label"})

    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    trail = admin.get(f"/v1/runs/{run}/trail").json()["items"]
    assert [(one["kind"], one["node"]) for one in trail][3:] == [
        ("moved", "label"),
        ("ran", "label"),
        ("completed", "label"),
    ]
    assert trail[3]["detail"] == {"from": "pause", "to": "label", "from_version": 1}


def test_a_run_is_moved_into_another_version(busy_shop: Shop) -> None:
    busy_shop.track("ann", "Signed Up")
    run = runs(busy_shop)[0]["id"]
    nodes = {**JOURNEY["nodes"], "rest": {"type": "wait", "for": "5d"}}
    busy_shop.publish({**JOURNEY, "nodes": nodes})

    answer = busy_shop.client("admin").post(f"/v1/runs/{run}/move", json={"node": "rest", "version": 2})

    assert (answer.json()["version"], answer.json()["node"]) == (2, "rest")
    busy_shop.later(days=5)
    assert runs(busy_shop)[0]["status"] == "completed"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"node": "elsewhere"}, 400, "node"),
        ({"node": "label", "version": 2}, 400, "version"),
        ({"node": "label", "version": 0}, 422, "version"),
        ({"node": "label", "version": 10**30}, 422, "version"),
        ({}, 422, "node"),
    ],
)
def test_a_move_to_where_there_is_nothing_is_refused(
    busy_shop: Shop, body: JSONObject, status: int, field: str
) -> None:
    busy_shop.track("ann", "Signed Up")
    run = runs(busy_shop)[0]["id"]

    answer = busy_shop.client("admin").post(f"/v1/runs/{run}/move", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
    assert runs(busy_shop)[0]["node"] == "pause"


def test_a_run_that_has_ended_or_never_was_can_not_be_moved(busy_shop: Shop) -> None:
    busy_shop.track("ann", "Signed Up")
    run = runs(busy_shop)[0]["id"]
    busy_shop.later(days=2)
    admin = busy_shop.client("admin")

    assert admin.post(f"/v1/runs/{run}/move", json={"node": "pause"}).status_code == 409
    assert admin.post("/v1/runs/unknown/move", json={"node": "pause"}).status_code == 404


@pytest.mark.parametrize("action", ["resume", "archive"])
def test_a_journey_follows_a_request_that_is_repeated_only_once(busy_shop: Shop, action: str) -> None:
    admin, once = busy_shop.client("admin"), {"Idempotency-Key": "k-1"}
    admin.post("/v1/journeys/welcome/pause")

    answers = [admin.post(f"/v1/journeys/welcome/{action}", headers=once) for _ in range(2)]
    other = admin.post("/v1/journeys/welcome/pause", headers=once)

    assert [one.status_code for one in [*answers, other]] == [200, 200, 409]
    assert answers[0].json() == answers[1].json()
