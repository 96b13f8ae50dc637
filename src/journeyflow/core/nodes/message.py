"""What nodes that queue a message have in common (rules 5.1 to 5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final

from pydantic import StrictBool, StringConstraints

from journeyflow.core.address import reachable, written
from journeyflow.core.contact import QueuedMessage
from journeyflow.core.effects import Message, past_message
from journeyflow.core.identity import message_id
from journeyflow.core.nodes.base import ActionNode, Go, Move, Stand, Stay, Visit
from journeyflow.core.nodes.gates import Envelope, Later, Pass, Skip, ask, is_transactional
from journeyflow.core.values import JSON, NodeName, PositiveDuration, Slug, of_the_whole
from journeyflow.core.view import Library, StoredTemplate
from journeyflow.core.workspace import Channel

MARKETING_EXPIRES: Final = timedelta(hours=12)
"""How long a marketing message may wait in the outbox where its node does not say (rule 5.5)."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class MessageNode(ActionNode):
    """Sends a message."""

    sends: ClassVar[bool] = True
    channel: ClassVar[Channel]

    template: Slug | None = None
    topic: Slug | None = None
    transactional: StrictBool = False
    to: Text | None = None
    expires: PositiveDuration | None = None
    on_skip: NodeName | None = None

    @of_the_whole
    def _own_address(self) -> MessageNode:
        if self.to is not None and not self.transactional and self.topic is None:
            raise ValueError("expected to only on a message with transactional: true")
        return self

    def source(self, library: Library) -> StoredTemplate | None:
        """What the message is made of; nothing where its template is gone."""
        return None if self.template is None else library.templates.get(self.template)

    def overrides(self, visit: Visit) -> dict[str, JSON]:
        """What the node itself says of the message, instead of its template or the workspace."""
        return {}

    def act(self, visit: Visit) -> Move:
        library = visit.decision.library
        source = self.source(library)
        if source is None:  # an old version's, removed since (rule 4.8)
            visit.record("failed", {"error": f"template {self.template} does not exist any more"})
            return Go(self.next)
        transactional = is_transactional(library.workspace, self.topic, self.transactional)
        envelope = Envelope(self.channel, self._address(visit), self.topic, transactional)
        answer = ask(visit, envelope, source.compiled)
        if isinstance(answer, Later):
            if answer.reason == "frequency_cap" and visit.run.deferred_at is None:
                visit.run.deferred_at = visit.now
            return Stand(answer.until, answer.reason)
        message = self._message(visit, envelope, answer, source)
        visit.decision.effects.messages.append(message)
        self._record(visit, message)
        if isinstance(answer, Skip):
            return Go(self.next if self.on_skip is None else self.on_skip)
        self._remember(visit, message)
        return Go(self.next)

    def take_over(self, visit: Visit, stay: Stay) -> Move:
        until = visit.now if stay.until is None else stay.until
        return Stand(until, "quiet_hours" if visit.run.deferred_at is None else "frequency_cap")

    def wake(self, visit: Visit) -> Move:
        return self.enter(visit)

    def _address(self, visit: Visit) -> str | None:
        own = visit.decision.contact.attributes
        text = written(own, self.channel) if self.to is None else visit.fill(self.to)
        return reachable(text, self.channel)

    def _message(self, visit: Visit, envelope: Envelope, answer: Pass | Skip, source: StoredTemplate) -> Message:
        run, now, number = visit.run, visit.now, visit.decision.contact.records
        identity = message_id(run.id, visit.name, visit.number)
        addressed = (identity, visit.decision.contact.key, run.journey, run.version, visit.name, run.id)
        described = (self.channel, self.template, source.version, envelope.address, self.topic, envelope.transactional)
        if isinstance(answer, Skip):
            return Message(*addressed, *described, "skipped", answer.reason, now, None, {}, {}, number)
        expires_at = self._expires_at(now, envelope.transactional)
        overrides = self.overrides(visit)
        if source.parts:
            overrides["parts"] = {**source.parts}
        return Message(*addressed, *described, "queued", None, now, expires_at, answer.values, overrides, number)

    def _expires_at(self, now: datetime, transactional: bool) -> datetime | None:
        if self.expires is not None:
            return now + self.expires
        return None if transactional else now + MARKETING_EXPIRES

    def _record(self, visit: Visit, message: Message) -> None:
        visit.record(
            "message",
            {
                "channel": message.channel,
                "template": message.template,
                "to": message.to,
                "outcome": message.status,
                "reason": message.reason,
            },
        )

    def _remember(self, visit: Visit, message: Message) -> None:
        run = visit.run
        run.last_message = message.id
        run.queued.append(QueuedMessage(message.id, visit.name, message.channel, message.template, message.to))
        visit.view.correspondence.queue(past_message(message))
        visit.decision.messages_changed()

    def exits(self) -> Iterator[tuple[str, str | None]]:
        yield "next", self.next
        if self.on_skip is not None:
            yield "on_skip", self.on_skip

    def liquid(self) -> Iterator[tuple[str, str]]:
        if self.to is not None:
            yield "to", self.to

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        if self.template is not None:
            yield "template", "template", self.template
        if self.topic is not None:
            yield "topic", "topic", self.topic
