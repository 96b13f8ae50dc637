"""The channel that sends nothing: messages stay where they can be read, in the database."""

from __future__ import annotations

from typing import Final

from journeyflow.channels.base import Email, Outgoing
from journeyflow.channels.mime import to_wire

KEPT: Final = "mailbox"
"""What it calls every message, by which one that was kept can be told from one that was sent."""


class MailboxChannel:
    """Takes every message that could be sent, and refuses what a mail server would refuse by its looks."""

    async def deliver(self, message: Outgoing) -> str | None:
        """Take the message.

        :raises Refused: on a bad address or header of a mail, as on the way to a real server.
        """
        if isinstance(message, Email):
            to_wire(message)
        return KEPT

    async def check(self) -> str:
        """Nothing can be amiss."""
        return "mailbox: keeps messages and sends nothing"

    async def close(self) -> None:
        """Nothing is open."""
