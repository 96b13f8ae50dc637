"""``contacts`` and ``explain``."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.calls import call, data, done, enrolled


@pytest.fixture
def applied(flows: Path) -> Path:
    done("apply", flows)
    return flows


def test_an_import_makes_contacts_and_moves_nothing(applied: Path) -> None:
    Path("c.csv").write_text("contact,email,vip,tags\nann,ann@example.com,true,tea; vip\nbob,bob@example.com,,\n")

    assert done("contacts", "import", "c.csv") == "2 contacts imported\n"

    ann = data("contacts", "show", "ann", "--json")
    assert (ann["email"], ann["attributes"]["vip"], ann["tags"]) == ("ann@example.com", True, ["tea", "vip"])
    assert data("journeys", "stats", "welcome", "--json")["entered"] == 0
    assert data("explain", "ann", "--json") == []


def test_an_import_is_merged_into_who_is_there(applied: Path) -> None:
    Path("first.csv").write_text("contact,name,plan,tags\nann,Ann,gold,a\n")
    Path("second.jsonl").write_text('{"contact": "ann", "plan": "silver", "name": null, "tags": ["b"]}\n')

    done("contacts", "import", "first.csv")
    done("contacts", "import", "second.jsonl")

    ann = data("contacts", "show", "ann", "--json")
    assert (ann["attributes"], ann["tags"]) == ({"plan": "silver"}, ["a", "b"])


def test_lines_that_cannot_be_taken_are_written_beside_the_file(applied: Path) -> None:
    Path("c.csv").write_text("contact,created_at\nann,2025-01-01\n,\nbob,soon\nann,2025-01-01\n")

    result = call("contacts", "import", "c.csv")

    assert (result.exit_code, result.stdout) == (1, "1 contact imported, 3 lines rejected\n")
    assert result.stderr.splitlines()[1:] == [
        "c.csv:3: contact: expected text of 1 to 255 characters, found nothing",
        'c.csv:4: created_at: expected an instant in ISO 8601 such as 2026-03-02T10:00:00Z, found "soon"',
        'c.csv:5: contact: expected each contact once, found "ann"',
    ]
    assert [line.split(",")[0] for line in Path("c.csv.rejected").read_text().splitlines()] == ["line", "3", "4", "5"]
    assert data("contacts", "show", "ann", "--json")["created_at"] == "2024-12-31T23:00:00.000000Z"


def test_a_file_that_is_not_there_is_an_error_and_makes_no_database(workplace: Path) -> None:
    result = call("contacts", "import", "c.csv")

    assert result.exit_code == 1
    assert "c.csv: can't be read" in result.stderr
    assert list(workplace.iterdir()) == []


def test_a_contact_is_shown_with_what_happened_last(applied: Path) -> None:
    enrolled("ann")

    told = done("contacts", "show", "ann")

    assert "contact: ann" in told
    assert "welcome pause: waiting" in told
    assert "message hello to nobody: skipped (no_address)" in told


@pytest.mark.parametrize("key", ["a/b", "a b?c#d", "Łódź", "%41", "../x"])
def test_a_key_may_be_any_text(applied: Path, key: str) -> None:
    enrolled(key)

    assert data("contacts", "show", key, "--json")["contact"] == key
    assert done("explain", key).startswith(key)


@pytest.mark.parametrize("key", [".", ".."])
def test_a_key_that_no_url_can_hold_is_an_error(applied: Path, key: str) -> None:
    assert call("contacts", "show", key).exit_code == 1


def test_explain_tells_the_story_and_with_json_the_trail(applied: Path) -> None:
    enrolled("ann")

    told = done("explain", "ann", "--journey", "welcome")
    records = data("explain", "ann", "--json")

    assert "nodes.worth.cases[0].when: attribute vip = missing (wanted: eq true): did not hold" in told
    assert [record["kind"] for record in records] == ["entered", "message", "ran", "waiting"]
    assert "\x1b[" not in told
    assert "│" not in told


def test_who_is_not_there_is_an_error_with_a_hint(applied: Path) -> None:
    enrolled("ann")

    result = call("explain", "Ann")

    assert (result.exit_code, result.stderr) == (1, "error: there is no contact 'Ann'; there is ann\n")


def test_without_a_database_the_error_says_where_one_comes_from() -> None:
    result = call("explain", "ann")

    assert result.exit_code == 3
    assert result.stderr.startswith("error: there is no database journeyflow.db; ")


def test_forgetting_has_happened_when_the_command_returns(applied: Path) -> None:
    enrolled("ann")

    assert done("contacts", "forget", "ann") == "ann is forgotten\n"

    gone = call("contacts", "show", "ann")
    assert (gone.exit_code, gone.stderr) == (1, "error: there is no contact 'ann'\n")
    again = call("contacts", "forget", "ann")
    assert (again.exit_code, again.stderr) == (1, "error: there is no contact 'ann'\n")
