"""Every test of the live engine is run on SQLite and on PostgreSQL, unless its module names its ``STORES``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests import stores


@pytest.fixture(scope="module", autouse=True)
def store(request: pytest.FixtureRequest) -> Iterator[None]:
    with stores.chosen(request.param):
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    stores.parametrize(metafunc)
