"""The channel that sends nothing: messages stay where they can be read, in the database."""

from __future__ import annotations

from journeyflow.channels.base import Email
from journeyflow.channels.mime import to_wire


class MailboxChannel:
    """Takes every mail that could be sent, and refuses what a mail server would refuse by its looks."""

    async def deliver(self, email: Email) -> str | None:
        """Take the mail.

        :raises Refused: on a bad address or header, as on the way to a real server.
        """
        to_wire(email)
        return None

    async def check(self) -> str:
        """Nothing can be amiss."""
        return "mailbox: keeps messages and sends nothing"

    async def close(self) -> None:
        """Nothing is open."""
