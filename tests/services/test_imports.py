"""Files of contacts: each line is judged on its own, and nothing is lost of those that can't be taken."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from journeyflow.core.errors import InvalidInput
from journeyflow.core.inputs import Appear
from journeyflow.core.values import JSON
from journeyflow.services.contact_lines import arrival
from journeyflow.services.imports import ImportFile, read_contacts, read_events, write_rejected
from journeyflow.services.simulate_errors import BadLine

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def written(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def contacts(found: ImportFile) -> list[dict[str, JSON]]:
    return [line.data for line in found.lines]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_csv_is_read_as_simulate_reads_it(tmp_path: Path) -> None:
    path = written(
        tmp_path, "c.csv", 'contact,email,orders,zip,tags,prefs\nann,a@x.example,3,007,vip; tea,"[1]"\nbob,,,,,\n'
    )

    found = read_contacts(path)

    assert contacts(found) == [
        {
            "contact": "ann",
            "attributes": {"email": "a@x.example", "orders": 3, "zip": "007", "prefs": [1]},
            "tags": ["vip", "tea"],
        },
        {"contact": "bob", "attributes": {}, "tags": []},
    ]
    assert found.rejected == []


def test_blanks_around_the_names_of_columns_mean_nothing(tmp_path: Path) -> None:
    people = read_contacts(written(tmp_path, "c.csv", " contact, email\t,tags ,first name\nann,a@x.example,vip,Ann\n"))
    events = read_events(written(tmp_path, "e.csv", "contact ,event, occurred_at\nann,Came,2026-03-02\n"))

    assert contacts(people) == [
        {"contact": "ann", "attributes": {"email": "a@x.example", "first name": "Ann"}, "tags": ["vip"]}
    ]
    assert contacts(events) == [{"contact": "ann", "event": "Came", "occurred_at": "2026-03-02"}]


def test_every_other_key_of_a_json_line_is_an_attribute(tmp_path: Path) -> None:
    path = written(tmp_path, "c.jsonl", '{"contact": "ann", "plan": "gold", "tags": ["vip"]}\n\n')

    assert contacts(read_contacts(path)) == [{"contact": "ann", "attributes": {"plan": "gold"}, "tags": ["vip"]}]


def test_attributes_may_also_stand_in_an_object_of_their_own(tmp_path: Path) -> None:
    line = {"contact": "ann", "attributes": {"plan": "gold"}, "created_at": "2025-01-01"}

    assert contacts(read_contacts(written(tmp_path, "c.jsonl", orjson.dumps(line)))) == [line]


def test_gzip_is_unpacked(tmp_path: Path) -> None:
    path = written(tmp_path, "c.jsonl.gz", gzip.compress(b'{"contact": "ann"}\n'))

    assert contacts(read_contacts(path))[0]["contact"] == "ann"


def test_a_broken_line_is_rejected_and_the_others_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "c.jsonl", b'{"contact": "ann"}\n{"contact": \n[1]\n\xff\n{"contact": "bob"}')

    found = read_contacts(path)

    assert [line.number for line in found.lines] == [1, 5]
    assert [one.number for one in found.rejected] == [2, 3, 4]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("email,name", "a column contact"),
        ("contact,a,a", "each name once"),
        ("contact,a, a", 'header, columns 2 and 3: expected each name once, found "a"'),
        ("contact,", "expected a name, found"),
    ],
)
def test_a_wrong_header_rejects_the_file(tmp_path: Path, header: str, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        read_contacts(written(tmp_path, "c.csv", f"{header}\nann,x,y\n"))


def test_a_quote_that_never_ends_rejects_the_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing was imported"):
        read_contacts(written(tmp_path, "c.csv", 'contact,name\nann,"Ann\nbob,Bob\n'))


# --- what was rejected -----------------------------------------------------------------------------------------------


def test_rejected_rows_are_written_with_number_and_reason(tmp_path: Path) -> None:
    found = read_contacts(written(tmp_path, "c.csv", 'contact,name\ncat,"No, body",x\nbob\nann,Ann\n'))

    target = write_rejected(found)

    assert target == tmp_path / "c.csv.rejected"
    assert target.read_text().splitlines() == [
        "line,reason,contact,name",
        '2,"expected 2 cells as in the header, found 3",cat,"No, body",x',
        '3,"expected 2 cells as in the header, found 1",bob',
    ]


def test_rejected_json_lines_keep_their_text(tmp_path: Path) -> None:
    found = read_contacts(written(tmp_path, "c.jsonl", "{}\nnope\n"))

    target = write_rejected(found)

    assert target is not None
    assert orjson.loads(target.read_bytes().splitlines()[0])["text"] == "nope"


def test_what_an_earlier_import_rejected_is_not_left_behind(tmp_path: Path) -> None:
    found = read_contacts(written(tmp_path, "c.csv", "contact\nann\n"))
    written(tmp_path, "c.csv.rejected", "old")

    assert write_rejected(found) is None
    assert not (tmp_path / "c.csv.rejected").exists()


def test_bytes_that_are_no_utf8_come_back_as_they_were(tmp_path: Path) -> None:
    found = read_contacts(written(tmp_path, "c.csv", b"contact,name\nann,\xff\xfe\n"))

    target = write_rejected(found)

    assert target is not None
    assert target.read_bytes().endswith(b",ann,\xff\xfe\n")


# --- one contact -----------------------------------------------------------------------------------------------------


def test_rule_1_11_an_import_is_not_announced() -> None:
    key, item = arrival({"contact": "ann", "attributes": {"plan": "gold"}, "tags": ["vip"]}, "UTC", NOW)

    assert (key, item) == ("ann", Appear(NOW, NOW, {"plan": "gold"}, ("vip",), announced=False, known=True))


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_a_time_of_creation_is_local_to_the_contact(place: str) -> None:
    data: dict[str, JSON] = {"contact": "ann", "attributes": {"timezone": "America/New_York"}}
    (data if place == "beside" else data["attributes"])["created_at"] = "2025-01-01"  # type: ignore[index, call-overload]  # a dict

    _, item = arrival(data, "Europe/Warsaw", NOW)

    assert item.created_at == datetime(2025, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "contact"),
        ({"contact": 7}, "contact"),
        ({"contact": "x" * 256}, "contact"),
        ({"contact": "ann", "attributes": []}, "attributes"),
        ({"contact": "ann", "attributes": {"": 1}}, "attributes"),
        ({"contact": "ann", "tags": [1]}, "tags"),
        ({"contact": "ann", "tags": {"a": 1}}, "tags"),
        ({"contact": "ann", "created_at": "soon"}, "created_at"),
        ({"contact": "ann", "created_at": "2026-03-02T10:00:01Z"}, "created_at"),
        ({"contact": "ann", "plan": "gold"}, "plan"),
        ({"contact": "ann", "topics": {"offers": "yes"}}, "topics.offers"),
        ({"contact": "ann", "topics": ["offers"]}, "topics"),
        ({"contact": "ann", "unsubscribed": ["email"]}, "unsubscribed"),
        ({"contact": "ann", "attributes": {"email": "a@b.example"}, "suppressed": ["post"]}, "suppressed"),
        ({"contact": "ann", "anonymous": 1}, "anonymous"),
    ],
)
def test_what_is_wrong_with_a_contact_names_the_field(data: dict[str, JSON], field: str) -> None:
    with pytest.raises(BadLine, match=f"^{field}: expected"):
        arrival(data, "UTC", NOW)
