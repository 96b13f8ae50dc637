"""A network that swallows everything: who waits for an answer notices, and holds nobody else up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from benchmarks.proxy import Proxy
from sqlalchemy import Engine
from tests import postgres
from tests.far import Far, database

from journeyflow.clock import stopwatch
from journeyflow.core.errors import SystemFailure
from journeyflow.db import claims, silence
from journeyflow.db.store import ReadConnection, WriteConnection, open_engine, read, write

SOON_SECONDS = 10.0


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(silence, "DOUBT_SECONDS", 0.2)
    monkeypatch.setattr(silence, "QUESTION_SECONDS_MAX", 2)


@pytest.fixture
def there() -> Iterator[Far]:
    with database() as made:
        yield made


@pytest.fixture
def proxy(there: Far) -> Proxy:
    return there.proxy


@pytest.fixture
def far(there: Far) -> Iterator[Engine]:
    """The database at the other end of that network."""
    opened = open_engine(there.url)
    yield opened
    opened.dispose()


@pytest.fixture
def near(there: Far) -> Iterator[Engine]:
    opened = open_engine(there.near_url)
    yield opened
    opened.dispose()


def test_a_statement_that_takes_long_is_waited_for(far: Engine) -> None:
    with read(far) as connection:
        assert connection.exec_driver_sql("SELECT 7 FROM pg_sleep(1.5)").scalar() == 7


def cut_off(connection: ReadConnection, proxy: Proxy, statement: str = "SELECT 1", *, new: bool) -> None:
    """The network hangs (for ``new`` connections, too), and then a statement is sent."""
    proxy.hang(new=new)
    connection.exec_driver_sql(statement)


def test_who_hears_nothing_gives_up_and_goes_on_once_the_network_is_back(far: Engine, proxy: Proxy) -> None:
    began = stopwatch()
    with pytest.raises(SystemFailure, match="no answer"), read(far) as connection:
        cut_off(connection, proxy, new=True)
    assert stopwatch() - began < SOON_SECONDS

    proxy.go_on()
    with read(far) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_what_it_had_locked_is_soon_free_where_the_server_can_be_told(far: Engine, near: Engine, proxy: Proxy) -> None:
    """The connection hangs and new ones do not, as behind a firewall that has forgotten it."""
    with read(near) as connection:
        group = claims.groups(connection)[0]
    with pytest.raises(SystemFailure, match="no answer"), write(far) as connection, claimed(connection, group):
        cut_off(connection, proxy, new=False)

    began = stopwatch()
    while not is_free(near, group):
        assert stopwatch() - began < SOON_SECONDS


@contextmanager
def claimed(connection: WriteConnection, group: claims.Group) -> Iterator[None]:
    assert claims.take(connection, (group,), postgres.INSTANT) is not None
    yield


def is_free(engine: Engine, group: claims.Group) -> bool:
    with write(engine) as connection:
        return claims.take(connection, (group,), postgres.INSTANT) is not None


def test_a_connection_from_the_pool_that_hangs_meanwhile_is_replaced(far: Engine, proxy: Proxy) -> None:
    with read(far) as connection:
        first = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    proxy.hang(new=False)

    with read(far) as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != first


def test_many_rows_that_nobody_takes_are_given_up(far: Engine, proxy: Proxy) -> None:
    """The server waits for its client, and so never becomes idle."""
    many = "SELECT repeat('x', 1000) FROM generate_series(1, 50000)"
    with pytest.raises(SystemFailure), read(far) as connection:
        cut_off(connection, proxy, many, new=False)
