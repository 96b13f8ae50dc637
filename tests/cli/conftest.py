"""A shop's folder to work in, and the command line as a user calls it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from tests.cli.calls import write_flows


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, and no setting of whoever runs the tests."""
    for name in [name for name in os.environ if name.upper().startswith("JOURNEYFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """A command says how its process logs; here the process is that of all tests."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def flows(workplace: Path) -> Path:
    """A folder with a workspace, a template and the journey ``welcome``."""
    return write_flows(workplace / "flows")
