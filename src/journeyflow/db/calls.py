"""Calls of webhooks: the queue that callers work off, and the record of what was answered (rule 4.10)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, func, select, update

from journeyflow.core.effects import Call
from journeyflow.core.identity import shard_of
from journeyflow.core.inputs import Reply
from journeyflow.core.values import JSON, from_micros, to_micros
from journeyflow.db import aliases, bulk, inbox, leases
from journeyflow.db.contacts import dump, instant, micros
from journeyflow.db.tables import calls


@dataclass(frozen=True, slots=True)
class StoredCall:
    """One row of ``calls``; instants are aware UTC. See :class:`journeyflow.core.effects.Call`."""

    id: str
    contact: str
    journey: str
    version: int
    run: str
    node: str
    visit: int
    method: str
    url: str
    headers: dict[str, str]
    body: str | None
    awaited: bool
    host_written: bool
    status: str
    reason: str | None
    reply_status: int | None
    queued_at: datetime
    expires_at: datetime
    attempts: int
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What became of a claimed call: ``answered``, ``failed``, or ``queued`` again for ``due_at``."""

    call: StoredCall
    status: str
    at: datetime
    reply_status: int | None = None
    body: JSON = None
    reason: str | None = None
    due_at: datetime | None = None


def queue(connection: Connection, made: Iterable[Call]) -> None:
    """Put calls into the queue."""
    bulk.insert(connection, calls, [_row(call) for call in made])


def _row(call: Call) -> tuple[object, ...]:
    queued_at = to_micros(call.queued_at)
    return (
        shard_of(call.contact),
        call.contact,
        call.id,
        call.journey,
        call.version,
        call.run,
        call.node,
        call.visit,
        call.method,
        call.url,
        dump(call.headers),
        call.body,
        int(call.awaited),
        int(call.host_written),
        "queued",
        None,
        None,
        queued_at,
        to_micros(call.expires_at),
        queued_at,
        0,
        None,
    )


def _call(row: Any) -> StoredCall:  # Any: a row of the table
    return StoredCall(
        id=row.id,
        contact=row.contact,
        journey=row.journey,
        version=row.version,
        run=row.run,
        node=row.node,
        visit=row.visit,
        method=row.method,
        url=row.url,
        headers=orjson.loads(row.headers),
        body=row.body,
        awaited=bool(row.awaited),
        host_written=bool(row.host_written),
        status=row.status,
        reason=row.reason,
        reply_status=row.reply_status,
        queued_at=from_micros(row.queued_at),
        expires_at=from_micros(row.expires_at),
        attempts=row.attempts,
        ended_at=instant(row.ended_at),
    )


def claim(connection: Connection, now: datetime, lease_until: datetime, limit: int) -> list[StoredCall]:
    """Take due calls: queued ones, and those whose caller died and let its lease run out.

    They are ``sending`` until ``finish``. ``status`` in the result is what it was before: ``sending`` marks a call that
    may have been made already.
    """
    taken = [_call(row) for row in leases.take_due(connection, calls, to_micros(now), limit)]
    for call in taken:
        connection.execute(
            update(calls)
            .where(*_this(call))
            .values(status="sending", due_at=to_micros(lease_until), attempts=calls.c.attempts + 1)
        )
    return taken


def finish(connection: Connection, outcomes: Sequence[CallOutcome]) -> int:
    """Write down what became of claimed calls, and hand replies to the runs that wait; how many of these there were."""
    written = write_down(connection, outcomes)
    awaited = [one for one in written if one.status != "queued" and one.call.awaited]
    inbox.put(connection, [(one.call.contact, _reply(one)) for one in awaited])
    return len(awaited)


def write_down(connection: Connection, outcomes: Sequence[CallOutcome]) -> list[CallOutcome]:
    """Write down what became of claimed calls; those outcomes that nobody else has written down before."""
    written = []
    for outcome in outcomes:
        contact = outcome.call.contact
        found = _write(connection, outcome, contact)
        if not found and (person := aliases.resolve(connection, contact)) != contact:  # merged in the meantime
            found = _write(connection, outcome, person)
        if found:
            written.append(outcome)
    return written


def _write(connection: Connection, outcome: CallOutcome, contact: str) -> bool:
    """Whether that contact has the call, and it was being made.

    Once it is answered that is so, whoever else may be at it by now; any other end is only that of its own attempt.
    """
    mine = [] if outcome.status == "answered" else [calls.c.attempts == outcome.call.attempts + 1]
    changed = connection.execute(
        update(calls)
        .where(*_this(outcome.call, contact), calls.c.status == "sending", *mine)
        .values(
            status=outcome.status,
            reason=outcome.reason,
            reply_status=outcome.reply_status,
            due_at=micros(outcome.due_at),
            ended_at=None if outcome.status == "queued" else to_micros(outcome.at),
        )
    )
    return changed.rowcount == 1


def _reply(outcome: CallOutcome) -> Reply:
    call = outcome.call
    error = None if outcome.status == "answered" else outcome.reason or "failed"
    return Reply(outcome.at, call.run, call.node, call.visit, outcome.reply_status, outcome.body, error)


def _this(call: StoredCall, contact: str | None = None) -> tuple[ColumnElement[bool], ...]:
    holder = call.contact if contact is None else contact
    return (calls.c.shard == shard_of(holder), calls.c.contact == holder, calls.c.id == call.id)


def next_due(connection: Connection) -> datetime | None:
    """When the next call is due."""
    return instant(connection.scalar(select(func.min(calls.c.due_at)).where(calls.c.due_at.isnot(None))))


def of_contact(connection: Connection, contact: str, limit: int) -> list[StoredCall]:
    """The last calls made for a contact, newest first."""
    query = (
        select(calls)
        .where(calls.c.shard == shard_of(contact), calls.c.contact == contact)
        .order_by(calls.c.queued_at.desc(), calls.c.id)
        .limit(limit)
    )
    return [_call(row) for row in connection.execute(query)]
