"""The shop that tests of the API are about; each is run on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import stores
from tests.api.shop import DOCUMENTS, Shop, new_shop


@pytest.fixture(scope="module", autouse=True)
def store(request: pytest.FixtureRequest) -> Iterator[stores.Store]:
    with stores.chosen(request.param):
        yield request.param


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    stores.parametrize(metafunc)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop without documents."""
    with new_shop(tmp_path) as opened:
        yield opened


@pytest.fixture
def busy_shop(shop: Shop) -> Shop:
    """A shop with a workspace, a template and the journey ``welcome``."""
    shop.publish(*DOCUMENTS)
    return shop
