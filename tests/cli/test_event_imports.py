"""``events import``: history that counts and moves nobody."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow
import pytest
from pyarrow import parquet
from tests.cli.calls import call, data, done, serving

BUYERS: Final = """
segment: buyers
name: Buyers
when: {event: Order Completed, count: {gte: 2}}
"""
SIGNED: Final[dict[str, Any]] = {"contact": "ann", "event": "Signed Up", "occurred_at": "2025-03-01T10:00:00Z"}
BOUGHT: Final[dict[str, Any]] = {
    "contact": "ann",
    "event": "Order Completed",
    "occurred_at": "2025-03-02T10:00:00Z",
    "properties": {"total": 41.5, "items": ["tea"]},
    "message_id": "order-1",
}
AGAIN: Final[dict[str, Any]] = {**BOUGHT, "occurred_at": "2025-04-02T10:00:00Z", "message_id": "order-2"}
EVENTS: Final[list[dict[str, Any]]] = [BOUGHT, SIGNED, AGAIN]


@pytest.fixture
def applied(flows: Path) -> Path:
    (flows / "buyers.yaml").write_text(BUYERS)
    done("apply", flows)
    return flows


def written(name: str, *events: dict[str, Any]) -> str:
    """A file of events in the form that its name says."""
    if name.endswith(".parquet"):
        parquet.write_table(pyarrow.Table.from_pylist([*events]), name)
    elif name.endswith(".csv"):
        with Path(name).open("w", newline="") as file:
            rows = csv.DictWriter(file, ["contact", "event", "occurred_at", "properties", "message_id"])
            rows.writeheader()
            texts = [orjson.dumps(one["properties"]).decode() if "properties" in one else "" for one in events]
            rows.writerows([one | {"properties": text} for one, text in zip(events, texts, strict=True)])
    else:
        Path(name).write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in events))
    return name


def members() -> list[str]:
    return done("segments", "contacts", "buyers").split()


@pytest.mark.parametrize("name", ["e.jsonl", "e.csv", "e.parquet"])
def test_rule_1_11_imported_events_count_and_let_nobody_in(applied: Path, name: str) -> None:
    assert done("events", "import", written(name, *EVENTS)) == "3 events imported\n"

    assert data("journeys", "stats", "welcome", "--json")["entered"] == 0
    assert members() == ["ann"]
    ann = data("contacts", "show", "ann", "--json")
    assert (ann["created_at"], ann["runs"]) == ("2025-03-01T10:00:00.000000Z", [])
    told = done("contacts", "show", "ann")
    assert 'event Order Completed {"total":41.5,"items":["tea"]}' in told


def test_importing_again_imports_nothing_twice(applied: Path) -> None:
    done("events", "import", written("e.jsonl", *EVENTS))

    assert done("events", "import", "e.jsonl") == "0 events imported, 3 there before\n"

    longer = written("longer.csv", SIGNED, AGAIN, SIGNED | {"occurred_at": "2025-05-01T00:00:00Z"})
    assert done("events", "import", longer) == "1 event imported, 2 there before\n"


def test_lines_that_say_the_same_are_events_of_their_own_and_taken_once_each(applied: Path) -> None:
    plain = {name: value for name, value in BOUGHT.items() if name != "message_id"}
    assert done("events", "import", written("e.jsonl", plain, plain)) == "2 events imported\n"
    assert members() == ["ann"]

    assert done("events", "import", "e.jsonl") == "0 events imported, 2 there before\n"


def test_an_event_that_came_live_is_not_imported_too(applied: Path) -> None:
    with serving("--flows", applied, "--database-url", "other.db") as server:
        write_key, to = server.told("write key: "), ("--server", server.address, "--key", server.told("admin key: "))
        server.send("/v1/track", write_key, userId="ann", event="Order Completed", messageId="order-1")
        done("contacts", "export", "all.jsonl", *to)
        assert done("events", "import", written("e.jsonl", *EVENTS), *to) == "2 events imported, 1 there before\n"
        assert server.stop() == 0


WRONG: Final = b"""{"contact": "ann", "event": "Tag Added", "occurred_at": "2025-03-01T10:00:00Z"}
nope
{"contact": "ann", "event": "Came", "occurred_at": "2999-03-01T10:00:00Z"}
{"contact": "ann", "event": "Came", "occurred_at": "2025-03-01T10:00:00Z"}
{"contact": "ann", "event": "Unsubscribed", "occurred_at": "2025-03-01T10:00:00Z", "properties": {"topic": 1}}
{"contact": "", "event": "Came", "occurred_at": "soon"}
"""


def test_lines_that_can_not_be_taken_are_written_beside_the_file(applied: Path) -> None:
    Path("e.jsonl").write_bytes(WRONG)

    result = call("events", "import", "e.jsonl")

    assert (result.exit_code, result.stdout) == (1, "1 event imported, 5 lines rejected\n")
    reasons = [line.removeprefix("e.jsonl:").partition(", found")[0] for line in result.stderr.splitlines()[1:]]
    assert reasons == [
        "1: event: expected another name: Tag Added is what journeyflow itself tells",
        "2: expected a JSON object: invalid literal, expected 'null': line 1 column 1 (char 0)",
        "3: occurred_at: expected an instant that is not in the future",
        "5: properties.topic: expected the id of a topic, or none for everything",
        "6: contact: expected text of 1 to 255 characters",
    ]
    rejected = [orjson.loads(line) for line in Path("e.jsonl.rejected").read_bytes().splitlines()]
    assert [one["line"] for one in rejected] == [1, 2, 3, 5, 6]
    assert rejected[1]["text"] == "nope"


def test_a_file_that_is_no_text_is_not_imported_at_all(applied: Path) -> None:
    Path("e.xlsx").write_bytes(b"PK\x03\x04\n\xff\n\xff\n")

    result = call("events", "import", "e.xlsx")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        'error: e.xlsx:1: line: expected text in UTF-8, found "PK\\u0003\\u0004"; save the file as UTF-8 (spreadsheets '
        "call it CSV UTF-8); nothing was imported\n"
    )
    assert not Path("e.xlsx.rejected").exists()


def test_a_csv_that_lacks_a_column_is_not_imported_at_all(applied: Path) -> None:
    Path("e.csv").write_text("contact,event\nann,Came\n")

    result = call("events", "import", "e.csv")

    assert result.exit_code == 1
    assert result.stderr == (
        'error: e.csv:1: header: expected a column occurred_at, found "contact,event"; nothing was imported\n'
    )


def test_what_is_not_read_is_told_with_its_first_place(applied: Path) -> None:
    result = call("events", "import", written("e.jsonl", SIGNED, {**BOUGHT, "propertys": {}}))

    assert (result.exit_code, result.stdout) == (0, "2 events imported\n")
    assert result.stderr == "e.jsonl:2: propertys is not read; did you mean properties?\n"


def test_attributes_and_merges_are_history_too_in_the_order_in_which_they_came(applied: Path) -> None:
    first: dict[str, Any] = {
        "contact": "v-1",
        "event": "$identify",
        "occurred_at": "2025-01-01T00:00:00Z",
        "properties": {"plan": "a"},
    }
    later = first | {"occurred_at": "2025-01-02T00:00:00Z", "properties": {"plan": "b"}}
    merge = first | {"event": "$merge", "occurred_at": "2025-01-03T00:00:00Z", "properties": {"into": "ann"}}

    done("events", "import", written("e.jsonl", merge, later, first, SIGNED))

    ann = data("contacts", "show", "ann", "--json")
    assert ann["attributes"] == {"plan": "b"}
    assert data("contacts", "show", "v-1", "--json")["contact"] == "ann"
    assert done("events", "import", "e.jsonl") == "0 events imported, 4 there before\n"


def test_who_is_told_of_is_a_customer_since_then_and_who_is_merged_was_a_visitor(applied: Path) -> None:
    at: dict[str, Any] = {"occurred_at": "2020-01-01T00:00:00Z"}
    signed_up = at | {"contact": "cid", "event": "$identify", "properties": {"plan": "a"}}
    looked = at | {"contact": "v-2", "event": "Looked"}
    merge = at | {"contact": "v-2", "event": "$merge", "properties": {"into": "cid"}}

    done("events", "import", written("e.jsonl", signed_up, looked, merge))

    (cid,) = [orjson.loads(line) for line in done("contacts", "export").splitlines()]
    assert (cid["contact"], cid["created_at"]) == ("cid", "2020-01-01T00:00:00.000000Z")
    assert "anonymous" not in cid
    assert data("contacts", "show", "v-2", "--json")["contact"] == "cid"


def test_a_simulation_reads_the_same_csv(applied: Path) -> None:
    found = data("simulate", applied, "--events", written("e.csv", *EVENTS), "--json")

    assert (found["events"], found["journeys"]["welcome"]["entered"]) == (3, 1)
