"""Use cases are tested on SQLite; those whose module names its ``STORES`` on these."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests import stores


@pytest.fixture(scope="module", autouse=True)
def store(request: pytest.FixtureRequest) -> Iterator[None]:
    with stores.chosen(getattr(request, "param", "sqlite")):
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if hasattr(metafunc.module, "STORES"):
        stores.parametrize(metafunc)
