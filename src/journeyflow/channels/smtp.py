"""Mail over SMTP: a few connections that are kept, used again and opened anew when the server has dropped them."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

import aiosmtplib
from aiosmtplib import SMTP

from journeyflow.channels.base import Email
from journeyflow.channels.mime import WireMessage, to_wire
from journeyflow.core.errors import Refused, Unavailable, Undeliverable

Tls = Literal["starttls", "tls", "none", "if_offered"]

REPLY_LENGTH_MAX: Final = 300
# Who gives up while the server still looks at the mail sends it twice (RFC 5321, 4.5.3.2.6).
PATIENCE_AFTER_DATA: Final = 6
# They tell of the connection, not of the message: a password that is wrong loses no mail.
_SIGN_IN_CODES: Final = frozenset({530, 534, 535, 538})
_GOING_AWAY: Final = 421
# The address does not exist, is none, has moved away, or its host or mailbox takes no mail at all (RFC 3463, RFC 7505).
# Other refusals speak of the sender or of the mail, though they come when the recipient is named.
_NO_SUCH_ADDRESS: Final = re.compile(r"5\.(1\.(1|2|3|6|10)|2\.1)(?![\d.])")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_NETWORK_ERRORS: Final = (aiosmtplib.SMTPException, OSError, TimeoutError, ssl.SSLError, ValueError)


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Where and how to hand mails over.

    :param tls: ``starttls`` and ``tls`` insist on it and check the certificate; ``if_offered`` takes STARTTLS where
        there is one, and checks as well.
    :param timeout_seconds: for connecting, and for each reply; the reply to the mail itself may take
        :data:`PATIENCE_AFTER_DATA` times that.
    :param connections_max: how many mails are on their way at once.
    :param ca_file: certificates to trust besides the system's.
    :param hostname: what we call ourselves; by default this machine's name.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls = "if_offered"
    timeout_seconds: float = 10.0
    connections_max: int = 8
    ca_file: str | None = None
    hostname: str | None = None

    @property
    def place(self) -> str:
        """The server, without secrets."""
        return f"{self.host}:{self.port}"


class _Dropped(Exception):
    """The server closed a connection that was kept, before it took the mail."""


class _EnvelopeLost(Exception):
    """The connection broke while sender and recipient were told; the mail itself was not sent yet."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class SmtpChannel:
    """Hands mails to one server. Lives in one event loop."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._idle: list[SMTP] = []
        self._free = asyncio.Semaphore(settings.connections_max)

    def __repr__(self) -> str:
        return f"SmtpChannel({self._settings.place})"

    async def deliver(self, email: Email) -> str | None:
        """Hand the mail over; gives what the server says of it.

        :raises Refused: on a bad address or header, or a 5xx reply to the message.
        :raises Undeliverable: when the server says by an enhanced status code that the address does not exist.
        :raises Unavailable: when the server can't be reached, is silent, hangs up, or replies 4xx.
        """
        message = to_wire(email)
        async with self._free:
            while self._idle:
                client = self._idle.pop()
                if client.is_connected:
                    with suppress(_Dropped):
                        return await self._send(client, message, kept=True)
            return await self._send(await self._connect(), message, kept=False)

    async def check(self) -> str:
        """Connect, sign in where there is a user name, and hang up.

        :raises Unavailable: when that fails.
        """
        client = await self._connect()
        encrypted = client.get_transport_info("sslcontext") is not None
        await _hang_up(client)
        signed_in = f", signed in as {self._settings.username}" if self._settings.username else ""
        return f"smtp: {self._settings.place}, {'encrypted' if encrypted else 'not encrypted'}{signed_in}"

    async def close(self) -> None:
        """Hang up."""
        idle, self._idle = self._idle, []
        for client in idle:
            await _hang_up(client)

    async def _connect(self) -> SMTP:
        settings = self._settings
        start_tls = {"starttls": True, "tls": False, "none": False, "if_offered": None}[settings.tls]
        try:
            client = SMTP(
                hostname=settings.host,
                port=settings.port,
                username=settings.username,
                password=settings.password,
                local_hostname=settings.hostname or _own_name(),
                timeout=settings.timeout_seconds,
                use_tls=settings.tls == "tls",
                start_tls=start_tls,
                cert_bundle=settings.ca_file,
            )
            await client.connect()
            await _greet(client)
        except _NETWORK_ERRORS as error:
            raise Unavailable(f"smtp: {settings.place}: {self._told(error)}") from error
        return client

    async def _send(self, client: SMTP, message: WireMessage, *, kept: bool) -> str:
        """Hand the message over on this connection, and keep the connection where it is still good.

        :raises _Dropped: when it was a kept one that turns out to be dead, and the mail can't have been taken.
        """
        try:
            reply = await _transfer(client, message)
        except aiosmtplib.SMTPResponseException as error:
            if kept and error.code == _GOING_AWAY:
                client.close()
                raise _Dropped from error
            await self._keep_after_refusal(client)
            raise self._failure(error) from error
        except _EnvelopeLost as error:
            client.close()
            if kept:
                raise _Dropped from error
            raise Unavailable(f"smtp: {self._settings.place}: {self._told(error.cause)}") from error
        except ValueError as error:
            client.close()
            raise Refused(f"smtp: {self._told(error)}") from error
        except _NETWORK_ERRORS as error:
            client.close()
            raise Unavailable(f"smtp: {self._settings.place}: {self._told(error)}") from error
        except BaseException:
            client.close()
            raise
        self._keep(client)
        return self._cleaned(reply)

    def _keep(self, client: SMTP) -> None:
        if client.is_connected:
            self._idle.append(client)

    async def _keep_after_refusal(self, client: SMTP) -> None:
        """The next message begins anew; a connection that can't do that is of no use."""
        try:
            await client.rset()
        except _NETWORK_ERRORS:
            client.close()
        self._keep(client)

    def _failure(self, error: aiosmtplib.SMTPResponseException) -> Refused | Unavailable:
        said = f"smtp: {self._settings.place}: {self._told(error)}"
        if not 500 <= error.code <= 599 or error.code in _SIGN_IN_CODES:
            return Unavailable(said)
        named = isinstance(error, aiosmtplib.SMTPRecipientRefused)
        return Undeliverable(said) if named and _NO_SUCH_ADDRESS.match(error.message) else Refused(said)

    def _told(self, error: BaseException) -> str:
        """What went wrong, on one line, never with the password."""
        if isinstance(error, aiosmtplib.SMTPResponseException):
            return self._cleaned(f"{error.code} {error.message}")
        return self._cleaned(str(error) or type(error).__name__)

    def _cleaned(self, text: str) -> str:
        if self._settings.password:
            text = text.replace(self._settings.password, "***")
        line = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).strip()
        return line[:REPLY_LENGTH_MAX]


