"""The command line in an operator's hands: journeys that pause, and runs that are moved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.api.shop import DATABASE, DOCUMENTS, open_shop
from tests.cli.calls import call, done

HERE = ("--database-url", DATABASE)


@pytest.fixture
def run(workplace: Path) -> str:
    """The id of Ann's run, which waits for two days, long before now."""
    shop = open_shop(workplace)
    shop.ingest.start()
    shop.publish(*DOCUMENTS)
    shop.track("ann", "Signed Up")
    found = shop.client("read").get("/v1/journeys/welcome/runs").json()["items"][0]["id"]
    shop.ingest.stop()
    shop.installation.engine.dispose()
    return str(found)


@pytest.mark.parametrize("choice", [("--now",), ("--over", "2h"), ("--shift",), ("--skip",)])
def test_rule_8_2_each_choice_lets_a_paused_journey_go_on(run: str, choice: tuple[str, ...]) -> None:
    done("journeys", "pause", "welcome", *HERE)

    told = done("journeys", "resume", "welcome", *choice, *HERE)

    assert told == "welcome goes on; 1 run was overdue by more than a day\n"
    assert json.loads(done("journeys", "show", "welcome", "--json", *HERE))["status"] == "live"


def test_two_choices_are_wrong_usage(run: str) -> None:
    assert call("journeys", "resume", "welcome", "--now", "--skip", *HERE).exit_code == 2


def test_a_choice_that_makes_no_sense_is_told(run: str) -> None:
    done("journeys", "pause", "welcome", *HERE)

    refused = call("journeys", "resume", "welcome", "--over", "soon", *HERE)

    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: over: ")


def test_a_journey_is_archived(run: str) -> None:
    assert done("journeys", "archive", "welcome", *HERE) == "welcome is archived; its runs exit\n"
    assert json.loads(done("journeys", "show", "welcome", "--json", *HERE))["status"] == "archived"
    assert call("journeys", "archive", "unknown", *HERE).exit_code == 1


def test_a_run_is_shown_moved_and_removed(run: str) -> None:
    assert f"id: {run}\n" in done("runs", "show", run, *HERE)

    done("journeys", "pause", "welcome", *HERE)  # or the command, which is the engine meanwhile, would end its wait

    moved = json.loads(done("runs", "move", run, "label", "--json", *HERE))
    removed = json.loads(done("runs", "remove", run, "--json", *HERE))

    assert (moved["status"], moved["node"]) == ("active", "label")
    assert (removed["status"], removed["reason"]) == ("exited", "removed")
    assert call("runs", "move", run, "pause", *HERE).stderr == f"error: run {run} has ended: exited\n"
    assert call("runs", "move", "unknown", "pause", *HERE).exit_code == 1
