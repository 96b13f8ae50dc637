"""What `simulate` reads: lines of events, rows of contacts, and what it says of those that it can't take."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.simulate_scenario import at, event, write_contacts, write_events

from journeyflow.core.errors import InvalidInput
from journeyflow.core.inputs import Appear, Event, Identify
from journeyflow.services.simulate_errors import TOLD_MAX
from journeyflow.services.simulate_input import Timeline, read_timeline

LINE = b'{"contact":"ann","event":"Came","occurred_at":"2026-03-02T10:00:00Z"}\n'


def read(events: Path | None, contacts: Path | None = None, start: datetime | None = None) -> Timeline:
    of_events, of_contacts = ([] if path is None else [path] for path in (events, contacts))
    return read_timeline(of_events, of_contacts, start, "Europe/Warsaw")


def read_bytes(folder: Path, content: bytes, name: str = "events.jsonl") -> Timeline:
    path = folder / name
    path.write_bytes(content)
    return read(path)


def complaint(folder: Path, content: bytes) -> list[str]:
    """What is said of a file, line by line, without the folder's name."""
    with pytest.raises(InvalidInput) as caught:
        read_bytes(folder, content)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def attributes(folder: Path, cell: str) -> object:
    """What a cell of a contacts file becomes."""
    contacts = write_contacts(folder, f"contact,value\nann,{cell}\n")
    [(_, _, appear)] = read(None, contacts).arrivals
    assert isinstance(appear, Appear)
    return appear.attributes.get("value", "missing")


# --- events ----------------------------------------------------------------------------------------------------------


def test_an_event_has_its_fields(tmp_path: Path) -> None:
    line = event(
        "ann",
        "Bought",
        "03-02 10:00",
        properties={"total": 5},
        message_id="m1",
        received_at="2026-03-02T11:00:00+01:00",
        context={"ignored": True},
    )

    [arrival] = read(write_events(tmp_path, [line])).arrivals

    bought = Event(at("03-02 10:00"), "Bought", at("03-02 10:00"), {"total": 5}, "m1")
    assert arrival == (at("03-02 10:00"), "ann", bought)


def test_what_may_be_missing_may_be_null(tmp_path: Path) -> None:
    line = event("ann", "Came", "03-02 10:00", properties=None, message_id=None, received_at=None)

    [(_, _, item)] = read(write_events(tmp_path, [line])).arrivals

    assert item == Event(at("03-02 10:00"), "Came", at("03-02 10:00"), {}, None)


def test_identify_sets_attributes(tmp_path: Path) -> None:
    line = event("ann", "$identify", "03-02 10:00", properties={"city": "Oslo"})

    [(_, _, item)] = read(write_events(tmp_path, [line])).arrivals

    assert item == Identify(at("03-02 10:00"), {"city": "Oslo"})


def test_a_file_packed_with_gzip_reads_the_same_whatever_its_name(tmp_path: Path) -> None:
    plain = read_bytes(tmp_path, LINE * 3)

    assert read_bytes(tmp_path, gzip.compress(LINE * 3, mtime=0), "events.jsonl.gz") == plain
    assert read_bytes(tmp_path, gzip.compress(LINE * 3, mtime=0), "events.log") == plain
    assert read_bytes(tmp_path, LINE * 3, "plain.gz") == plain


def test_blank_lines_a_byte_order_mark_and_a_missing_last_line_end_do_not_matter(tmp_path: Path) -> None:
    timeline = read_bytes(tmp_path, b"\xef\xbb\xbf" + LINE + b"\n  \r\n" + LINE.strip())

    assert len(timeline.arrivals) == 2


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)], ids=["nothing", "blank", "mark", "gzip"]
)
def test_an_empty_file_has_no_events(tmp_path: Path, content: bytes) -> None:
    assert read_bytes(tmp_path, content).arrivals == []


