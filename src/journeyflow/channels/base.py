"""What a channel is: it takes one message and says whether it is gone, refused for good, or to be tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Email:
    """One mail to one address.

    :param id: the message's identity (rules 5.4, 9.2), a UUID as text; the same at each attempt.
    :param sent_at: what the Date header says, with a time zone.
    :param headers: further ones, such as List-Unsubscribe; not those that are made of the other fields.
    """

    id: str
    to: str
    sender_email: str
    subject: str
    html: str
    text: str
    sent_at: datetime
    sender_name: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """One text to one telephone number (SMS) or device (push).

    :param id: the message's identity (rules 5.4, 9.2), a UUID as text; the same at each attempt.
    """

    id: str
    channel: str
    to: str
    text: str


Outgoing = Email | ShortMessage
Taken_contra = TypeVar("Taken_contra", bound=Outgoing, contravariant=True)


class Channel(Protocol[Taken_contra]):
    """A way out for messages. One is used by many deliveries at once, all of them in one event loop."""

    async def deliver(self, message: Taken_contra, /) -> str | None:
        """Hand the message over.

        :returns: what the provider calls the message, where it says so.
        :raises Refused: for good: a bad address, a 5xx reply.
        :raises Undeliverable: for good, and so it would be with every other message to that address.
        :raises Unavailable: not now: no connection, a time-out, a 4xx reply.
        """
        ...

    async def check(self) -> str:
        """Try whether messages could be handed over, and say in a line what was found; nothing is sent.

        :raises Unavailable: when they could not.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
