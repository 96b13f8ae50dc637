"""The contact as an actor: everything that decisions about one contact read and change, as one value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Final, Literal, NamedTuple, Protocol

from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.values import JSON

RunStatus = Literal["active", "completed", "exited", "holdout"]
EVENT_NAMES_MAX: Final = 1_000
"""So many event names of one contact are counted; further names are stored, not counted."""


@dataclass(slots=True)
class Aggregate:
    """What is kept of the events of one name, or of one condition leaf, without reading them again."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    numbers: int = 0
    total: float = 0.0
    least: float | None = None
    most: float | None = None

    def add(self, occurred_at: datetime, number: float | None) -> None:
        """Take one more event in; ``number`` is the summed property, ``None`` when it is not a number."""
        self.count += 1
        if self.first is None or occurred_at < self.first:
            self.first = occurred_at
        if self.last is None or occurred_at > self.last:
            self.last = occurred_at
        if number is not None:
            self.numbers += 1
            self.total += number
            self.least = number if self.least is None else min(self.least, number)
            self.most = number if self.most is None else max(self.most, number)


@dataclass(slots=True)
class Coupon:
    """A code that a contact holds; ``given_to`` is the key it was given out under, where that was merged since."""

    code: str
    pool: str
    journey: str
    expires_at: str
    redeemed: bool = False
    given_to: str | None = None


class QueuedMessage(NamedTuple):
    """A message of a run that may still be withdrawn."""

    id: str
    node: str
    channel: str
    template: str | None
    to: str | None


@dataclass(slots=True)
class Run:
    """One passage of one contact through one version of a journey.

    ``number`` is how many entries the contact had with this key before (rule 9.2); ``seq`` the next trail number;
    ``visits`` how often each node was visited; ``due_at`` when the wait at ``node`` ends, ``check_at`` when a condition
    waited for can next change by time alone; ``held`` tells that the run stands because the journey is paused, at the
    end of its wait or before its node, or because its node has ``hold``, before it; ``held_at`` is the instant at which
    it would have gone on. ``moved_from`` is what ``due_at`` was before the length of a pause was added; ``followed_at``
    is the instant of the last instruction that it has followed. ``left`` keeps for each wait the instant it was last
    left (rule 4.9); ``steps`` counts visits at ``steps_at``, the instant at which it came to its node. ``queued`` are
    messages that may still be withdrawn. After its end a run concerns goals and withdrawals until ``open_until``.
    ``deferred_at`` is when the message of the present visit first had to wait for a frequency cap. ``called_as`` names
    the node and the visit of the call whose reply it waits for, where that is not the present visit. ``stored`` tells
    a run that came out of a store, which need not look whether it has it; it is not kept.
    """

    id: str
    journey: str
    version: int
    key: str
    number: int
    entered_at: datetime
    entered_event: int
    trigger: dict[str, JSON]
    status: RunStatus = "active"
    node: str | None = None
    event: dict[str, JSON] | None = None
    vars: dict[str, JSON] = field(default_factory=dict)
    seq: int = 0
    visits: dict[str, int] = field(default_factory=dict)
    due_at: datetime | None = None
    check_at: datetime | None = None
    standing: bool = False
    held: Literal["wait", "node", "hold"] | None = None
    held_at: datetime | None = None
    moved_from: datetime | None = None
    followed_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    converted: bool = False
    last_message: str | None = None
    open_until: datetime | None = None
    queued: list[QueuedMessage] = field(default_factory=list)
    left: dict[str, datetime] = field(default_factory=dict)
    steps_at: datetime | None = None
    steps: int = 0
    deferred_at: datetime | None = None
    called_as: tuple[str, int] | None = None
    stored: bool = field(default=False, compare=False, repr=False)

    @property
    def active(self) -> bool:
        return self.status == "active"

    @property
    def awaited(self) -> datetime | None:
        """The instant that it waits for, or waited for until a pause held it, without the length of any pause."""
        if self.moved_from is not None:
            return self.moved_from
        return self.held_at if self.held == "wait" else self.due_at

    def concerned(self, now: datetime) -> bool:
        """Whether a goal or a withdrawal can still concern it once it has ended."""
        return self.open_until is not None and self.open_until >= now


@dataclass(slots=True)
class Entry:
    """The entries of one contact into one journey under one key: the last that was no restart, and how many."""

    first_at: datetime
    last_at: datetime
    count: int


class Membership(NamedTuple):
    """Whether a contact is in a segment, when time alone can next change that, and what else can.

    ``rests_on`` are changes of the contact, as :mod:`journeyflow.core.standing` names them; ``None``, when it was not
    kept, stands for all that the definition reads.
    """

    inside: bool
    check_at: datetime | None
    rests_on: frozenset[str] | None = None


