"""Telling the engines of other processes that something arrived. A hint: who misses it looks a moment later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine

CHANNEL: Final = "journeyflow"
LOOK_SECONDS: Final = 0.5
"""So often a listener looks whether it is to stop."""
LOOKS_UNHEARD_MAX: Final = 30
"""After so many it asks whether anybody would tell it."""


def announce(engine: Engine) -> None:
    """Something arrived, and is committed."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}")


def listen(engine: Engine, go_on: Callable[[], bool], heard: Callable[[], None]) -> None:
    """Call ``heard`` for what is announced, several announcements together once, until ``go_on`` says no.

    :raises Exception: when the connection breaks.
    """
    raw = engine.raw_connection()
    try:
        driver: Any = raw.driver_connection  # Any: psycopg's, of which SQLAlchemy's type knows no notifies
        driver.rollback()
        driver.autocommit = True
        driver.execute(f"LISTEN {CHANNEL}")
        unheard = 0
        while go_on():
            if list(driver.notifies(timeout=LOOK_SECONDS, stop_after=1)):
                heard()
                unheard = 0
            elif (unheard := unheard + 1) == LOOKS_UNHEARD_MAX:
                driver.execute("SELECT 1")
                unheard = 0
    finally:
        raw.invalidate()  # it listens, and is of no use to anybody else
