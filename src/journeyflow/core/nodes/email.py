"""``email``: queue a message (rules 5.1 to 5.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StrictBool, StringConstraints, model_validator

from journeyflow.core.contact import QueuedMessage
from journeyflow.core.effects import Message
from journeyflow.core.identity import message_id
from journeyflow.core.nodes.base import ActionNode, Go, Move, Stand, Visit
from journeyflow.core.nodes.gates import Envelope, Later, Pass, Skip, ask, is_transactional
from journeyflow.core.values import JSON, NodeName, PositiveDuration, Slug
from journeyflow.core.view import StoredTemplate
from journeyflow.core.workspace import EmailAddress

MARKETING_EXPIRES: Final = timedelta(hours=12)
"""How long a marketing message may wait in the outbox where its node does not say (rule 5.5)."""
_ADDRESS: Final = re.compile(r"[^\s<>,;]+@[^\s<>,;@]+")
Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class EmailNode(ActionNode):
    """Sends an e-mail from a template."""

    sends: ClassVar[bool] = True

    type: Literal["email"]
    template: Slug
    topic: Slug | None = None
    transactional: StrictBool = False
    to: Text | None = None
    from_: EmailAddress | None = Field(default=None, alias="from")
    reply_to: EmailAddress | None = None
    subject: Text | None = None
    expires: PositiveDuration | None = None
    on_skip: NodeName | None = None

    @model_validator(mode="after")
    def _own_address(self) -> EmailNode:
        if self.to is not None and not self.transactional and self.topic is None:
            raise ValueError("expected to only on a message with transactional: true")
        return self

    def act(self, visit: Visit) -> Move:
        library = visit.decision.library
        template = library.templates.get(self.template)
        if template is None:  # an old version's, removed since (rule 4.8)
            visit.record("failed", {"error": f"template {self.template} does not exist any more"})
            return Go(self.next)
        transactional = is_transactional(library.workspace, self.topic, self.transactional)
        envelope = Envelope("email", self._address(visit), self.topic, transactional)
        answer = ask(visit, envelope, template.compiled)
        if isinstance(answer, Later):
            return Stand(answer.until, answer.reason)
        message = self._message(visit, envelope, answer, template)
        visit.decision.effects.messages.append(message)
        self._record(visit, message)
        if isinstance(answer, Skip):
            return Go(self.next if self.on_skip is None else self.on_skip)
        visit.run.last_message = message.id
        visit.run.queued.append(QueuedMessage(message.id, visit.name, "email", self.template, message.to))
        return Go(self.next)

    def wake(self, visit: Visit) -> Move:
        return self.enter(visit)

    def _address(self, visit: Visit) -> str | None:
        text: JSON = visit.fill(self.to) if self.to is not None else visit.decision.contact.attributes.get("email")
        if not isinstance(text, str):
            return None
        text = text.strip()
        return text if _ADDRESS.fullmatch(text) else None

    def _message(self, visit: Visit, envelope: Envelope, answer: Pass | Skip, template: StoredTemplate) -> Message:
        run, now = visit.run, visit.now
        identity = message_id(run.id, visit.name, visit.number)
        addressed = (identity, visit.decision.contact.key, run.journey, run.version, visit.name, run.id)
        described = ("email", self.template, template.version, envelope.address, self.topic, envelope.transactional)
        if isinstance(answer, Skip):
            return Message(*addressed, *described, "skipped", answer.reason, now, None, {}, {})
        expires_at = self._expires_at(now, envelope.transactional)
        overrides = self._overrides(visit)
        if template.parts:
            overrides["parts"] = {**template.parts}
        return Message(*addressed, *described, "queued", None, now, expires_at, answer.values, overrides)

    def _expires_at(self, now: datetime, transactional: bool) -> datetime | None:
        if self.expires is not None:
            return now + self.expires
        return None if transactional else now + MARKETING_EXPIRES

    def _overrides(self, visit: Visit) -> dict[str, JSON]:
        given: dict[str, JSON] = {}
        if self.subject is not None:
            given["subject"] = visit.fill(self.subject)
        if self.from_ is not None:
            given["from"] = self.from_
        if self.reply_to is not None:
            given["reply_to"] = self.reply_to
        return given

    def _record(self, visit: Visit, message: Message) -> None:
        visit.record(
            "message",
            {
                "channel": "email",
                "template": self.template,
                "to": message.to,
                "outcome": message.status,
                "reason": message.reason,
            },
        )

    def exits(self) -> Iterator[tuple[str, str | None]]:
        yield "next", self.next
        if self.on_skip is not None:
            yield "on_skip", self.on_skip

    def liquid(self) -> Iterator[tuple[str, str]]:
        yield from ((key, text) for key, text in (("to", self.to), ("subject", self.subject)) if text is not None)

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        yield "template", "template", self.template
        if self.topic is not None:
            yield "topic", "topic", self.topic
