"""For operators: alive, ready, metrics; errors that nobody expected; the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from structlog.testing import capture_logs
from tests.api.shop import INPUTS_MAX, Shop

from journeyflow.core.errors import Overloaded, SystemFailure
from journeyflow.db import inbox
from journeyflow.db.store import read
from journeyflow.services import readiness

JSONObject = dict[str, Any]  # Any: JSON


def test_a_new_server_is_alive_and_ready(shop: Shop) -> None:
    assert shop.visitor().get("/healthz").json() == {"status": "alive"}
    assert shop.visitor().get("/readyz").json() == {"ready": True, "reasons": []}


def test_a_server_whose_engine_is_behind_is_not_ready(shop: Shop) -> None:
    shop.rest()
    shop.client("write").post("/v1/track", json={"userId": "ann", "event": "x"})
    shop.clock.move(seconds=59)
    assert shop.visitor().get("/readyz").status_code == 200
    shop.clock.move(seconds=2)

    answer = shop.visitor().get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the oldest input has waited for 61 s; is an engine running?"]


def test_how_far_the_engine_may_be_behind_is_a_setting(shop: Shop) -> None:
    shop.rest()
    shop.installation.settings.ready_lag_seconds = 5
    shop.client("write").post("/v1/track", json={"userId": "ann", "event": "x"})
    shop.clock.move(seconds=6)

    assert shop.visitor().get("/readyz").status_code == 503


def test_an_engine_that_is_too_far_behind_takes_no_events_and_says_when_to_try_again(shop: Shop) -> None:
    shop.rest()
    shop.client("write").post("/v1/track", json={"userId": "ann", "event": "x"})
    shop.clock.move(seconds=3601)
    shop.pressure.look()
    batch = {"batch": [{"type": "track", "userId": "bob", "event": "x"}] * 3}

    answers = [
        shop.client("write").post("/v1/track", json={"userId": "bob", "event": "x"}),
        shop.client("write").post("/v1/batch", json=batch),
        shop.client("admin").post("/v1/imports/contacts", content=b'{"contact": "bob"}'),
    ]

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert {answer.headers["Retry-After"] for answer in answers} == {"30"}
    assert answers[0].json()["detail"] == (
        "the engine is 3601 s behind; nothing of this request was stored; send it again later"
    )
    metrics = shop.visitor().get("/metrics").text
    assert "journeyflow_events_overload_total 4.0" in metrics
    assert 'journeyflow_events_total{outcome="stored"} 1.0' in metrics
    assert 'journeyflow_events_total{outcome="rejected"} 0.0' in metrics


def test_what_is_refused_for_too_much_to_do_is_not_stored(shop: Shop) -> None:
    shop.rest()
    batch = {"batch": [{"type": "track", "userId": "ann", "event": "x"}] * INPUTS_MAX}
    assert shop.client("write").post("/v1/batch", json=batch).status_code == 200
    shop.clock.move(seconds=2)
    shop.pressure.look()

    assert shop.client("write").post("/v1/track", json={"userId": "bob", "event": "x"}).status_code == 503

    with read(shop.installation.engine) as connection:
        assert inbox.count(connection, 100) == INPUTS_MAX


def test_a_timer_that_nobody_takes_is_told_too(busy_shop: Shop) -> None:
    busy_shop.track("ann", "Signed Up")
    busy_shop.rest()
    busy_shop.clock.move(days=2, seconds=61)

    assert "the oldest timer has waited for 61 s" in busy_shop.visitor().get("/readyz").json()["reasons"][0]


def test_a_server_without_its_database_is_alive_and_not_ready(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> bool:
        raise SystemFailure("shop.db can't be opened")

    monkeypatch.setattr(readiness, "is_current", away)
    monkeypatch.setattr(readiness, "_migrated", set())  # the database of the test before may have been the same

    assert shop.visitor().get("/healthz").status_code == 200
    assert shop.visitor().get("/readyz").json() == {"ready": False, "reasons": ["shop.db can't be opened"]}


def test_the_metrics_count_events_turns_and_lag(busy_shop: Shop) -> None:
    busy_shop.identify("ann", email="ann@example.com")
    busy_shop.track("ann", "Signed Up")
    busy_shop.client("write").post("/v1/batch", json={"batch": [{}, {}]})
    busy_shop.rest()
    busy_shop.clock.move(seconds=30)

    answer = busy_shop.visitor().get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    values = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert float(values['journeyflow_events_total{outcome="stored"}']) == 2
    assert float(values['journeyflow_events_total{outcome="rejected"}']) == 2
    assert float(values["journeyflow_turns_total"]) >= 2
    assert float(values["journeyflow_messages_queued_total"]) == 1
    assert float(values['journeyflow_lag_seconds{what="outbox"}']) == 30
    assert float(values['journeyflow_lag_seconds{what="inbox"}']) == 0
    assert float(values["journeyflow_failures"]) == 0


def rejected(shop: Shop) -> float:
    text = shop.visitor().get("/metrics").text
    (line,) = [line for line in text.splitlines() if line.startswith('journeyflow_events_total{outcome="rejected"}')]
    return float(line.rpartition(" ")[2])


GOOD: Final = {"type": "track", "userId": "ann", "event": "Signed Up"}


@pytest.mark.parametrize(
    ("path", "body", "status", "events"),
    [
        ("track", {"userId": "ann"}, 400, 1),
        ("identify", {"traits": {}}, 400, 1),
        ("t", [], 400, 1),
        ("batch", {"batch": [GOOD, {}, {}]}, 200, 2),
        ("batch", {"batch": [{}, {}, {}]}, 400, 3),
        ("batch", {"batch": [{}] * 2_501}, 413, 2_501),
        ("batch", {"batch": 7}, 400, 1),
        ("track", GOOD, 200, 0),
    ],
)
def test_every_refused_event_is_counted(shop: Shop, path: str, body: object, status: int, events: int) -> None:
    assert shop.client("write").post(f"/v1/{path}", json=body).status_code == status

    assert rejected(shop) == events


def test_an_event_with_a_wrong_key_is_counted_as_refused(shop: Shop) -> None:
    assert shop.visitor().post("/v1/track", json=GOOD).status_code == 401
    assert shop.client("read").post("/v1/track", json=GOOD).status_code == 403
    assert shop.visitor().post("/v1/batch", json={"writeKey": "x", "batch": [GOOD, GOOD]}).status_code == 401

    assert rejected(shop) == 4


def test_events_that_are_to_be_sent_again_are_not_counted_as_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Overloaded("too many")

    monkeypatch.setattr(shop.ingest, "submit", full)

    assert shop.client("write").post("/v1/track", json=GOOD).status_code == 503
    assert rejected(shop) == 0


def test_the_first_page_says_where_to_go(shop: Shop) -> None:
    answer = shop.visitor().get("/")

    assert answer.status_code == 200
    assert 'href="docs"' in answer.text


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/v1/contacts", 405)])
def test_what_is_not_there_is_a_problem_too(shop: Shop, method: str, path: str, status: int) -> None:
    answer = shop.client("admin").request(method, path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


def test_what_nobody_expected_is_logged_with_an_id_and_tells_nothing_else(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret inside")

    client = shop.client("read")
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr("journeyflow.db.documents.journey_rows", broken)
        answer = client.get("/v1/journeys")

    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json()["instance"] == f"urn:uuid:{logs[-1]['id']}"


def test_a_system_that_fails_says_when_to_come_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise SystemFailure("the disk of shop.db is full; nothing of this was stored")

    client = shop.client("read")
    with monkeypatch.context() as patched:
        patched.setattr("journeyflow.db.documents.journey_rows", full)
        answer = client.get("/v1/journeys")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["detail"] == "the disk of shop.db is full; nothing of this was stored"


# --- OpenAPI ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def document(shop: Shop) -> JSONObject:
    found: JSONObject = shop.visitor().get("/openapi.json").json()
    return found


def operations_of(document: JSONObject) -> dict[str, JSONObject]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_error_that_is_described_is_a_problem(document: JSONObject) -> None:
    for name, operation in operations_of(document).items():
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")) and not name.endswith("/readyz"):
                page = any(place in name for place in (" /u/", " /p/", " /s/", " /t/c/"))
                wanted = "text/html" if page else "application/problem+json"
                assert list(response["content"]) == [wanted], (name, status)


def test_every_endpoint_that_wants_a_key_says_so_and_describes_what_it_refuses(document: JSONObject) -> None:
    for name, operation in operations_of(document).items():
        if " /v1/" in name:
            assert operation["security"], name
            assert {"401", "403", "400", "422", "503"} <= operation["responses"].keys(), name


def test_names_of_operations_are_unique_and_every_one_has_a_summary(document: JSONObject) -> None:
    found = list(operations_of(document).values())
    names = [one["operationId"] for one in found]

    assert len(set(names)) == len(names)
    assert all(one["summary"] for one in found)


def test_everything_that_issue_2_lists_is_there(document: JSONObject) -> None:
    wanted = """
        POST /v1/track|POST /v1/identify|POST /v1/page|POST /v1/screen|POST /v1/batch|POST /v1/group
        GET /v1/contacts|POST /v1/contacts|GET /v1/contacts/{key}|PATCH /v1/contacts/{key}
        GET /v1/contacts/{key}/timeline|POST /v1/contacts/{key}/tags|POST /v1/contacts/{key}/topics
        GET /v1/documents|GET /v1/documents/{kind}/{id}|PUT /v1/documents/{kind}/{id}|DELETE /v1/documents/{kind}/{id}
        POST /v1/documents:plan|POST /v1/documents:apply|POST /v1/documents:check
        GET /v1/journeys|GET /v1/journeys/{id}|POST /v1/journeys/{id}/pause|POST /v1/journeys/{id}/resume
        POST /v1/journeys/{id}/enroll|GET /v1/journeys/{id}/stats|GET /v1/journeys/{id}/versions
        GET /v1/journeys/{id}/runs|GET /v1/runs/{id}|GET /v1/runs/{id}/trail|POST /v1/runs/{id}/remove
        GET /v1/messages|GET /v1/messages/{id}|POST /v1/messages/{id}/retry
        GET /v1/keys|POST /v1/keys|DELETE /v1/keys/{id}
        GET /u/{token}|POST /u/{token}|GET /p/{token}|POST /p/{token}
        GET /healthz|GET /readyz|GET /metrics
    """
    names = {name.strip() for line in wanted.strip().splitlines() for name in line.split("|")}

    assert names <= operations_of(document).keys()


# --- the reference page ----------------------------------------------------------------------------------------------


def test_the_reference_page_loads_nothing_from_elsewhere(shop: Shop) -> None:
    visitor = shop.visitor()

    page = visitor.get("/docs")

    loaded = re.findall(r"""(?:src|href|url)(?:=|: )["']([^"']+)["']""", page.text)
    assert sorted(loaded) == ["docs/favicon.png", "docs/swagger-ui-bundle.js", "docs/swagger-ui.css", "openapi.json"]
    assert "://" not in page.text
    assert [visitor.get(f"/{one}").status_code for one in loaded] == [200] * 4
    assert visitor.get("/docs/../pyproject.toml").status_code == 404
    assert visitor.get("/docs/redoc.standalone.js").status_code == 422
