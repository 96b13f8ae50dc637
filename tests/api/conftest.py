"""The shop that tests of the API are about."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import stores
from tests.api.shop import DATABASE, DOCUMENTS, Shop, open_shop

EVERYWHERE = os.environ.get("JOURNEYFLOW_TEST_ALL_STORES") is not None


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a shop that has just been opened; making one takes long."""
    folder = tmp_path_factory.mktemp("shop")
    open_shop(str(folder / DATABASE)).installation.engine.dispose()
    return folder / DATABASE


@pytest.fixture(scope="module", autouse=True)
def store(request: pytest.FixtureRequest) -> Iterator[stores.Store]:
    with stores.chosen(request.param):
        yield request.param


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Modules that name their ``STORES`` pass on these; the rest is above them, and is run on SQLite.

    ``JOURNEYFLOW_TEST_ALL_STORES=1 pytest tests/api`` runs everything on both.
    """
    named = stores.BOTH if EVERYWHERE else getattr(metafunc.module, "STORES", ("sqlite",))
    if metafunc.definition.get_closest_marker("one_group") is not None:
        named = ("sqlite",)
    metafunc.parametrize("store", named, indirect=True, scope="module")


@pytest.fixture
def shop(tmp_path: Path, new_database: Path, store: stores.Store) -> Iterator[Shop]:
    """A shop without documents."""
    if store == "sqlite":
        shutil.copy(new_database, tmp_path / DATABASE)
    with stores.database(tmp_path, DATABASE) as url:
        opened = open_shop(url)
        opened.ingest.start()
        yield opened
        opened.app.state.context.simulations.close()
        opened.ingest.stop()
        opened.installation.engine.dispose()


@pytest.fixture
def busy_shop(shop: Shop) -> Shop:
    """A shop with a workspace, a template and the journey ``welcome``."""
    shop.publish(*DOCUMENTS)
    return shop
