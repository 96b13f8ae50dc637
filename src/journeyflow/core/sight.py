"""What a condition looks at: one contact at one instant, as :class:`journeyflow.core.view.View` shows it.

Conditions stand inside the workspace (stages) and inside segments, which a view looks up; so they know only this.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from journeyflow.core.contact import Contact, PastEvent, Run
from journeyflow.core.correspondence import Correspondence
from journeyflow.core.values import JSON, Missing, PathKeys


class Sight(Protocol):
    """A contact, the instant, perhaps a run, and the properties of the event at hand."""

    contact: Contact
    now: datetime
    run: Run | None
    event: dict[str, JSON] | None
    timezone: str | None

    @property
    def zone(self) -> ZoneInfo:
        """Where the contact is."""
        ...

    @property
    def retention(self) -> timedelta:
        """How long events are kept."""
        ...

    @property
    def kept(self) -> timedelta:
        """How long messages are kept."""
        ...

    @property
    def correspondence(self) -> Correspondence:
        """The contact's messages."""
        ...

    def tracks(
        self, what: Literal["opened", "clicked"], channel: str, journey: str | None, template: str | None
    ) -> bool:
        """Whether it would be known that such messages were opened (or clicked)."""
        ...

    def of(self, run: Run | None, event: dict[str, JSON] | None, timezone: str | None) -> Sight:
        """The same contact and instant, seen from a run or an event."""
        ...

    def probe(self) -> Sight:
        """The same view for looking at one past event after the other."""
        ...

    def attribute(self, keys: PathKeys) -> JSON | Missing:
        """An attribute of the contact."""
        ...

    def attribute_change(self, keys: PathKeys) -> datetime | None:
        """When time alone can next change the attribute itself: only ``stage`` is such a one."""
        ...

    def event_property(self, keys: PathKeys) -> JSON | Missing:
        """A property of the event at hand."""
        ...

    def variable(self, keys: PathKeys) -> JSON | Missing:
        """What a node of the run saved."""
        ...

    def resolve(self, value: object) -> JSON | Missing:
        """A literal as it is, a reference looked up."""
        ...

    def past(self, name: str, since: datetime | None) -> Iterable[PastEvent]:
        """The contact's events of that name handled after ``since``."""
        ...

    def subscribed(self, topic: str) -> bool:
        """Whether the contact consents to the topic."""
        ...

    def in_segment(self, segment: str) -> bool | None:
        """Whether the segment's definition holds; ``None`` where there is no such segment any more."""
        ...

    def segment_change(self, segment: str) -> datetime | None:
        """When time alone can next change that."""
        ...

    def in_journey(self, journey: str) -> bool:
        """Whether a run of that journey is active."""
        ...

    def left_journey(self, journey: str) -> datetime | None:
        """When the contact's last run of that journey ended, of those that have; held-out ones are none."""
        ...