def test_several_files_of_events_are_one_history_in_the_given_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_bytes(LINE)
    second.write_bytes(LINE.replace(b"Came", b"Went") + LINE.replace(b"T10", b"T09").replace(b"Came", b"Woke"))

    def names(*paths: Path) -> list[str]:
        items = (item for _, _, item in read_timeline(paths, [], None, "UTC").arrivals)
        return [item.name for item in items if isinstance(item, Event)]

    assert names(first, second) == ["Woke", "Came", "Went"]
    assert names(second, first) == ["Woke", "Went", "Came"]


def test_an_instant_without_offset_is_local_to_the_contact_else_to_the_workspace(tmp_path: Path) -> None:
    lines = [{"contact": key, "event": "Came", "occurred_at": "2026-03-02T10:00:00"} for key in ("ann", "bob", "cid")]
    contacts = write_contacts(tmp_path, "contact,timezone\nann,America/New_York\nbob,Nowhere/Town\n")

    timeline = read(write_events(tmp_path, lines), contacts)

    events = {key: item.at for _, key, item in timeline.arrivals if isinstance(item, Event)}
    assert events == {"ann": at("03-02 15:00"), "bob": at("03-02 09:00"), "cid": at("03-02 09:00")}


def test_every_bad_line_is_told_at_once_with_its_field_and_what_was_expected(tmp_path: Path) -> None:
    content = b"\n".join(
        [
            LINE.strip(),
            b"{not json",
            b"[1, 2]",
            b'{"event": "Came", "occurred_at": "2026-03-02T10:00:00Z"}',
            b'{"contact": 7, "event": "Came", "occurred_at": "2026-03-02T10:00:00Z"}',
            b'{"contact": "ann", "event": "", "occurred_at": "2026-03-02T10:00:00Z"}',
            b'{"contact": "ann", "event": "Came", "occurred_at": "yesterday"}',
            b'{"contact": "ann", "event": "Came", "occurred_at": 1700000000}',
            b'{"contact": "ann", "event": "Came", "occurred_at": "2026-03-02T10:00:00Z", "received_at": "soon"}',
            b'{"contact": "ann", "event": "Came", "occurred_at": "2026-03-02T10:00:00Z", "properties": []}',
            b'{"contact": "ann", "event": "Came", "occurred_at": "2026-03-02T10:00:00Z", "message_id": 5}',
            b'{"contact": "ann", "event": "Came", "occurred_at": "9999-03-02T10:00:00Z"}',
        ]
    )

    heading, *told = complaint(tmp_path, content)

    assert heading == "11 lines can't be taken"
    assert told[0].startswith("events.jsonl:2: expected a JSON object: ")
    assert told[1:] == [
        "events.jsonl:3: line: expected a JSON object, found [1, 2]",
        "events.jsonl:4: contact: expected text of 1 to 255 characters, found nothing",
        "events.jsonl:5: contact: expected text of 1 to 255 characters, found 7",
        'events.jsonl:6: event: expected text of 1 to 200 characters, found ""',
        'events.jsonl:7: occurred_at: expected an instant in ISO 8601 such as 2026-03-02T10:00:00Z, found "yesterday"',
        "events.jsonl:8: occurred_at: expected an instant in ISO 8601 such as 2026-03-02T10:00:00Z, found 1700000000",
        'events.jsonl:9: received_at: expected an instant in ISO 8601 such as 2026-03-02T10:00:00Z, found "soon"',
        "events.jsonl:10: properties: expected a JSON object, found []",
        "events.jsonl:11: message_id: expected text of 1 to 255 characters, found 5",
        'events.jsonl:12: occurred_at: expected an instant in the years 1000 to 8999, found "9999-03-02T10:00:00Z"',
    ]


def nested(levels: int) -> bytes:
    inner = b"[" * (levels - 2) + b"]" * (levels - 2)  # inside the line and its properties
    return b'{"contact": "ann", "event": "Came", "occurred_at": "2026-03-02", "properties": {"x": ' + inner + b"}}\n"