async def _transfer(client: SMTP, message: WireMessage) -> str:
    """One mail on an open connection.

    :raises _EnvelopeLost: when the connection broke before the mail itself was sent.
    :raises Refused: when the address needs what the server does not know.
    """
    options, encoding = [], "ascii"
    if client.supports_extension("size"):
        options.append(f"size={len(message.content)}")
    if message.needs_utf8:
        if not client.supports_extension("smtputf8"):
            raise Refused("to: the mail server takes no addresses with other than ASCII letters (SMTPUTF8)")
        options.append("smtputf8")
        encoding = "utf-8"
    try:
        await client.mail(message.sender, options=options, encoding=encoding)
        await client.rcpt(message.recipient, encoding=encoding)
    except ConnectionError as error:
        raise _EnvelopeLost(error) from error
    reply = await client.data(message.content, timeout=client.timeout and client.timeout * PATIENCE_AFTER_DATA)
    return reply.message


async def _greet(client: SMTP) -> None:
    try:
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
    except BaseException:
        client.close()
        raise


async def _hang_up(client: SMTP) -> None:
    try:
        await client.quit()
    except _NETWORK_ERRORS:
        pass  # whoever does not answer to a goodbye is gone already
    finally:
        client.close()


def _own_name() -> str:
    """This machine's name; asking the network for its full form could take long."""
    name = socket.gethostname()
    return name if _HOST_NAME.fullmatch(name) else "localhost"
