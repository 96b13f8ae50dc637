"""What a simulation is fed with: events (JSON Lines, Parquet) and contacts (CSV, JSON Lines), as one list of inputs.

Both files may be large, so each line is turned at once into the input that it stands for and nothing is kept twice.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from journeyflow.core.check.finding import closest
from journeyflow.core.check.problem import printable
from journeyflow.core.consent import turns_address
from journeyflow.core.inputs import Appear, Event, Identify, Input, Merge
from journeyflow.core.local_time import zone
from journeyflow.core.values import EPOCH, JSON, too_deep
from journeyflow.services.contact_rows import created_at, read_header, read_row
from journeyflow.services.data_files import KEY_LENGTH_MAX, TOO_DEEP, csv_reader, instant, lines, opened, parsed
from journeyflow.services.imports import as_contact, is_json_lines, parts
from journeyflow.services.parquet_files import is_parquet, plain, rows
from journeyflow.services.simulate_errors import BadLine, LineErrors

NAME_LENGTH_MAX: Final = 200
NO_EVENTS: Final = "there are no events, and the first one starts the clock; --from gives another start"
UNKNOWN_MAX: Final = 10
"""So many names of members that mean nothing are told of."""
FIELDS: Final = frozenset({"contact", "event", "occurred_at", "properties", "message_id", "received_at"})

Arrival = tuple[datetime, str, Input]
"""An input on its way: the instant of its handling, the contact's key, the input."""