@pytest.mark.parametrize("line", [nested(65), nested(300), nested(1000), nested(100_000), b"[" * 900 + b"]" * 900])
def test_what_lies_too_deep_in_a_line_is_told_with_its_number(tmp_path: Path, line: bytes) -> None:
    heading, told = complaint(tmp_path, LINE + line)

    assert heading == "1 line can't be taken"
    assert told.startswith("events.jsonl:2: expected ")


def test_what_lies_as_deep_as_a_line_may_go_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(nested(64))

    assert len(read(path, None).arrivals) == 1


def test_a_cell_that_goes_too_deep_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"contacts\.csv:2: x: expected at most 64 lists"):
        read(None, write_contacts(tmp_path, "contact,x\nann," + "[" * 300 + "]" * 300 + "\n"))


ODD = [
    "1e400", "-1e308", "123456789012345678901234567890", "NaN", "-0", '"\\ud800"', '"\\u0000"', "[]", "{}", "null",
    '"' + "x" * 300 + '"', '{"x": NaN}', '{"": 1}', '{"x": 1, "x": 2}', '"2026-02-30"', '"+9999-01-01"', "",
    "[" * 300 + "]" * 300, '"\x01"', '"2026-03-02T10:00:00Z"', '"ann"', "true",
]  # fmt: skip
odd_lines = st.builds(
    lambda contact, name, at, properties, end: (
        f'{{"contact":{contact},"event":{name},"occurred_at":{at},"properties":{properties}}}{end}'.encode()
    ),
    st.sampled_from(['"ann"', *ODD]),
    st.sampled_from(['"Came"', '"$identify"', '"$merge"', *ODD]),
    st.sampled_from(['"2026-03-02T10:00:00Z"', *ODD]),
    st.sampled_from(['{"n": 1}', *ODD]),
    st.sampled_from(["\n", "\r\n", "}\n", "\n\n", "\x00\n", ""]),
)


@settings(max_examples=200)
@given(st.lists(odd_lines | st.binary(max_size=20), max_size=5), st.booleans(), st.integers(0, 200))
def test_no_file_of_events_makes_reading_raise_anything_but_the_lines_that_are_wrong(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], packed: bool, cut: int
) -> None:
    content = b"".join(parts)
    path = tmp_path_factory.mktemp("odd") / "events.jsonl"
    path.write_bytes(gzip.compress(content)[: cut or None] if packed else content)

    try:
        read(path, None)
    except InvalidInput as error:
        first, *told = str(error).splitlines()
        assert re.match(r"[\d,]+ lines? can't be taken$", first) or str(path) in first
        assert all(re.match(rf"{re.escape(str(path))}:\d+: ", line) for line in told)


def test_what_is_no_utf_8_is_a_bad_line(tmp_path: Path) -> None:
    heading, told = complaint(tmp_path, LINE + b'{"contact":"\xff","event":"Came"}\n')

    assert heading == "1 line can't be taken"
    assert told.startswith('events.jsonl:2: line: expected text in UTF-8, found "{\\"contact\\":\\"\\\\xff\\"')
    assert told.endswith("; save the file as UTF-8 (spreadsheets call it CSV UTF-8)")


@pytest.mark.parametrize(
    "content",
    [b"\nPK\x03\x04\x14\n\xe0\x00\n\x01\n", b"\n\x89PNG\r\n\x1a\n", b"\n" + ("\n" + LINE.decode()).encode("utf-16")],
)
def test_a_file_that_is_no_text_is_told_of_once(tmp_path: Path, content: bytes) -> None:
    heading, told = complaint(tmp_path, content)

    assert heading == "1 line can't be taken"
    assert told.startswith("events.jsonl:2: line: expected text in UTF-8, found ")


