"""A shop whose mails wait in the outbox until the test has them delivered, to a real mail server."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select
from tests.channels.mail_server import MailServer
from tests.live.world import LiveWorld

from journeyflow.channels.base import Channel, Email
from journeyflow.channels.factory import open_channel
from journeyflow.channels.outlet import Outlet
from journeyflow.core.inputs import Event, Identify, Input
from journeyflow.core.values import JSON
from journeyflow.db import inbox, outbox, tables
from journeyflow.db.outbox import StoredMessage
from journeyflow.db.store import read, write
from journeyflow.worker.dispatcher import Dispatcher

WORKSPACE: dict[str, JSON] = {
    "workspace": "shop",
    "timezone": "Europe/Warsaw",
    "sender": {"name": "The Shop", "email": "hello@shop.example", "reply_to": "care@shop.example"},
    "postal_address": "Long Street 1, Gdansk",
    "topics": [{"id": "offers", "name": "Offers"}],
    "quiet_hours": {"from": "21:00", "to": "08:00"},
}
HELLO: dict[str, JSON] = {"template": "hello", "subject": "Hello {{ contact.first_name }}", "body": "<p>Hello</p>"}
LETTER: dict[str, JSON] = {
    "journey": "letter",
    "triggers": [{"type": "event", "event": "Signed Up"}],
    "reentry": {"policy": "always"},
    "exit_on": [{"event": "Left"}],
    "start": "mail",
    "nodes": {
        "mail": {"type": "email", "template": "hello", "topic": "offers", "next": "pause"},
        "pause": {"type": "wait", "for": "3d"},
    },
}
RECEIPT: dict[str, JSON] = {
    "journey": "receipt",
    "triggers": [{"type": "event", "event": "Paid"}],
    "reentry": {"policy": "always"},
    "start": "mail",
    "nodes": {"mail": {"type": "email", "template": "hello", "transactional": True}},
}


class MoodyServer(MailServer):
    """Answers every address as it is told to, while it is told to."""

    answer: str | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answer is not None:
            return self.answer
        return await super().handle_RCPT(server, session, envelope, address, options)


class Died(BaseException):
    """The end of a process, as far as a test can have one."""


class DyingChannel:
    """Hands mails over; before the answer can be written down the process is gone."""

    def __init__(self, channel: Channel[Email]) -> None:
        self._channel = channel

    async def deliver(self, email: Email) -> str | None:
        await self._channel.deliver(email)
        raise Died

    async def check(self) -> str:
        return await self._channel.check()

    async def close(self) -> None:
        await self._channel.close()


class PostRoom:
    """The shop and its mail server; ``outcomes`` are the status of each attempt and whether it was a redelivery."""

    def __init__(self, directory: Path, server: MoodyServer, start: datetime) -> None:
        self.world = LiveWorld(directory, [WORKSPACE, HELLO, LETTER, RECEIPT], start, delivering=False)
        self.server = server
        self.outcomes: list[tuple[str, bool]] = []

    def put(self, contact: str, item: Input) -> None:
        """An input arrives, and is handled."""
        with write(self.world.engine) as connection:
            inbox.put(connection, [(contact, item)])
        self.world.settle()

    def identify(self, contact: str, **attributes: JSON) -> None:
        self.put(contact, Identify(self.world.now, attributes))

    def track(self, contact: str, name: str, **properties: JSON) -> None:
        self.put(contact, Event(self.world.now, name, self.world.now, properties))

    def after(self, duration: timedelta) -> None:
        """Time passes, and nothing is delivered in it."""
        self.world.advance(self.world.now + duration, included=True)
        self.world.now += duration

    def deliver(self, *, dies: bool = False) -> None:
        """A dispatcher that has just started delivers what is due; it may die of it."""
        asyncio.run(self._deliver(dies))

    async def _deliver(self, dies: bool) -> None:
        channel = open_channel(f"smtp://127.0.0.1:{self.server.port}?timeout=5")
        dispatcher = Dispatcher(
            self.world.engine,
            self.world.installation.postmaster,
            Outlet(DyingChannel(channel) if dies else channel),
            lambda: self.world.now,
            lambda outcome, again: self.outcomes.append((outcome.status, again)),
        )
        try:
            while await dispatcher.dispatch():
                pass
        except Died:
            pass
        finally:
            await channel.close()

    def claim(self) -> None:
        """A dispatcher picks up what is due, and is not heard of again."""
        with write(self.world.engine) as connection:
            self.world.installation.postmaster.pick_up(connection, self.world.now, 100)

    def message(self, contact: str = "ann") -> StoredMessage:
        """The contact's only message."""
        with read(self.world.engine) as connection:
            (found,) = outbox.page(connection, contact, None, None, 10)
        return found

    def stands(self, contact: str = "ann") -> tuple[str, str | None]:
        """Status and reason of the contact's only message."""
        message = self.message(contact)
        return message.status, message.reason

    def events(self, contact: str, name: str) -> list[dict[str, JSON]]:
        """The properties of the contact's events of that name."""
        which = (tables.events.c.contact == contact) & (tables.events.c.name == name)
        with read(self.world.engine) as connection:
            return [json.loads(one) for one in connection.scalars(select(tables.events.c.properties).where(which))]

    def due_in(self) -> timedelta | None:
        """How long until the next message is due."""
        with read(self.world.engine) as connection:
            due = outbox.next_due(connection)
        return None if due is None else due - self.world.now

    def leases(self) -> int:
        """How many messages a dispatcher has claimed."""
        with read(self.world.engine) as connection:
            return len(connection.execute(select(tables.messages.c.id).where(tables.messages.c.lease_until > 0)).all())

    @property
    def mails(self) -> list[EmailMessage]:
        """What the mail server got."""
        return self.server.messages
