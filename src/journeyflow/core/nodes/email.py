"""``email``: queue an e-mail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from journeyflow.core.nodes.base import Visit
from journeyflow.core.nodes.message import MessageNode, Text
from journeyflow.core.values import JSON, Slug
from journeyflow.core.workspace import Channel, EmailAddress


class EmailNode(MessageNode):
    """Sends an e-mail from a template."""

    channel: ClassVar[Channel] = "email"

    type: Literal["email"]
    template: Slug
    from_: EmailAddress | None = Field(default=None, alias="from")
    reply_to: EmailAddress | None = None
    subject: Text | None = None

    def overrides(self, visit: Visit) -> dict[str, JSON]:
        given: dict[str, JSON] = {}
        if self.subject is not None:
            given["subject"] = visit.fill(self.subject)
        if self.from_ is not None:
            given["from"] = self.from_
        if self.reply_to is not None:
            given["reply_to"] = self.reply_to
        return given

    def liquid(self) -> Iterator[tuple[str, str]]:
        yield from super().liquid()
        if self.subject is not None:
            yield "subject", self.subject
