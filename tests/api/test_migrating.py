"""Runs that go to the newest version of their journey, over HTTP (rule 8.4)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from tests.api.shop import JOURNEY, Shop

from journeyflow.db import tables
from journeyflow.db.documents import pending_instructions
from journeyflow.db.store import read, write

JSONObject = dict[str, Any]  # Any: JSON

LONGER: JSONObject = {
    **JOURNEY,
    "nodes": {**JOURNEY["nodes"], "pause": {"type": "wait", "for": "5d", "next": "label"}},
}
RENAMED: JSONObject = {
    **JOURNEY,
    "start": "rest",
    "nodes": {"rest": {"type": "wait", "for": "5d", "next": "label"}, "label": {"type": "tag", "add": ["new"]}},
}


def migrate(shop: Shop, body: JSONObject | None = None, journey: str = "welcome", **headers: str) -> httpx.Response:
    return shop.client("admin").post(f"/v1/journeys/{journey}/migrate", json=body, headers=headers)


def runs(shop: Shop) -> dict[str, tuple[int, str, str]]:
    shop.settle()
    found = shop.client("read").get("/v1/journeys/welcome/runs").json()["items"]
    return {one["contact"]: (one["version"], one["node"], one["due_at"]) for one in found}


def test_a_node_that_only_a_draft_has_is_said_to_be_one_of_a_draft(shop_of_two: Shop) -> None:
    shop_of_two.publish(LONGER)
    shop_of_two.publish({**RENAMED, "status": "draft"})

    refused = migrate(shop_of_two, {"map": {"pause": "rest", "mail": "nowhere"}}).json()

    assert {one["field"]: one["detail"] for one in refused["errors"]} == {
        "map.pause": "expected a node of version 2, or exit, found 'rest'; version 3, which has it, is not published",
        "map.mail": "expected a node of version 2, or exit, found 'nowhere'",
    }


@pytest.fixture
def shop_of_two(busy_shop: Shop) -> Shop:
    """Ann and Bob came two days, less an hour, ago."""
    for contact in ("ann", "bob"):
        busy_shop.track(contact, "Signed Up")
    busy_shop.later(hours=47)
    return busy_shop


def test_rule_8_4_runs_go_to_the_newest_version_and_the_time_that_they_waited_counts(shop_of_two: Shop) -> None:
    shop_of_two.publish(LONGER)

    answer = migrate(shop_of_two)

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "id": "welcome",
        "name": "Welcome",
        "status": "live",
        "version": 2,
        "published_at": "2026-03-04T09:00:00.000000Z",
        "paused_at": None,
        "dry_run": False,
        "nodes": [{"version": 1, "node": "pause", "to": "pause", "runs": 2}],
    }
    assert runs(shop_of_two) == dict.fromkeys(("ann", "bob"), (2, "pause", "2026-03-07T10:00:00.000000Z"))
    trail = shop_of_two.client("read").get("/v1/contacts/ann/timeline").json()
    assert "moved" in str(trail)


def test_rule_8_4_a_dry_run_shows_the_counts_and_changes_nothing(shop_of_two: Shop) -> None:
    shop_of_two.publish(LONGER)
    before = runs(shop_of_two)

    answer = migrate(shop_of_two, {"dry_run": True}).json()

    assert (answer["dry_run"], answer["nodes"][0]["runs"]) == (True, 2)
    assert runs(shop_of_two) == before
    assert migrate(shop_of_two, {"map": {}}).json() == {**answer, "dry_run": False}


@pytest.mark.parametrize("dry_run", [False, True])
def test_rule_8_4_a_node_without_a_match_needs_an_entry_and_nothing_is_moved(shop_of_two: Shop, dry_run: bool) -> None:
    shop_of_two.publish(RENAMED)
    before = runs(shop_of_two)

    answer = migrate(shop_of_two, {"dry_run": dry_run})

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    problem = answer.json()
    assert problem["detail"] == "2 entries of the map are wrong or missing"
    told = "version 2 has no such node; say where it goes, or exit ({} runs stand there now)"
    assert problem["errors"] == [
        {"field": "map.mail", "detail": told.format(0)},
        {"field": "map.pause", "detail": told.format(2)},
    ]
    assert runs(shop_of_two) == before


def test_rule_8_4_runs_go_where_the_map_says_or_leave(shop_of_two: Shop) -> None:
    shop_of_two.publish(RENAMED)

    answer = migrate(shop_of_two, {"map": {"mail": "exit", "pause": "rest"}})

    assert answer.json()["nodes"] == [{"version": 1, "node": "pause", "to": "rest", "runs": 2}]
    assert runs(shop_of_two) == dict.fromkeys(("ann", "bob"), (2, "rest", "2026-03-07T10:00:00.000000Z"))
    stats = shop_of_two.client("read").get("/v1/journeys/welcome/stats").json()
    assert (stats["active"], stats["nodes"]["rest"]) == (2, {"visits": 2, "waiting": 2})

    shop_of_two.publish(JOURNEY)
    left = migrate(shop_of_two, {"map": {"rest": "exit"}})

    assert left.json()["nodes"] == [{"version": 2, "node": "rest", "to": "exit", "runs": 2}]
    shop_of_two.settle()
    stats = shop_of_two.client("read").get("/v1/journeys/welcome/stats").json()
    assert (stats["active"], stats["exited"]) == (0, {"migrated": 2})


def test_rule_8_4_the_newest_version_is_the_newest_that_is_published(shop_of_two: Shop) -> None:
    shop_of_two.publish(LONGER)
    shop_of_two.publish({**RENAMED, "status": "draft"})

    assert migrate(shop_of_two).json()["version"] == 2


@pytest.mark.parametrize("pause", [{"entries": True}, {"entries": False}])
def test_rule_8_4_a_paused_journey_can_be_migrated(shop_of_two: Shop, pause: JSONObject) -> None:
    shop_of_two.client("admin").post("/v1/journeys/welcome/pause", json=pause)
    shop_of_two.publish(LONGER)

    assert migrate(shop_of_two).json()["status"] in ("paused", "entries_paused")
    assert {version for version, _, _ in runs(shop_of_two).values()} == {2}


def test_where_all_runs_are_on_the_newest_version_there_is_nothing_to_do(shop_of_two: Shop) -> None:
    assert migrate(shop_of_two, {"map": {}}).json()["nodes"] == []

    shop_of_two.publish(LONGER)
    migrate(shop_of_two)
    shop_of_two.settle()
    before = runs(shop_of_two)

    assert migrate(shop_of_two, {"map": {"pause": "label"}}).json()["nodes"] == []
    assert runs(shop_of_two) == before


def test_what_has_no_runs_for_good_can_not_be_migrated(shop_of_two: Shop) -> None:
    shop_of_two.publish({**JOURNEY, "journey": "idea", "status": "draft"})
    shop_of_two.client("admin").post("/v1/journeys/welcome/archive")

    assert [migrate(shop_of_two, journey=one).status_code for one in ("idea", "welcome", "unknown")] == [409, 409, 404]


@pytest.mark.parametrize("body", [{"map": {"a b": "pause"}}, {"map": {"pause": 1}}, {"map": []}, {"maps": {}}])
def test_a_body_of_another_shape_is_refused(shop_of_two: Shop, body: JSONObject) -> None:
    assert migrate(shop_of_two, body).status_code == 422


def test_only_an_admin_key_migrates(shop_of_two: Shop) -> None:
    assert shop_of_two.client("read").post("/v1/journeys/welcome/migrate").status_code == 403


def test_a_migration_right_behind_another_at_one_instant_of_the_clock_reaches_everybody(shop_of_two: Shop) -> None:
    shop_of_two.publish(LONGER)
    migrate(shop_of_two)
    shop_of_two.track("cid", "Signed Up")
    shop_of_two.publish(RENAMED)

    migrate(shop_of_two, {"map": {"mail": "exit", "pause": "rest"}})

    assert {one[:2] for one in runs(shop_of_two).values()} == {(3, "rest")}


def test_runs_of_a_version_that_this_release_refuses_are_said_to_stay(shop_of_two: Shop) -> None:
    """As an earlier release may have taken it."""
    shop_of_two.publish(LONGER)
    former = tables.documents.c.document.like('%"for":"2d"%') & (tables.documents.c.id == "welcome")
    with write(shop_of_two.installation.engine) as connection:
        (document,) = connection.scalars(select(tables.documents.c.document).where(former))
        taken = {"document": document.replace('"for":"2d"', '"for":"1d1d"'), "digest": "of another text"}
        connection.execute(update(tables.documents).where(former).values(taken))

    answer = migrate(shop_of_two)

    assert answer.status_code == 409, answer.text
    detail = answer.json()["detail"]
    assert detail.startswith("this release refuses version 1 of journey welcome, on which there are runs")
    assert "nodes.pause" in detail
    with read(shop_of_two.installation.engine) as connection:
        assert pending_instructions(connection) == {}
