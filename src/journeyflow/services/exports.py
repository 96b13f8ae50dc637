"""Contacts as records of files, the way that imports and simulations read them (:mod:`.contact_lines`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from journeyflow.core.address import ATTRIBUTES, written
from journeyflow.core.identity import address_hash
from journeyflow.core.values import JSON, iso
from journeyflow.db.memory import read_addresses
from journeyflow.db.replay import StoredContact


def contact_lines(connection: Connection, stored: Sequence[StoredContact]) -> Iterator[dict[str, JSON]]:
    """One record for each contact; what is known of its addresses goes with it, by channel."""
    digests = [
        {channel: address_hash(channel, text) for channel in ATTRIBUTES if (text := written(one.attributes, channel))}
        for one in stored
    ]
    known = read_addresses(connection, {digest for of_one in digests for digest in of_one.values()})
    for one, of_one in zip(stored, digests, strict=True):
        addresses = {channel: known[digest] for channel, digest in of_one.items()}
        beside: dict[str, JSON] = {
            "topics": {**one.topics},
            "unsubscribed": [channel for channel, address in addresses.items() if address.unsubscribed],
            "suppressed": [channel for channel, address in addresses.items() if address.suppressed],
            "anonymous": not one.known,
        }
        yield {
            "contact": one.contact,
            "created_at": iso(one.created_at),
            "attributes": one.attributes,
            "tags": [*one.tags],
            **{name: value for name, value in beside.items() if value},
        }
