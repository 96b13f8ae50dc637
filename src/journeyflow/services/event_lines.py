"""One event as a record of a file: what simulations run over, and what is imported as history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from journeyflow.core.check.finding import closest
from journeyflow.core.check.problem import printable
from journeyflow.core.inputs import Event, Identify, Merge
from journeyflow.core.values import JSON, iso
from journeyflow.services.data_files import KEY_LENGTH_MAX, NAME_LENGTH_MAX, instant
from journeyflow.services.records import Shape, object_in
from journeyflow.services.simulate_errors import BadLine

FIELDS: Final = frozenset({"contact", "event", "occurred_at", "properties", "message_id", "received_at"})
UNKNOWN_MAX: Final = 10
"""So many names of members that mean nothing are told of."""

Happened = Event | Identify | Merge


class EventLine(NamedTuple):
    """What a record says of an event; ``received_at`` is ``occurred_at`` where it does not say."""

    contact: str
    name: str
    occurred_at: datetime
    received_at: datetime
    properties: dict[str, JSON]
    message_id: str | None

    def as_input(self, at: datetime, *, imported: bool, known: bool = False) -> Happened:
        """The input that it is: an event, or new attributes (``$identify``), or a merge (``$merge``, rule 10)."""
        if self.name == "$identify":
            since = self.occurred_at if imported else None
            return Identify(at, self.properties, self.message_id, imported, known, occurred_at=since)
        if self.name == "$merge":
            return Merge(at, _text(self.properties, "into", KEY_LENGTH_MAX, "properties."))
        return Event(at, self.name, self.occurred_at, self.properties, self.message_id, imported=imported, known=known)


class EventReader:
    """Reads records of one file; a local instant is that of its contact's zone, else of ``default``."""

    def __init__(self, default: ZoneInfo, zones: Mapping[str, ZoneInfo] | None = None) -> None:
        self._default = default
        self._zones = zones or {}
        # The keys and names of a million events are few.
        self._texts: dict[str, str] = {}

    def read(self, data: Mapping[str, JSON]) -> EventLine:
        """The event.

        :raises BadLine: naming the field, what was expected and what was found.
        """
        key = self._kept(_text(data, "contact", KEY_LENGTH_MAX))
        name = self._kept(_text(data, "event", NAME_LENGTH_MAX))
        local = self._zones.get(key, self._default)
        occurred_at = instant("occurred_at", data.get("occurred_at"), local)
        received = data.get("received_at")
        received_at = occurred_at if received is None else instant("received_at", received, local)
        return EventLine(key, name, occurred_at, received_at, _properties(data), _message_id(data))

    def _kept(self, text: str) -> str:
        return self._texts.setdefault(text, text)


def _text(data: Mapping[str, JSON], field: str, longest: int, within: str = "") -> str:
    value = data.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise BadLine.at(f"{within}{field}", f"text of 1 to {longest} characters", value)
    return value


def _properties(data: Mapping[str, JSON]) -> dict[str, JSON]:
    properties = data.get("properties")
    if properties is None:
        return {}
    if not isinstance(properties, dict):
        raise BadLine.at("properties", "a JSON object", properties)
    return properties


def _message_id(data: Mapping[str, JSON]) -> str | None:
    message_id = data.get("message_id")
    if message_id is None:
        return None
    if not isinstance(message_id, str) or not 0 < len(message_id) <= KEY_LENGTH_MAX:
        raise BadLine.at("message_id", f"text of 1 to {KEY_LENGTH_MAX} characters", message_id)
    return message_id


class UnknownMembers:
    """What records have beside what is read of them, each name with its first place."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}
        self._more = False

    def look(self, data: Mapping[str, JSON], place: str) -> None:
        """Note what is not read of a record."""
        if data.keys() <= FIELDS:
            return
        for name in sorted(printable(name[:NAME_LENGTH_MAX]) for name in data.keys() - FIELDS):
            if len(self._places) < UNKNOWN_MAX:
                self._places.setdefault(name, place)
            elif name not in self._places:
                self._more = True

    def drop(self, data: dict[str, JSON], place: str) -> None:
        """Note what is not read of a record, and take it away."""
        self.look(data, place)
        for name in data.keys() - FIELDS:
            del data[name]

    def notes(self) -> Sequence[str]:
        """A sentence for each."""
        known = ", ".join(sorted(FIELDS))
        told = [
            f"{place}: {name} is not read; did you mean {meant}?"
            if (meant := closest(name, FIELDS)) is not None
            else f"{place}: {name} is not read; an event has {known}"
            for name, place in self._places.items()
        ]
        return [*told, "members of other names are not read either"] if self._more else told


# --- history ---------------------------------------------------------------------------------------------------------


class History:
    """Reads the records of one import: each becomes an input that moves nothing (rule 1.11), and is taken once.

    An event without ``message_id`` gets one that follows from what it says, so that the same file, or another that
    begins where it ended, imports nothing twice; lines that say the same are told apart by their order.
    """

    def __init__(self, local: ZoneInfo, now: datetime) -> None:
        self._reader = EventReader(local)
        self._now = now
        self._same: Counter[str] = Counter()

    def read(self, data: Mapping[str, JSON]) -> EventLine:
        """The event, with a ``message_id``.

        :raises BadLine: naming the field, what was expected and what was found.
        """
        unknown = sorted(data.keys() - FIELDS)
        if unknown:
            raise BadLine(f"{unknown[0]}: expected only {', '.join(sorted(FIELDS))}")
        line = self._reader.read(data)
        if line.occurred_at > self._now:
            raise BadLine.at("occurred_at", "an instant that is not in the future", data["occurred_at"])
        return line if line.message_id is not None else line._replace(message_id=self._derived_id(line))

    def _derived_id(self, line: EventLine) -> str:
        said = [line.contact, line.name, iso(line.occurred_at), line.properties]
        digest = sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
        self._same[digest] += 1
        return f"import-{digest}-{self._same[digest]}"


# --- forms of files --------------------------------------------------------------------------------------------------


def _as_it_is(data: dict[str, JSON]) -> dict[str, JSON]:
    return data


def _of_cells(given: dict[str, str]) -> dict[str, JSON]:
    return _of_row({**given})


def _of_row(data: dict[str, JSON]) -> dict[str, JSON]:
    object_in(data, "properties")
    return data


EVENTS: Final = Shape(("contact", "event", "occurred_at"), FIELDS, _as_it_is, _of_cells, _of_row, as_csv=False)
