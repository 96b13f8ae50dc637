"""Telling the engines of other processes that something arrived. A hint: who misses it looks a moment later."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from sqlalchemy import Connection, Engine

CHANNEL: Final = "journeyflow"
LOOK_SECONDS: Final = 0.5
"""So often a listener looks whether it is to stop."""
LOOKS_UNHEARD_MAX: Final = 30
"""After so many it asks whether anybody would tell it."""


def announce(engine: Engine) -> None:
    """Something arrived, and is committed.

    :raises SystemFailure: when the database can't be reached.
    """
    with _plain(engine) as connection:
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}")


def listen(engine: Engine, go_on: Callable[[], bool], heard: Callable[[], None]) -> None:
    """Call ``heard`` for what is announced, several announcements together once, until ``go_on`` says no.

    :raises SystemFailure: when the connection breaks, or there is none.
    """
    with _plain(engine) as connection:
        try:
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            driver: Any = connection.connection.driver_connection  # Any: SQLAlchemy's type knows no notifies
            unheard = 0
            while go_on():
                if list(driver.notifies(timeout=LOOK_SECONDS, stop_after=1)):
                    heard()
                    unheard = 0
                elif (unheard := unheard + 1) == LOOKS_UNHEARD_MAX:
                    connection.exec_driver_sql("SELECT 1")
                    unheard = 0
        finally:
            connection.invalidate()  # it listens, and is of no use to anybody else


def _plain(engine: Engine) -> AbstractContextManager[Connection]:
    from journeyflow.db import postgresql  # noqa: PLC0415  # whoever stays on SQLite needs no driver

    return postgresql.plain(engine)
