"""``contacts export``: what it writes is what an import reads."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from tests.cli.calls import call, data, done, serving, write_flows

PEOPLE: Final = [
    {
        "contact": "ann",
        "created_at": "2025-01-02T03:04:05.678901Z",
        "attributes": {
            "email": "Ann@Example.com",
            "phone": "+48600100200",
            "zip": "01234",
            "age": 40,
            "vip": True,
            "prefs": {"colours": ["red"]},
            "city": "Łódź\n2",
        },
        "tags": ["tea", "gold"],
        "topics": {"offers": False},
        "unsubscribed": ["email"],
        "suppressed": ["sms"],
    },
    {"contact": "bob", "created_at": "2025-06-01T00:00:00.000000Z", "attributes": {"note": " as is"}, "tags": []},
    {"contact": "v-1", "created_at": "2025-06-01T00:00:00.000000Z", "attributes": {}, "tags": [], "anonymous": True},
]


@pytest.fixture
def people(flows: Path) -> Path:
    """An installation with all that an export knows."""
    done("apply", flows)
    written("people.jsonl", *PEOPLE)
    assert done("contacts", "import", "people.jsonl") == "3 contacts imported\n"
    return flows


def written(name: str, *lines: object) -> None:
    Path(name).write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


def exported(*arguments: object) -> list[Any]:  # Any: JSON
    """What an installation holds, by key."""
    lines = done("contacts", "export", *arguments).splitlines()
    return sorted(map(orjson.loads, lines), key=lambda one: str(one["contact"]))


def test_what_was_imported_is_exported(people: Path) -> None:
    assert exported() == PEOPLE


@pytest.mark.parametrize("name", ["all.jsonl", "all.csv", "all.parquet", "all.jsonl.gz", "all.csv.gz"])
def test_an_export_makes_the_same_contacts_in_an_empty_installation(people: Path, name: str) -> None:
    assert done("contacts", "export", name) == f"3 contacts exported to {name}\n"

    done("apply", people, "--database-url", "other.db")
    done("contacts", "import", name, "--database-url", "other.db")

    assert exported("--database-url", "other.db") == PEOPLE
    assert data("contacts", "show", "ann", "--json", "--database-url", "other.db")["topics"] == {"offers": False}
    assert [one.name for one in Path().iterdir() if "partial" in one.name] == []


def test_an_export_comes_in_the_same_order_each_time(people: Path) -> None:
    written("more.jsonl", *({"contact": f"c{n}"} for n in range(2_500)))
    done("contacts", "import", "more.jsonl")

    first = done("contacts", "export")

    assert first == done("contacts", "export")
    assert len({orjson.loads(line)["contact"] for line in first.splitlines()}) == len(first.splitlines()) == 2_503
    done("contacts", "export", "a.csv.gz")
    done("contacts", "export", "b.csv.gz")
    assert Path("a.csv.gz").read_bytes() == Path("b.csv.gz").read_bytes()


def test_a_server_exports_and_imports_the_same(people: Path, tmp_path: Path) -> None:
    done("contacts", "export", "all.jsonl")
    (tmp_path / "there").mkdir()
    there = write_flows(tmp_path / "there" / "flows")

    with serving("--flows", there, "--database-url", "there.db") as server:
        to = ("--server", server.address, "--key", server.told("admin key: "))
        done("contacts", "import", "all.jsonl", *to)
        assert exported("-", *to) == PEOPLE
        assert server.stop() == 0


def test_a_visitor_that_was_exported_is_merged_and_who_was_forgotten_is_gone(people: Path) -> None:
    done("contacts", "export", "all.jsonl")
    with serving("--flows", people, "--database-url", "other.db") as server:
        to = ("--server", server.address, "--key", server.told("admin key: "))
        done("contacts", "import", "all.jsonl", *to)
        server.send("/v1/identify", server.told("write key: "), userId="bob", anonymousId="v-1", traits={"plan": "x"})
        done("contacts", "forget", "ann", *to)
        (bob,) = exported("-", *to)
        assert server.stop() == 0

    assert (bob["contact"], bob["attributes"]) == ("bob", {"note": " as is", "plan": "x"})


def test_a_no_is_not_undone_by_an_older_export(people: Path) -> None:
    yes = {"contact": "ann", "attributes": {}, "topics": {"offers": True}}
    written("old.jsonl", yes, {"contact": "bob", "attributes": {}, "topics": {"offers": True}})

    done("contacts", "import", "old.jsonl")

    assert [one.get("topics") for one in exported()] == [{"offers": False}, {"offers": True}, None]
    assert exported()[0]["unsubscribed"] == ["email"]


ODD: Final = {
    "contact": "cat",
    "attributes": {"zip": "12345", "note": "", "tags": 1, "$topics": "x", "fine": "007", " at": "x"},
    "tags": ["a;b"],
}


def test_what_a_csv_can_not_keep_is_told(people: Path) -> None:
    written("odd.jsonl", ODD)
    done("contacts", "import", "odd.jsonl")

    result = call("contacts", "export", "all.csv")

    assert result.exit_code == 0
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [" at", "$topics", "note", "tags", "zip"]
    assert result.stderr.splitlines()[4] == (
        "zip: of 1 contact (such as cat) an import of this CSV would read something else, or nothing; JSON Lines and "
        "Parquet keep it"
    )
    assert call("contacts", "export", "all.parquet").stderr == ""
    done("apply", people, "--database-url", "other.db")
    done("contacts", "import", "all.parquet", "--database-url", "other.db")
    assert exported("--database-url", "other.db") == exported()


def test_a_name_that_says_no_form_is_an_error_and_leaves_nothing(people: Path) -> None:
    result = call("contacts", "export", "all.txt")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: all.txt: expected a name that ends in .jsonl, .csv")
    assert list(Path().glob("all*")) == []


def test_a_file_is_whole_or_not_there(people: Path) -> None:
    Path("all.jsonl.gz").write_bytes(gzip.compress(b"before"))

    result = call("contacts", "export", "nowhere/all.jsonl")

    assert result.exit_code == 3
    assert result.stderr == "error: nowhere/all.jsonl can't be written: No such file or directory\n"
    assert done("contacts", "export", "all.jsonl.gz")
    assert len(gzip.decompress(Path("all.jsonl.gz").read_bytes()).splitlines()) == 3
