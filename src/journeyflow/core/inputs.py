"""What can happen to a contact. Each input carries ``at``, its own instant (rule 1.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from journeyflow.core.channel import Channel
from journeyflow.core.contact import Contact
from journeyflow.core.values import JSON

GUARDED: Final = frozenset({"email", "phone", "tracking"})
"""What a browser, whose key everybody can read, can't change of a contact that has it, or that a server named."""

ENGINE_NAMES: Final = frozenset(
    {
        "Contact Created",
        "Contact Updated",
        "Coupon Pool Low",
        "Segment Entered",
        "Segment Left",
        "Stage Changed",
        "Tag Added",
        "Tag Removed",
    }
)
"""Events that only the engine makes (rule 2.7): from outside they would be mistaken for its own."""


@dataclass(slots=True, frozen=True)
class Event:
    """Something the contact did, or that happened to it.

    ``claimed_at`` is the time of an event that pretended to come from the future (rule 1.10). ``own`` marks the
    engine's own events (rule 2.7), ``change`` those of them that tell of a change (an ``emit`` never does, whatever its
    name), ``heard`` those that can make a difference to anybody; ``imported`` marks history that moves nothing (rule
    1.11). ``known`` says that the contact was named by its user id, ``guarded`` that a browser says so.
    """

    at: datetime
    name: str
    occurred_at: datetime
    properties: dict[str, JSON] = field(default_factory=dict)
    message_id: str | None = None
    claimed_at: datetime | None = None
    own: bool = False
    imported: bool = False
    known: bool = False
    guarded: bool = False
    heard: bool = True
    change: bool = False


@dataclass(slots=True, frozen=True)
class Identify:
    """New values of attributes; ``null`` takes one away. ``imported`` changes fire nothing.

    ``known`` says that the contact was named by its user id; ``guarded`` that a browser says so, which leaves what is
    :data:`GUARDED` as the contact has it. ``occurred_at``: when that was, of what is imported.
    """

    at: datetime
    attributes: dict[str, JSON]
    message_id: str | None = None
    imported: bool = False
    known: bool = False
    guarded: bool = False
    occurred_at: datetime | None = None


@dataclass(slots=True, frozen=True)
class Merge:
    """The contact turns out to be another one: its state goes there, and so does all that comes for it (chapter 10).

    ``guarded``: a browser says so, and brings nothing that is :data:`GUARDED` to a contact that a server named.
    """

    at: datetime
    into: str
    guarded: bool = False


@dataclass(slots=True, frozen=True)
class Absorb:
    """The second half of a merge: what another contact was, for the one that it was merged into."""

    at: datetime
    other: Contact
    guarded: bool = False


@dataclass(slots=True, frozen=True)
class SetTags:
    """Tags put on and taken off."""

    at: datetime
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    imported: bool = False


@dataclass(slots=True, frozen=True)
class SetTopics:
    """Consent to topics given (true) or taken away (false)."""

    at: datetime
    topics: dict[str, bool]


@dataclass(slots=True, frozen=True)
class Appear:
    """The contact comes into being with these attributes and tags: a row of a contacts file.

    Without ``created_at`` it does not come into being yet: this is what is known of a contact that an event will make.
    ``known`` as in :class:`Identify`. ``topics`` is what the contact said about topics; by the channels
    ``unsubscribed`` it is unsubscribed from everything, by ``suppressed`` its address is suppressed.
    """

    at: datetime
    created_at: datetime | None
    attributes: dict[str, JSON]
    tags: tuple[str, ...] = ()
    announced: bool = False
    known: bool = False
    topics: dict[str, bool] = field(default_factory=dict)
    unsubscribed: tuple[Channel, ...] = ()
    suppressed: tuple[Channel, ...] = ()


@dataclass(slots=True, frozen=True)
class Enroll:
    """Somebody, or something, lets the contact into a journey by hand."""

    at: datetime
    journey: str
    properties: dict[str, JSON] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Remove:
    """A run is ended by hand."""

    at: datetime
    run: str


@dataclass(slots=True, frozen=True)
class Move:
    """A run is sent to a node by hand, in another version of its journey where one is given."""

    at: datetime
    run: str
    node: str
    version: int | None = None


@dataclass(slots=True, frozen=True)
class MessageFailed:
    """A message failed before it was sent: it caused nothing, and its place in a cap is free again (rule 5.5)."""

    at: datetime
    message: str
    channel: str


@dataclass(slots=True, frozen=True)
class Forget:
    """The contact is erased: its runs leave, and nothing that names it is kept."""

    at: datetime


@dataclass(slots=True, frozen=True)
class Reply:
    """What became of a call that a run waits for, by the effect's identity (run, node, visit).

    ``status`` is the HTTP status, ``None`` where nobody answered; ``error`` says why the call failed; ``body`` is what
    came back.
    """

    at: datetime
    run: str
    node: str
    visit: int
    status: int | None
    body: JSON = None
    error: str | None = None


@dataclass(slots=True, frozen=True)
class AddressTurned:
    """Another contact unsubscribed an address that they share from everything, or gave it back (rule 5.8).

    ``imported``: it is history, and moves nothing.
    """

    at: datetime
    imported: bool = False


@dataclass(slots=True, frozen=True)
class MessageRetried:
    """A message of a run that had failed is queued once more."""

    at: datetime
    message: str
    run: str
    node: str
    channel: str
    template: str | None
    to: str | None


@dataclass(slots=True, frozen=True)
class Wake:
    """Nothing happened but time, or the state of a journey: look again what is due."""

    at: datetime


@dataclass(slots=True, frozen=True)
class Await:
    """The place of what a visitor brings who is merged into this contact: what came behind it waits until then.

    The visitor is worked on elsewhere. Else an order that comes right after the merge could have its turn before it,
    and not end what the visitor is in.
    """

    at: datetime
    source: str


Input = (
    Event
    | Identify
    | SetTags
    | SetTopics
    | Appear
    | Enroll
    | Remove
    | Merge
    | Forget
    | Wake
    | Reply
    | Move
    | MessageFailed
    | MessageRetried
    | AddressTurned
)
"""What arrives from outside."""
