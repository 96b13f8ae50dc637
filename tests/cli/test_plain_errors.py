"""Errors speak journeyflow's language: nothing of what the validating library puts around them is shown."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from tests.api.shop import JSONObject, open_shop
from tests.cli.calls import call, done

WRONG_JOURNEY: JSONObject = {
    "journey": "wrong",
    "timezone": "Nowhere",
    "priority": "high",
    "goal": {"event": "Bought", "within": "soon"},
    "reentry": {"policy": "once", "gap": "1d"},
    "enter_if": {"attribute": "a..b", "matches": "("},
    "triggers": [
        {"type": "event", "event": "A", "where": {"property": "at", "before": "some day"}},
        {"type": "schedule", "cron": "x", "segment": "all"},
        {"type": "date", "attribute": "born", "at": "late"},
    ],
    "start": "pause",
    "nodes": {
        "pause": {"type": "wait", "for": "1d", "until_time": {"at": "09:00"}, "next": "tag"},
        "tag": {"type": "tag"},
        "update": {"type": "update", "set": {"x": {"deep": [{"ref": "nowhere.x"}]}}},
        "wait": {"type": "wait_for", "timeout": "0s", "cases": [{"where": {"tag": "x"}, "event": 5}]},
        "split": {"type": "split", "arms": [{"weight": 0}]},
        "mail": {"type": "email", "template": "hello", "to": "a@example.com"},
    },
}
FOREIGN = ("Value error", "Assertion failed", "Input should be", "validation error", "pydantic")


def demand_plain(text: str) -> None:
    assert text
    assert [word for word in FOREIGN if word in text] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/journeys/welcome/resume", {"over": "soon"}),
        ("POST", "/v1/journeys/welcome/resume", {"over": "-1h", "mode": "later"}),
        ("POST", "/v1/journeys/welcome/pause", {"entries": "perhaps", "more": 1}),
        ("PUT", "/v1/documents/journey/wrong", WRONG_JOURNEY),
        ("POST", "/v1/documents:check", {"documents": [WRONG_JOURNEY, {"template": "x"}]}),
        ("POST", "/v1/documents:plan", {"documents": [WRONG_JOURNEY], "prune": "so"}),
        ("POST", "/v1/contacts", {"contact": "", "attributes": [], "tags": "x"}),
        ("POST", "/v1/keys", {"scope": "all"}),
        ("POST", "/v1/simulations", {"events": "x"}),
        ("GET", "/v1/contacts?limit=many&cursor=!", None),
        ("POST", "/v1/batch", {"batch": [{"type": "track", "timestamp": "x", "userId": []}]}),
    ],
)
def test_over_http(workplace: Path, method: str, path: str, body: JSONObject | None) -> None:
    shop = open_shop(workplace)
    shop.ingest.start()
    try:
        answer = shop.client("admin").request(method, path, json=body)
    finally:
        shop.app.state.context.simulations.close()
        shop.ingest.stop()
        shop.installation.engine.dispose()

    assert answer.status_code >= 400 or answer.json()["problems"]
    demand_plain(answer.text)


def test_of_a_folder(flows: Path) -> None:
    (flows / "wrong.json").write_bytes(orjson.dumps(WRONG_JOURNEY))

    for command in (("check", flows), ("check", flows, "--format", "json"), ("plan", flows), ("simulate", flows)):
        result = call(*command)
        assert result.exit_code != 0
        demand_plain(result.output)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PORT", "x", "expected a whole number"),
        ("PORT", "99999", "expected a number of at most 65535"),
        ("ADMIN_KEY", "", "expected text that is not empty"),
        ("ADMIN_KEY", "two words", "expected a key without blanks and control characters"),
        ("WRITE_KEY", "a\x07b", "expected a key without blanks and control characters"),
        ("WRITE_KEY", "x" * 501, "expected at most 500 characters"),
        ("LOG_LEVEL", "loud", "expected 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_of_a_setting(workplace: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    monkeypatch.setenv(f"JOURNEYFLOW_{name}", value)

    result = call("serve")

    assert result.stderr.splitlines() == ["error: a setting makes no sense", f"JOURNEYFLOW_{name}: {told}"]


def test_of_what_a_command_is_given(flows: Path) -> None:
    done("apply", flows)
    Path("events.jsonl").write_text('{"contact": 5}\n{"contact": "a", "event": "x", "occurred_at": "soon"}\n[]\n')

    for command in (
        ("journeys", "resume", "welcome", "--over", "soon"),
        ("simulate", flows, "--events", "events.jsonl"),
        ("contacts", "import", "events.jsonl"),
        ("simulate", flows, "--events", "events.jsonl", "--from", "soon"),
    ):
        result = call(*command)
        assert result.exit_code != 0
        demand_plain(result.output)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("keys", "create", "foo"), "'scope': 'foo' is not one of 'browser', 'write', 'read', 'admin'."),
        (("serve", "--port", "x"), "'--port': expected a whole number"),
        (("serve", "--port", "65536"), "'--port': expected a number of at most 65535"),
    ],
)
def test_of_wrong_usage(command: tuple[str, ...], told: str) -> None:
    result = call(*command)

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: Invalid value for {told}"
