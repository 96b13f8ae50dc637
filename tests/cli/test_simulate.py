"""``simulate``: numbers for people, the same as JSON for programs, the trail for whoever wants to know."""

from __future__ import annotations

import gzip
from pathlib import Path

import orjson
import pytest
from tests.cli.calls import call, data, done


@pytest.fixture
def events(workplace: Path) -> Path:
    lines = [
        {"contact": "ann", "event": "Signed Up", "occurred_at": "2026-03-02T10:00:00Z", "properties": {"plan": "gold"}},
        {"contact": "bob", "event": "Signed Up", "occurred_at": "2026-03-02T11:00:00Z", "properties": {}},
        {"contact": "bob", "event": "Signed Up", "occurred_at": "2026-03-02T12:00:00Z", "properties": {}},
    ]
    path = workplace / "events.jsonl"
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return path


@pytest.fixture
def contacts(workplace: Path) -> Path:
    path = workplace / "contacts.csv"
    path.write_text("contact,email,vip\nann,ann@example.com,true\n")
    return path


def test_journeys_that_nobody_entered_are_one_line(flows: Path, events: Path) -> None:
    for name in ("idle", "quiet"):
        text = f"journey: {name}\ntriggers: [{{type: manual}}]\nstart: a\nnodes: {{a: {{type: end}}}}\n"
        (flows / f"{name}.yaml").write_text(text)

    lines = done("simulate", flows, "--events", events).splitlines()

    assert [line for line in lines if "idle" in line or "quiet" in line] == ["nobody entered: idle, quiet"]
    assert any(line.startswith("welcome  ") for line in lines)
    found = data("simulate", flows, "--events", events, "--json")
    assert found["journeys"]["idle"]["nodes"] == {"a": {"visits": 0, "waiting": 0}}


def test_without_events_no_time_passes_and_what_starts_the_clock_is_told(flows: Path, workplace: Path) -> None:
    (workplace / "empty.jsonl").write_text("")
    (workplace / "contacts.csv").write_text("contact,born\nann,1970-06-01\n")
    birthday = (
        "journey: birthday\ntriggers: [{type: date, attribute: born, yearly: true}]\n"
        "start: a\nnodes: {a: {type: end}}\n"
    )
    (flows / "birthday.yaml").write_text(birthday)
    command = ("simulate", flows, "--events", "empty.jsonl", "--contacts", "contacts.csv")

    result = call(*command)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "0 events, 1 contact, no time passed"
    assert "--from gives another start" in result.stderr
    assert data(*command, "--json")["journeys"]["birthday"]["entered"] == 0

    begun = call(*command, "--from", "2026-03-02T12:00:00Z")
    assert begun.stdout.splitlines()[0].startswith("0 events, 1 contact, 2026-03-02 to ")
    assert begun.stderr == ""


def test_members_of_events_that_nobody_reads_are_told_once(flows: Path, workplace: Path) -> None:
    line = '{"contact":"ann","event":"Signed Up","occurred_at":"2026-03-02T10:00:00Z","properites":{},"source":"x"}\n'
    (workplace / "events.jsonl").write_text(line * 2)

    result = call("simulate", flows, "--events", "events.jsonl")

    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "events.jsonl:1: properites is not read; did you mean properties?",
        "events.jsonl:1: source is not read; "
        "an event has contact, event, message_id, occurred_at, properties, received_at",
    ]


def test_of_very_many_members_that_nobody_reads_it_is_said_that_there_are_more(flows: Path, workplace: Path) -> None:
    more = {f"zzz-{number:02}": 1 for number in range(12)}
    line = {"contact": "ann", "event": "Signed Up", "occurred_at": "2026-03-02T10:00:00Z", **more}
    (workplace / "events.jsonl").write_bytes(orjson.dumps(line))

    told = call("simulate", flows, "--events", "events.jsonl").stderr.splitlines()

    assert told[-2].startswith("events.jsonl:1: zzz-09 is not read")
    assert told[-1] == "members of other names are not read either"


def test_who_was_refused_is_told_though_nobody_entered(flows: Path, events: Path) -> None:
    only = (flows / "welcome.yaml").read_text() + "enter_if: {tag: nobody}\n"
    (flows / "welcome.yaml").write_text(only)

    told = done("simulate", flows, "--events", events)

    assert "welcome (refused: enter_if 3)" in told
    assert "nobody entered" not in told


def test_as_json_it_is_the_object_that_the_design_names(flows: Path, events: Path, contacts: Path) -> None:
    found = data("simulate", flows, "--events", events, "--contacts", contacts, "--json")

    assert found == {
        "events": 3,
        "contacts": 2,
        "journeys": {
            "welcome": {
                "entered": 2,
                "refused": {"duplicate": 1},
                "active": 0,
                "completed": 2,
                "exited": {},
                "converted": 0,
                "holdout": 0,
                "holdout_converted": 0,
                "nodes": {
                    "mail": {"visits": 2, "waiting": 0},
                    "worth": {"visits": 2, "waiting": 0},
                    "label": {"visits": 1, "waiting": 0},
                    "pause": {"visits": 2, "waiting": 0},
                },
            }
        },
        "messages": {"email": {"queued": 1, "skipped": {"no_address": 1}}},
        "coupons": {},
    }


