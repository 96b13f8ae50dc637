"""What a simulation of the installation's own documents and contacts reads, written to files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import orjson
from sqlalchemy import Engine

from journeyflow.core.errors import InvalidInput
from journeyflow.core.identity import SHARDS
from journeyflow.core.inputs import ENGINE_NAMES
from journeyflow.core.values import JSON, iso
from journeyflow.db import replay
from journeyflow.db.store import read
from journeyflow.services.exports import contact_lines

EVENTS_MAX: Final = 300_000
CONTACTS_MAX: Final = 100_000
FLOWS: Final = "flows"
EVENTS: Final = "events.jsonl"
CONTACTS: Final = "contacts.jsonl"

Line = Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Order:
    """What to simulate.

    ``documents`` are all that run together; ``journeys`` those of them that run. ``events`` and ``contacts`` are lines
    of files as ``simulate`` reads them; without ``events`` it is the installation's own history, of ``sample`` per cent
    of its contacts.
    """

    documents: Sequence[dict[str, JSON]]
    journeys: Sequence[str] = ()
    events: Sequence[Line] | None = None
    contacts: Sequence[Line] = ()
    start: datetime | None = None
    until: datetime | None = None
    seed: int = 0
    sample: int = 100
    options: list[str] = field(init=False)

    def __post_init__(self) -> None:
        given = {"--from": self.start and iso(self.start), "--until": self.until and iso(self.until)}
        options = [f"--seed={self.seed}", *(f"{name}={value}" for name, value in given.items() if value)]
        object.__setattr__(self, "options", [*options, *(f"--journey={journey}" for journey in self.journeys)])


def write_files(folder: Path, order: Order, engine: Engine) -> None:
    """Write documents, events and contacts of an order below a folder.

    :raises InvalidInput: when there are more events or contacts than are simulated at once.
    """
    (folder / FLOWS).mkdir()
    for index, document in enumerate(order.documents):
        (folder / FLOWS / f"{index}.json").write_bytes(orjson.dumps(document))
    with (folder / EVENTS).open("wb") as events, (folder / CONTACTS).open("wb") as contacts:
        if order.events is None:
            _History(order, contacts, events).write(engine)
        else:
            _write(contacts, order.contacts)
            _write(events, order.events)


def _write(file: IO[bytes], lines: Iterable[Line]) -> int:
    count = 0
    for line in lines:
        file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        count += 1
    return count


class _History:
    """The stored contacts and events, shard by shard, so that no snapshot of the database is held for long."""

    def __init__(self, order: Order, contacts: IO[bytes], events: IO[bytes]) -> None:
        self._order = order
        self._files = contacts, events
        self._without = ENGINE_NAMES | _emitted(order.documents)
        self._left = {"contacts": CONTACTS_MAX, "events": EVENTS_MAX}

    def write(self, engine: Engine) -> None:
        contacts, events = self._files
        for shard in range(SHARDS * self._order.sample // 100 or 1):
            with read(engine) as connection:
                stored = [*replay.contacts_of(connection, shard)]
                self._count("contacts", _write(contacts, contact_lines(connection, stored)))
                found = replay.events_of(connection, shard, self._order.until, self._without)
                self._count("events", _write(events, map(_event, found)))

    def _count(self, what: str, number: int) -> None:
        self._left[what] -= number
        if self._left[what] < 0:
            most = {"contacts": CONTACTS_MAX, "events": EVENTS_MAX}[what]
            raise InvalidInput(
                f"more than {most:,} {what}: ask for a smaller sample of contacts, or simulate with the command line"
            )


def _emitted(documents: Iterable[Mapping[str, JSON]]) -> set[str]:
    """The names of events that journeys themselves make: they will make them again."""
    nodes = (
        node
        for document in documents
        if isinstance(found := document.get("nodes"), dict)
        for node in found.values()
        if isinstance(node, dict) and node.get("type") == "emit"
    )
    return {name for node in nodes if isinstance(name := node.get("event"), str)}


def _event(handled: replay.HandledEvent) -> Line:
    return {
        "contact": handled.contact,
        "event": handled.name,
        "occurred_at": iso(handled.occurred_at),
        "received_at": iso(handled.handled_at),
        "properties": handled.properties,
    }