@pytest.mark.parametrize("before", [b"", LINE])
def test_a_control_character_is_told_with_its_place(tmp_path: Path, before: bytes) -> None:
    number = before.count(b"\n") + 1

    _, told = complaint(tmp_path, before + '{"contact": "Zoë'.encode() + b'\x0b", "event": "Came"}\n')

    assert told == (
        f"events.jsonl:{number}: line, character 17: expected no control characters, found U+000B, "
        "which JSON writes \\u000b"
    )


def test_the_end_of_a_line_that_is_too_long_may_lie_inside_a_character(tmp_path: Path) -> None:
    _, told = complaint(tmp_path, b'{"contact": "' + "é".encode() * 600_000 + b'"}\n')

    assert told == "events.jsonl:1: expected at most 1,000,000 bytes in a line"


def test_a_line_that_is_too_long_is_told_and_the_next_one_keeps_its_number(tmp_path: Path) -> None:
    long = orjson.dumps({"contact": "ann", "event": "Came", "properties": {"text": "x" * 10_000_000}}) + b"\n"

    told = complaint(tmp_path, LINE + long + b"{\n")[1:]

    assert told[0] == "events.jsonl:2: expected at most 1,000,000 bytes in a line"
    assert told[1].startswith("events.jsonl:3: ")


def test_of_very_many_bad_lines_the_first_are_listed(tmp_path: Path) -> None:
    told = complaint(tmp_path, b"{}\n" * (TOLD_MAX + 5))

    assert told[0] == f"{TOLD_MAX + 5} lines can't be taken"
    assert len(told) == TOLD_MAX + 2
    assert told[-1] == "and 5 more"


def test_a_merge_that_says_not_into_whom_is_told_by_its_line(tmp_path: Path) -> None:
    merge = orjson.dumps(event("anonymous", "$merge", "03-02 10:00", properties={"into": ""}))

    told = complaint(tmp_path, LINE + merge)[1]
    assert told == 'events.jsonl:2: properties.into: expected text of 1 to 255 characters, found ""'


@pytest.mark.parametrize(
    "content",
    [gzip.compress(LINE * 100, mtime=0)[:40], b"\x1f\x8b\x00\x00", gzip.compress(LINE, mtime=0)[:-4]],
    ids=["cut", "head", "tail"],
)
def test_a_broken_gzip_file_is_told_by_its_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"events\.jsonl: can't be read: "):
        read_bytes(tmp_path, content)


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nothing\.jsonl: can't be read: No such file"):
        read(tmp_path / "nothing.jsonl")


# --- contacts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("", "missing"),
        ("5", 5),
        ("-5.50", -5.5),
        ("1e3", 1000.0),
        ("true", True),
        ("false", False),
        ('"[1, ""two""]"', [1, "two"]),
        ('"{""city"": ""Oslo""}"', {"city": "Oslo"}),
        ("007", "007"),
        ("+48600", "+48600"),
        ("1,5", "1,5"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-", "-"),
        ("True", "True"),
        ("null", "null"),
        ("[1", "[1"),
        ("truely", "truely"),
        ("2026-03-02", "2026-03-02"),
        (" spaced out", "spaced out"),
        ('" spaced "', " spaced "),
        ('"""quoted"""', '"quoted"'),
    ],
)
def test_a_cell_is_read_as_json_reads_it_else_it_is_text(tmp_path: Path, cell: str, value: object) -> None:
    found = attributes(tmp_path, f'"{cell}"' if cell == "1,5" else cell)

    assert found == value
    assert type(found) is type(value)


def test_the_contact_is_text_and_tags_are_split(tmp_path: Path) -> None:
    contacts = write_contacts(tmp_path, "tags,contact,age\nvip; tea;;,007,40\n,12,\n")

    arrivals = read(None, contacts).arrivals

    assert [(key, item) for _, key, item in arrivals] == [
        ("007", Appear(arrivals[0][0], arrivals[0][0], {"age": 40}, ("vip", "tea"))),
        ("12", Appear(arrivals[0][0], arrivals[0][0], {}, ())),
    ]


