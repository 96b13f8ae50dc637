"""API keys: made here, kept as hashes, checked by scope (interfaces.md, ``keys``)."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final, Literal, NamedTuple, get_args
from uuid import uuid4

from sqlalchemy import Connection, select, update

from journeyflow.core.errors import NotFound
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk
from journeyflow.db.contacts import instant
from journeyflow.db.tables import keys

Scope = Literal["browser", "write", "read", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
FROM_SETTINGS: Final = "from settings"
"""The name of keys that the settings give; no other key has it."""


class Key(NamedTuple):
    """What is known of a key; the key itself is not kept."""

    id: str
    scope: Scope
    name: str | None
    created_at: datetime
    revoked_at: datetime | None


def _digest(secret: str) -> str:
    """Keys are 256 random bits, so that one plain hash is enough; of short ones of one's own ``Settings`` warns."""
    return sha256(secret.encode(errors="surrogatepass")).hexdigest()


def create(connection: Connection, scope: Scope, name: str | None, now: datetime, secret: str | None = None) -> str:
    """A new key; it is shown now and never again.

    :param secret: an own key instead of a made one.
    """
    made = secret or f"jf_{scope}_{token_urlsafe(32)}"
    bulk.insert(connection, keys, [(str(uuid4()), _digest(made), scope, name, to_micros(now), None)])
    return made


def find(connection: Connection, secret: str) -> Key | None:
    """The key that was given, unless it is unknown or revoked."""
    row = connection.execute(select(keys).where(keys.c.digest == _digest(secret), keys.c.revoked_at.is_(None))).first()
    return None if row is None else Key(row.id, row.scope, row.name, from_micros(row.created_at), None)


def listed(connection: Connection) -> list[Key]:
    """All keys, oldest first, revoked ones too."""
    rows = connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id))
    return [Key(row.id, row.scope, row.name, from_micros(row.created_at), instant(row.revoked_at)) for row in rows]


def revoke(connection: Connection, id_: str, now: datetime) -> None:
    """A key is good no more.

    :raises NotFound: when there is no such key in force.
    """
    mine = (keys.c.id == id_) & keys.c.revoked_at.is_(None)
    if not connection.execute(update(keys).where(mine).values(revoked_at=to_micros(now))).rowcount:
        raise NotFound(f"there is no key {id_} in force")
