"""Which contacts have an address: a table by the address's hash, so that nobody has to be searched for (rule 5.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, and_, select

from journeyflow.core.address import ATTRIBUTES, written
from journeyflow.core.contact import Contact
from journeyflow.core.effects import AddressTurn
from journeyflow.core.identity import address_hash, shard_of
from journeyflow.core.values import JSON
from journeyflow.db import bulk
from journeyflow.db.tables import holders

Addresses = tuple[JSON, ...]
"""What a contact's attributes say of its addresses, by channel."""
NONE: Final[Addresses] = (None,) * len(ATTRIBUTES)


def addresses_of(contact: Contact) -> Addresses:
    """What has to be compared to know whether its addresses have changed."""
    return tuple(map(contact.attributes.get, ATTRIBUTES.values()))


def save(connection: Connection, changes: Iterable[tuple[str, Addresses, Addresses]]) -> None:
    """Write down who has which addresses: contact, those before, those now."""
    given: list[tuple[int, str, str]] = []
    taken: list[tuple[int, str, str]] = []
    for contact, before, after in changes:
        old, new = _hashes(before), _hashes(after)
        given.extend((shard_of(one), one, contact) for one in new - old)
        taken.extend((shard_of(one), one, contact) for one in old - new)
    bulk.delete(connection, holders, taken)
    bulk.insert_new(connection, holders, given)


def _hashes(addresses: Addresses) -> set[str]:
    attributes: Mapping[str, JSON] = dict(zip(ATTRIBUTES.values(), addresses, strict=True))
    found = ((channel, written(attributes, channel)) for channel in ATTRIBUTES)
    return {address_hash(channel, text) for channel, text in found if text is not None}


def of(connection: Connection, channel: str, address: str) -> list[tuple[int, str]]:
    """The shards and keys of the contacts that have an address, however it is spelled."""
    digest = address_hash(channel, address)
    same = and_(holders.c.shard == shard_of(digest), holders.c.address == digest)
    found = connection.scalars(select(holders.c.holder).where(same).order_by(holders.c.holder)).all()
    return [(shard_of(holder), holder) for holder in found]


def others(connection: Connection, turned: Iterable[AddressTurn]) -> list[tuple[str, bool]]:
    """Who else has the addresses, in the order of their keys; each with whether it is history that turned them."""
    by_hash: dict[str, list[AddressTurn]] = {}
    for one in turned:
        by_hash.setdefault(address_hash(one.channel, one.address), []).append(one)
    wanted = bulk.batch(connection, ((shard_of(digest), digest) for digest in by_hash))
    same = and_(holders.c.shard == wanted.c.shard, holders.c.address == wanted.c.contact)
    rows = connection.execute(select(holders.c.address, holders.c.holder).select_from(wanted.join(holders, same)))
    found: dict[str, bool] = {}
    for digest, holder in rows.all():
        for one in by_hash[digest]:
            if one.contact != holder:
                found[holder] = found.get(holder, True) and one.imported
    return sorted(found.items())
