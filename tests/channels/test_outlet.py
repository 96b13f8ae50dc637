"""Each message goes out by its own channel."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from journeyflow.channels.base import Email, Outgoing, ShortMessage
from journeyflow.channels.factory import open_short_channel
from journeyflow.channels.mailbox import KEPT, MailboxChannel
from journeyflow.channels.outlet import Outlet
from journeyflow.core.errors import InvalidValue

MAIL = Email("1", "ann@shop.example", "hello@shop.example", "Hi", "<p>Hi</p>", "Hi", datetime(2026, 3, 2, tzinfo=UTC))
SMS = ShortMessage("2", "sms", "+442079460000", "Hi")
PUSH = ShortMessage("3", "push", "token", "Hi")


class Shelf:
    """A channel that keeps what it is given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kept: list[Outgoing] = []
        self.closed = False

    async def deliver(self, message: Outgoing) -> str | None:
        self.kept.append(message)
        return f"{self.name}-{message.id}"

    async def check(self) -> str:
        return self.name

    async def close(self) -> None:
        self.closed = True


def test_a_message_goes_out_by_the_channel_it_is_for() -> None:
    shelves = [Shelf("email"), Shelf("sms"), Shelf("push")]
    outlet = Outlet(*shelves)

    given = [asyncio.run(outlet.deliver(message)) for message in (PUSH, MAIL, SMS)]
    asyncio.run(outlet.close())

    assert [shelf.kept for shelf in shelves] == [[MAIL], [SMS], [PUSH]]
    assert given == ["push-3", "email-1", "sms-2"]
    assert all(shelf.closed for shelf in shelves)


def test_without_channels_everything_stays_in_the_mailbox() -> None:
    assert [asyncio.run(Outlet().deliver(message)) for message in (MAIL, SMS, PUSH)] == [KEPT, KEPT, KEPT]


def test_short_messages_have_a_mailbox_and_nothing_else() -> None:
    assert isinstance(open_short_channel(" mailbox://"), MailboxChannel)
    with pytest.raises(InvalidValue, match="expected mailbox://"):
        open_short_channel("smtp://user:secret@mail.example")
