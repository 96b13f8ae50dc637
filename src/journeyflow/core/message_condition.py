"""The condition on what became of a contact's messages: ``{message: {channel: email, last: 5}, opened: {eq: 0}}``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import Field

from journeyflow.core.channel import Channel
from journeyflow.core.contact import PastMessage
from journeyflow.core.leaf import Answer, Because, Count, Leaf, shown
from journeyflow.core.sight import Sight
from journeyflow.core.values import Duration, Model, PositiveDuration, Slug, demand_one, of_the_whole

SETTLED: Final = timedelta(hours=48)
"""A message is so old before ``last`` looks at it: whoever has not opened it by then was given the time to."""
EDGES_MAX: Final = 4
"""So many instants at which a message begins or ceases to be looked at are looked at in advance."""


class MessageChoice(Model):
    """Which messages are looked at; ``last`` takes so many of the settled ones."""

    channel: Channel
    template: Slug | None = None
    journey: Slug | None = None
    last: Annotated[int, Field(strict=True, ge=1, le=1_000)] | None = None
    within: PositiveDuration | None = None
    settled: Duration | None = None

    @property
    def age(self) -> timedelta:
        """How old a message has to be to be looked at."""
        if self.settled is not None:
            return self.settled
        return timedelta() if self.last is None else SETTLED

    def takes(self, message: PastMessage) -> bool:
        """Whether a message is meant, whatever its age."""
        return (
            message.channel == self.channel
            and self.template in (None, message.template)
            and self.journey in (None, message.journey)
        )


class MessageCondition(Leaf):
    """How many of the contact's messages a person opened (or clicked), or how many were sent."""

    message: MessageChoice
    opened: Count | None = None
    clicked: Count | None = None
    sent: Count | None = None

    @of_the_whole
    def _one_question(self) -> MessageCondition:
        asked = {"opened": self.opened, "clicked": self.clicked, "sent": self.sent}
        demand_one(asked, " beside message, such as opened: {eq: 0}")
        return self

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        return self._holds(self._chosen(view), view.now, view, path, because)

    def answer(self, view: Sight) -> Answer:
        """Looks ahead to where messages begin and cease to be looked at, as far as it changes the answer."""
        chosen = self._chosen(view)
        last = self.message.last
        if last is not None and len(chosen) < last:  # never enough of them, however old they get
            return False, None
        held = self._holds(chosen, view.now, view, "", None)
        lengths = (self.message.age, self.span(view.kept))
        edges = sorted({edge for one in chosen for length in lengths if (edge := one.queued_at + length) > view.now})
        for edge in edges[:EDGES_MAX]:
            if self._holds(chosen, edge, view, "", None) != held:
                return held, edge
        return held, edges[EDGES_MAX] if len(edges) > EDGES_MAX else None

    def _holds(
        self, chosen: list[PastMessage], now: datetime, view: Sight, path: str, because: Because | None
    ) -> bool:  # fmt: skip
        last = self.message.last
        begin, end = now - self.span(view.kept), now - self.message.age
        found = [one for one in chosen if begin < one.queued_at <= end]
        if last is not None and len(found) < last:
            return self.note(because, path, f"{len(found)} of {last} messages", held=False)
        looked_at = found if last is None else found[-last:]
        if self.sent is not None:
            return self._compared(self.sent, len(looked_at), view, path, because)
        what: Literal["opened", "clicked"] = "opened" if self.opened is not None else "clicked"
        asked = self.opened or self.clicked
        assert asked is not None
        watched = [one for one in looked_at if view.tracks(what, one.channel, one.journey, one.template)]
        seen, unknown = sum(getattr(one, what) for one in watched), len(looked_at) - len(watched)
        tracked = view.tracks(what, self.message.channel, self.message.journey, self.message.template)
        # What nobody watched may have been anything: it holds only where it holds whatever that was.
        if not tracked or not all(asked.compare(seen + more, view)[0] for more in range(1, unknown + 1)):
            return self.note(because, path, "not tracked", held=False)
        return self._compared(asked, seen, view, path, because)

    def _compared(self, asked: Count, seen: int, view: Sight, path: str, because: Because | None) -> bool:
        held, mismatch = asked.compare(seen, view)
        return held if because is None else self.note(because, path, shown(seen, mismatch), held)

    def _chosen(self, view: Sight) -> list[PastMessage]:
        meant = self.message
        found = [
            one for one in view.correspondence.since(view.now - self.span(view.kept)) if one.channel == meant.channel
        ]
        if meant.template is None and meant.journey is None:
            return found
        return [one for one in found if meant.takes(one)]

    def span(self, kept: timedelta) -> timedelta:
        """How far back it looks, where messages are kept for so long."""
        return kept if self.message.within is None else min(self.message.within, kept)

    def next_change(self, view: Sight) -> datetime | None:
        return self.answer(view)[1]