def test_a_contacts_file_may_be_packed_have_a_byte_order_mark_and_line_ends_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv.gz"
    path.write_bytes(gzip.compress("\ufeffcontact,city\r\nann,Łódź\r\n\r\n".encode(), mtime=0))

    [(_, key, appear)] = read(None, path).arrivals

    assert isinstance(appear, Appear)
    assert (key, appear.attributes) == ("ann", {"city": "Łódź"})


def test_created_at_is_local_to_the_contact(tmp_path: Path) -> None:
    text = "contact,created_at,timezone\nann,2026-03-02T10:00,America/New_York\nbob,2026-03-02T10:00,\n"

    timeline = read(None, write_contacts(tmp_path, text), datetime(2026, 1, 1, tzinfo=UTC))

    assert [(key, instant) for instant, key, _ in timeline.arrivals] == [
        ("bob", at("03-02 09:00")),
        ("ann", at("03-02 15:00")),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "contacts.csv:1: header: expected a column contact, found nothing"),
        ("key,email\nann,a@b.c\n", 'contacts.csv:1: header: expected a column contact, found "key,email"'),
        ("contact,age,age\n", 'contacts.csv:1: header, columns 2 and 3: expected each name once, found "age"'),
        ("contact,\n", 'contacts.csv:1: header, column 2: expected a name, found ""'),
        ("contact,age\nann\n", "contacts.csv:2: expected 2 cells as in the header, found 1"),
        ("contact,age\nann,1,2\n", "contacts.csv:2: expected 2 cells as in the header, found 3"),
        ("contact,age\n,5\n", "contacts.csv:2: contact: expected text of 1 to 255 characters, found nothing"),
        ("contact\nann\n\nbob\nann\n", 'contacts.csv:5: contact: expected each contact once, found "ann"'),
        ('contact,note\nann,"two\nlines"\nbob\n', "contacts.csv:4: expected 2 cells as in the header, found 1"),
        ('contact,note\nann,"open\n', "contacts.csv:2: the quote that begins here never ends"),
        (
            "contact,created_at\nann,soon\n",
            'contacts.csv:2: created_at: expected an instant in ISO 8601 such as 2026-03-02T10:00:00Z, found "soon"',
        ),
    ],
)
def test_a_bad_row_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    contacts = write_contacts(tmp_path, text)

    with pytest.raises(InvalidInput) as caught:
        read(None, contacts)

    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines()[1:] == [told]


def test_a_cell_that_is_no_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(b"contact,city\nann,Oslo\nbob,\xff\xfe\n")

    with pytest.raises(InvalidInput, match=r"contacts\.csv:3: city: expected UTF-8"):
        read(None, path)


def test_bad_lines_of_both_files_are_told_together(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"{}\n")

    with pytest.raises(InvalidInput, match="2 lines can't be taken") as caught:
        read(events, write_contacts(tmp_path, "contact,age\nann\n"))

    assert "contacts.csv:2" in str(caught.value)
    assert "events.jsonl:1" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"contact;email\nann;a@b.c\n", "it seems to have semicolons between its columns: save it with commas"),
        (b"contact\temail\nann\ta@b.c\n", "it seems to have tabs between its columns: save it with commas"),
        (b"contact,pr\xe9nom\nann,Ann\n", "save the file as UTF-8 (spreadsheets call it CSV UTF-8)"),
        ("contact,email\n".encode("utf-16"), "save the file as UTF-8 (spreadsheets call it CSV UTF-8)"),
    ],
)
def test_what_spreadsheets_save_otherwise_is_told_with_what_to_do(tmp_path: Path, content: bytes, hint: str) -> None:
    (tmp_path / "contacts.csv").write_bytes(content)

    with pytest.raises(InvalidInput) as caught:
        read(None, tmp_path / "contacts.csv")

    (line,) = str(caught.value).splitlines()[1:]
    assert "contacts.csv:1: header" in line
    assert line.endswith(f"; {hint}")
    assert line.isprintable()
