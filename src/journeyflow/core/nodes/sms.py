"""``sms``: queue a text message to the contact's telephone."""

from __future__ import annotations

from typing import ClassVar, Literal

from journeyflow.core.nodes.short_message import ShortMessageNode
from journeyflow.core.workspace import Channel


class SmsNode(ShortMessageNode):
    """Sends an SMS to the number in the attribute ``phone``."""

    channel: ClassVar[Channel] = "sms"

    type: Literal["sms"]
