"""`simulate` as interfaces.md names it, from outside: files in, trail and numbers out."""

from __future__ import annotations

import gzip
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow
import pytest
from pyarrow import parquet
from tests.cli.calls import call, done

FLOWS = """
workspace: shop
timezone: Europe/Warsaw
topics: [{id: offers, name: Offers}]
---
journey: cart
triggers: [{type: event, event: Checkout Started}]
reentry: {policy: always}
enter_if: {not: {tag: blocked}}
exit_on: [{event: Bought}]
goal: {event: Bought}
start: pause
nodes:
  pause: {type: wait, for: 1h, next: mail}
  mail: {type: email, template: hello, topic: offers, next: worth}
  worth:
    type: branch
    cases: [{when: {event: Bought, within: 100d}, next: code}]
  code: {type: coupon, pool: back}
---
journey: fresh
triggers: [{type: contact, change: created}]
start: label
nodes: {label: {type: update, set: {seen: true}}}
---
journey: quiet
triggers: [{type: inactivity, event: Bought, for: 30d}]
start: label
nodes: {label: {type: tag, add: [quiet]}}
---
template: hello
subject: Hello
body: Hello
---
coupon_pool: back
codes: generated
"""
Trail = list[dict[str, Any]]  # Any: JSON, which a test knows the shape of
KEYS = {
    "entered",
    "refused",
    "active",
    "completed",
    "exited",
    "converted",
    "holdout",
    "holdout_converted",
    "nodes",
}


def line(contact: str, event: str, at: str, **more: object) -> dict[str, object]:
    """A line of the events file; ``at`` as `03-02T10:00Z` of the year 2026."""
    return {"contact": contact, "event": event, "occurred_at": f"2026-{at}", **more}


