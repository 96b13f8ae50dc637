"""Erasing a contact: nothing that names it is left in any table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, delete, exists, select, update

from journeyflow.core.identity import shard_of
from journeyflow.db import aliases, bulk, inbox, tables
from journeyflow.db.store import one_at_a_time
from journeyflow.db.tables import contacts, coupons, failures, metadata

_KEPT: Final = {
    coupons,  # a code must never be given out again: only its owner goes
    tables.inbox,  # what came before has had its turn; what came after makes a contact anew
}
_OF_CONTACTS: Final = [table for table in metadata.sorted_tables if "contact" in table.c and table not in _KEPT]
"""Whatever table comes to be about contacts is emptied of them as well."""


def forget(connection: Connection, keys: Iterable[str]) -> None:
    """Delete everything that is kept of contacts; addresses, which are hashes, keep what their owners said (rule 5.8).

    Who is on the way to one of them arrives afterwards and makes a contact anew; whose arrival was set aside goes as
    well. Timers and codes are looked for in the whole of their shards: erasing is rare, and an index would cost every
    turn.
    """
    for key in keys:
        for one in sorted({key, *_merged_into(connection, key)}):  # nobody is sent there meanwhile
            one_at_a_time(connection, f"merge {one}")
        merged = _merged_into(connection, key)
        stranded = inbox.absorbed(connection, failures, key)
        arriving = inbox.absorbed(connection, tables.inbox, key)
        for one in (key, *stranded):
            for table in _OF_CONTACTS:
                connection.execute(delete(table).where(table.c.shard == shard_of(one), table.c.contact == one))
        bulk.delete(connection, tables.aliases, [(shard_of(one), one) for one in merged if one not in arriving])
        # A code lies in the shard of who it was given to.
        for where in {shard_of(key), *map(shard_of, merged)}:
            mine = (coupons.c.shard == where) & coupons.c.contact.in_([key, *stranded])
            connection.execute(update(coupons).where(mine).values(contact="", run=""))


def _merged_into(connection: Connection, key: str) -> list[str]:
    return [one.contact for one in aliases.into(connection, key)]


def is_known(connection: Connection, key: str) -> bool:
    """Whether there is anything to erase, or about to be: a contact, or inputs that wait or were set aside."""
    return any(
        connection.scalar(select(exists().where(table.c.shard == shard_of(key), table.c.contact == key)))
        for table in (contacts, tables.inbox, failures, tables.aliases)
    )
