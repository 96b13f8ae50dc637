"""One contact as others see it: its state in plain shapes, and everything that happened to it in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from journeyflow.core.address import first_written
from journeyflow.core.contact import Address, Contact, Run
from journeyflow.core.errors import NotFound
from journeyflow.core.identity import address_hash
from journeyflow.core.inputs import Appear, Event, Identify
from journeyflow.core.values import JSON, iso
from journeyflow.core.view import Library
from journeyflow.core.workspace import Topic
from journeyflow.db import aliases, contacts, memory, timeline
from journeyflow.db.history import RunRow
from journeyflow.db.outbox import StoredMessage
from journeyflow.db.timeline import Happening, Position

Shape = dict[str, JSON]


# --- shapes (interfaces.md) ------------------------------------------------------------------------------------------


def run_shape(contact: str, run: Run | RunRow) -> Shape:
    """A run as the API and the command line give it."""
    return {
        "id": run.id,
        "contact": contact,
        "journey": run.journey,
        "version": run.version,
        "status": run.status,
        "node": run.node,
        "due_at": _text(run.due_at),
        "entered_at": iso(run.entered_at),
        "ended_at": _text(run.ended_at),
        "reason": run.reason,
    }


def message_shape(message: StoredMessage) -> Shape:
    """A message as the API and the command line give it."""
    return {
        "id": message.id,
        "contact": message.contact,
        "journey": message.journey,
        "node": message.node,
        "run": message.run,
        "channel": message.channel,
        "template": message.template,
        "to": message.to,
        "subject": message.subject,
        "status": message.status,
        "reason": message.reason,
        "queued_at": iso(message.queued_at),
        "sent_at": _text(message.sent_at),
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else iso(instant)


def contact_shape(contact: Contact, library: Library, address: Address) -> Shape:
    """A contact as the API and the command line give it; ``runs`` are those that are active."""
    return {
        "contact": contact.key,
        "email": email_of(contact),
        "attributes": contact.attributes,
        "tags": [*contact.tags],
        "topics": {**consent(contact, library, address)},
        "stage": stage_of(contact, library),
        "suppressed": address.suppressed,
        "created_at": _text(contact.created_at),
        "runs": [run_shape(contact.key, run) for run in contact.runs if run.active],
    }


def stage_of(contact: Contact, library: Library) -> str | None:
    """The stage that the contact is in, as it was judged last; it is judged whenever that can change."""
    return contact.stage.stage if contact.stage is not None and library.workspace.stages else None


def email_of(contact: Contact) -> str | None:
    """The address of a contact, if it is one."""
    email = contact.attributes.get("email")
    return email if isinstance(email, str) and email.strip() else None


def consent(contact: Contact, library: Library, address: Address) -> dict[str, bool]:
    """To which topics a contact is subscribed: those it can choose among, and those it said something about."""
    names = [topic.id for topic in choices(library)]
    names.extend(name for name in contact.topics if name not in names)
    return {name: chosen(contact, name, library) and not address.unsubscribed for name in names}


def chosen(contact: Contact, topic: str, library: Library) -> bool:
    """What a contact chose for a topic, else the topic's default; "everything" aside."""
    said = contact.topics.get(topic)
    return library.topic_default(topic) if said is None else said


def choices(library: Library) -> Sequence[Topic]:
    """The topics that a contact can choose among."""
    return [topic for topic in library.workspace.topics if not topic.transactional]


# --- reading ---------------------------------------------------------------------------------------------------------


def find(connection: Connection, key: str, now: datetime) -> Contact:
    """One contact; the one that it was merged into where it was (rule 10.4).

    :raises NotFound: when there is none of that key.
    """
    found = contacts.load(connection, [key], now).get(key)
    if found is None:
        now_known_as = aliases.resolve(connection, key)
        found = contacts.load(connection, [now_known_as], now).get(now_known_as)
    if found is None:
        raise NotFound(f"there is no contact {key!r}")
    return found


def demand(connection: Connection, key: str, now: datetime) -> None:
    """See that there is a contact, or is about to be one by what waits for its turn.

    :raises NotFound: when there is none of that key.
    """
    if timeline.last_to_come(connection, key) is None:
        find(connection, key, now)


def describe(connection: Connection, key: str, library: Library, now: datetime) -> Shape:
    """One contact's shape, and ``unsubscribed`` where its e-mail address is from everything, whatever it chooses.

    :raises NotFound: when there is none of that key.
    """
    contact = find(connection, key, now)
    address = addresses_of(connection, [contact])[contact.key]
    shape = contact_shape(contact, library, address)
    return shape | {"unsubscribed": True} if address.unsubscribed else shape


def describe_page(
    connection: Connection, after: tuple[int, str] | None, limit: int, library: Library, now: datetime
) -> list[tuple[tuple[int, str], Shape]]:
    """The next contacts behind a place, each with its own place (shard and key)."""
    places = timeline.contact_keys(connection, after, limit)
    found = contacts.load(connection, [key for _, key in places], now)
    addresses = addresses_of(connection, found.values())
    return [((shard, key), contact_shape(found[key], library, addresses[key])) for shard, key in places if key in found]


def addresses_of(connection: Connection, people: Iterable[Contact]) -> dict[str, Address]:
    """What is known of the address of each contact: its e-mail, else another one."""
    digests = {
        one.key: address_hash(*address) for one in people if (address := first_written(one.attributes)) is not None
    }
    known = memory.read_addresses(connection, set(digests.values()))
    return {one.key: known[digests[one.key]] if one.key in digests else Address() for one in people}


class Guarded(NamedTuple):
    """What a contact has of what a browser may not change where a server has identified it (``server``)."""

    attributes: dict[str, JSON]
    server: bool


def guarded_attributes(
    connection: Connection, keys: Iterable[str], names: frozenset[str], now: datetime
) -> dict[str, Guarded]:
    """How contacts stand, or are about to by what waits for its turn, to what a browser says of them."""
    asked = set(keys)
    people = aliases.find(connection, asked)
    wanted = {people.get(key, key) for key in asked}
    known = {
        key: Guarded(_chosen(one.attributes, names), one.server)
        for key, one in contacts.load(connection, wanted, now).items()
    }
    for key, item in timeline.still_to_come(connection, wanted):
        if isinstance(item, Identify | Appear | Event):
            had = known.get(key, Guarded({}, server=False))
            new = {} if isinstance(item, Event) else _chosen(item.attributes, names)
            known[key] = Guarded({**had.attributes, **new}, had.server or _by_server(item))
    return {key: known.get(people.get(key, key), Guarded({}, server=False)) for key in asked}


def _by_server(item: Identify | Appear | Event) -> bool:
    match item:
        case Identify():
            return not item.guarded
        case Event():
            return item.known and not item.guarded
        case Appear():
            return item.known


def _chosen(attributes: Mapping[str, JSON], names: frozenset[str]) -> dict[str, JSON]:
    return {name: value for name, value in attributes.items() if name in names and value is not None}


# --- the timeline ----------------------------------------------------------------------------------------------------


def happenings(connection: Connection, key: str, before: Position | None, limit: int, now: datetime) -> list[Happening]:
    """What happened to a contact, newest first: events, steps of runs, refusals, messages.

    :param before: where the page before ended.
    :raises NotFound: when there is no contact of that key.
    """
    contact = find(connection, key, now)
    return timeline.before(connection, contact.key, before, limit)
