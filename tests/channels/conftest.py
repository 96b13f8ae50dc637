"""Mail servers for the tests of channels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.channels.mail_server import MailServer


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def locked_server() -> Iterator[MailServer]:
    """One that takes mail only from Ann."""
    server = MailServer(locked=True)
    server.start()
    yield server
    server.stop()
