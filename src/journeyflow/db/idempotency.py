"""Requests that were made before: kept among the ids of events that a contact has had, and for as long (rule 1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, select

from journeyflow.core.errors import Conflict
from journeyflow.core.identity import shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import aliases, bulk
from journeyflow.db.store import one_at_a_time
from journeyflow.db.tables import seen

INSTALLATION: Final = ""
"""Whose requests are those that concern no one contact, or one that they make; no contact has this key."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a client named its request (``Idempotency-Key``), and what it asked for."""

    key: str
    request: bytes

    @property
    def prefix(self) -> str:
        """Begins with a character that no id of an event has."""
        return f"\x1f{sha256(self.key.encode(errors='surrogatepass')).hexdigest()}:"

    @property
    def kept(self) -> str:
        return f"{self.prefix}{sha256(self.request).hexdigest()}"


def claim(connection: Connection, contact: str, token: Token, now: datetime) -> datetime | None:
    """``None`` for a request that is new for that contact, which it is no more from now on; else when it came first.

    :param contact: or :data:`INSTALLATION`.
    :raises Conflict: when its name came before with another request.
    """
    contact = aliases.resolve(connection, contact)  # one that was merged took its requests along
    one_at_a_time(connection, f"request {contact}\x1f{token.prefix}")
    mine = (seen.c.shard == shard_of(contact)) & (seen.c.contact == contact)
    begins = (seen.c.message_id > token.prefix) & (seen.c.message_id < f"{token.prefix}~")
    known = connection.execute(select(seen.c.message_id, seen.c.at).where(mine, begins)).first()
    if known is None:
        bulk.insert(connection, seen, [(shard_of(contact), contact, token.kept, to_micros(now))])
        return None
    if known.message_id != token.kept:
        raise Conflict("this Idempotency-Key came before with another request; each request needs one of its own")
    return from_micros(known.at)
