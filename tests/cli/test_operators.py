"""The command line in an operator's hands: journeys that pause and migrate, and runs that are moved."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import indent

import pytest
from tests.api.shop import DATABASE, DOCUMENTS, JOURNEY, open_shop
from tests.cli.calls import call, done

HERE = ("--database-url", DATABASE)
OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


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


# --- migrating -------------------------------------------------------------------------------------------------------

RENAMED = {**JOURNEY, "start": "rest", "nodes": {"rest": {"type": "wait", "for": "5d"}}}
SOMEWHERE = ("--map", "mail=exit", "--map", "label=exit")


@pytest.fixture
def renamed(run: str) -> str:
    """The same where Ann's journey has been paused, and published anew with another node in place of all."""
    done("journeys", "pause", "welcome", *HERE)
    Path("welcome.json").write_text(json.dumps({**RENAMED, "status": "live"}))
    done("apply", "welcome.json", *HERE)
    return run


def test_rule_8_4_a_dry_run_shows_who_would_go_where(renamed: str) -> None:
    told = done("journeys", "migrate", "welcome", *SOMEWHERE, "--map", "pause = rest", "--dry-run", *HERE)
    lacking = call("journeys", "migrate", "welcome", "--dry-run", *HERE).stderr

    assert told.splitlines() == [
        "VERSION  NODE   TO    RUNS",
        "      1  pause  rest     1",
        "",
        "1 run of welcome would go to version 2",
    ]
    page = OPERATING.read_text()
    assert indent(told, "    ") in page
    assert indent(lacking, "    ") in page
    assert json.loads(done("runs", "show", renamed, "--json", *HERE))["version"] == 1


def test_rule_8_4_runs_go_to_the_newest_version(renamed: str, workplace: Path) -> None:
    given = ("journeys", "migrate", "welcome", *SOMEWHERE)

    asked = json.loads(done(*given, "--map", "pause=exit", "--dry-run", "--json", *HERE))
    leaving = done(*given, "--map", "pause=exit", "--dry-run", *HERE)
    told = done(*given, "--map", "pause=rest", *HERE)

    assert asked["nodes"] == [{"version": 1, "node": "pause", "to": "exit", "runs": 1}]
    assert leaving.splitlines()[-1] == "1 run of welcome would go to version 2; 1 of them out of the journey"
    assert told.splitlines()[-1] == "1 run of welcome goes to version 2"
    shop = open_shop(workplace)  # somebody serves again
    shop.ingest.start()
    shop.settle()
    shop.ingest.stop()
    shop.installation.engine.dispose()
    assert json.loads(done("runs", "show", renamed, "--json", *HERE))["version"] == 2
    assert done(*given, *HERE) == "all runs of welcome are on version 2: there is nothing to do\n"


def test_rule_8_4_all_that_the_map_lacks_is_told(renamed: str) -> None:
    refused = call("journeys", "migrate", "welcome", "--map", "mail=exit", *HERE)

    assert refused.exit_code == 1
    assert refused.stderr.splitlines() == [
        "error: 2 entries of the map are wrong or missing",
        "map.pause: version 2 has no such node; say where it goes, or exit (1 run stands there now)",
        "map.label: version 2 has no such node; say where it goes, or exit (0 runs stand there now)",
    ]
    alone = call("journeys", "migrate", "welcome", *SOMEWHERE, *HERE)
    assert alone.stderr == (
        "error: map.pause: version 2 has no such node; say where it goes, or exit (1 run stands there now)\n"
    )


@pytest.mark.parametrize("given", [("pause",), ("pause=",), ("=rest",), ("pause=rest", "pause=exit")])
def test_a_map_that_is_none_is_wrong_usage(run: str, given: tuple[str, ...]) -> None:
    maps = [part for one in given for part in ("--map", one)]

    assert call("journeys", "migrate", "welcome", *maps, *HERE).exit_code == 2
