"""The five-node journey on APScheduler: a job for each contact that waits, kept in PostgreSQL.

As its documentation shows it: the job store of SQLAlchemy, a pool of threads, and a job that runs once, at a date.
What comes before the wait is done when the contact enters. A job leaves nothing behind, so steps are kept in a table.

    python -m benchmarks.peers.apscheduler_jobs --server URL --contacts 300
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Semaphore
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine, create_engine

from benchmarks.peers.shop import (
    WAIT_SECONDS,
    compete,
    keys,
    put_tag,
    queue_message,
    read_vip,
    remember,
    sqlalchemy_url,
)
from benchmarks.workers import Stages

THREADS: Final = 20
SECONDS_MAX: Final = 600.0

_ended = Semaphore(0)
_engines: dict[str, Engine] = {}


def _shop(url: str) -> Engine:
    if url not in _engines:
        _engines[url] = create_engine(url, pool_size=THREADS)
    return _engines[url]


def wake(url: str, contact: str) -> None:
    """What comes after the wait; a job is kept as the name of a function and its arguments."""
    with _shop(url).begin() as connection:
        if read_vip(connection, contact):
            put_tag(connection, contact)
            remember(connection, contact, "branch", "label", "end")
        else:
            queue_message(connection, contact, "again")
            remember(connection, contact, "branch", "remind", "end")
    _ended.release()


@contextmanager
def work(url: str, contacts: int) -> Iterator[Stages]:
    """Let everybody in, and wait until the last job is done."""
    address = sqlalchemy_url(url)
    scheduler = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(address)},
        executors={"default": ThreadPoolExecutor(THREADS)},
        job_defaults={"misfire_grace_time": None},
        timezone=UTC,
    )
    scheduler.start()
    yield [partial(lead, scheduler, address, contacts)]
    scheduler.shutdown()
    _engines.pop(address).dispose()


def lead(scheduler: BackgroundScheduler, address: str, contacts: int) -> None:
    """Everybody through the journey.

    :raises RuntimeError: when a job does not run.
    """
    for contact in keys(contacts):
        with _shop(address).begin() as connection:
            queue_message(connection, contact, "hello")
            remember(connection, contact, "greet", "wait")
        until = datetime.now(UTC) + timedelta(seconds=WAIT_SECONDS)
        scheduler.add_job(wake, "date", run_date=until, args=[address, contact], id=contact)
    for _ in range(contacts):
        if not _ended.acquire(timeout=SECONDS_MAX):
            raise RuntimeError("a job did not run")


if __name__ == "__main__":
    compete(__doc__, work)
