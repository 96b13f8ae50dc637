"""Contacts from files: CSV or JSON Lines. An import is history; it moves nothing (rule 1.11).

A file is read into lines, each of which is judged on its own; what can be taken is stored in one transaction, what
can't is told with its reason and kept beside the file, to be corrected and imported again.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import orjson

from journeyflow.core.errors import InvalidInput, SystemFailure
from journeyflow.core.inputs import Appear
from journeyflow.core.values import JSON
from journeyflow.services.contact_rows import created_at, read_header, read_row, split_tags
from journeyflow.services.data_files import KEY_LENGTH_MAX, csv_reader, lines, opened, parsed
from journeyflow.services.simulate_errors import BadLine

LINES_MAX: Final = 1_000_000
"""So many contacts are imported at once, because they share a transaction."""
NAME_LENGTH_MAX: Final = 200
FIELDS: Final = ("contact", "attributes", "tags", "created_at")
JSON_SUFFIXES: Final = {".jsonl", ".ndjson", ".json"}


@dataclass(frozen=True, slots=True)
class Line:
    """One contact of a file: where it begins (lines count from 1), as it was written, and what it says."""

    number: int
    written: str | list[str]
    contact: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Rejected:
    """One line that can't be taken, and why."""

    number: int
    written: str | list[str]
    reason: str


@dataclass(slots=True)
class ContactFile:
    """What a file holds; ``header`` is that of a CSV, ``None`` of JSON Lines."""

    path: Path
    header: list[str] | None = None
    lines: list[Line] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class WithRejected(Protocol):
    """A file that was read."""

    path: Path
    header: list[str] | None
    rejected: list[Rejected]


# --- files -----------------------------------------------------------------------------------------------------------


def read_contacts(path: Path) -> ContactFile:
    """Read a CSV or JSON Lines file, plain or gzip; what is wrong with a line is among the rejected.

    JSON Lines: each an object with ``contact``; ``tags`` is a list, or text that splits at ``;``; every other key is
    an attribute, as in a CSV, unless there is an object ``attributes`` that holds them.

    :raises InvalidInput: when the file can't be read, its header is wrong, or it has too many lines.
    """
    found = ContactFile(path)
    if is_json_lines(path):
        _read_json_lines(found)
    else:
        _read_csv(found)
    return found


def is_json_lines(path: Path) -> bool:
    """Whether the file's name says so, packed or not."""
    return _suffix(path) in JSON_SUFFIXES


def _suffix(path: Path) -> str:
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _read_json_lines(found: ContactFile) -> None:
    with opened(found.path) as file:
        for number, raw in enumerate(lines(file), 1):
            _demand_room(found, number)
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if line.isspace():
                continue
            written = line.rstrip(b"\r\n").decode(errors="replace")
            try:
                found.lines.append(Line(number, written, as_contact(parsed(line))))
            except BadLine as error:
                found.rejected.append(Rejected(number, written, str(error)))


def as_contact(data: dict[str, JSON]) -> dict[str, JSON]:
    """A line in the one form that :func:`arrival` and :func:`parts` read."""
    if isinstance(data.get("attributes"), dict):
        return data
    return {
        "contact": data.get("contact"),
        "attributes": {name: value for name, value in data.items() if name not in ("contact", "tags")},
        "tags": data.get("tags"),
    }


def _read_csv(found: ContactFile) -> None:
    with opened(found.path) as file:
        reader = csv_reader(file)
        try:
            found.header = read_header(next(reader, []))
            number = reader.line_num + 1
            for cells in reader:
                _demand_room(found, number)
                if cells:
                    _take_cells(found, found.header, number, cells)
                number = reader.line_num + 1
        except csv.Error as error:
            raise InvalidInput(f"{found.path}:{reader.line_num}: {error}; nothing was imported") from None
        except BadLine as error:
            raise InvalidInput(f"{found.path}:1: {error}") from None


def _take_cells(found: ContactFile, header: list[str], number: int, cells: list[str]) -> None:
    try:
        key, attributes, tags = read_row(header, cells)
    except BadLine as error:
        found.rejected.append(Rejected(number, cells, str(error)))
    else:
        found.lines.append(Line(number, cells, {"contact": key, "attributes": attributes, "tags": [*tags]}))


