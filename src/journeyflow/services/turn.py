"""One turn of the engine: take what is due, decide in memory, write everything, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from sqlalchemy import Connection

from journeyflow.core.effects import TrailRecord
from journeyflow.core.errors import Overloaded, SystemFailure
from journeyflow.core.facts import Firings
from journeyflow.core.flows import Flows
from journeyflow.core.inputs import Absorb, Forget, Merge
from journeyflow.core.meeting import MICROSECOND, NOBODY, Held, Item, horizon, meet
from journeyflow.core.triggers import ScheduleTrigger
from journeyflow.core.values import to_micros
from journeyflow.db import aliases, claims, codes, documents, failures, inbox, tasks, timers
from journeyflow.db.claims import WHOLE, Claim, Group
from journeyflow.db.documents import FlowsCache
from journeyflow.db.inbox import Arrived, Awaited
from journeyflow.db.memory import CodeMaker
from journeyflow.db.store import system_failure
from journeyflow.db.tasks import Task
from journeyflow.services import schedules
from journeyflow.services.turn_stage import TurnStage

PAIR: Final = 2
"""A merge, and what awaits it, may stand side by side; whoever reads but one would read the second for ever."""
MERGES_MAX: Final = 100
"""So many merges into one contact are taken in one turn."""


class PoolLow(NamedTuple):
    """A pool in which this turn brought the codes that are left below the pool's ``low_water``."""

    pool: str
    left: int


@dataclass(slots=True)
class Done:
    """What a turn did: contacts handled, inputs and timers taken, and whether more was waiting.

    ``busy``: somebody else works on the groups, and nothing was done; ``groups`` is of how many it was the turn.
    ``trail`` is what was decided, each record with its contact's number of it.
    """

    contacts: int = 0
    inputs: int = 0
    timers: int = 0
    tasks: int = 0
    groups: int = 0
    more: bool = False
    busy: bool = False
    alerts: tuple[str, ...] = ()
    messages: int = 0
    calls: int = 0
    pools_low: tuple[PoolLow, ...] = ()
    now: datetime | None = None
    trail: Sequence[tuple[int, TrailRecord]] = ()


@dataclass(slots=True)
class _Batch:
    arrived: list[Arrived]
    inputs: dict[str, list[Item]]
    timers: dict[str, list[datetime]]
    visited: list[str]
    until: datetime
    firings: Callable[[str], Firings]
    held: Held

    def contacts(self) -> list[str]:
        return list(dict.fromkeys([*self.inputs, *self.timers, *self.visited]))


def take_turn(
    connection: Connection,
    cache: FlowsCache,
    clock: datetime,
    limit: int,
    make_code: CodeMaker,
    *groups: Group,
) -> Done:
    """One turn of claim groups over at most about ``limit`` inputs and timers, inside the caller's transaction.

    :param groups: they follow one another; those that somebody else works on are left out. All, where none is named.
    :raises Exception: whatever a decision raised; the caller rolls back and isolates the contact (``isolate``).
    """
    claim = claims.take(connection, groups or claims.groups(connection), clock)
    if claim is None:
        return Done(busy=True)
    flows = cache.current(connection)
    batch, done = _take(connection, flows, claim, limit)
    keys = batch.contacts()
    if keys:
        stage = _decide(connection, flows, batch, claim, make_code)
        done.contacts = len(keys)
        done.alerts = tuple(stage.alerts)
        done.trail = stage.trail
        done.messages = stage.messages
        done.calls = stage.calls
        done.pools_low = tuple(_pools_low(connection, flows, stage.stocked)) if stage.stocked else ()
    claims.keep(connection, claim)
    return done


