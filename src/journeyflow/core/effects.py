"""What comes out of a decision: trail records and changes for the store to write, in order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from journeyflow.core.contact import Address, Contact, Coupon, Entry, PastMessage, Run
from journeyflow.core.passages import Passages
from journeyflow.core.values import JSON


class TrailRecord(NamedTuple):
    """One step of a run, or one refusal (rule 9.1)."""

    at: datetime
    contact: str
    journey: str
    version: int
    run: str | None
    seq: int | None
    kind: str
    node: str | None
    type: str | None
    detail: dict[str, JSON]


class StoredEvent(NamedTuple):
    """An event for the contact's history."""

    contact: str
    number: int
    name: str
    occurred_at: datetime
    handled_at: datetime
    properties: dict[str, JSON]
    claimed_at: datetime | None


@dataclass(slots=True)
class Message:
    """A message for the outbox (``status`` queued), or the record of one that was skipped.

    ``values`` is what the template reads of contact, trigger, event, vars, journey, run and now; ``overrides`` what
    stands in place of the template's own (``subject``, ``from``, ``reply_to``), and ``parts``: the versions of the
    layouts, partials and surveys to fill in with. Without ``template`` the text is in ``overrides``. ``number`` is the
    place of its step in the contact's trail, by which messages of one instant are in order.
    """

    id: str
    contact: str
    journey: str
    version: int
    node: str
    run: str
    channel: str
    template: str | None
    template_version: int
    to: str | None
    topic: str | None
    transactional: bool
    status: str
    reason: str | None
    queued_at: datetime
    expires_at: datetime | None
    values: dict[str, JSON]
    overrides: dict[str, JSON]
    number: int = 0


def past_message(message: Message) -> PastMessage:
    """A queued message as it is remembered."""
    return PastMessage(
        message.id,
        message.channel,
        message.template,
        message.journey,
        message.node,
        message.run,
        message.transactional,
        message.queued_at,
    )


class Engaged(NamedTuple):
    """A person opened a message, or clicked in it."""

    contact: str
    message: str
    what: Literal["opened", "clicked"]
    at: datetime


@dataclass(slots=True)
class Call:
    """An HTTP request for the outbox, by the effect's identity (rule 4.10).

    ``body`` is JSON text. ``awaited``: the run waits for the reply until ``expires_at``. ``host_written``: the host is
    the document's own, not one that was filled in. ``sample`` is what a simulation answers.
    """

    id: str
    contact: str
    journey: str
    version: int
    run: str
    node: str
    visit: int
    method: str
    url: str
    headers: dict[str, str]
    body: str | None
    awaited: bool
    host_written: bool
    queued_at: datetime
    expires_at: datetime
    sample: JSON


class Allocation(NamedTuple):
    """A coupon code that was given out, by the effect's identity; ``stocked``: it was one of a list or an upload."""

    coupon: Coupon
    contact: str
    run: str
    node: str
    visit: int
    at: datetime
    stocked: bool = False


class AddressTurn(NamedTuple):
    """An address was unsubscribed from everything, or given back to it, by a contact that others may share it with.

    ``address`` is its normal form; ``imported``: history says so, which moves nobody.
    """

    contact: str
    channel: str
    address: str
    imported: bool


class Statistic(NamedTuple):
    """What a counter counts: ``kind`` is a trail kind (``exited:REASON``), ``visits`` or ``waiting`` of a node."""

    journey: str
    version: int
    node: str
    kind: str


@dataclass(slots=True)
class Effects:
    """Everything that a batch of decisions wants written, in the order in which it was decided.

    ``statistics`` are counters by the fields of :class:`Statistic`, as plain tuples: millions are looked up a minute.
    ``passages`` is there only while somebody wants to know which ways runs took.
    """

    trail: list[tuple[int, TrailRecord]] = field(default_factory=list)
    refusals: list[tuple[int | None, TrailRecord]] = field(default_factory=list)
    events: list[StoredEvent] = field(default_factory=list)
    seen: dict[tuple[str, str], datetime] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    withdrawn: list[tuple[str, str]] = field(default_factory=list)
    engaged: list[Engaged] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    redeemed: list[tuple[str, str, str, datetime]] = field(default_factory=list)
    entries: dict[tuple[str, str, str], Entry] = field(default_factory=dict)
    addresses: dict[tuple[str, str], Address] = field(default_factory=dict)
    turned: list[AddressTurn] = field(default_factory=list)
    contacts: dict[str, Contact] = field(default_factory=dict)
    runs: dict[str, tuple[str, Run]] = field(default_factory=dict)
    timers: list[tuple[str, datetime]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    """Contacts to be erased after all the rest was written."""
    alerts: list[str] = field(default_factory=list)
    statistics: defaultdict[tuple[str, int, str, str], int] = field(default_factory=lambda: defaultdict(int))
    passages: Passages | None = None
