"""Telling other processes on PostgreSQL. Hints: who misses one looks a moment later, or looks on no longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Engine

from journeyflow.db.store import each_alone

ARRIVED: Final = "journeyflow"
"""Something arrived for the engines."""
HAPPENED: Final = "journeyflow_happened"
"""Something happened, for those who look on."""
LISTENING: Final = "journeyflow_listening"
"""Somebody looks on."""
PAYLOAD_BYTES_MAX: Final = 7_999
LOOK_SECONDS: Final = 0.5
"""So often a listener looks whether it is to stop."""
LOOKS_UNHEARD_MAX: Final = 30
"""After so many it asks whether anybody would tell it."""
_TELL: Final = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, %s)"
"""A notice is no data: nobody waits until the disk has it."""


def announce(engine: Engine, channel: str, *payloads: str) -> None:
    """Tell who listens on a channel; without payloads, only that there is something.

    :raises SystemFailure: when the database can't be reached.
    """
    with each_alone(engine) as connection:
        for payload in payloads or ("",):
            connection.exec_driver_sql(_TELL, (channel, payload))


def listen(engine: Engine, go_on: Callable[[], bool], heard: Mapping[str, Callable[[str], None]]) -> None:
    """Call ``heard`` of a channel for each payload that is told there, until ``go_on`` says no; for alike ones once.

    :raises SystemFailure: when the connection breaks, or there is none.
    """
    with each_alone(engine) as connection:
        try:
            for channel in heard:
                connection.exec_driver_sql(f"LISTEN {channel}")
            driver: Any = connection.connection.driver_connection  # Any: SQLAlchemy's type knows no notifies
            unheard = 0
            while go_on():
                told = [(one.channel, one.payload) for one in driver.notifies(timeout=LOOK_SECONDS, stop_after=1)]
                for channel, payload in dict.fromkeys(told):
                    heard[channel](payload)
                unheard = 0 if told else unheard + 1
                if unheard == LOOKS_UNHEARD_MAX:
                    connection.exec_driver_sql("SELECT 1")
                    unheard = 0
        finally:
            connection.invalidate()  # it listens, and is of no use to anybody else
