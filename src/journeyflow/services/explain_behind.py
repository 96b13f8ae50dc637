"""What has not been done yet though it came or was due: no trail tells of it, so ``explain`` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Final

from sqlalchemy import Connection

from journeyflow.core.contact import Run
from journeyflow.db import documents, failures, inbox
from journeyflow.services.explain_words import local

USUAL: Final = timedelta(minutes=1)
"""What is due since less time is on its way."""
_ASK: Final = "; is an engine running? (journeyflow doctor)"


def not_handled(connection: Connection, keys: Iterable[str], now: datetime, zone: tzinfo) -> Iterator[str]:
    """What came for a contact, under any of its keys, and waits for the engine, or was set aside."""
    every = [*keys]
    count, first = inbox.waiting(connection, every)
    if first is not None:
        ask = _ASK if now - first > USUAL else ""
        if count == 1:
            yield f"what came for it {local(first, zone)} is not handled yet{ask}"
        else:
            yield f"{count:,} inputs came for it that are not handled yet, the first {local(first, zone)}{ask}"
    errors = failures.of_contacts(connection, every)
    if errors:
        what = "1 input was" if len(errors) == 1 else f"{len(errors):,} inputs were"
        yield f"{what} set aside, since a decision failed on {'it' if len(errors) == 1 else 'them'}: {errors[-1]}"


def overdue(connection: Connection, runs: Iterable[Run], now: datetime, zone: tzinfo) -> Iterator[str]:
    """A line for each run that should have gone on by time alone."""
    paused = {row.id for row in documents.journey_rows(connection).values() if row.state == "paused"}
    for run in runs:
        due = min((at for at in (run.due_at, run.check_at) if at is not None), default=None)
        stands = run.status != "active" or run.held or run.journey in paused
        if due is not None and not stands and now - due > USUAL:
            yield f"{run.journey}: what was due {local(due, zone)} is not done yet{_ASK}"
