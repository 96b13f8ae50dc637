"""What every store promises: each of these tests is run on SQLite and on PostgreSQL, and none knows which it is on.

So are those of ``tests/live``, which take turns, and those of ``tests/api``, which ask over HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests import stores


@pytest.fixture(scope="module", autouse=True)
def store(request: pytest.FixtureRequest) -> Iterator[None]:
    with stores.chosen(request.param):
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    stores.parametrize(metafunc)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database with the newest schema, and nothing in it."""
    with stores.database(tmp_path) as url, stores.engines(url, 1) as (opened,):
        yield opened