def test_as_text_it_can_be_read_and_searched(flows: Path, events: Path, contacts: Path) -> None:
    told = done("simulate", flows, "--events", events, "--contacts", contacts)

    lines = [line.split() for line in told.splitlines()]
    assert ["welcome", "2", "1", "0", "2", "0", "0"] in lines
    assert ["label", "1", "0"] in lines
    assert ["email", "skipped:", "no_address", "1"] in lines
    assert "most messages to one contact: 1 to ann" in told
    assert not {"\x1b", "│", "─", "━"} & set(told)


def test_the_trail_is_written_and_the_same_again(flows: Path, events: Path) -> None:
    done("simulate", flows, "--events", events, "--trail", "one.jsonl", "--seed", 7)
    done("simulate", flows, "--events", events, "--trail", "two.jsonl", "--seed", 7)

    records = [orjson.loads(line) for line in Path("one.jsonl").read_bytes().splitlines()]
    assert records[0]["kind"] == "entered"
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()


def test_events_may_be_packed(flows: Path, events: Path) -> None:
    packed = events.with_name("events.jsonl.gz")
    packed.write_bytes(gzip.compress(events.read_bytes()))

    assert data("simulate", flows, "--events", packed, "--json")["events"] == 3


def test_the_clock_can_be_told_where_to_start_and_to_end(flows: Path, events: Path) -> None:
    times = ("--from", "2026-03-02T10:30:00Z", "--until", "2026-03-02T11:00:00Z")

    found = data("simulate", flows, "--events", events, *times, "--json")["journeys"]["welcome"]

    assert (found["entered"], found["active"]) == (1, 1)


def test_one_journey_can_be_chosen(flows: Path, events: Path) -> None:
    assert data("simulate", flows, "--events", events, "--journey", "welcome", "--json")["events"] == 3

    result = call("simulate", flows, "--events", events, "--journey", "basket")
    assert (result.exit_code, result.stderr) == (1, "error: no journey basket; the folder has welcome\n")


def test_every_bad_line_is_told(flows: Path, workplace: Path) -> None:
    (workplace / "bad.jsonl").write_text('{"contact": "ann"}\nnope\n')

    result = call("simulate", flows, "--events", "bad.jsonl")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "error: 2 lines can't be taken"
    assert "bad.jsonl:1: event: expected text" in result.stderr
    assert "bad.jsonl:2: expected a JSON object" in result.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["--events", "e.jsonl", "--from", "yesterday"], ["--events", "e.jsonl", "--seed", "x"]]
)
def test_wrong_usage_is_exit_code_2(flows: Path, arguments: list[str]) -> None:
    assert call("simulate", flows, *arguments).exit_code == 2


def test_a_trail_that_cannot_be_written_is_a_failure_of_the_system(flows: Path, events: Path) -> None:
    result = call("simulate", flows, "--events", events, "--trail", "no/such/place.jsonl")

    assert result.exit_code == 3
    assert "no/such/place.jsonl can't be written" in result.stderr


def test_all_files_of_events_are_read(flows: Path, workplace: Path) -> None:
    for name, contact in (("a.jsonl", "ann"), ("b.jsonl", "bob")):
        line = f'{{"contact":"{contact}","event":"Signed Up","occurred_at":"2026-03-02T10:00:00Z"}}\n'
        (workplace / name).write_text(line)

    result = call("simulate", flows, "--events", "a.jsonl", "--events", "b.jsonl", "--report", "report.html")

    assert result.stdout.startswith("2 events, 2 contacts, ")
    assert "a.jsonl, b.jsonl" in (workplace / "report.html").read_text()


def test_all_files_of_contacts_are_read(flows: Path, workplace: Path) -> None:
    for name, contact in (("a.csv", "ann"), ("b.csv", "bob")):
        (workplace / name).write_text(f"contact,name\n{contact},X\n")
    both = ("--contacts", "a.csv", "--contacts", "b.csv", "--from", "2026-03-02")

    result = call("simulate", flows, *both, "--report", "report.html")

    assert result.stdout.startswith("0 events, 2 contacts, ")
    assert "a.csv, b.csv" in (workplace / "report.html").read_text()


def test_a_contact_stands_in_one_of_the_files(flows: Path, workplace: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (workplace / name).write_text("contact\nann\n")

    result = call("simulate", flows, "--contacts", "a.csv", "--contacts", "b.csv")

    assert result.exit_code == 1
    assert 'b.csv:2: contact: expected each contact once, found "ann"' in result.stderr
