"""Taking inputs in: requests that arrive together share one transaction, each answered after its commit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from threading import Condition, Thread
from typing import Final, NamedTuple

from sqlalchemy import Engine

from journeyflow.core.errors import Overloaded
from journeyflow.core.inputs import Input
from journeyflow.db import idempotency, inbox
from journeyflow.db.idempotency import Token
from journeyflow.db.store import write

Arrivals = Sequence[tuple[str, Input]]

INPUTS_MAX: Final = 20_000
"""So many inputs may wait for their commit; beyond it nothing is taken."""
BYTES_MAX: Final = 32_000_000
"""So many bytes of requests may wait for their commit: as objects of Python they take several times as much."""
GROUP_MAX: Final = 5_000
"""So many inputs share a transaction."""


class _Waiting(NamedTuple):
    """A request that waits for its commit, its future, and its size in bytes."""

    arrivals: Arrivals
    done: Future[list[int]]
    size: int


class Ingest:
    """A thread that commits what arrived meanwhile; ``wake`` tells the engine after each commit."""

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._wake = wake
        self._waiting: deque[_Waiting] = deque()
        self._count = 0
        self._bytes = 0
        self._changed = Condition()
        self._stopped = False
        self._thread = Thread(target=self._run, name="ingest", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what waits, then end."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def submit(self, arrivals: Arrivals, size: int = 0) -> Future[list[int]]:
        """Store inputs; the future gives their ids once they are on disk.

        :param size: of the request that brought them, in bytes.
        :raises Overloaded: when too many wait; nothing of these was stored.
        """
        done: Future[list[int]] = Future()
        # Running from the start: who waits for it may give up, but what was taken is stored and can't be cancelled.
        done.set_running_or_notify_cancel()
        with self._changed:
            full = self._count + len(arrivals) > INPUTS_MAX or self._bytes + size > BYTES_MAX
            if self._stopped or full:
                raise Overloaded("too many events at once; nothing of this request was stored")
            self._waiting.append(_Waiting(arrivals, done, size))
            self._count += len(arrivals)
            self._bytes += size
            self._changed.notify()
        return done

    def submit_once(
        self, contact: str, inputs: Sequence[Input], token: Token, now: datetime, whose: str | None = None
    ) -> tuple[list[int], datetime]:
        """Store inputs of a contact, unless the same request brought them before.

        :param whose: whose request it is, with whom it is erased, where not the contact's.
        :returns: their ids, none if it did; and when the request came first.

        Unlike ``submit`` it waits until they are on disk, in a transaction of their own.

        :raises Conflict: when another request had that name.
        """
        with write(self._engine) as connection:
            first = idempotency.claim(connection, contact if whose is None else whose, token, now)
            ids = inbox.put(connection, [(contact, item) for item in inputs]) if first is None else []
        self._wake()
        return ids, first or now

    def _run(self) -> None:
        while True:
            group = self._next_group()
            if not group:
                return
            self._commit(group)

    def _next_group(self) -> list[_Waiting]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            group: list[_Waiting] = []
            count = 0
            while self._waiting and (not group or count + len(self._waiting[0].arrivals) <= GROUP_MAX):
                one = self._waiting.popleft()
                count += len(one.arrivals)
                self._bytes -= one.size
                group.append(one)
            self._count -= count
            return group

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            with write(self._engine) as connection:
                ids = [inbox.put(connection, one.arrivals) for one in group]
        except Exception as error:  # noqa: BLE001  # every waiting request is told, and the thread lives on
            for one in group:
                one.done.set_exception(error)
            return
        for one, stored in zip(group, ids, strict=True):
            one.done.set_result(stored)
        self._wake()