class Bench:
    """A folder with flows, files and what came of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "flows").mkdir()
        (folder / "flows" / "all.yaml").write_text(FLOWS)

    def run(
        self,
        events: Sequence[dict[str, object]],
        *options: object,
        contacts: str | None = None,
    ) -> tuple[dict[str, Any], Trail]:  # Any: as above
        (self.folder / "events.jsonl").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in events))
        files: list[object] = ["--events", "events.jsonl"]
        if contacts is not None:
            (self.folder / "contacts.csv").write_text(contacts)
            files += ["--contacts", "contacts.csv"]
        return self.over(*files, *options)

    def over(self, *options: object) -> tuple[dict[str, Any], Trail]:  # Any: as above
        said = done("simulate", "flows", *options, "--trail", "trail.jsonl", "--json")
        trail = [orjson.loads(one) for one in (self.folder / "trail.jsonl").read_bytes().splitlines()]
        summary = orjson.loads(said)
        _agree(summary, trail)
        return summary, trail


def _agree(summary: dict[str, Any], trail: Trail) -> None:  # Any: as above
    """What holds of every run: all keys are there, and the numbers are those of the trail."""
    assert [*summary] == ["events", "contacts", "journeys", "messages", "coupons"]
    for id_, numbers in summary["journeys"].items():
        own = [one for one in trail if one["journey"] == id_]
        assert {*numbers} == KEYS
        assert numbers["entered"] == sum(one["kind"] == "entered" for one in own)
        assert numbers["completed"] == sum(one["kind"] == "completed" for one in own)
        assert numbers["converted"] == sum(one["kind"] == "converted" for one in own)
        assert sum(numbers["refused"].values()) == sum(one["kind"] == "refused" for one in own)
        assert sum(numbers["exited"].values()) == sum(one["kind"] == "exited" for one in own)
        assert numbers["active"] == numbers["entered"] - numbers["completed"] - sum(numbers["exited"].values())
        assert numbers["active"] == sum(node["waiting"] for node in numbers["nodes"].values())
    for channel in summary["messages"].values():
        assert {*channel} == {"queued", "skipped"}
    outcomes = [one["detail"]["outcome"] for one in trail if one["kind"] == "message"]
    assert outcomes.count("queued") == sum(one["queued"] for one in summary["messages"].values())
    assert outcomes.count("skipped") == sum(sum(one["skipped"].values()) for one in summary["messages"].values())
    assert [one["at"] for one in trail] == sorted(one["at"] for one in trail)


@pytest.fixture
def bench(workplace: Path) -> Bench:
    return Bench(workplace)


def steps(trail: Trail, contact: str, journey: str = "cart") -> list[tuple[str, str]]:
    return [(one["at"][5:16], one["kind"]) for one in trail if (one["contact"], one["journey"]) == (contact, journey)]


def kinds(trail: Trail, contact: str, journey: str = "cart") -> list[str]:
    return [kind for _, kind in steps(trail, contact, journey)]


# --- events ----------------------------------------------------------------------------------------------------------


def test_the_order_of_the_file_does_not_matter(bench: Bench) -> None:
    lines = [
        line("ann", "Checkout Started", "03-02T10:00Z"),
        line("bob", "Checkout Started", "03-02T09:00Z"),
        line("ann", "Bought", "03-02T10:30Z"),
    ]

    one, other = bench.run(lines), bench.run(lines[::-1])

    assert one == other
    assert kinds(one[1], "ann") == ["entered", "waiting", "converted", "exited"] or kinds(one[1], "ann") == [
        "entered",
        "waiting",
        "exited",
        "converted",
    ]


def test_an_event_counts_from_when_it_was_received(bench: Bench) -> None:
    late = line("ann", "Checkout Started", "03-02T10:00Z", received_at="2026-03-02T12:00:00Z")

    _, trail = bench.run([late])

    assert steps(trail, "ann")[0] == ("03-02T12:00", "entered")


def test_of_events_at_one_instant_the_first_of_the_file_is_the_first(bench: Bench) -> None:
    start, bought = line("ann", "Checkout Started", "03-02T10:00Z"), line("ann", "Bought", "03-02T10:00Z")

    _, bought_after = bench.run([start, bought])
    _, bought_before = bench.run([bought, start])

    assert "exited" in kinds(bought_after, "ann")
    assert "exited" not in kinds(bought_before, "ann")


def test_who_buys_in_the_second_in_which_the_wait_ends_gets_no_mail(bench: Bench) -> None:
    _, trail = bench.run([line("ann", "Checkout Started", "03-02T10:00Z"), line("ann", "Bought", "03-02T11:00Z")])

    assert "message" not in kinds(trail, "ann")


def test_an_instant_without_offset_is_local(bench: Bench) -> None:
    contacts = "contact,timezone\nann,America/New_York\n"

    _, trail = bench.run(
        [line("ann", "Checkout Started", "03-02T10:00"), line("bob", "Checkout Started", "03-02T10:00")],
        contacts=contacts,
    )

    assert steps(trail, "ann")[0] == ("03-02T15:00", "entered")
    assert steps(trail, "bob")[0] == ("03-02T09:00", "entered")


def test_identify_is_an_input_and_no_event(bench: Bench) -> None:
    summary, _ = bench.run([line("ann", "$identify", "03-02T10:00Z", properties={"email": "ann@example.com"})])

    assert (summary["events"], summary["contacts"]) == (0, 1)


def test_an_event_with_an_id_that_came_before_is_ignored(bench: Bench) -> None:
    twice = [
        line("ann", "Checkout Started", "03-02T10:00Z", message_id="m1"),
        line("ann", "Checkout Started", "03-03T10:00Z", message_id="m1"),
    ]

    summary, _ = bench.run(twice)

    assert summary["journeys"]["cart"]["entered"] == 1


def test_an_empty_file_gives_zeros(bench: Bench) -> None:
    summary, trail = bench.run([])

    assert trail == []
    assert summary["journeys"]["cart"] == {
        "entered": 0,
        "refused": {},
        "active": 0,
        "completed": 0,
        "exited": {},
        "converted": 0,
        "holdout": 0,
        "holdout_converted": 0,
        "nodes": {name: {"visits": 0, "waiting": 0} for name in ("pause", "mail", "worth", "code")},
    }
    assert (summary["events"], summary["contacts"], summary["messages"], summary["coupons"]) == (0, 0, {}, {})


def test_gzip_and_parquet_give_what_json_lines_give(bench: Bench) -> None:
    lines = [
        line("ann", "Checkout Started", "03-02T10:00:00Z", properties={"value": 5}),
        line("bob", "Bought", "03-02T11:00:00Z", properties={"value": 7}),
    ]
    plain = bench.run(lines)
    (bench.folder / "events.jsonl.gz").write_bytes(gzip.compress((bench.folder / "events.jsonl").read_bytes()))
    table = pyarrow.Table.from_pylist(
        [{**one, "occurred_at": datetime.fromisoformat(str(one["occurred_at"]))} for one in lines]
    )
    parquet.write_table(table, bench.folder / "events.parquet")

    assert bench.over("--events", "events.jsonl.gz") == plain
    assert bench.over("--events", "events.parquet") == plain


# --- the clock -------------------------------------------------------------------------------------------------------


def test_what_is_before_from_is_history_and_from_itself_is_not(bench: Bench) -> None:
    lines = [
        line("ann", "Bought", "02-01T10:00Z", properties={"total": 5}),
        line("ann", "$identify", "02-01T10:00Z", properties={"email": "ann@example.com"}),
        line("bob", "Checkout Started", "03-01T23:59:59Z"),
        line("ann", "Checkout Started", "03-02T00:00:00Z"),
    ]

    summary, trail = bench.run(lines, "--from", "2026-03-02T00:00:00Z")

    assert steps(trail, "bob") == []
    assert [one["detail"]["outcome"] for one in trail if one["kind"] == "message"] == ["queued"]
    assert summary["coupons"] == {"back": 1}  # who bought in history has bought
    assert (summary["events"], summary["contacts"]) == (3, 2)


def test_a_silence_that_began_in_history_is_over_when_it_is_long_enough(bench: Bench) -> None:
    lines = [line("ann", "Bought", "02-10T10:00Z"), line("bob", "Bought", "01-10T10:00Z")]

    _, trail = bench.run(lines, "--from", "2026-03-02T00:00:00Z", "--until", "2026-04-01T00:00:00Z")

    assert steps(trail, "ann", "quiet")[0] == ("03-12T10:00", "entered")
    assert steps(trail, "bob", "quiet") == []  # was silent already on publishing


def test_until_is_included_and_wins(bench: Bench) -> None:
    lines = [line("ann", "Checkout Started", "03-02T10:00Z"), line("bob", "Checkout Started", "03-02T11:00:01Z")]

    summary, trail = bench.run(lines, "--until", "2026-03-02T11:00:00Z")

    assert kinds(trail, "ann")[-1] == "completed"
    assert kinds(trail, "bob") == []
    assert summary["events"] == 1
    summary, _ = bench.run(lines, "--until", "2026-03-02T10:59:59.999999Z")
    assert summary["journeys"]["cart"]["nodes"]["pause"] == {"visits": 1, "waiting": 1}


def test_until_and_from_without_offset_are_local_to_the_workspace(bench: Bench) -> None:
    lines = [line("ann", "Checkout Started", "03-02T09:00Z")]

    assert bench.run(lines, "--from", "2026-03-02T10:00")[0]["journeys"]["cart"]["entered"] == 1
    assert bench.run(lines, "--from", "2026-03-02T10:00:01")[0]["journeys"]["cart"]["entered"] == 0
    assert bench.run(lines, "--until", "2026-03-02T11:00")[0]["journeys"]["cart"]["completed"] == 1


def test_the_clock_ends_400_days_after_the_last_event(bench: Bench) -> None:
    (bench.folder / "flows" / "long.yaml").write_text(
        "journey: long\ntriggers: [{type: event, event: Go}]\nstart: pause\n"
        "nodes: {pause: {type: wait, for: 400d, next: more}, more: {type: wait, for: 1s}}\n"
    )

    summary, trail = bench.run([line("ann", "Go", "03-02T10:00Z")])

    assert kinds(trail, "ann", "long") == ["entered", "waiting", "resumed", "waiting"]
    assert summary["journeys"]["long"]["active"] == 1


# --- contacts --------------------------------------------------------------------------------------------------------

CELLS = """contact,email,tags,created_at,age,vip,lists,address,zip,note
ann,ann@example.com,vip; blocked ;,,41,true,"[1, ""a""]","{""city"": ""Gdansk""}",007,-
bob,,,2026-03-02T12:00:00Z,1.5,false,,,,
"""


def test_cells_are_numbers_flags_and_json_where_they_look_so(bench: Bench) -> None:
    conditions = [
        "{attribute: age, eq: 41}",
        "{attribute: vip, eq: true}",
        "{attribute: lists, contains: a}",
        "{attribute: address.city, eq: Gdansk}",
        '{attribute: zip, eq: "007"}',
        '{attribute: note, eq: "-"}',
        "{attribute: phone, exists: false}",
        "{tag: vip}",
        "{tag: blocked}",
    ]
    (bench.folder / "flows" / "cells.yaml").write_text(
        "journey: cells\ntriggers: [{type: event, event: Go}]\nstart: label\n"
        f"enter_if: {{all: [{', '.join(conditions)}]}}\nnodes: {{label: {{type: tag, add: [x]}}}}\n"
    )

    _, trail = bench.run([line("ann", "Go", "03-02T10:00Z")], contacts=CELLS)

    assert kinds(trail, "ann", "cells")[0] == "entered"


def test_tags_refuse_and_an_empty_cell_is_missing(bench: Bench) -> None:
    lines = [line("ann", "Checkout Started", "03-02T10:00Z"), line("bob", "Checkout Started", "03-02T13:00Z")]

    summary, trail = bench.run(lines, contacts=CELLS)

    assert summary["journeys"]["cart"]["refused"] == {"enter_if": 1}
    (message,) = [one for one in trail if one["kind"] == "message"]
    assert (message["contact"], message["detail"]["reason"]) == ("bob", "no_address")


def test_contacts_exist_from_the_start_or_from_created_at(bench: Bench) -> None:
    lines = [line("ann", "Seen", "03-02T10:00Z"), line("carl", "Seen", "03-02T10:00Z")]

    summary, trail = bench.run(lines, contacts=CELLS)

    assert kinds(trail, "ann", "fresh") == []
    assert steps(trail, "bob", "fresh")[0] == ("03-02T12:00", "entered")
    assert steps(trail, "carl", "fresh")[0] == ("03-02T10:00", "entered")
    assert summary["contacts"] == 3


# --- options and outputs ---------------------------------------------------------------------------------------------


def test_journeys_can_be_chosen_more_than_one(bench: Bench) -> None:
    summary, _ = bench.run([line("ann", "Seen", "03-02T10:00Z")], "--journey", "quiet", "--journey", "cart")

    assert {*summary["journeys"]} == {"quiet", "cart"}


def test_the_seed_makes_the_codes_and_nothing_else(bench: Bench) -> None:
    lines = [line("ann", "Checkout Started", "03-02T10:00Z"), line("ann", "Bought", "03-01T10:00Z")]

    def codes(trail: Trail) -> list[str]:
        return [one["detail"].pop("code") for one in trail if one["type"] == "coupon" and one["kind"] == "ran"]

    one, again, other = (bench.run(lines, "--seed", seed) for seed in (1, 1, 2))

    assert codes(one[1]) == codes(again[1]) != codes(other[1])
    assert one == other


def test_the_trail_can_go_to_standard_output_and_the_numbers_then_do_not(bench: Bench) -> None:
    _, trail = bench.run([line("ann", "Checkout Started", "03-02T10:00Z")])

    result = call("simulate", "flows", "--events", "events.jsonl", "--trail", "-", "--json")

    assert [orjson.loads(one) for one in result.stdout.splitlines()] == trail
    assert orjson.loads(result.stderr)["events"] == 1


def test_the_report_is_one_file(bench: Bench) -> None:
    bench.run([line("ann", "Checkout Started", "03-02T10:00Z")], "--report", "report.html")

    page = (bench.folder / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "events.jsonl" in page


def test_a_report_that_cannot_be_written_is_a_failure_of_the_system(bench: Bench) -> None:
    bench.run([line("ann", "Checkout Started", "03-02T10:00Z")])

    result = call("simulate", "flows", "--events", "events.jsonl", "--report", "no/such/place.html")

    assert (result.exit_code, result.stderr) == (
        3,
        "error: no/such/place.html can't be written: No such file or directory\n",
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--events", "events.jsonl"], 0),
        (["--events", "missing.jsonl"], 1),
        (["--events", "events.jsonl", "--journey", "nope"], 1),
        ([], 2),
        (["--events", "events.jsonl", "--from", "soon"], 2),
        (["--events", "events.jsonl", "--seed", "many"], 2),
        (["--events", "events.jsonl", "--no-such-option"], 2),
    ],
)
def test_exit_codes(bench: Bench, options: list[str], code: int) -> None:
    bench.run([])

    assert call("simulate", "flows", *options).exit_code == code


def test_wrong_documents_are_found_wrong(bench: Bench) -> None:
    bench.run([])
    (bench.folder / "flows" / "wrong.yaml").write_text("journey: wrong\n")

    assert call("simulate", "flows", "--events", "events.jsonl").exit_code == 1


COMMAND = [sys.executable, "-c", "from journeyflow.cli.main import app; app()", "simulate", "flows"]


def test_a_bar_is_shown_on_a_terminal_and_none_in_a_pipe(bench: Bench) -> None:
    bench.run([line(f"c{n}", "Checkout Started", "03-02T10:00Z") for n in range(2_000)])
    command = [*COMMAND, "--events", "events.jsonl", "--json"]
    environment = {**os.environ, "TERM": "xterm"}

    piped = subprocess.run(command, capture_output=True, check=True, env=environment)
    terminal, end = pty.openpty()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=end, check=True, env=environment)
    os.close(end)
    seen = os.read(terminal, 100_000)
    os.close(terminal)

    assert piped.stderr == b""
    assert b"simulating" in seen
