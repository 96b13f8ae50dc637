"""A real mail server on this machine, that remembers what it got and refuses what it is asked to refuse."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class MailServer:
    """Takes mail; ``refuse-550@...`` is refused with 550 when named, ``late-451@...`` with 451 after its text came.

    :param locked: whether it takes mail only from Ann, whose password is ``p@ss/w:rd``.
    :param tls: what STARTTLS is answered with; without it there is none.
    """

    def __init__(self, *, locked: bool = False, utf8: bool = True, tls: ssl.SSLContext | None = None) -> None:
        self.port = _free_port()
        self.envelopes: list[Envelope] = []
        self.sessions = 0
        self._transports: list[asyncio.BaseTransport] = []
        self._locked, self._utf8, self._tls = locked, utf8, tls
        self._controller: Controller | None = None

    @property
    def messages(self) -> list[EmailMessage]:
        """What came in, read."""
        return [message_from_bytes(_octets(got.content), policy=default) for got in self.envelopes]

    def start(self) -> None:
        """Listen; again after a stop, too."""
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            enable_SMTPUTF8=self._utf8,
            authenticator=_knows_ann if self._locked else None,
            auth_required=self._locked,
            auth_require_tls=False,
            tls_context=self._tls,
        )
        self._controller.start()

    def stop(self) -> None:
        """Stop listening; connections stay."""
        if self._controller is not None:
            self._controller.stop()

    def drop_connections(self) -> None:
        """Hang up without a word."""
        assert self._controller is not None
        for transport in self._transports:
            self._controller.loop.call_soon_threadsafe(transport.close)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.sessions += 1
        if isinstance(server.transport, asyncio.BaseTransport):
            self._transports.append(server.transport)
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refused := re.match(r"refuse-(\d+)@", address):
            return f"{refused[1]} not this one"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if refused := re.match(r"late-(\d+)@", envelope.rcpt_tos[0]):
            return f"{refused[1]} not like this"
        self.envelopes.append(envelope)
        return f"250 OK: queued as {len(self.envelopes)}"


def _knows_ann(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, credentials: LoginPassword
) -> AuthResult:
    known = (credentials.login, credentials.password) == (b"ann@shop", b"p@ss/w:rd")
    return AuthResult(success=known, handled=False)


def _octets(content: bytes | str | None) -> bytes:
    assert isinstance(content, bytes)
    return content


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
