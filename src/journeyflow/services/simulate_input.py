"""What a simulation is fed with: events and contacts, as one list of inputs.

Both files may be large, so each line is turned at once into the input that it stands for and nothing is kept twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Final

from journeyflow.core.consent import turns_address
from journeyflow.core.inputs import Appear, Input, Merge
from journeyflow.core.local_time import zone
from journeyflow.core.values import EPOCH
from journeyflow.services.contact_lines import CONTACTS, ContactLine, read_contact
from journeyflow.services.event_lines import EVENTS, EventReader, UnknownMembers
from journeyflow.services.records import Object, Records
from journeyflow.services.simulate_errors import BadLine, LineErrors

NO_EVENTS: Final = "there are no events, and the first one starts the clock; --from gives another start"

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


def read_timeline(events: Sequence[Path], contacts: Sequence[Path], start: datetime | None, timezone: str) -> Timeline:
    """Read the files; ``start`` is ``--from``, ``timezone`` the workspace's, for instants without an offset.

    Several files of one kind are read as one; of what comes at one instant the file that is named first is the first.
    Events before ``start`` are history. Without ``start`` the clock starts at the first event.

    :raises InvalidInput: naming every line that can't be taken, with its field and what was expected; or the file that
        can't be read.
    """
    errors = LineErrors()
    known: dict[str, ContactLine] = {}
    for path in contacts:
        _read_contacts(path, timezone, known, errors)
    reader, unknown = _event_reader(known, timezone), UnknownMembers()
    arrivals = [one for path in events for one in _read_events(path, reader, start, unknown, errors)]
    errors.finish()
    instants = [at for at, _, _ in arrivals]
    begun = start or (min(instants) if instants else _latest(known))
    everything = _with_contacts(arrivals, known, begun)
    together = _together(everything)
    everything.sort(key=itemgetter(0, 1))
    notes = [*unknown.notes(), *([] if start or instants else [NO_EVENTS])]
    return Timeline(begun, max(instants, default=begun), everything, together, tuple(notes))


def wrong_lines(
    events: Iterable[Object], contacts: Iterable[Object], timezone: str
) -> Iterator[tuple[str, int, BadLine]]:
    """Why lines that are at hand could not be read from files: of which list, which one (from 0), and what is wrong."""
    known: dict[str, ContactLine] = {}
    for place, data in enumerate(contacts):
        try:
            _know(CONTACTS.of_line(data), timezone, known)
        except BadLine as error:
            yield "contacts", place, error
    reader = _event_reader(known, timezone)
    for place, data in enumerate(events):
        try:
            line = reader.read(EVENTS.of_line(data))
            line.as_input(line.received_at, imported=False)
        except BadLine as error:
            yield "events", place, error


def _event_reader(known: Mapping[str, ContactLine], timezone: str) -> EventReader:
    own = ((key, row.attributes.get("timezone")) for key, row in known.items())
    return EventReader(zone(timezone), {key: zone(name, timezone) for key, name in own if isinstance(name, str)})


def _latest(rows: Mapping[str, ContactLine]) -> datetime:
    """Where nothing starts the clock everybody is there already, and nothing happens."""
    return max((row.created_at for row in rows.values() if row.created_at is not None), default=EPOCH)


def _with_contacts(arrivals: list[Arrival], rows: Mapping[str, ContactLine], start: datetime) -> list[Arrival]:
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
            appearing.append((origin, key, _appear(row, origin, born)))
        elif key in first and first[key] < born:
            appearing.append((first[key], key, _appear(row, first[key], None)))
        else:
            appearing.append((born, key, _appear(row, born, born, announced=True)))
    # At one instant a contact appears before its events, because sorting keeps the order of what is alike.
    return [*appearing, *arrivals]


def _appear(row: ContactLine, at: datetime, born: datetime | None, *, announced: bool = False) -> Appear:
    consent = (row.topics, row.unsubscribed, row.suppressed)
    return Appear(at, born, row.attributes, row.tags, announced, False, *consent)


# --- events ----------------------------------------------------------------------------------------------------------


def _read_events(
    path: Path, reader: EventReader, start: datetime | None, unknown: UnknownMembers, errors: LineErrors
) -> list[Arrival]:
    found: list[Arrival] = []
    with errors.noting_broken(path):
        for number, _, read in Records(path, EVENTS):
            try:
                data = read()
                unknown.look(data, f"{path}:{number}")
                line = reader.read(data)
                at = line.received_at
                found.append((at, line.contact, line.as_input(at, imported=start is not None and at < start)))
            except BadLine as error:
                errors.add(path, number, error)
    return found


# --- contacts --------------------------------------------------------------------------------------------------------


def _read_contacts(path: Path, timezone: str, found: dict[str, ContactLine], errors: LineErrors) -> None:
    with errors.noting_broken(path):
        for number, _, read in Records(path, CONTACTS):
            with errors.noting(path, number):
                _know(read(), timezone, found)


def _know(data: Object, timezone: str, found: dict[str, ContactLine]) -> None:
    line = read_contact(data, timezone)
    if line.contact in found:
        raise BadLine.at("contact", "each contact once", line.contact)
    found[line.contact] = line
