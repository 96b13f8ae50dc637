"""Processes that die by SIGKILL at a commit: just before it, while the database does it, or just after it.

Nothing of this is in the program: a child process is forked, what makes transactions in it is marked from outside, and
at the commit that was chosen the process kills itself. What it had under way it tells beforehand.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from types import ModuleType
from typing import Any, Final, Literal, cast

from sqlalchemy.engine.default import DefaultDialect
from tests.live.world import sources_of

from journeyflow.bootstrap import Installation, open_installation
from journeyflow.channels.base import Email
from journeyflow.channels.outlet import Outlet
from journeyflow.channels.webhook import Request, Response, WebhookChannel
from journeyflow.core.inputs import Input
from journeyflow.core.values import JSON
from journeyflow.core.workspace import Retention
from journeyflow.db import aliases, calls, claims, firings, forgotten, inbox, outbox, retention, tasks
from journeyflow.db.store import read, write
from journeyflow.services import ingest, publish
from journeyflow.services import retention as tidying
from journeyflow.settings import Settings
from journeyflow.worker.caller import Caller
from journeyflow.worker.dispatcher import Dispatcher
from journeyflow.worker.turns import TurnLoop

Moment = Literal["before", "during", "after"]
MOMENTS: Final[tuple[Moment, ...]] = ("before", "during", "after")
Work = Literal["ingest", "turns", "deliver", "call", "publish", "tidy"]
End = tuple[str, Moment]
SECONDS_MAX: Final = 60.0

MARKS: Final[dict[Work, tuple[str, ...]]] = {
    "ingest": ("put",),
    "turns": ("turn", "hand on", "merge", "fire", "task"),
    "deliver": ("claim messages", "end messages"),
    "call": ("claim calls", "end calls"),
    "publish": ("publish",),
    "tidy": ("tidy",),
}
"""What the transactions of each work are made of."""


@dataclass(frozen=True, slots=True)
class Doom:
    """What a process is to do, and what it is to die of: the first commit of such a mark, at such a moment.

    :param turn_limit: how many inputs and timers a turn takes.
    :param given: the inputs, or the documents, that the work is about.
    """

    url: str
    now: datetime
    work: Work
    ends: frozenset[End]
    turn_limit: int = 1_000
    given: Sequence[Any] = ()  # Any: inputs, or documents


@dataclass(frozen=True, slots=True)
class Death:
    """What a process had under way when it died: the kinds of work that the transaction was made of.

    ``delivered`` are the messages and calls that it had handed over, in this life; ``backend`` is the process of
    PostgreSQL that it spoke to.
    """

    marks: frozenset[str]
    moment: Moment
    delivered: tuple[str, ...]
    backend: int | None


class Survived(Exception):
    """There was no such commit: the process did its work, and ended."""


_forks = get_context("forkserver")
_forks.set_forkserver_preload([__name__])


def let_die(doom: Doom) -> Death:
    """Have a process do some work, and die of it.

    :raises Survived: when there was less to do.
    """
    here, there = _forks.Pipe(duplex=False)
    process = _forks.Process(target=_live, args=(doom, there))
    process.start()
    there.close()
    process.join(SECONDS_MAX)
    if process.exitcode == 0:
        raise Survived
    assert process.exitcode == -signal.SIGKILL, f"{doom}: it ended with {process.exitcode}"
    death = here.recv()
    assert isinstance(death, Death)
    return death


# --- in the child ----------------------------------------------------------------------------------------------------

_marks: set[str] = set()
_delivered: list[str] = []


def _live(doom: Doom, told: Pipe) -> None:
    installation = open_installation(Settings(database_url=doom.url), lambda: doom.now)
    _mark_everything()
    _die_at(doom, told)
    _WORKS[doom.work](installation, doom)


def _mark(module: ModuleType, name: str, mark: str) -> None:
    original: Callable[..., Any] = getattr(module, name)  # Any: whatever it gives back

    @wraps(original)
    def marking(*arguments: Any, **named: Any) -> Any:  # Any: its own
        found = original(*arguments, **named)
        if found or found is None:  # an empty list: there was nothing to do
            _marks.add(mark)
        return found

    setattr(module, name, marking)


def _mark_everything() -> None:
    _mark(inbox, "put", "put")
    _mark(claims, "keep", "turn")
    _mark(aliases, "take_out", "hand on")
    _mark(aliases, "move", "merge")
    _mark(firings, "put", "fire")
    _mark(tasks, "take_slice", "task")
    _mark(outbox, "claim", "claim messages")
    _mark(outbox, "finish", "end messages")
    _mark(calls, "claim", "claim calls")
    _mark(calls, "finish", "end calls")
    _mark(publish, "apply", "publish")
    _mark(retention, "trim_shard", "tidy")
    _mark(forgotten, "remember", "tidy")


def _die_at(doom: Doom, told: Pipe) -> None:
    commit: Callable[..., None] = DefaultDialect.do_commit
    roll_back: Callable[..., None] = DefaultDialect.do_rollback

    def do_commit(dialect: DefaultDialect, connection: Any) -> None:  # Any: the driver's
        moment = next((moment for mark, moment in sorted(doom.ends) if mark in _marks), None)
        if moment is not None:
            driver = connection.driver_connection
            backend = driver.info.backend_pid if dialect.name == "postgresql" else None
            told.send(Death(frozenset(_marks), moment, tuple(_delivered), backend))
            if moment == "during":
                driver.pgconn.send_query(b"COMMIT")
                driver.pgconn.flush()
            elif moment == "after":
                commit(dialect, connection)
            os.kill(os.getpid(), signal.SIGKILL)
        _marks.clear()
        commit(dialect, connection)

    def do_rollback(dialect: DefaultDialect, connection: Any) -> None:  # Any: as above
        _marks.clear()
        roll_back(dialect, connection)

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]  # of this process, which is about to die
    DefaultDialect.do_rollback = do_rollback  # type: ignore[method-assign]  # as above


def _ingest(one: Installation, doom: Doom) -> None:
    arrivals = cast(Sequence[tuple[str, Input]], doom.given)
    inlet = ingest.Ingest(one.engine, lambda: None)
    inlet.start()
    inlet.submit(arrivals).result()


def _turns(one: Installation, doom: Doom) -> None:
    loop = TurnLoop(one.engine, one.cache, one.clock, one.make_code, lambda *_: None)
    loop._limit = doom.turn_limit
    with read(one.engine) as connection:
        loop._groups = claims.groups(connection)  # one after the other: several in one turn have nothing to hand on
    while (done := loop.turn()).contacts or done.more:
        pass


class _Noting:
    """A channel that remembers what it was handed, until its process dies."""

    async def deliver(self, email: Email) -> str | None:
        _delivered.append(email.id)
        return None

    async def check(self) -> str:
        return "at hand"

    async def close(self) -> None:
        return

    async def call(self, request: Request, now: datetime, seconds: float) -> Response:
        _delivered.append(request.id)
        return Response(200, {})


def _deliver(one: Installation, _: Doom) -> None:
    dispatcher = Dispatcher(one.engine, one.postmaster, Outlet(_Noting()), one.clock, lambda *_: None)
    while asyncio.run(dispatcher.dispatch()):
        pass


def _call(one: Installation, _: Doom) -> None:
    channel = cast(WebhookChannel, _Noting())
    asyncio.run(Caller(one.engine, channel, one.clock, lambda *_: None).work_off())


def _publish(one: Installation, doom: Doom) -> None:
    documents = cast(Sequence[dict[str, JSON]], doom.given)
    with write(one.engine) as connection:
        publish.apply(connection, sources_of(documents), False, one.clock(), one.renderer)


def _tidy(one: Installation, _: Doom) -> None:
    tidying.trim(one.engine, Retention(), one.clock())


_WORKS: Final[dict[Work, Callable[[Installation, Doom], None]]] = {
    "ingest": _ingest,
    "turns": _turns,
    "deliver": _deliver,
    "call": _call,
    "publish": _publish,
    "tidy": _tidy,
}
