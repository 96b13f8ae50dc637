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


BIRTHDAY = """
journey: birthday
triggers: [{type: date, attribute: birthday, yearly: true}]
start: label
nodes: {label: {type: tag, add: [older]}}
"""
BAD = "contact,email,timezone,birthday\nann,a@example.com,Europe/Warsaw,1990-12-31\nbob,not an address,,31.12.1990\n"
BAD += "cat,,Amerika/LA,\n,,,\n"
UNUSABLE = [
    "email: 'not an address' is not a usable address: mails to it are skipped (no_address)",
    "birthday: '31.12.1990' is not a date such as 1990-12-31: journey birthday does not see it come",
]
ZONE = "timezone: 'Amerika/LA' is not a time zone such as Europe/Warsaw: local times are those of the journey or the"


def test_values_that_can_not_be_used_are_imported_and_told(applied: Path) -> None:
    (applied / "birthday.yaml").write_text(BIRTHDAY)
    done("apply", applied)
    Path("c.csv").write_text(BAD)

    result = call("contacts", "import", "c.csv")

    assert (result.exit_code, result.stdout) == (1, "3 contacts imported, 1 line rejected\n")
    first, _, *rest = result.stderr.splitlines()
    assert first == "error: what was not imported is in c.csv.rejected, with the reasons"
    assert rest[:3] == [
        "2 lines imported with a value that can't be used",
        f"c.csv:3: {'; '.join(UNUSABLE)}",
        f"c.csv:4: {ZONE} workspace",
    ]


def test_a_value_that_can_not_be_used_is_told_of_its_contact(applied: Path) -> None:
    (applied / "birthday.yaml").write_text(BIRTHDAY)
    done("apply", applied)
    Path("c.csv").write_text(BAD)
    call("contacts", "import", "c.csv")

    for command in (("contacts", "show"), ("explain",)):
        assert {*UNUSABLE} <= {*done(*command, "bob").splitlines()}
        assert f"{ZONE} workspace" in done(*command, "cat")
        assert "is not a" not in done(*command, "ann")
    assert not {UNUSABLE[1]} & {*done("explain", "bob", "--journey", "welcome").splitlines()}
    assert data("contacts", "show", "bob", "--json")["unusable"] == UNUSABLE
    assert "unusable" not in data("contacts", "show", "ann", "--json")


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


def test_the_help_of_forget_says_that_it_is_final_and_does_not_ask() -> None:
    assert "at once: it does not ask, and can't be undone" in " ".join(done("contacts", "forget", "--help").split())


def test_forgetting_has_happened_when_the_command_returns(applied: Path) -> None:
    enrolled("ann")

    assert done("contacts", "forget", "ann") == "ann is forgotten\n"

    gone = call("contacts", "show", "ann")
    assert (gone.exit_code, gone.stderr) == (1, "error: there is no contact 'ann'\n")
    again = call("contacts", "forget", "ann")
    assert (again.exit_code, again.stderr) == (1, "error: there is no contact 'ann'\n")
