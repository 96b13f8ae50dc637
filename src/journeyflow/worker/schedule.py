"""What happens periodically. APScheduler says when to look; whether something is due is read from the database."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import Engine

from journeyflow.clock import Clock
from journeyflow.core.errors import Overloaded, SystemFailure
from journeyflow.core.values import iso, parse_instant
from journeyflow.core.workspace import Retention
from journeyflow.db import documents
from journeyflow.db.store import read, write
from journeyflow.services import retention

log = structlog.get_logger()

LOOK_EVERY: Final = timedelta(hours=1)
FIRST_LOOK_AFTER: Final = timedelta(minutes=1)
TIDY_AT: Final = time(3, tzinfo=UTC)
_TIDIED_AT: Final = "tidied_at"


class Schedule:
    """Once a night, or as soon as it runs again after one that was missed, forgets what is kept no longer.

    On PostgreSQL the tables of the months to come are made whenever it looks.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._stopped = False
        self._scheduler = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        """Begin to look."""
        first = self._clock() + FIRST_LOOK_AFTER
        trigger = IntervalTrigger(seconds=LOOK_EVERY.total_seconds(), timezone=UTC)
        self._scheduler.add_job(self.look, trigger, next_run_time=first, misfire_grace_time=None, coalesce=True)
        self._scheduler.start()

    def stop(self) -> None:
        """Finish the slice that was begun, then end."""
        self._stopped = True
        self._scheduler.shutdown(wait=True)

    def look(self) -> bool:
        """Make room for what is to come, and tidy up if it is time; whether it was."""
        try:
            return self._look(self._clock())
        except (SystemFailure, Overloaded) as error:
            log.error("tidying up failed; it is tried again in an hour", reason=str(error))
        except Exception:
            log.exception("tidying up failed; it is tried again in an hour")
        return True

    def _prepare(self, now: datetime) -> None:
        try:
            retention.prepare(self._engine, now)
        except (SystemFailure, Overloaded):
            raise
        except Exception:
            log.exception("months could not be made ahead; it is tried again in an hour")

    def _look(self, now: datetime) -> bool:
        self._prepare(now)
        with read(self._engine) as connection:
            last = parse_instant(documents.setting(connection, _TIDIED_AT))
            kept = retention.of_workspace(connection)
        if not is_due(last, now):
            return False
        self._tidy_up(kept, now)
        return True

    def _tidy_up(self, kept: Retention, now: datetime) -> None:
        deleted = retention.trim(self._engine, kept, now, lambda: not self._stopped)
        if self._stopped:
            return
        retention.optimize(self._engine)
        with write(self._engine) as connection:
            documents.set_setting(connection, _TIDIED_AT, iso(now))
        log.info("tidied up", **deleted)


def is_due(last: datetime | None, now: datetime) -> bool:
    """Whether the last time was before the last night's hour."""
    tonight = datetime.combine(now.astimezone(UTC).date(), TIDY_AT)
    return last is None or last < (tonight if tonight <= now else tonight - timedelta(days=1))
