"""The shop that tests of the API are about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.shop import DOCUMENTS, Shop, open_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop without documents."""
    opened = open_shop(tmp_path)
    opened.ingest.start()
    yield opened
    opened.ingest.stop()
    opened.installation.engine.dispose()


@pytest.fixture
def busy_shop(shop: Shop) -> Shop:
    """A shop with a workspace, a template and the journey ``welcome``."""
    shop.publish(*DOCUMENTS)
    return shop
