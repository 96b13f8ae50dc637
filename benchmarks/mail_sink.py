"""A mail server that counts what it gets."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from benchmarks.ports import free_port

_ID: Final = re.compile(rb"^message-id: <([^@>]+)@", re.IGNORECASE | re.MULTILINE)


class MailSink:
    """``arrived``: how often each mail came, by the id of its message."""

    def __init__(self) -> None:
        self.arrived: Counter[str] = Counter()
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def url(self) -> str:
        """How to send to it."""
        return f"smtp://127.0.0.1:{self.port}?tls=none"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take it."""
        content = envelope.content
        found = _ID.search(content if isinstance(content, bytes) else b"")
        if found is None:
            return "550 a mail without Message-ID"
        self.arrived[found[1].decode()] += 1
        return "250 OK"