def _take(connection: Connection, flows: Flows, claim: Claim, limit: int) -> tuple[_Batch, Done]:
    """Inputs first, then due timers, then a slice of a task; nothing later than what is left behind (rule 1.2)."""
    read = limit if claim.group is WHOLE else max(PAIR, limit)
    oldest = inbox.oldest(connection, claim.group, read)
    free, held = _free(connection, claim, oldest)
    arrived = _up_to_an_end(free)
    inputs: dict[str, list[Item]] = {}
    for one in arrived:
        inputs.setdefault(one.contact, []).append(one.input)
    inbox.remove(connection, arrived)
    cut = len(arrived) < len(free)
    full = cut or len(oldest) == read
    # What is left behind may have arrived at the very instant of the last one taken, and goes before its timers.
    last = arrived if cut else oldest
    until = min(claim.now, last[-1].input.at - MICROSECOND) if full else claim.now
    share = max(1, limit // 4)
    room = max(share, limit - len(arrived))
    due = timers.take(connection, claim, until, room)
    woken: dict[str, list[datetime]] = {}
    for contact, at in due:
        if contact in held and at >= held[contact]:
            timers.put(connection, claim, [(contact, at)])
        else:
            woken.setdefault(contact, []).append(at)
    if flows.schedules:
        schedules.fire(connection, claim, flows, until)
    firings = schedules.open_firings(connection, claim, flows)  # before a task ends with its last slice
    before = min([until, *(at - MICROSECOND for at in held.values())])
    visited, waiting = _visit(connection, flows, claim, before, max(share, room - len(due)))
    done = Done(inputs=len(arrived), timers=len(due), tasks=len(visited), groups=len(claim.parts), now=claim.now)
    done.more = (full and bool(arrived)) or len(due) == room or waiting  # for what is awaited there is nothing to do
    return _Batch(arrived, inputs, woken, visited, until, firings, held), done


def _free(
    connection: Connection, claim: Claim, oldest: Sequence[Arrived | Awaited]
) -> tuple[list[Arrived], Held]:  # fmt: skip
    """What nobody has to wait with, and who is held from which instant on, since something is awaited for them.

    Whoever is about to be merged into one who is held waits as well. No two ever wait for one another: each waits only
    for what arrived before it.
    """
    free = [one for one in oldest if isinstance(one, Arrived)]
    if len(free) == len(oldest) or not any(_from_elsewhere(claim, one) for one in oldest):
        return free, NOBODY
    into = (one.input.into for one in free if isinstance(one.input, Merge))
    people = aliases.find(connection, {*(one.contact for one in oldest), *into})
    held: dict[str, datetime] = {}
    free = []
    for one in oldest:
        key = people.get(one.contact, one.contact)
        if isinstance(one, Awaited):
            if _from_elsewhere(claim, one):
                held.setdefault(key, one.input.at)
        elif key not in held:
            if not isinstance(one.input, Merge):
                free.append(one)
            elif (target := people.get(one.input.into, one.input.into)) in held:
                held[key] = one.input.at
            else:
                people[one.contact] = target
                free.append(one)
    return free, held


def _from_elsewhere(claim: Claim, one: Arrived | Awaited) -> bool:
    """Whether what is awaited is not done by this very turn: a merge stands beside what awaits it."""
    return isinstance(one, Awaited) and not claim.group.holds(one.input.source)


def _up_to_an_end(arrived: list[Arrived]) -> list[Arrived]:
    """Up to an erasure, which a turn does at its end: what comes then, by whatever id, makes a contact anew.

    Also up to so many merges into one contact, each of which needs a pass of its own, that the turn stays short.
    """
    merges: Counter[str] = Counter()
    for place, one in enumerate(arrived, 1):
        if isinstance(one.input, Forget):
            return arrived[:place]
        if isinstance(one.input, Merge | Absorb):
            into = one.input.into if isinstance(one.input, Merge) else one.contact
            merges[into] += 1
            if merges[into] == MERGES_MAX:
                return arrived[:place]
    return arrived


def _visit(
    connection: Connection, flows: Flows, claim: Claim, until: datetime, limit: int
) -> tuple[list[str], bool]:  # fmt: skip
    """A slice of each task, none of which came after ``until``: its place is behind what arrived before it."""
    found: list[str] = []
    due = tasks.oldest(connection, claim, until)
    for task in due:
        part = tasks.take_slice(connection, claim, task, limit, len(due), _segment_of(flows, task))
        found.extend(part.contacts)
        if part.last and task.instruction is not None:
            documents.end_instruction(
                connection, task.journey, task.instruction, partial(tasks.is_last, connection, task)
            )
    return found, bool(due)


def _segment_of(flows: Flows, task: Task) -> str | None:
    """The key of the segment that a firing is for."""
    for timed in flows.schedules:
        trigger = timed.trigger
        if isinstance(trigger, ScheduleTrigger) and (timed.published.id, trigger.key) == (task.journey, task.trigger):
            definitions = flows.library.standing.segments
            return next((one.key for one in definitions if one.id == trigger.segment), None)
    return None


def next_due(connection: Connection, flows: Flows, now: datetime) -> datetime | None:
    """When time next has work: a contact's timer, or a schedule."""
    timer, firing = (
        timers.next_due(connection, claims.groups(connection)),
        schedules.next_firing(connection, flows, now),
    )
    return firing if timer is None or (firing is not None and firing < timer) else timer


def groups_with_work(connection: Connection, flows: Flows, now: datetime, groups: Sequence[Group]) -> list[Group]:
    """The groups that have something to do."""
    at = to_micros(now)
    first = {group.first: group for group in groups}
    found = {one for one, due_at in timers.first_of_groups(connection, groups).items() if due_at <= at}
    found |= inbox.waiting_groups(connection, groups) | tasks.waiting_groups(connection)
    coming = schedules.next_by_group(connection, flows, now, groups)
    found |= {group.first for group, fire_at in coming.items() if fire_at <= now}
    return [first[one] for one in sorted(found) if one in first]


def _decide(connection: Connection, flows: Flows, batch: _Batch, claim: Claim, make_code: CodeMaker) -> TurnStage:
    """Decide for all contacts of the batch, and write what was decided."""
    keys = batch.contacts()
    ids = [one.id for one in batch.arrived]
    stage = TurnStage(connection, flows, claim, batch.timers, make_code, batch.firings, ids)
    if stage.load(batch.inputs, keys):
        arrivals = [(one.contact, one.input) for one in batch.arrived]
        meet(stage, arrivals, keys, batch.until, batch.held)
        return stage
    actor = stage.open(batch.inputs)
    for key in keys:
        actor(key).handle(batch.inputs.get(key, ()), horizon(key, batch.until, batch.held))
    stage.close()
    return stage


def _pools_low(connection: Connection, flows: Flows, taken: Mapping[str, int]) -> Iterator[PoolLow]:
    """Told once for each time that a pool falls below its mark; ``taken`` is how many codes went out by pool."""
    for name, count in taken.items():
        pool = flows.library.pools.get(name)
        left = codes.counts(connection, name)["left"]
        if pool is not None and left < pool.low_at <= left + count:
            yield PoolLow(name, left)


RETRY_AFTER = timedelta(hours=1)
"""A contact whose time raised an error is looked at again after so long."""


def isolate(
    connection: Connection,
    cache: FlowsCache,
    clock: datetime,
    make_code: CodeMaker,
    limit: int,
    *groups: Group,
) -> int:
    """After a turn failed: decide contact by contact, and set aside the inputs of those that fail.

    Each contact is tried in a savepoint of its own; what it was given and the error go to ``failures``, so that
    nothing is lost and nobody else waits. Returns how many contacts failed.
    """
    claim = claims.take(connection, groups or claims.groups(connection), clock)
    if claim is None:
        return 0
    flows = cache.current(connection)
    batch, _ = _take(connection, flows, claim, limit)
    failed = 0
    for key in batch.contacts():
        alone = _Batch(
            [one for one in batch.arrived if one.contact == key],
            {key: batch.inputs[key]} if key in batch.inputs else {},
            {key: batch.timers[key]} if key in batch.timers else {},
            [key],
            batch.until,
            batch.firings,
            batch.held,
        )
        error = _attempt(connection, partial(_decide, connection, flows, alone, claim, make_code))
        if error is not None:
            failed += 1
            failures.put(connection, key, alone.inputs.get(key, []), error, claim.now)
            if alone.timers:
                timers.wake(connection, claim, key, claim.now + RETRY_AFTER)
    claims.keep(connection, claim)
    return failed


def _attempt(connection: Connection, work: Callable[[], object]) -> str | None:
    try:
        with connection.begin_nested():
            work()
    except (SystemFailure, Overloaded):
        raise
    except Exception as error:  # noqa: BLE001  # whatever one contact's decision raised must not stop the others
        cause = system_failure(connection, error)
        if cause is not None:  # nothing is wrong with the contact
            raise cause from None
        return f"{type(error).__name__}: {error}"
    return None
