"""The settings of the installation (format.md, "The other documents"; defaults: rule 1.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from journeyflow.core.channel import Channel as Channel
from journeyflow.core.local_time import is_zone
from journeyflow.core.stage import Stage
from journeyflow.core.values import Duration, EventName, Model, Name, PositiveDuration, Slug, TimeOfDay, each_once


def _known_zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError("expected an IANA time zone such as Europe/Warsaw")
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]


def _address(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or any(sign.isspace() or sign in "<>,;" for sign in text):
        raise ValueError("expected an e-mail address such as hello@shop.example")
    return text


EmailAddress = Annotated[str, AfterValidator(_address)]


class Sender(Model):
    """Who messages come from, where the node does not say."""

    name: Name | None = None
    email: EmailAddress
    reply_to: EmailAddress | None = None


class Topic(Model):
    """What a contact can subscribe to."""

    id: Slug
    name: Name
    description: str | None = None
    default: Literal["subscribed", "unsubscribed"] = "subscribed"
    transactional: StrictBool = False


class QuietHours(Model):
    """Local times of the contact between which marketing messages wait."""

    from_: TimeOfDay = Field(alias="from")
    to: TimeOfDay


"""A way in which messages go out."""


class FrequencyCap(Model):
    """How many messages of a channel a contact gets within a time; transactional ones are exempt (rule 5.9)."""

    channel: Channel
    max: Annotated[int, Field(strict=True, ge=1, le=1_000)]
    per: PositiveDuration
    when_reached: Literal["skip", "defer"] = "skip"


class Tracking(Model):
    """Whether it is noticed that a message is opened, and that a link in it is clicked."""

    opens: StrictBool = True
    clicks: StrictBool = True


def nearest(*said: Tracking | None) -> Tracking:
    """What holds where several say something of tracking, the nearest first: of opens and of clicks each its word."""
    words: dict[str, bool] = {}
    for one in said:
        for what in () if one is None else one.model_fields_set:
            words.setdefault(what, getattr(one, what))
    return Tracking.model_validate(words)


class Retention(Model):
    """How long history is kept."""

    events: PositiveDuration = timedelta(days=800)
    trail: PositiveDuration = timedelta(days=400)
    messages: PositiveDuration = timedelta(days=400)


DomainName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=253)]


class Utm(Model):
    """What links to the shop's pages say of where a visitor comes from.

    ``domains`` are the shop's, those below them included; without them the sender's.
    """

    source: Name
    medium: Name
    domains: tuple[DomainName, ...] = ()


_RATE: Final = re.compile(r"([1-9]\d{0,6})/([smh])")
_RATE_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many in any stretch of that length: ``50/s``."""

    count: int
    seconds: int


def _rate(value: object) -> Rate:
    if isinstance(value, Rate):
        return value
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a rate such as 50/s, 600/m or 10000/h")
    return Rate(int(match[1]), _RATE_SECONDS[match[2]])


SendingRate = Annotated[
    Rate,
    BeforeValidator(_rate),
    PlainSerializer(lambda rate: f"{rate.count}/{'smh'[(1, 60, 3600).index(rate.seconds)]}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]{0,6}/[smh]$", "description": "50/s, 600/m, 10000/h"}),
]


class Touchpoint(Model):
    """A place where contacts meet the shop, for the customer journey map; its events happen there."""

    id: Slug
    name: Name | None = None
    description: str | None = None
    events: tuple[EventName, ...] = ()


_Listed = TypeVar("_Listed", tuple[Topic, ...], tuple[Stage, ...], tuple[Touchpoint, ...])


class Workspace(Model):
    """The settings of the one workspace of an installation."""

    workspace: Slug
    name: Name | None = None
    timezone: ZoneName = "UTC"
    sender: Sender | None = None
    postal_address: str | None = None
    topics: tuple[Topic, ...] = ()
    quiet_hours: QuietHours | None = None
    frequency_caps: tuple[FrequencyCap, ...] = ()
    max_event_age: Duration = timedelta(hours=24)
    retention: Retention = Retention()
    sending_rate: dict[Literal["email", "sms", "push"], SendingRate] = Field(default_factory=dict)
    tracking: Tracking = Tracking()
    utm: Utm | None = None
    locale: str | None = None
    currency: str | None = None
    touchpoints: Annotated[tuple[Touchpoint, ...], Field(max_length=200)] = ()
    stages: Annotated[tuple[Stage, ...], Field(max_length=50)] = ()

    @field_validator("topics", "stages", "touchpoints")
    @classmethod
    def _ids_once(cls, listed: _Listed, info: ValidationInfo) -> _Listed:
        each_once(str(info.field_name).removesuffix("s"), (((place, "id"), one.id) for place, one in enumerate(listed)))
        return listed

    def topic(self, topic: str) -> Topic | None:
        """The topic of that id."""
        return next((one for one in self.topics if one.id == topic), None)


DEFAULT = Workspace(workspace="default")
"""What holds without a workspace document (rule 1.8)."""
