"""Connections to PostgreSQL that notice when nobody answers any more.

A network that swallows everything, or a machine that stands still, leaves a client waiting for ever: TCP is content as
long as somebody in between acknowledges. A limit for statements would end long ones that are well under way. So who has
waited for a while asks the server, over another connection, whether it works on the statement at all; where it does
not, or can't be asked, the connection is given up, and the server is told to end its side, so that its locks are free.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, Self

import psycopg
from psycopg import errors
from psycopg.waiting import Ready, Wait

SILENCE_SECONDS: Final = 10.0
"""Who has heard nothing for so long asks what is going on; then again after each such time."""
DOUBT_SECONDS: Final = 1.0
"""The answer may have been on its way while it was asked for: it has so long to arrive."""
QUESTION_SECONDS_MAX: Final = 5
_TICK_SECONDS: Final = 0.1
"""So often a wait is looked at; nobody's clock is needed."""

_WORKS: Final = (
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid = %s"
    " AND state IN ('active', 'disabled') AND wait_event_type IS DISTINCT FROM 'Client'"
)
"""A backend that waits for its client hears nothing of it either."""
_END: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND usename = current_user"
    " AND application_name = current_setting('application_name')"
)

Work = Generator[Wait, Ready | int, Any]  # Any: whatever psycopg makes of the answer


class _Waiting(psycopg.Connection[Any]):  # Any: rows of any shape
    """Calls ``on_silence`` while nothing comes."""

    def wait(self, gen: Any, interval: float = _TICK_SECONDS, timeout: float | None = None) -> Any:  # Any: as psycopg's
        """As psycopg's own."""
        return super().wait(self._attended(gen, interval), interval, timeout)

    def _attended(self, work: Work, interval: float) -> Work:
        silent, limit, doubted = 0.0, SILENCE_SECONDS, False
        try:
            wanted = next(work)
            while True:
                ready = yield wanted
                silent = 0.0 if ready else silent + interval
                if silent >= limit:
                    doubted = self._doubted_after_silence(doubted)
                    silent, limit = 0.0, DOUBT_SECONDS if doubted else SILENCE_SECONDS
                wanted = work.send(ready)
        except StopIteration as end:
            return end.value

    def _doubted_after_silence(self, doubted: bool) -> bool:
        raise NotImplementedError

    def _give_up(self) -> psycopg.OperationalError:
        self.pgconn.finish()  # else to roll back would wait as long again
        return psycopg.OperationalError("no answer")


class _Question(_Waiting):
    """Asks one thing, and does not wait long for the answer."""

    def _doubted_after_silence(self, doubted: bool) -> bool:
        raise self._give_up()


class AttendedConnection(_Waiting):
    """A connection whose statements fail, as if it were broken, when the server does not work on them."""

    _arguments: dict[str, Any]  # Any: psycopg's

    @classmethod
    def connect(cls, conninfo: str = "", **arguments: Any) -> Self:  # Any: psycopg's
        """As psycopg's own."""
        made = super().connect(conninfo, **arguments)
        made._arguments = {"conninfo": conninfo, **arguments}
        return made

    def _doubted_after_silence(self, doubted: bool) -> bool:
        """Whether there is doubt that an answer will come.

        :raises psycopg.OperationalError: when there was before.
        """
        works = self._ask(_WORKS)
        if works or not doubted:
            return not works
        if works is not None:
            self._ask(_END)
        raise self._give_up()

    def _ask(self, question: str) -> bool | None:
        """``None``: the server can't be reached."""
        arguments = {**self._arguments, "connect_timeout": QUESTION_SECONDS_MAX}
        try:
            with _Question.connect(**arguments, autocommit=True) as asking:
                row = asking.execute(question.encode(), [self.pgconn.backend_pid]).fetchone()
        except errors.TooManyConnections:
            return True  # it is there, and can't be asked
        except psycopg.Error:
            return None
        return row is not None and bool(row[0])
