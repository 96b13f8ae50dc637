"""One turn of the engine: take what is due, decide in memory, write everything, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection

from journeyflow.core.actor import Actor
from journeyflow.core.contact import Contact
from journeyflow.core.effects import Effects, TrailRecord
from journeyflow.core.flows import Flows
from journeyflow.core.inputs import Forget, Input
from journeyflow.db import codes, contacts, documents, failures, inbox, tasks, turns
from journeyflow.db.documents import FlowsCache
from journeyflow.db.inbox import Arrived
from journeyflow.db.memory import CodeMaker, TurnMemory

MICROSECOND = timedelta(microseconds=1)


class PoolLow(NamedTuple):
    """A pool in which this turn brought the codes that are left below the pool's ``low_water``."""

    pool: str
    left: int


@dataclass(slots=True)
class Done:
    """What a turn did: contacts handled, inputs and timers taken, and whether more was waiting.

    ``trail`` is what it decided, each record with its contact's number of it.
    """

    contacts: int = 0
    inputs: int = 0
    timers: int = 0
    tasks: int = 0
    more: bool = False
    alerts: tuple[str, ...] = ()
    messages: int = 0
    calls: int = 0
    pools_low: tuple[PoolLow, ...] = ()
    now: datetime | None = None
    trail: Sequence[tuple[int, TrailRecord]] = ()


@dataclass(slots=True)
class _Batch:
    inputs: dict[str, list[Input]]
    timers: dict[str, list[datetime]]
    visited: list[str]
    until: datetime

    def contacts(self) -> list[str]:
        return list(dict.fromkeys([*self.inputs, *self.timers, *self.visited]))


def take_turn(connection: Connection, cache: FlowsCache, clock: datetime, limit: int, make_code: CodeMaker) -> Done:
    """One turn over at most about ``limit`` inputs and timers, inside the caller's transaction.

    :raises Exception: whatever a decision raised; the caller rolls back and isolates the contact (``isolate``).
    """
    now = turns.advance_clock(connection, clock)
    flows = cache.current(connection)
    batch, done = _take(connection, now, limit)
    keys = batch.contacts()
    if not keys:
        return done
    effects = _decide(connection, flows, batch, now, make_code)
    turns.save(connection, effects, now)
    done.contacts = len(keys)
    done.alerts = tuple(effects.alerts)
    done.trail = effects.trail
    done.messages = sum(message.status == "queued" for message in effects.messages)
    done.calls = len(effects.calls)
    done.pools_low = tuple(_pools_low(connection, flows, effects)) if effects.allocations else ()
    return done


def _take(connection: Connection, now: datetime, limit: int) -> tuple[_Batch, Done]:
    """Inputs first, then due timers, then a slice of a task; nothing later than what is left behind (rule 1.2)."""
    oldest = inbox.oldest(connection, limit)
    arrived = _up_to_a_new_life(oldest)
    inputs: dict[str, list[Input]] = {}
    for one in arrived:
        inputs.setdefault(one.contact, []).append(one.input)
    if arrived:
        inbox.remove_until(connection, arrived[-1].id)
    full = len(oldest) == limit or len(arrived) < len(oldest)
    # What is left behind may have arrived at the very instant of the last one taken, and goes before its timers.
    until = min(now, arrived[-1].input.at - MICROSECOND) if full else now
    share = max(1, limit // 4)
    room = max(share, limit - len(arrived))
    due = turns.due(connection, until, room)
    turns.take(connection, due)
    timers: dict[str, list[datetime]] = {}
    for contact, at in due:
        timers.setdefault(contact, []).append(at)
    visited, waiting = _visit(connection, until, max(share, room - len(due)))
    done = Done(inputs=len(arrived), timers=len(due), tasks=len(visited), now=now)
    done.more = full or len(due) == room or waiting
    return _Batch(inputs, timers, visited, until), done


def _up_to_a_new_life(arrived: list[Arrived]) -> list[Arrived]:
    """Without what comes after the first contact that is erased and then comes back: a turn erases at its end."""
    forgotten: set[str] = set()
    for place, one in enumerate(arrived):
        if one.contact in forgotten:
            return arrived[:place]
        if isinstance(one.input, Forget):
            forgotten.add(one.contact)
    return arrived


def _visit(connection: Connection, until: datetime, limit: int) -> tuple[list[str], bool]:
    """A slice of each task, none of which came after ``until``: its place is behind what arrived before it."""
    found: list[str] = []
    due = tasks.oldest(connection, until)
    for task in due:
        part = tasks.take_slice(connection, task, max(1, limit // len(due)))
        found.extend(part.contacts)
        if part.last and task.resumption is not None:
            documents.end_resumption(connection, task.journey, task.resumption)
    return found, bool(due)


def _decide(connection: Connection, flows: Flows, batch: _Batch, now: datetime, make_code: CodeMaker) -> Effects:
    effects = Effects()
    keys = batch.contacts()
    actors = contacts.load(connection, keys, now)
    recent_after = None if flows.messages_for is None else now - flows.messages_for
    memory = TurnMemory(connection, actors, batch.inputs, effects, make_code, flows.channels | {"email"}, recent_after)
    for key in keys:
        contact = actors.get(key)
        if contact is None:
            contact = actors[key] = Contact(key)
        if contact.timer_at is not None and contact.timer_at in batch.timers.get(key, ()):
            contact.timer_at = None
        Actor(contact, now, flows, memory, effects).handle(batch.inputs.get(key, ()), batch.until)
    return effects


def _pools_low(connection: Connection, flows: Flows, effects: Effects) -> Iterator[PoolLow]:
    """Told once for each time that a pool falls below its mark."""
    taken = Counter(one.coupon.pool for one in effects.allocations if one.stocked)
    for name, count in taken.items():
        pool = flows.library.pools.get(name)
        left = codes.counts(connection, name)["left"]
        if pool is not None and left < pool.low_at <= left + count:
            yield PoolLow(name, left)


RETRY_AFTER = timedelta(hours=1)
"""A contact whose time raised an error is looked at again after so long."""


def isolate(connection: Connection, cache: FlowsCache, clock: datetime, make_code: CodeMaker, limit: int) -> int:
    """After a turn failed: decide contact by contact, and set aside the inputs of those that fail.

    Each contact is tried in a savepoint of its own; what it was given and the error go to ``failures``, so that
    nothing is lost and nobody else waits. Returns how many contacts failed.
    """
    now = turns.advance_clock(connection, clock)
    flows = cache.current(connection)
    batch, _ = _take(connection, now, limit)
    failed = 0
    for key in batch.contacts():
        alone = _Batch(
            {key: batch.inputs[key]} if key in batch.inputs else {},
            {key: batch.timers[key]} if key in batch.timers else {},
            [key],
            batch.until,
        )
        error = _attempt(connection, partial(_decide_and_save, connection, flows, alone, now, make_code))
        if error is not None:
            failed += 1
            failures.put(connection, key, alone.inputs.get(key, []), error, now)
            if alone.timers:
                turns.set_timer(connection, key, now + RETRY_AFTER)
    return failed


def _decide_and_save(connection: Connection, flows: Flows, batch: _Batch, now: datetime, make_code: CodeMaker) -> None:
    turns.save(connection, _decide(connection, flows, batch, now, make_code), now)


def _attempt(connection: Connection, work: Callable[[], None]) -> str | None:
    try:
        with connection.begin_nested():
            work()
    except Exception as error:  # noqa: BLE001  # whatever one contact's decision raised must not stop the others
        return f"{type(error).__name__}: {error}"
    return None
