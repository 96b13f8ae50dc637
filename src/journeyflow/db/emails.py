"""Contacts by their e-mail address: who has one of the same normal form (rule 5.8)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, select, tuple_

from journeyflow.core.contact import Contact
from journeyflow.core.identity import address_hash, shard_of
from journeyflow.db import bulk_sqlite as bulk
from journeyflow.db.tables import contacts, emails


def keep(connection: Connection, people: Iterable[Contact]) -> None:
    """Write down the addresses of those whose address has changed since they were loaded."""
    changed = [one for one in people if one.attributes.get("email") != one.kept_email]
    if not changed:
        return
    rows: list[tuple[int, str, str]] = []
    gone: list[tuple[int, str]] = []
    for one in changed:
        email = one.attributes.get("email")
        place = (shard_of(one.key), one.key)
        if isinstance(email, str) and email.strip():
            rows.append((*place, address_hash("email", email)))
        else:
            gone.append(place)
        one.kept_email = email
    bulk.put(connection, emails, rows)
    bulk.delete(connection, emails, gone)


def has(email: str) -> ColumnElement[bool]:
    """That a contact has that address, however either is spelled."""
    same = select(emails.c.shard, emails.c.contact).where(emails.c.address == address_hash("email", email))
    return tuple_(contacts.c.shard, contacts.c.contact).in_(same)
