"""The shop that tests of the API are about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.shop import DATABASE, DOCUMENTS, Shop, open_shop


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a shop that has just been opened; making one takes long."""
    folder = tmp_path_factory.mktemp("shop")
    open_shop(folder).installation.engine.dispose()
    return folder / DATABASE


@pytest.fixture
def shop(tmp_path: Path, new_database: Path) -> Iterator[Shop]:
    """A shop without documents."""
    shutil.copy(new_database, tmp_path / DATABASE)
    opened = open_shop(tmp_path)
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
