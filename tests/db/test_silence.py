"""A network that swallows everything: who waits for an answer notices, and holds nobody else up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.proxy import Proxy
from sqlalchemy import Engine, make_url
from tests import postgres

from journeyflow.clock import stopwatch
from journeyflow.core.errors import SystemFailure
from journeyflow.db import claims, silence
from journeyflow.db.store import open_engine, read, write

SOON_SECONDS = 10.0


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(silence, "DOUBT_SECONDS", 0.2)
    monkeypatch.setattr(silence, "QUESTION_SECONDS_MAX", 2)


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.database() as made:
        yield made


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    server = make_url(url)
    directory = server.query.get("host")
    assert isinstance(directory, str) or server.host
    there = str(Path(str(directory)) / ".s.PGSQL.5432") if directory else (str(server.host), server.port or 5432)
    with Proxy(there) as made:
        yield made


@pytest.fixture
def far(url: str, proxy: Proxy) -> Iterator[Engine]:
    """The database at the other end of that network."""
    server = make_url(url).set(host="127.0.0.1", port=proxy.port, query={})
    opened = open_engine(server.render_as_string(hide_password=False))
    yield opened
    opened.dispose()


@pytest.fixture
def near(url: str) -> Iterator[Engine]:
    opened = open_engine(url)
    yield opened
    opened.dispose()


def test_a_statement_that_takes_long_is_waited_for(far: Engine) -> None:
    with read(far) as connection:
        assert connection.exec_driver_sql("SELECT 7 FROM pg_sleep(1.5)").scalar() == 7


def test_who_hears_nothing_gives_up_and_goes_on_once_the_network_is_back(far: Engine, proxy: Proxy) -> None:
    began = stopwatch()
    with pytest.raises(SystemFailure, match="no answer"), read(far) as connection:
        proxy.hang()
        connection.exec_driver_sql("SELECT 1")
    assert stopwatch() - began < SOON_SECONDS

    proxy.go_on()
    with read(far) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_what_it_had_locked_is_free_at_once_where_the_server_can_be_told(
    far: Engine, near: Engine, proxy: Proxy
) -> None:
    """The connection hangs and new ones do not, as behind a firewall that has forgotten it."""
    with read(near) as connection:
        group = claims.groups(connection)[0]
    with pytest.raises(SystemFailure, match="no answer"), write(far) as connection:
        assert claims.take(connection, group, postgres.INSTANT) is not None
        proxy.hang(new=False)
        connection.exec_driver_sql("SELECT 1")

    with write(near) as other:
        assert claims.take(other, group, postgres.INSTANT) is not None


def test_a_connection_from_the_pool_that_hangs_meanwhile_is_replaced(far: Engine, proxy: Proxy) -> None:
    with read(far) as connection:
        first = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    proxy.hang(new=False)

    with read(far) as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != first


def test_many_rows_that_nobody_takes_are_given_up(far: Engine, proxy: Proxy) -> None:
    """The server waits for its client, and so never becomes idle."""
    with pytest.raises(SystemFailure), read(far) as connection:
        proxy.hang(new=False)
        connection.exec_driver_sql("SELECT repeat('x', 1000) FROM generate_series(1, 50000)")