@dataclass(slots=True)
class Timeline:
    """All inputs in the order of the clock, and what the clock has to know of them.

    ``start`` is when the clock starts; ``last`` the last event's instant, ``start`` where there is none. ``together``
    has the instants at which something arrives for a contact that was, or is about to be, merged, or that turns an
    address, which others may share: all that arrives then, in the order of the file. ``notes`` say what is odd about
    the files, and no error.
    """

    start: datetime
    last: datetime
    arrivals: list[Arrival]
    together: dict[datetime, list[tuple[str, Input]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def timeline(inputs: Iterable[tuple[str, Input]], start: datetime | None = None) -> Timeline:
    """Inputs, each with its contact's key, as a timeline; those of one contact and instant stay in the given order."""
    arrivals: list[Arrival] = [(item.at, key, item) for key, item in inputs]
    together = _together(arrivals)
    arrivals.sort(key=itemgetter(0, 1))
    events = [at for at, _, item in arrivals if not isinstance(item, Appear)]
    begun = start or next(iter(events), EPOCH)
    return Timeline(begun, max(events, default=begun), arrivals, together)


def _together(arrivals: Sequence[Arrival]) -> dict[datetime, list[tuple[str, Input]]]:
    """See :class:`Timeline`; the arrivals are in the order of the file."""
    merged: dict[str, datetime] = {}
    found: dict[datetime, list[tuple[str, Input]]] = {}
    for at, key, item in arrivals:
        if isinstance(item, Merge):
            merged[key] = min(at, merged.get(key, at))
        elif turns_address(item):
            found[at] = []
    if merged:
        found.update((at, []) for at, key, _ in arrivals if key in merged and at >= merged[key])
    if not found:
        return {}
    for at, key, item in arrivals:
        if at in found:
            found[at].append((key, item))
    return found


def read_timeline(events: Sequence[Path], contacts: Path | None, start: datetime | None, timezone: str) -> Timeline:
    """Read the files; ``start`` is ``--from``, ``timezone`` the workspace's, for instants without an offset.

    Several files of events are one history; of what comes at one instant the file that is named first is the first.
    Events before ``start`` are history. Without ``start`` the clock starts at the first event.

    :raises InvalidInput: naming every line that can't be taken, with its field and what was expected; or the file that
        can't be read.
    """
    errors = LineErrors()
    known = {} if contacts is None else _read_contacts(contacts, timezone, errors)
    own_zones = ((key, row.attributes.get("timezone")) for key, row in known.items())
    zones = {key: zone(name, timezone) for key, name in own_zones if isinstance(name, str)}
    reader = _EventReader(start, zones, zone(timezone))
    arrivals = [arrival for path in events for arrival in reader.read(path, errors)]
    errors.finish()
    instants = [at for at, _, _ in arrivals]
    begun = start or (min(instants) if instants else _latest(known))
    everything = _with_contacts(arrivals, known, begun)
    together = _together(everything)
    everything.sort(key=itemgetter(0, 1))
    notes = [*reader.notes(), *([] if start or instants else [NO_EVENTS])]
    return Timeline(begun, max(instants, default=begun), everything, together, tuple(notes))


def _latest(rows: Mapping[str, Row]) -> datetime:
    """Where nothing starts the clock everybody is there already, and nothing happens."""
    return max((row.created_at for row in rows.values() if row.created_at is not None), default=EPOCH)


def _with_contacts(arrivals: list[Arrival], rows: Mapping[str, Row], start: datetime) -> list[Arrival]:
    """Each contact of the file appears before everything, or at its ``created_at``, or just before its first event."""
    if not rows:
        return arrivals
    first: dict[str, datetime] = {}
    for at, key, _ in arrivals:
        first[key] = min(at, first.get(key, at))
    origin = min(start, *first.values()) if first else start
    appearing: list[Arrival] = []
    for key, row in rows.items():
        born = row.created_at or start
        if born <= start:
            appearing.append((origin, key, Appear(origin, born, row.attributes, row.tags)))
        elif key in first and first[key] < born:
            appearing.append((first[key], key, Appear(first[key], None, row.attributes, row.tags)))
        else:
            appearing.append((born, key, Appear(born, born, row.attributes, row.tags, announced=True)))
    # At one instant a contact appears before its events, because sorting keeps the order of what is alike.
    return [*appearing, *arrivals]


# --- events ----------------------------------------------------------------------------------------------------------


class _EventReader:
    """Turns lines into inputs; a local instant is that of its contact's zone, else of the workspace's."""

    def __init__(self, start: datetime | None, zones: Mapping[str, ZoneInfo], default: ZoneInfo) -> None:
        self._start = start
        self._zones = zones
        self._default = default
        # The keys and names of a million events are few.
        self._texts: dict[str, str] = {}
        self._unknown: dict[str, str] = {}

    def notes(self) -> list[str]:
        """What the events have beside what is read, each with its first place."""
        known = ", ".join(sorted(FIELDS))
        return [
            f"{place}: {name} is not read; did you mean {meant}?"
            if (meant := closest(name, FIELDS)) is not None
            else f"{place}: {name} is not read; an event has {known}"
            for name, place in self._unknown.items()
        ]

    def read(self, path: Path, errors: LineErrors) -> list[Arrival]:
        found: list[Arrival] = []
        for number, read in _rows(path) if is_parquet(path) else _lines(path):
            try:
                data = read()
                if not data.keys() <= FIELDS:
                    self._note_unknown(data, f"{path}:{number}")
                found.append(self._arrival(data))
            except BadLine as error:
                errors.add(path, number, error)
        return found

    def _note_unknown(self, data: Mapping[str, JSON], place: str) -> None:
        for name in sorted(data.keys() - FIELDS):
            if name in self._unknown or len(self._unknown) < UNKNOWN_MAX:
                self._unknown.setdefault(printable(name[:NAME_LENGTH_MAX]), place)

    def _arrival(self, data: dict[str, JSON]) -> Arrival:
        key = self._text(data, "contact", KEY_LENGTH_MAX)
        name = self._text(data, "event", NAME_LENGTH_MAX)
        local = self._zones.get(key, self._default)
        occurred_at = instant("occurred_at", data.get("occurred_at"), local)
        received = data.get("received_at")
        at = occurred_at if received is None else instant("received_at", received, local)
        return at, key, self._input(name, at, occurred_at, _properties(data), _message_id(data))

    def _text(self, data: dict[str, JSON], field: str, longest: int, within: str = "") -> str:
        value = data.get(field)
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            raise BadLine.at(f"{within}{field}", f"text of 1 to {longest} characters", value)
        return self._texts.setdefault(value, value)

    def _input(
        self, name: str, at: datetime, occurred_at: datetime, properties: dict[str, JSON], message_id: str | None
    ) -> Input:
        imported = self._start is not None and at < self._start
        if name == "$identify":
            return Identify(at, properties, message_id, imported)
        if name == "$merge":
            return Merge(at, self._text(properties, "into", KEY_LENGTH_MAX, "properties."))
        return Event(at, name, occurred_at, properties, message_id, imported=imported)


Numbered = Iterator[tuple[int, Callable[[], dict[str, JSON]]]]
"""Lines or rows, from 1, each with what reads it or raises :class:`BadLine`."""


def _lines(path: Path) -> Numbered:
    with opened(path) as file:
        for number, line in enumerate(lines(file), 1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if text and not text.isspace():
                yield number, partial(parsed, text)


def _rows(path: Path) -> Numbered:
    return ((number, partial(_from_row, row)) for number, row in enumerate(rows(path, FIELDS), 1))


def _from_row(row: Mapping[str, object]) -> dict[str, JSON]:
    """A row of Parquet; its properties may be an object, or JSON as text."""
    data = {name: plain(value) for name, value in row.items()}
    properties = data.get("properties")
    if isinstance(properties, str):
        try:
            data["properties"] = orjson.loads(properties)
        except orjson.JSONDecodeError:
            raise BadLine.at("properties", "a JSON object", properties) from None
    if too_deep(data):
        raise BadLine(TOO_DEEP)
    return data


def _properties(data: dict[str, JSON]) -> dict[str, JSON]:
    properties = data.get("properties")
    if properties is None:
        return {}
    if not isinstance(properties, dict):
        raise BadLine.at("properties", "a JSON object", properties)
    return properties


def _message_id(data: dict[str, JSON]) -> str | None:
    message_id = data.get("message_id")
    if message_id is None:
        return None
    if not isinstance(message_id, str) or not 0 < len(message_id) <= KEY_LENGTH_MAX:
        raise BadLine.at("message_id", f"text of 1 to {KEY_LENGTH_MAX} characters", message_id)
    return message_id


# --- contacts --------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One contact of the file."""

    created_at: datetime | None
    attributes: dict[str, JSON]
    tags: tuple[str, ...]


def _read_contacts(path: Path, timezone: str, errors: LineErrors) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    if is_json_lines(path):
        for number, read in _lines(path):
            with errors.noting(path, number):
                _take(rows, *parts(as_contact(read())), timezone)
        return rows
    with opened(path) as file:
        reader = csv_reader(file)
        try:
            header = read_header(next(reader, []))
            line = reader.line_num + 1
            for cells in reader:
                if cells:
                    with errors.noting(path, line):
                        _take(rows, *read_row(header, cells), timezone)
                line = reader.line_num + 1
        except (csv.Error, BadLine) as error:
            errors.add(path, max(reader.line_num, 1), BadLine(str(error)))
    return rows


def _take(rows: dict[str, Row], key: str, attributes: dict[str, JSON], tags: tuple[str, ...], timezone: str) -> None:
    if key in rows:
        raise BadLine.at("contact", "each contact once", key)
    rows[key] = Row(created_at(attributes, timezone), attributes, tags)
