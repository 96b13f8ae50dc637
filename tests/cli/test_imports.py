"""A command loads what it needs and no more: what takes long to load is named here, not how long it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from tests.cli.calls import done, enrolled

PROGRAM: Final = """
import sys
from journeyflow.cli.main import app
try:
    app()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""
SERVER: Final = {
    "alembic", "apscheduler", "fastapi", "journeyflow.api", "journeyflow.bootstrap", "journeyflow.db",
    "journeyflow.services", "journeyflow.worker", "prometheus_client", "pydantic_settings", "sqlalchemy", "starlette",
    "uvicorn",
}  # fmt: skip
RENDERING: Final = {"css_inline", "journeyflow.rendering", "liquid", "mrml"}
WRITING: Final = {"aiosmtplib", "journeyflow.worker", "uvicorn", "yaml"}
TESTING: Final = {"_pytest", "hypothesis", "pytest", "schemathesis"}
MESSAGES: Final = {"journeyflow.api.messages", "journeyflow.api.templates", "journeyflow.api.documents"}


def loaded(*arguments: object) -> set[str]:
    """What a process of its own has loaded when the command is done."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"})
    return set(ended.stderr.splitlines()[-1].split())


@pytest.fixture
def ann(flows: Path) -> None:
    """An installation that knows Ann."""
    done("apply", flows)
    enrolled("ann")


@pytest.mark.parametrize("arguments", [["--help"], ["journeys", "--help"], ["serve", "--help"], ["--version"]])
def test_help_loads_neither_server_nor_client(arguments: list[str]) -> None:
    found = loaded(*arguments)

    assert "journeyflow.cli.main" in found
    assert found & (SERVER | RENDERING | WRITING | TESTING | {"httpx", "journeyflow.core.journey"}) == set()


@pytest.mark.parametrize("arguments", [["journeys", "list"], ["explain", "ann"], ["contacts", "show", "ann"]])
def test_a_command_that_asks_a_server_loads_none(arguments: list[str]) -> None:
    found = loaded(*arguments, "--server", "http://127.0.0.1:1", "--key", "x")

    assert "httpx" in found
    assert found & (SERVER | RENDERING | WRITING | TESTING | {"journeyflow.core.journey"}) == set()


@pytest.mark.parametrize("arguments", [["journeys", "list"], ["explain", "ann"], ["keys", "list"]])
def test_a_command_that_reads_the_database_renders_and_sends_nothing(ann: None, arguments: list[str]) -> None:
    found = loaded(*arguments)

    assert "sqlalchemy" in found
    assert found & (RENDERING | WRITING | TESTING | MESSAGES | {"alembic", "journeyflow.services.check"}) == set()
