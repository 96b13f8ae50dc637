"""The channel that sends nothing: messages stay where they can be read, in the database."""

from __future__ import annotations

from journeyflow.channels.base import Email, Outgoing
from journeyflow.channels.mime import to_wire


class MailboxChannel:
    """Takes every message that could be sent, and refuses what a mail server would refuse by its looks."""

    async def deliver(self, message: Outgoing) -> str | None:
        """Take the message.

        :raises Refused: on a bad address or header of a mail, as on the way to a real server.
        """
        if isinstance(message, Email):
            to_wire(message)
        return None

    async def check(self) -> str:
        """Nothing can be amiss."""
        return "mailbox: keeps messages and sends nothing"

    async def close(self) -> None:
        """Nothing is open."""
