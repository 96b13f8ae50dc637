"""``topic``: give and take consent for the contact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from journeyflow.core.nodes.base import ActionNode, Go, Visit
from journeyflow.core.values import JSON, Slug, of_the_whole


class TopicNode(ActionNode):
    """Subscribes the contact to topics, and unsubscribes it from others."""

    type: Literal["topic"]
    subscribe: tuple[Slug, ...] = ()
    unsubscribe: tuple[Slug, ...] = ()

    @of_the_whole
    def _something_to_do(self) -> TopicNode:
        if not self.subscribe and not self.unsubscribe:
            raise ValueError("expected subscribe or unsubscribe, with at least one topic")
        if set(self.subscribe) & set(self.unsubscribe):
            raise ValueError("expected a topic in one of subscribe and unsubscribe, not in both")
        return self

    def act(self, visit: Visit) -> Go:
        wanted = {**dict.fromkeys(self.subscribe, True), **dict.fromkeys(self.unsubscribe, False)}
        changed = visit.decision.change_topics(wanted)
        for topic, consent in changed:
            visit.decision.make("Subscribed" if consent else "Unsubscribed", {"topic": topic})
        subscribed: list[JSON] = [topic for topic, consent in changed if consent]
        unsubscribed: list[JSON] = [topic for topic, consent in changed if not consent]
        visit.record("ran", {"subscribed": subscribed, "unsubscribed": unsubscribed})
        return Go(self.next)

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        yield from ((f"subscribe[{index}]", "topic", topic) for index, topic in enumerate(self.subscribe))
        yield from ((f"unsubscribe[{index}]", "topic", topic) for index, topic in enumerate(self.unsubscribe))
