"""``push``: queue a notification to the contact's device."""

from __future__ import annotations

from typing import ClassVar, Literal

from journeyflow.core.nodes.short_message import ShortMessageNode
from journeyflow.core.workspace import Channel


class PushNode(ShortMessageNode):
    """Sends a notification to the device whose token is in the attribute ``push_token``."""

    channel: ClassVar[Channel] = "push"

    type: Literal["push"]
