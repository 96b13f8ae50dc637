"""Which contacts have an address: a table by the address's hash, so that nobody has to be searched for (rule 5.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, and_, func, select

from journeyflow.core.address import ATTRIBUTES, written
from journeyflow.core.contact import Contact
from journeyflow.core.effects import AddressTurn
from journeyflow.core.identity import address_hash, shard_of
from journeyflow.core.values import JSON
from journeyflow.db import bulk
from journeyflow.db.store import on_postgresql
from journeyflow.db.tables import holders

Addresses = tuple[JSON, ...]
"""What a contact's attributes say of its addresses, by channel."""
Change = tuple[str, Addresses, Addresses]
"""A contact, what it said of its addresses before, and what it says now."""
NONE: Final[Addresses] = (None,) * len(ATTRIBUTES)
_LOCKS: Final = 0x6A66
"""Under this number, which is two letters, PostgreSQL keeps the locks of :func:`keep_apart`."""
_PARTS: Final = 32


def addresses_of(contact: Contact) -> Addresses:
    """What has to be compared to know whether its addresses have changed."""
    return tuple(map(contact.attributes.get, ATTRIBUTES.values()))


def gained(changes: Iterable[Change]) -> dict[str, list[str]]:
    """The hashes of addresses that contacts have now and had not before, each with these contacts."""
    found: dict[str, list[str]] = {}
    for contact, before, after in changes:
        for digest in _hashes(after) - _hashes(before):
            found.setdefault(digest, []).append(contact)
    return found


def keep_apart(connection: Connection, gained: Iterable[str], turned: Iterable[AddressTurn]) -> None:
    """Before :func:`save` and :func:`others`: who turns an address waits for those who are about to have it.

    Neither sees what the other has not committed. Else a contact of another group that was told of no unsubscribing,
    and did not find it either, would go on as if there were none.
    """
    if on_postgresql(connection):
        alone = {_part(address_hash(one.channel, one.address)) for one in turned}
        together = {_part(digest) for digest in gained} - alone
        _lock(connection, func.pg_advisory_xact_lock, alone)
        _lock(connection, func.pg_advisory_xact_lock_shared, together)


def _lock(connection: Connection, lock: Any, parts: set[int]) -> None:  # Any: a function of the database
    if parts:  # in order, so that nobody waits in a circle
        connection.execute(select(*(lock(_LOCKS, part) for part in sorted(parts))))


def _part(digest: str) -> int:
    """A lock each would be more than the server has room for."""
    return shard_of(digest) % _PARTS


def save(connection: Connection, changes: Iterable[Change]) -> None:
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
