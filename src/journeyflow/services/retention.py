"""Forgetting history that is kept no longer (format.md, ``retention``; rules 1.5 and 9.4), a slice at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine

from journeyflow.core.workspace import Retention
from journeyflow.db import forgotten, months, past_months, retention
from journeyflow.db.history import current_workspace
from journeyflow.db.store import is_postgresql, read, write

REMEMBERED: Final = timedelta(days=30)
"""How long ids of events (rule 1.5), refusals (rule 9.4) and requests with a name are kept."""

FIRINGS_REMEMBERED: Final = timedelta(days=400)
"""How long the instants at which schedules fired are kept."""


def of_workspace(connection: Connection) -> Retention:
    """How long history is kept, as the workspace says."""
    return current_workspace(connection).retention


def limits(kept: Retention, now: datetime) -> dict[str, datetime]:
    """For each table the instant before which its rows go."""
    return {
        "events": now - kept.events,
        "trail": now - kept.trail,
        "messages": now - kept.messages,
        "calls": now - kept.messages,
        "refusals": now - REMEMBERED,
        "seen": now - REMEMBERED,
        "requests": now - REMEMBERED,
        "firings": now - FIRINGS_REMEMBERED,
    }


def trim(engine: Engine, kept: Retention, now: datetime, go_on: Callable[[], bool] = lambda: True) -> dict[str, int]:
    """Delete what is too old; how many rows of each table, and on PostgreSQL how many months of history.

    One transaction for each shard, so that turns and ingestion go on in between; where it is interrupted, or
    ``go_on`` says no, the next time does the rest.
    """
    before = limits(kept, now)
    _forget(engine, before)
    with read(engine) as connection:
        shards = retention.expired_shards(connection, before)
    deleted: Counter[str] = Counter()
    for shard in shards:
        if not go_on():
            break
        with write(engine) as connection:
            deleted.update(retention.trim_shard(connection, shard, before))
    if is_postgresql(engine):  # last, since somebody who reads for long may hold it up
        deleted["months"] = past_months.put_away(engine, before, go_on)
    return dict(deleted)


def _forget(engine: Engine, before: Mapping[str, datetime]) -> None:
    """What goes with its month later is shown to nobody from the same moment on."""
    if is_postgresql(engine):
        with write(engine) as connection:
            forgotten.remember(connection, {table.name: before[table.name] for table in months.MONTHLY})


def prepare(engine: Engine, now: datetime) -> None:
    """Make room for what is to come. SQLite needs none."""
    if not is_postgresql(engine):
        return
    with write(engine) as connection:
        months.prepare(connection, now)


def optimize(engine: Engine) -> None:
    """Let the database look after itself."""
    with write(engine) as connection:
        retention.optimize(connection)
