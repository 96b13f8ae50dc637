"""Erasing a contact: nothing that names it is left in any table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, delete, exists, select, update

from journeyflow.core.identity import shard_of
from journeyflow.db import aliases, bulk, tables
from journeyflow.db.tables import contacts, coupons, failures, inbox, metadata

_KEPT: Final = {
    coupons,  # a code must never be given out again: only its owner goes
    inbox,  # what came before has had its turn; what came after makes a contact anew
}
_OF_CONTACTS: Final = [table for table in metadata.sorted_tables if "contact" in table.c and table not in _KEPT]
"""Whatever table comes to be about contacts is emptied of them as well."""


def forget(connection: Connection, keys: Iterable[str]) -> None:
    """Delete everything that is kept of contacts; addresses, which are hashes, keep what their owners said (rule 5.8).

    Timers and codes are looked for in the whole of their shards: erasing is rare, and an index would cost every turn.
    """
    for key in keys:
        shard = shard_of(key)
        for table in _OF_CONTACTS:
            connection.execute(delete(table).where(table.c.shard == shard, table.c.contact == key))
        merged = [one.contact for one in aliases.into(connection, key)]
        bulk.delete(connection, tables.aliases, [(shard_of(one), one) for one in merged])
        # A code lies in the shard of who it was given to.
        for where in {shard, *map(shard_of, merged)}:
            mine = (coupons.c.shard == where) & (coupons.c.contact == key)
            connection.execute(update(coupons).where(mine).values(contact="", run=""))


def is_known(connection: Connection, key: str) -> bool:
    """Whether there is anything to erase, or about to be: a contact, or inputs that wait or were set aside."""
    return any(
        connection.scalar(select(exists().where(table.c.shard == shard_of(key), table.c.contact == key)))
        for table in (contacts, inbox, failures, tables.aliases)
    )
