"""All channels of an installation as one: each message goes out by its own."""

from __future__ import annotations

from journeyflow.channels.base import Channel, Email, Outgoing, ShortMessage
from journeyflow.channels.mailbox import MailboxChannel


class Outlet:
    """The channels for e-mail, SMS and push; a mailbox where none is given."""

    def __init__(
        self,
        email: Channel[Email] | None = None,
        sms: Channel[ShortMessage] | None = None,
        push: Channel[ShortMessage] | None = None,
    ) -> None:
        self._email = email or MailboxChannel()
        self._short: dict[str, Channel[ShortMessage]] = {
            "sms": sms or MailboxChannel(),
            "push": push or MailboxChannel(),
        }

    async def deliver(self, message: Outgoing) -> str | None:
        """Hand the message over to its channel; see :class:`journeyflow.channels.base.Channel`."""
        if isinstance(message, Email):
            return await self._email.deliver(message)
        return await self._short[message.channel].deliver(message)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._email.close()
        for channel in self._short.values():
            await channel.close()
