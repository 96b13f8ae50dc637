"""The live engine with a clock that the test moves, fed with what a simulation is fed with."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, select
from tests import stores

from journeyflow.bootstrap import installation_on
from journeyflow.channels.outlet import Outlet
from journeyflow.core.check.source import Source
from journeyflow.core.effects import TrailRecord
from journeyflow.core.errors import Overloaded
from journeyflow.core.inputs import Input
from journeyflow.core.nodes.webhook import WebhookNode
from journeyflow.core.values import JSON
from journeyflow.db import aliases, calls, claims, codes, inbox, tables, trail
from journeyflow.db.calls import CallOutcome
from journeyflow.db.claims import Group
from journeyflow.db.documents import FlowsCache
from journeyflow.db.store import read, write
from journeyflow.services import call
from journeyflow.services.publish import apply
from journeyflow.services.turn import Done, groups_with_work, next_due, take_turn
from journeyflow.settings import Settings
from journeyflow.worker.dispatcher import Dispatcher
from journeyflow.worker.turns import spans_of

TURNS_MAX = 100_000
SPANS = (1, 16, 5, 2)
"""So many claim groups have a turn together, one time after the other."""


def sources_of(documents: Sequence[dict[str, JSON]]) -> list[Source]:
    """Documents as if they came from a folder."""
    return [Source("test", next(iter(one)), str(one[next(iter(one))]), one) for one in documents]


class Worker(NamedTuple):
    """What a process that takes turns has of its own."""

    engine: Engine
    cache: FlowsCache


class LiveWorld:
    """One installation, on a database of the store that is chosen (:mod:`tests.stores`), with as many workers.

    ``limit`` is how many inputs and timers a turn takes at most. Unless ``delivering``, messages stay in the outbox.
    """

    def __init__(
        self,
        directory: Path,
        documents: Sequence[dict[str, JSON]],
        start: datetime,
        limit: int = 1_000,
        delivering: bool = True,
    ) -> None:
        self.now = start
        self.limit = limit
        self.delivering = delivering
        self._open = ExitStack()
        self._opened = self._open.enter_context(ExitStack())
        self.open(self._open.enter_context(stores.database(directory)))
        sources = sources_of(documents)
        with write(self.engine) as connection:
            apply(connection, sources, False, start, self.installation.renderer)
            for source in sources:
                if source.kind == "coupon_pool" and source.data["codes"] == "uploaded":
                    codes.add(connection, source.id, [f"{source.id}-{number}" for number in range(500)], start)

    def open(self, url: str) -> None:
        """Work on this database, and no longer on another."""
        self._opened.close()
        self.url = url
        engines = self._opened.enter_context(stores.engines(url, stores.workers()))
        self.engine = engines[0]
        self.installation = installation_on(self.engine, Settings(database_url=url), lambda: self.now)
        self.dispatcher = Dispatcher(
            self.engine, self.installation.postmaster, Outlet(), lambda: self.now, lambda outcome, again: None
        )
        with read(self.engine) as connection:
            self.groups = claims.groups(connection)
        one = self.installation
        self.workers = [Worker(engine, FlowsCache(one.renderer)) for engine in engines]
        self._threads = self._opened.enter_context(ThreadPoolExecutor(len(engines)))
        self._spans = cycle(SPANS)

    def close(self) -> None:
        self._open.close()

    def feed(self, inputs: Iterable[tuple[str, Input]], until: datetime) -> None:
        """Hand every input in at its instant, letting timers fire at theirs, up to an instant (included)."""
        coming = sorted(inputs, key=lambda one: one[1].at)
        while coming:
            at = max(coming[0][1].at, self.now)
            self.advance(at, included=False)
            self.now = at
            group = [one for one in coming if one[1].at <= at]
            coming = coming[len(group) :]
            self.put(group)
            self.settle()
        self.advance(until, included=True)

    def put(self, arrivals: Sequence[tuple[str, Input]]) -> None:
        """Inputs arrive together."""
        with write(self.engine) as connection:
            inbox.put(connection, arrivals)

    def pile_up(self, inputs: Iterable[tuple[str, Input]], until: datetime, every: int) -> None:
        """Hand inputs in while the engine is down; it comes up for a moment after so many, and at the end."""
        for place, (key, item) in enumerate(inputs, 1):
            self.now = item.at
            with write(self.engine) as connection:
                inbox.put(connection, [(key, item)])
            if place % every == 0:
                self.settle()
        self.now = until
        self.settle()

    def advance(self, until: datetime, included: bool) -> None:
        """Let every timer up to an instant fire at its own."""
        while True:
            with read(self.engine) as connection:
                due = next_due(connection, self.installation.cache.current(connection), self.now)
            if due is None or due > until or (due == until and not included):
                return
            self.now = max(self.now, due)
            self.settle()

    def settle(self) -> None:
        """Take turns, and deliver what they queued, until nothing is left to do now."""
        for _ in range(TURNS_MAX):
            done = self.turn()
            if not done.contacts and not done.more and not (self.delivering and self.answer_calls()):
                return
        raise AssertionError("the engine does not come to rest")

    def answer_calls(self) -> int:
        """Webhooks answer as in a simulation, once all that was there at this instant is handled; how many calls."""
        with write(self.engine) as connection:
            flows = self.installation.cache.current(connection)
            made = call.pick_up(connection, self.now, 1_000)
            outcomes = []
            for one in made:
                node = flows.versions[one.journey, one.version].journey.nodes[one.node]
                assert isinstance(node, WebhookNode)
                body = {} if node.sample is None else node.sample
                outcomes.append(CallOutcome(one, "answered", self.now, 200, body))
            calls.finish(connection, outcomes)
        return len(made)

    def turn(self) -> Done:
        """A turn of each group; what they queued is delivered at once, as in a simulation, or not at all."""
        done = self._turns()
        while self.delivering and done.messages and asyncio.run(self.dispatcher.dispatch()):
            pass
        return done

    def turn_of(self, contact: str) -> Done:
        """One turn of the group that a contact belongs to; the others have none."""
        with write(self.engine) as connection:
            return self.turn_on(connection, contact)

    def turn_on(self, connection: Connection, contact: str) -> Done:
        """The same in a transaction that is not over then."""
        (group,) = [group for group in self.groups if group.holds(contact)]
        one = self.installation
        return take_turn(connection, one.cache, self.now, self.limit, one.make_code, group)

    def _turns(self) -> Done:
        if len(self.workers) == 1:
            return self._round(0)
        places = range(len(self.workers))
        done = Done()
        for part in self._threads.map(self._work, places):
            done = added_up(done, part)
        return done

    def _work(self, place: int) -> Done:
        """One round after the other, until a worker finds nothing to do."""
        done = Done()
        for _ in range(TURNS_MAX):
            part = self._round(place)
            done = added_up(done, part)
            if not part.contacts and not part.more:
                return done
        raise AssertionError("a worker does not come to rest")

    def _round(self, place: int) -> Done:
        """A turn of all groups that have something to do and that nobody else works on, some of them together."""
        worker = self.workers[place]
        done = Done()
        for together in self._ready(worker, place):
            try:
                with write(worker.engine) as connection:
                    make_code = self.installation.make_code
                    part = take_turn(connection, worker.cache, self.now, self.limit, make_code, *together)
            except Overloaded:  # two were in each other's way
                part = Done(more=True)
            done = added_up(done, part)
        return done

    def _ready(self, worker: Worker, place: int) -> Sequence[tuple[Group, ...]]:
        """Each worker begins with others, and puts another number of them together."""
        if len(self.groups) == 1:
            return [self.groups]
        with read(worker.engine) as connection:
            ready = groups_with_work(connection, worker.cache.current(connection), self.now, self.groups)
        span = next(self._spans) if len(self.workers) == 1 else SPANS[place]
        spans = [*spans_of(ready, span)]
        first = place * len(spans) // len(self.workers)
        return [*spans[first:], *spans[:first]]

    def trail(self) -> list[TrailRecord]:
        """Everybody's records, in the order of rule 9.1."""
        with read(self.engine) as connection:
            keys = [key for (key,) in connection.execute(select(tables.contacts.c.contact)).all()]
            found = [
                (record.at, record.contact, number, record)
                for key in keys
                for number, record in trail.of_contact(connection, key)
            ]
        found.sort(key=lambda one: one[:3])  # stable: records of one row stay in order
        return [record for *_, record in found]

    def people(self) -> dict[str, str]:
        """Who was merged, and into whom."""
        with read(self.engine) as connection:
            return aliases.find(connection, connection.scalars(select(tables.aliases.c.contact)).all())

    def lost_messages(self) -> bool:
        """Whether a message was withdrawn, or failed, before it was sent."""
        lost = tables.messages.c.status.in_(("cancelled", "failed"))
        with read(self.engine) as connection:
            return connection.execute(select(tables.messages.c.id).where(lost)).first() is not None

    def refusals(self) -> Counter[tuple[str, str, str]]:
        """How often each contact was refused by each journey for each reason."""
        counted: Counter[tuple[str, str, str]] = Counter()
        with read(self.engine) as connection:
            columns = (tables.refusals.c.contact, tables.refusals.c.journey, tables.refusals.c.reason)
            for contact, journey, reason, count in connection.execute(select(*columns, tables.refusals.c.count)).all():
                counted[contact, journey, reason] += count
        return counted