def _demand_room(found: ContactFile, number: int) -> None:
    if len(found.lines) + len(found.rejected) >= LINES_MAX:
        raise InvalidInput(
            f"{found.path}:{number}: expected at most {LINES_MAX:,} contacts in a file; split it, nothing was imported"
        )


def write_rejected(found: WithRejected) -> Path | None:
    """Write the rejected lines beside the file, each with its number and reason; ``None`` where there are none.

    A CSV has them as its first two columns, so that without these it can be imported; JSON Lines as ``line``,
    ``reason`` and ``text``. What an earlier import left there is replaced.

    :raises SystemFailure: when it can't be written.
    """
    target = found.path.with_name(f"{found.path.name}.rejected")
    try:
        if not found.rejected:
            target.unlink(missing_ok=True)
            return None
        with target.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            if found.header is None:
                file.writelines(_rejected_lines(found.rejected))
            else:
                rows = ([one.number, one.reason, *one.written] for one in found.rejected)
                csv.writer(file).writerows([["line", "reason", *found.header], *rows])
    except OSError as error:
        raise SystemFailure(f"{target} can't be written: {error.strerror}") from error
    return target


def _rejected_lines(rejected: Sequence[Rejected]) -> Iterator[str]:
    for one in rejected:
        data = {"line": one.number, "reason": one.reason, "text": one.written}
        yield orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE).decode()


# --- contacts --------------------------------------------------------------------------------------------------------


def arrival(contact: Mapping[str, JSON], timezone: str, now: datetime) -> tuple[str, Appear]:
    """One contact as an input with its key: ``{"contact", "attributes"?, "tags"?, "created_at"?}``.

    Of a contact that exists, attributes and tags are merged in (``null`` takes an attribute away), and it keeps its
    time of creation; a new one came into being at ``created_at``, else now.

    :param timezone: the workspace's, for an instant without an offset.
    :raises BadLine: naming the field, what was expected and what was found.
    """
    key, attributes, tags = parts(contact)
    since = created_at(attributes, timezone)
    if since is not None and since > now:
        raise BadLine.at("created_at", "an instant that is not in the future", attributes["created_at"])
    return key, Appear(now, since or now, attributes, tags, known=True)


def parts(contact: Mapping[str, JSON]) -> tuple[str, dict[str, JSON], tuple[str, ...]]:
    """Key, attributes and tags of such a contact.

    :raises BadLine: naming the field, what was expected and what was found.
    """
    unknown = [name for name in contact if name not in FIELDS]
    if unknown:
        raise BadLine(f"{unknown[0]}: expected only {', '.join(FIELDS)}")
    key = contact.get("contact")
    if not isinstance(key, str) or not 0 < len(key) <= KEY_LENGTH_MAX:
        raise BadLine.at("contact", f"text of 1 to {KEY_LENGTH_MAX} characters", key)
    return key, _attributes(contact), _tags(contact.get("tags"))


def _attributes(contact: Mapping[str, JSON]) -> dict[str, JSON]:
    given = contact.get("attributes")
    if given is not None and not isinstance(given, dict):
        raise BadLine.at("attributes", "a JSON object", given)
    attributes = dict(given or {})
    if contact.get("created_at") is not None:
        attributes["created_at"] = contact["created_at"]
    for name in attributes:
        if not 0 < len(name) <= NAME_LENGTH_MAX:
            raise BadLine.at("attributes", f"names of 1 to {NAME_LENGTH_MAX} characters", name)
    return attributes


def _tags(value: JSON) -> tuple[str, ...]:
    if value is None:
        return ()
    tags = list(split_tags(value)) if isinstance(value, str) else value
    if not isinstance(tags, list):
        raise BadLine.at("tags", "a list of texts", value)
    for tag in tags:
        if not isinstance(tag, str) or not 0 < len(tag) <= NAME_LENGTH_MAX:
            raise BadLine.at("tags", f"texts of 1 to {NAME_LENGTH_MAX} characters", tag)
    return tuple(str(tag) for tag in tags)
