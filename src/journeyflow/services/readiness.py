"""Whether an installation can do its work: the database is there and of the newest schema, the engine not behind."""

from __future__ import annotations

from datetime import datetime
from weakref import WeakSet

from sqlalchemy import Connection, Engine

from journeyflow.core.errors import JourneyflowError
from journeyflow.db.schema_version import is_current
from journeyflow.db.store import read
from journeyflow.services.metrics import lag

_migrated: WeakSet[Engine] = WeakSet()
"""Databases that were found to have the newest schema, which takes long to find out and does not change back."""


def reasons_against(engine: Engine, now: datetime, lag_seconds_max: float) -> list[str]:
    """Why the work can't be done; nothing where it can.

    :param lag_seconds_max: how long what is due may have waited.
    """
    try:
        if engine not in _migrated:
            if not is_current(engine):
                return ["the database has an older schema; run journeyflow migrate"]
            _migrated.add(engine)
        with read(engine) as connection:
            return behind(connection, now, lag_seconds_max)
    except JourneyflowError as error:
        return [str(error)]


def behind(connection: Connection, now: datetime, lag_seconds_max: float) -> list[str]:
    """What the engine has not come to though it waits for longer; nothing where it keeps up."""
    found = lag(connection, now)
    waits = {"input": found.inbox_seconds, "timer": found.timer_seconds}
    return [
        f"the oldest {what} has waited for {seconds:.0f} s; is an engine running?"
        for what, seconds in waits.items()
        if seconds > lag_seconds_max
    ]