def withdrawing(*trails: Iterable[TrailRecord]) -> set[str]:
    """The runs of which some message was withdrawn in one of the trails."""
    return {str(one.run) for records in trails for one in records if one.detail.get("outcome") == "cancelled"}


def comparable(records: Iterable[TrailRecord], elsewhere: Iterable[str] = ()) -> list[Any]:  # Any: nested plain data
    """The trail as two stores must agree on it: without refusals and withdrawals, and with codes only named apart.

    :param elsewhere: runs of which another store withdrew a message that this one sent in between.
    """
    codes: dict[str, int] = {}
    seqs: Counter[str] = Counter()
    withdrawn = set(elsewhere)
    shown: list[Any] = []  # Any: as above
    for record in records:
        if record.run is None:
            continue
        if record.detail.get("outcome") == "cancelled":
            withdrawn.add(record.run)
            continue
        detail = dict(record.detail)
        if "code" in detail:
            codes.setdefault(str(detail["code"]), len(codes))
        if record.run in withdrawn:
            detail.pop("since_message", None)
        shown.append([*record[:5], seqs[record.run], *record[6:9], _named_apart(detail, codes)])
        seqs[record.run] += 1
    return shown


def _named_apart(value: JSON, codes: dict[str, int]) -> JSON:
    """The value with a number for each code: a decision may have seen one, or written one down."""
    if isinstance(value, dict):
        return {name: _named_apart(one, codes) for name, one in value.items()}
    if isinstance(value, list):
        return [_named_apart(one, codes) for one in value]
    return f"code {codes[value]}" if isinstance(value, str) and value in codes else value


def refused(records: Iterable[TrailRecord], people: Mapping[str, str]) -> Counter[tuple[str, str, str]]:
    """The refusals of a simulation, counted as the live engine counts them: those of who was merged by who it is."""
    return Counter(
        (people.get(one.contact, one.contact), one.journey, str(one.detail["reason"]))
        for one in records
        if one.run is None
    )


def added_up(one: Done, two: Done) -> Done:
    """What both turns did."""
    return Done(
        contacts=one.contacts + two.contacts,
        inputs=one.inputs + two.inputs,
        timers=one.timers + two.timers,
        tasks=one.tasks + two.tasks,
        more=one.more or two.more,
        alerts=(*one.alerts, *two.alerts),
        messages=one.messages + two.messages,
        calls=one.calls + two.calls,
        pools_low=(*one.pools_low, *two.pools_low),
        now=two.now,
        trail=[*one.trail, *two.trail],
    )


START = datetime(2026, 3, 2, 10, tzinfo=UTC)