class StageReached(NamedTuple):
    """The stage that a contact is in, by which definition of the stages, and what can change it, as of a membership."""

    key: str
    stage: str | None
    check_at: datetime | None
    rests_on: frozenset[str] | None = None


@dataclass(slots=True)
class Contact:
    """One contact's whole state.

    ``runs`` holds the active runs and those ended ones that a goal or a withdrawal can still concern. ``counts`` is by
    event name, ``leaves`` by the key of a condition leaf, ``answers`` the last choice by survey. ``fired`` says for
    each trigger that time fires what it was last handled for: a silence's last event, a date, a schedule's instant.
    ``entries`` is by journey, for journeys without a key. ``events`` and ``records`` number the contact's events and
    trail records. ``timer_at`` is the instant of the one timer that is set. ``segments`` is by the key of a definition
    (:mod:`journeyflow.core.standing`), for all by which the contact was judged; ``stage_set`` is the stage that a node
    set. ``seen_at`` is the instant up to which dates and schedules have been looked at, where there are such triggers.
    ``reckoned`` is when triggers that time fires next do so, by their key, as far as nothing that they look at has
    changed since, and ``met`` the flows by which the contact was handled last; neither is kept. ``stored`` tells a
    contact that the store knows.
    ``known`` tells a contact that was named by its user id, or that another was merged into, from an anonymous one
    (rule 10.4). ``server`` tells one that a server has identified (named so, or told of) from one that only browsers
    have, whose key is public.
    """

    key: str
    created_at: datetime | None = None
    attributes: dict[str, JSON] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    topics: dict[str, bool] = field(default_factory=dict)
    counts: dict[str, Aggregate] = field(default_factory=dict)
    leaves: dict[str, Aggregate] = field(default_factory=dict)
    fired: dict[str, datetime] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    coupons: list[Coupon] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    events: int = 0
    records: int = 0
    timer_at: datetime | None = None
    segments: dict[str, Membership] = field(default_factory=dict)
    stage: StageReached | None = None
    stage_set: str | None = None
    seen_at: datetime | None = None
    known: bool = False
    server: bool = False
    reckoned: dict[str, datetime | None] = field(default_factory=dict, compare=False, repr=False)
    met: object = field(default=None, compare=False, repr=False)
    stored: bool = field(default=False, compare=False, repr=False)

    @property
    def exists(self) -> bool:
        """Whether anything has made the contact yet (rule 1.6)."""
        return self.created_at is not None

    def forget(self) -> None:
        """Be nobody again, as before anything had come in."""
        blank = Contact(self.key)
        for one in fields(self):
            setattr(self, one.name, getattr(blank, one.name))


class PastEvent(NamedTuple):
    """An event that was handled: ``number`` is its place among the contact's events."""

    number: int
    occurred_at: datetime
    handled_at: datetime
    properties: dict[str, JSON]


class PastMessage(NamedTuple):
    """A message that was queued, and neither withdrawn nor failed; ``opened`` and ``clicked`` are by a person.

    ``template`` is ``None`` where the node itself has the text.
    """

    id: str
    channel: str
    template: str | None
    journey: str
    node: str
    run: str
    transactional: bool
    queued_at: datetime
    opened: bool = False
    clicked: bool = False


@dataclass(slots=True)
class Address:
    """What is known of an address, whoever has it (rule 5.8)."""

    suppressed: bool = False
    unsubscribed: bool = False


class Memory(Protocol):
    """What the core reads when it needs it, because it is too much to load for every decision."""

    def events(self, contact: str, name: str, since: datetime | None) -> Iterable[PastEvent]:
        """The contact's stored events of that name handled after ``since``, oldest first."""
        ...

    def entry(self, contact: str, journey: str, key: str) -> Entry | None:
        """The contact's entries into that journey under that key, which is not empty."""
        ...

    def left_journey(self, contact: str, journey: str) -> datetime | None:
        """When the last of the contact's stored runs of that journey ended; held-out ones are none."""
        ...

    def address(self, channel: str, address: str) -> Address:
        """Whether that address is suppressed, or unsubscribed from everything."""
        ...

    def seen(self, contact: str, message_id: str) -> bool:
        """Whether the contact has had an event of that id within the last 30 days."""
        ...

    def messages(self, contact: str, since: datetime | None) -> Iterable[PastMessage]:
        """The contact's messages queued after ``since``, oldest first; not those that were withdrawn or have failed."""
        ...

    def still_queued(self, contact: str, message: str) -> bool:
        """Whether that message is not being sent yet, so that it can be withdrawn."""
        ...

    def coupon_code(self, pool: CouponPool, contact: str, identity: str) -> str | None:
        """A fresh code of a pool for an effect's identity, never given out before; ``None`` when there is none."""
        ...
