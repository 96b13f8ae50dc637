"""What has not been done yet though it was due: no trail tells of it, so ``explain`` does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from sqlalchemy import Connection

from journeyflow.core.contact import Contact
from journeyflow.db import inbox
from journeyflow.services.explain_words import local

USUAL: Final = timedelta(minutes=1)
"""What is due since less time is on its way."""
_ASK: Final = "; is an engine running? (journeyflow doctor)"


def not_done(connection: Connection, contact: Contact, now: datetime, zone: tzinfo) -> Iterator[str]:
    """A line for what came for a contact and is not handled, and one for what was due by time alone and is not done."""
    waiting = not_handled(connection, contact.key, now, zone)
    if waiting is not None:
        yield waiting
    due = contact.timer_at
    if due is not None and now - due > USUAL:
        yield f"what was due {local(due, zone)} is not done yet{_ASK}"


def not_handled(connection: Connection, key: str, now: datetime, zone: tzinfo = UTC) -> str | None:
    """What came for a contact, which need not exist yet, and waits for the engine; ``None`` where nothing does."""
    count, first = inbox.waiting(connection, key)
    if first is None:
        return None
    ask = _ASK if now - first > USUAL else ""
    if count == 1:
        return f"what came for it {local(first, zone)} is not handled yet{ask}"
    return f"{count:,} inputs came for it that are not handled yet, the first {local(first, zone)}{ask}"
