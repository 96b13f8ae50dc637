"""Simulations over HTTP: of what is published or given, over what is stored or given."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.api.shop import JOURNEY, WORKSPACE, Client, JSONObject, Shop
from tests.services.report_page import read_page, tables

from journeyflow.services import simulation_files

SIGNED_UP = [
    {"contact": "ann", "event": "Signed Up", "occurred_at": "2026-03-02T10:00:00Z"},
    {"contact": "bob", "event": "Signed Up", "occurred_at": "2026-03-02T11:00:00Z"},
    {"contact": "bob", "event": "Signed Up", "occurred_at": "2026-03-02T12:00:00Z"},
]
ANN = [{"contact": "ann", "attributes": {"email": "ann@shop.example"}, "tags": ["vip"]}]


def begin(client: Client, headers: dict[str, str] | None = None, **order: Any) -> httpx.Response:  # Any: JSON
    return client.post("/v1/simulations", json=order, headers=headers)


def finished(shop: Shop, answer: httpx.Response) -> JSONObject:
    """What became of it, as soon as it has ended."""
    assert answer.status_code == 202, answer.text
    shop.app.state.context.simulations.wait()
    found: JSONObject = shop.client("read").get(answer.headers["location"]).json()
    return found


def test_published_journeys_run_over_events_of_the_request(busy_shop: Shop) -> None:
    answer = begin(busy_shop.client("read"), events=SIGNED_UP, contacts=ANN)

    assert answer.json()["status"] == "running"
    found = finished(busy_shop, answer)
    assert (found["status"], found["error"], found["journeys"]) == ("done", None, ["welcome"])
    numbers = found["result"]["journeys"]["welcome"]
    assert (numbers["entered"], numbers["refused"], numbers["completed"]) == (2, {"duplicate": 1}, 2)
    assert found["result"]["messages"] == {"email": {"queued": 1, "skipped": {"no_address": 1}}}
    assert busy_shop.client("read").get("/v1/contacts").json()["items"] == []


def test_the_report_is_a_page_of_its_own(busy_shop: Shop) -> None:
    found = finished(busy_shop, begin(busy_shop.client("admin"), events=SIGNED_UP, contacts=ANN))

    answer = busy_shop.client("read").get(found["report"])

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert tables(read_page(answer.text))["Journeys"][0][:2] == ["Welcome", "2"]


def test_the_history_of_the_installation_is_run_again(busy_shop: Shop) -> None:
    busy_shop.identify("ann", email="ann@shop.example")
    busy_shop.track("ann", "Signed Up", plan="gold")
    busy_shop.later(hours=1)
    busy_shop.track("bob", "Signed Up")
    busy_shop.later(days=3)
    live = busy_shop.client("read").get("/v1/journeys/welcome/stats").json()

    found = finished(busy_shop, begin(busy_shop.client("read")))

    assert found["result"]["journeys"]["welcome"] == live
    assert (found["result"]["events"], found["result"]["contacts"]) == (2, 2)


def test_what_the_engine_made_itself_is_made_again_and_not_replayed(busy_shop: Shop) -> None:
    labelled = {**JOURNEY, "journey": "labelled", "triggers": [{"type": "tag", "added": "welcomed"}]}
    busy_shop.publish(labelled)
    busy_shop.track("ann", "Signed Up")
    busy_shop.later(days=3)

    found = finished(busy_shop, begin(busy_shop.client("read"), journeys=["labelled"]))

    assert found["result"]["journeys"]["labelled"]["entered"] == 0  # nothing puts the tag on where welcome does not run
    assert found["result"]["events"] == 1


def test_history_has_a_beginning_and_an_end(busy_shop: Shop) -> None:
    for contact in ("ann", "bob", "carl"):
        busy_shop.track(contact, "Signed Up")
        busy_shop.later(hours=1)

    order: JSONObject = {"from": "2026-03-02T11:00:00Z", "until": "2026-03-02T11:30:00Z"}
    found = finished(busy_shop, begin(busy_shop.client("read"), **order))

    assert found["result"]["journeys"]["welcome"]["entered"] == 1
    assert found["result"]["events"] == 2


def test_a_sample_takes_some_contacts_with_all_their_events(busy_shop: Shop) -> None:
    for number in range(30):
        busy_shop.track(f"c{number}", "Signed Up")

    found = finished(busy_shop, begin(busy_shop.client("read"), sample=50))

    assert 0 < found["result"]["contacts"] < 30
    assert found["result"]["events"] == found["result"]["contacts"]


def test_documents_of_the_request_take_the_place_of_published_ones(busy_shop: Shop) -> None:
    shorter = {**JOURNEY, "start": "label", "nodes": {"label": {"type": "tag", "add": ["x"]}}}
    another = {**JOURNEY, "journey": "another"}

    found = finished(busy_shop, begin(busy_shop.client("read"), documents=[shorter], events=SIGNED_UP))
    both = finished(
        busy_shop,
        begin(busy_shop.client("read"), documents=[another], journeys=["another", "welcome"], events=SIGNED_UP),
    )

    assert {*found["result"]["journeys"]["welcome"]["nodes"]} == {"label"}
    assert {*both["result"]["journeys"]} == {"another", "welcome"}
    assert busy_shop.client("read").get("/v1/journeys/welcome").json()["version"] == 1


def test_drafts_and_archived_journeys_do_not_run(busy_shop: Shop) -> None:
    busy_shop.publish({**JOURNEY, "journey": "draft", "status": "draft"})
    busy_shop.publish({**JOURNEY, "journey": "old"})
    busy_shop.publish({**JOURNEY, "journey": "old", "status": "archived"})

    found = finished(busy_shop, begin(busy_shop.client("read"), events=SIGNED_UP))

    assert found["journeys"] == ["welcome"]


@pytest.mark.parametrize(
    ("order", "status", "told"),
    [
        ({"journeys": ["nope"]}, 404, "there is no journey nope"),
        ({"documents": [{"journey": "x", "start": "a", "nodes": {}}]}, 422, "error"),
        ({"from": "yesterday"}, 400, "from: expected an instant"),
        ({"from": "2026-03-02", "until": "2026-03-01"}, 400, "until: expected an end of the clock that is not before"),
        ({"contacts": ANN}, 400, "contacts: expected only beside events"),
        ({"sample": 0}, 422, "sample"),
        ({"speed": "fast"}, 422, "speed"),
    ],
)
def test_what_cannot_be_simulated_is_a_problem_at_once(
    busy_shop: Shop, order: JSONObject, status: int, told: str
) -> None:
    answer = begin(busy_shop.client("read"), **order)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert told in answer.json()["detail"]


def test_lines_that_cannot_be_taken_are_refused_at_once_with_their_places(busy_shop: Shop) -> None:
    lines = [*SIGNED_UP, {"contact": "ann", "event": "Came"}, {**SIGNED_UP[0], "event": "$merge"}]
    people = [*ANN, {"contact": "bob", "tags": 5}, ANN[0]]

    answer = begin(busy_shop.client("read"), events=lines, contacts=people)

    assert answer.status_code == 422
    assert [(one["field"], one["detail"].partition(", found")[0]) for one in answer.json()["errors"]] == [
        ("contacts[1]", "tags: expected a list of texts"),
        ("contacts[2]", "contact: expected each contact once"),
        ("events[3]", "occurred_at: expected an instant in ISO 8601 such as 2026-03-02T10:00:00Z"),
        ("events[4]", "properties.into: expected text of 1 to 255 characters"),
    ]
    assert busy_shop.client("read").get("/v1/simulations").json()["items"] == []


def test_of_very_many_lines_it_is_said_how_many_more(busy_shop: Shop) -> None:
    told = begin(busy_shop.client("read"), events=[{"contact": "ann"}] * 103).json()["errors"]

    assert (len(told), told[100]) == (101, {"field": "body", "detail": "3 more lines can't be taken"})


def test_too_much_history_is_refused_with_a_way_out(busy_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation_files, "EVENTS_MAX", 1)
    busy_shop.track("ann", "Signed Up")
    busy_shop.track("bob", "Signed Up")

    found = finished(busy_shop, begin(busy_shop.client("read")))

    assert found["error"] == (
        "more than 1 events: ask for a smaller sample of contacts, or simulate with the command line"
    )
    assert (found["status"], found["result"], found["report"]) == ("failed", None, None)
    answer = busy_shop.client("read").get(f"/v1/simulations/{found['id']}/report")
    assert answer.status_code == 409
    assert answer.json()["detail"].endswith("is failed; there is a report when it is done")


def test_one_runs_at_a_time(busy_shop: Shop) -> None:
    first = begin(busy_shop.client("read"), events=SIGNED_UP)
    second = begin(busy_shop.client("read"), events=SIGNED_UP)

    assert (second.status_code, second.headers["retry-after"] != "") == (429, True)
    assert finished(busy_shop, first)["status"] == "done"
    assert finished(busy_shop, begin(busy_shop.client("read"), events=SIGNED_UP))["status"] == "done"


def test_a_request_that_is_repeated_begins_nothing_new(busy_shop: Shop) -> None:
    reader, named = busy_shop.client("read"), {"Idempotency-Key": "one"}

    first = begin(reader, named, events=SIGNED_UP)
    again = begin(reader, named, events=SIGNED_UP)
    other = begin(reader, named, events=SIGNED_UP[:1])

    assert again.json()["id"] == first.json()["id"]
    assert other.status_code == 409
    finished(busy_shop, first)
    assert len(reader.get("/v1/simulations").json()["items"]) == 1


def test_simulations_are_listed_page_by_page(busy_shop: Shop) -> None:
    reader = busy_shop.client("read")
    made = [finished(busy_shop, begin(reader, events=[]))["id"] for _ in range(3)]

    first = reader.get("/v1/simulations", params={"limit": 2}).json()
    rest = reader.get("/v1/simulations", params={"limit": 2, "cursor": first["next_cursor"]}).json()

    assert [one["id"] for one in [*first["items"], *rest["items"]]] == made[::-1]
    assert (len(first["items"]), rest["next_cursor"]) == (2, None)
    assert reader.get("/v1/simulations", params={"limit": 0}).status_code == 422


def test_a_simulation_can_be_ended_and_forgotten(busy_shop: Shop) -> None:
    reader = busy_shop.client("read")
    path = begin(reader, events=SIGNED_UP).headers["location"]

    assert reader.request("DELETE", path).status_code == 204

    assert reader.get(path).status_code == 404
    assert finished(busy_shop, begin(reader, events=SIGNED_UP))["status"] == "done"


def test_a_write_key_may_not_ask(busy_shop: Shop) -> None:
    assert begin(busy_shop.client("write"), events=SIGNED_UP).status_code == 403


def test_a_published_workspace_is_that_of_the_simulation(busy_shop: Shop) -> None:
    busy_shop.publish({**WORKSPACE, "timezone": "America/New_York"})
    lines = [{"contact": "ann", "event": "Signed Up", "occurred_at": "2026-03-02T10:00"}]

    found = finished(busy_shop, begin(busy_shop.client("read"), events=lines, until="2026-03-02T10:00"))

    assert found["result"]["journeys"]["welcome"]["entered"] == 1
