"""Whoever works on a database may die at any commit: what is there then is what would be there had nobody died.

At each step a process is let die of it (:mod:`tests.live.doomed`), and another one, which knows nothing of it, does
what is left. In the end the trail is that of a simulation, in which nobody dies.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag

import pytest
from sqlalchemy import select, text, update
from tests.live.books import balance
from tests.live.doomed import MARKS, MOMENTS, Death, Doom, End, Moment, Survived, Work, let_die
from tests.live.test_random import numbers, simulated
from tests.live.test_same_trail import shop
from tests.live.world import START, LiveWorld, comparable, refused, sources_of

from journeyflow.core.inputs import Event, Input, Merge
from journeyflow.core.values import JSON, to_micros
from journeyflow.core.workspace import Retention
from journeyflow.db import documents, inbox, tables, tasks
from journeyflow.db.store import is_postgresql, read, write
from journeyflow.services import publish, retention
from journeyflow.services.turn import Done

Document = dict[str, JSON]
TIMES = 1
WORKS: tuple[Work, ...] = ("ingest", "turns", "deliver", "call")

EVERYBODY: Document = {"segment": "everybody", "when": {"all": []}}
NEWS: Document = {
    "journey": "news",
    "triggers": [{"type": "schedule", "cron": "0 12 * * *", "segment": "everybody"}],
    "reentry": {"policy": "always"},
    "start": "told",
    "nodes": {
        "told": {"type": "webhook", "url": "https://crm.example/told", "save_as": "told", "next": "mail"},
        "mail": {"type": "email", "template": "hello"},
    },
}
STOCK: Document = {"coupon_pool": "stock", "codes": "uploaded"}
GIFT: Document = {
    "journey": "gift",
    "triggers": [{"type": "event", "event": "Order Completed"}],
    "reentry": {"policy": "always"},
    "start": "code",
    "nodes": {"code": {"type": "coupon", "pool": "stock", "next": "pause"}, "pause": {"type": "wait", "for": "3h"}},
}
VISITORS = ("v1", "v2", "v3", "v4")


class MortalWorld(LiveWorld):
    """A world in which somebody dies of every kind of commit, at every moment; ``left`` is of what nobody has yet."""

    def __init__(self, directory: Path, some: Sequence[Document], limit: int) -> None:
        super().__init__(directory, some, START, limit)
        apart_only = is_postgresql(self.engine)  # where all is one group, nobody hands on, and no commit is elsewhere
        moments: tuple[Moment, ...] = MOMENTS if apart_only else ("before", "after")
        marks = [mark for work in WORKS for mark in MARKS[work] if apart_only or mark != "hand on"]
        self.left: Counter[End] = Counter({(mark, moment): TIMES for mark in marks for moment in moments})

    def put(self, arrivals: Sequence[tuple[str, Input]]) -> None:
        """Who sends has got no answer, and sends again; ids tell that it is the same (rule 1.5)."""
        if all(isinstance(item, Event) and item.message_id is not None for _, item in arrivals):
            self._somebody_dies("ingest", arrivals)
        super().put(arrivals)

    def _turns(self) -> Done:
        self._somebody_dies("turns")
        return super()._turns()

    def turn(self) -> Done:
        done = self._turns()
        if self.delivering:
            self._somebody_dies("deliver")
            while asyncio.run(self.dispatcher.dispatch()):
                pass
        return done

    def answer_calls(self) -> int:
        self._somebody_dies("call")
        made = super().answer_calls()
        with read(self.engine) as connection:  # who died may have got answers
            return made or int(not inbox.is_empty(connection))

    def _somebody_dies(self, work: Work, given: Sequence[object] = ()) -> None:
        """One after the other, until one lives to the end of the work."""
        while ends := frozenset(end for end in (+self.left) if end[0] in MARKS[work]):
            try:
                death = let_die(Doom(self.url, self.now, work, ends, self.limit, given))
            except Survived:
                return
            self.left.subtract((mark, death.moment) for mark in death.marks)
            until_the_server_knows(self, death)
            self._leases_run_out()

    def _leases_run_out(self) -> None:
        """Time passes, as far as who was taken for alive is concerned."""
        with write(self.engine) as connection:
            for table in (tables.messages, tables.calls):
                mine = update(table).where(table.c.status == "sending")
                connection.execute(mine.values(due_at=to_micros(self.now)))


def until_the_server_knows(world: LiveWorld, death: Death) -> None:
    """The locks of who died are free, and what it had committed is committed."""
    never = Flag()
    gone = text("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = :pid")
    while death.backend is not None:
        with read(world.engine) as connection:
            if connection.scalar(gone, {"pid": death.backend}):
                return
        never.wait(0.002)


def case() -> tuple[Sequence[Document], list[tuple[str, Input]]]:
    """The shop of the differential test, with schedules, webhooks, a stock of codes, and visitors who become known."""
    some, inputs = shop()
    for number, visitor in enumerate(VISITORS):
        at = START + timedelta(minutes=1 + 5 * number)
        inputs.append((visitor, Event(at, "Page Viewed", at, {"page": "home"}, f"{visitor}-1")))
        inputs.append((visitor, Merge(at + timedelta(minutes=1), ("ann", "bob", "cid", "dan")[number])))
        later = at + timedelta(minutes=2)
        inputs.append((visitor, Event(later, "Order Completed", later, {"total": 5}, f"{visitor}-2")))
    inputs.sort(key=lambda one: one[1].at)
    return [*some, EVERYBODY, NEWS, STOCK, GIFT], inputs


@pytest.mark.slow
def test_who_dies_of_any_commit_leaves_what_a_simulation_writes(tmp_path: Path) -> None:
    some, inputs = case()
    records, simulation = simulated(some, inputs)
    world = MortalWorld(tmp_path, some, limit=20)
    try:
        world.settle()
        world.feed(inputs, simulation.end)

        assert not +world.left, "somebody has died of each"
        balance(world)
        assert comparable(world.trail()) == comparable(records)
        assert world.refusals() == refused(records, world.people())
        assert numbers(world) == simulation.journeys
    finally:
        world.close()


# --- what is rarer ---------------------------------------------------------------------------------------------------

MEMBERS: Document = {
    "journey": "members",
    "triggers": [{"type": "segment", "entered": "everybody", "include_members": True}],
    "reentry": {"policy": "always"},
    "start": "pause",
    "nodes": {"pause": {"type": "wait", "for": "3d"}},
}


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[LiveWorld]:
    world = LiveWorld(tmp_path, [EVERYBODY], START, limit=7)
    world.put([(f"contact {number}", Event(START, "Seen", START)) for number in range(40)])
    world.settle()
    yield world
    world.close()


def die(world: LiveWorld, work: Work, moment: Moment, given: Sequence[object] = ()) -> None:
    mark = MARKS[work][0]
    death = let_die(Doom(world.url, world.now, work, frozenset({(mark, moment)}), world.limit, given))
    until_the_server_knows(world, death)


@pytest.mark.parametrize("moment", MOMENTS)
def test_who_dies_publishing_has_published_all_or_nothing_and_may_publish_again(
    crowd: LiveWorld, moment: Moment
) -> None:
    if moment == "during" and not is_postgresql(crowd.engine):
        pytest.skip("a commit of SQLite is nowhere else")
    die(crowd, "publish", moment, [MEMBERS])
    with read(crowd.engine) as connection:
        published = "members" in documents.journey_rows(connection)
        assert published == (not tasks.is_empty(connection))
        assert published == (moment == "after") or moment == "during"

    with write(crowd.engine) as connection:
        publish.apply(connection, sources_of([MEMBERS]), False, crowd.now, crowd.installation.renderer)
    crowd.settle()

    assert Counter(record.contact for record in crowd.trail() if record.kind == "entered") == dict.fromkeys(
        (f"contact {number}" for number in range(40)), 1
    )
    assert crowd.refusals() == {}
    balance(crowd)


@pytest.mark.parametrize("moment", MOMENTS)
def test_who_dies_tidying_up_has_forgotten_nothing_else(crowd: LiveWorld, moment: Moment) -> None:
    if moment == "during" and not is_postgresql(crowd.engine):
        pytest.skip("a commit of SQLite is nowhere else")
    crowd.now += timedelta(days=700)
    crowd.put([(f"contact {number}", Event(crowd.now, "Seen", crowd.now)) for number in range(0, 40, 2)])
    crowd.settle()
    crowd.now += timedelta(days=200)
    die(crowd, "tidy", moment)
    retention.trim(crowd.engine, Retention(), crowd.now)

    with read(crowd.engine) as connection:
        left = Counter(connection.scalars(select(tables.events.c.contact)))
    assert left == dict.fromkeys((f"contact {number}" for number in range(0, 40, 2)), 1)
