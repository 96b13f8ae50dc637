"""Golden cases: documents, contacts and events in, and the whole trail that has to come out.

A case is a YAML file in this folder: `story`, `flows` (a folder, from the root of the repository), `until` (where the
clock ends), `journeys` (of the folder those that run; all where it is not given), `contacts` and `events` (as in the
files that `simulate` reads) and, last, `trail`. Lines of the trail are JSON, which is YAML too.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import orjson
import yaml

from journeyflow.core.values import JSON, parse_instant

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TRAIL_LINE = "\ntrail:\n"


class GoldenCase(NamedTuple):
    """One case; `events` and `contacts` are the lines of the files, `trail` the records of rule 9.1."""

    name: str
    flows: Path
    journeys: list[str]
    events: list[dict[str, JSON]]
    contacts: list[dict[str, JSON]]
    trail: list[dict[str, JSON]]
    until: datetime
    file: Path


def golden_cases() -> list[GoldenCase]:
    """All cases, by name."""
    return [_read(file) for file in sorted(HERE.glob("*.yaml"))]


def _read(file: Path) -> GoldenCase:
    data = yaml.safe_load(file.read_text())
    until = parse_instant(data["until"])
    assert until is not None, f"{file}: until is no instant"
    flows, contacts, trail = ROOT / data["flows"], data.get("contacts") or [], data.get("trail") or []
    journeys = data.get("journeys") or []
    return GoldenCase(file.stem, flows, journeys, data["events"], contacts, trail, until, file)


def rewrite(case: GoldenCase, lines: Sequence[bytes]) -> None:
    """Make the lines the trail that is expected from now on; what stands before it is left as it is."""
    story = case.file.read_text().partition(TRAIL_LINE)[0].rstrip("\n")
    trail = "".join(f"  - {line.decode().rstrip()}\n" for line in lines)
    case.file.write_text(f"{story}\n{TRAIL_LINE}{trail}")


def write_events(path: Path, events: Sequence[dict[str, JSON]]) -> None:
    """The events as `simulate` and `events import` read them."""
    path.write_bytes(b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events))


def write_contacts(path: Path, contacts: Sequence[dict[str, JSON]]) -> None:
    """The contacts as `simulate` and `contacts import` read them."""
    columns = list(dict.fromkeys(["contact", *(name for contact in contacts for name in contact)]))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_cell(contact.get(column)) for column in columns] for contact in contacts)


def _cell(value: JSON) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
