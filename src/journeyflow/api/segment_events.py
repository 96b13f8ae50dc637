"""Events of the Segment protocol, judged one by one, as inputs of contacts.

The shape is that of Segment's tracking API: ``type``, ``userId`` or ``anonymousId``, ``messageId``, ``timestamp`` with
``sentAt``, and ``event`` and ``properties`` (track), ``name``, ``category`` and ``properties`` (page, screen) or
``traits`` (identify, group). Everything else in them is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import orjson

from journeyflow.api.bodies import unfit
from journeyflow.core.errors import InvalidEvent
from journeyflow.core.inputs import ENGINE_NAMES, Event, Identify, Input, Merge
from journeyflow.core.values import DEPTH_MAX, EPOCH, JSON, parse_instant, too_deep

Type = Literal["track", "identify", "page", "screen", "group", "alias"]
Properties = dict[str, JSON]

EVENT_BYTES_MAX: Final = 32_768
"""Segment's own limit, of one event as compact JSON."""
BATCH_MAX: Final = 2_500
ID_LENGTH_MAX: Final = 255
NAME_LENGTH_MAX: Final = 200
SKEW_MAX: Final = timedelta(days=3_650)
"""A clock that is wrong by more than this is not corrected: ``sentAt`` is no time of sending."""
FUTURE_MAX: Final = timedelta(days=36_500)

CONSENT_NAMES: Final = frozenset({"Subscribed", "Unsubscribed"})
PROVIDER_NAMES: Final = CONSENT_NAMES | {
    "Coupon Redeemed",
    "Email Bounced",
    "Email Delivered",
    "Email Link Clicked",
    "Email Marked as Spam",
    "Email Opened",
    "Survey Answered",
}
"""What comes in through links, hooks and surveys: a browser, whose key is public, may not claim it."""

# NUL and the like in a key would be a contact that nobody can name.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Arrival(NamedTuple):
    """An input and whose it is; ``merges`` is the anonymous contact that turns out to be this one (rule 10.1)."""

    contact: str
    input: Input
    merges: str | None = None

    def inputs(self) -> tuple[tuple[str, Input], ...]:
        """The merge goes first, so that what is said of the contact is said of both."""
        own = (self.contact, self.input)
        if self.merges is None:
            return (own,)
        guarded = isinstance(self.input, Identify) and self.input.guarded
        return ((self.merges, Merge(self.input.at, self.contact, guarded)), own)


@dataclass(frozen=True, slots=True)
class Sending:
    """What the events of one request have in common.

    :param received_at: when the request arrived.
    :param skew: how far the sender's clock is behind, from ``sentAt``.
    :param browser: whether its key is public.
    :param careful: whether texts and numbers have to be looked through.
    :param weigh: whether events may be too large, which those of a small request can't be.
    """

    received_at: datetime
    skew: timedelta
    browser: bool
    careful: bool
    weigh: bool


def skew_of(data: Properties, received_at: datetime) -> timedelta:
    """How far the sender's clock is behind; zero where ``sentAt`` is missing or makes no sense."""
    sent_at = parse_instant(data.get("sentAt"))
    if sent_at is None:
        return timedelta()
    skew = received_at - sent_at
    return skew if abs(skew) <= SKEW_MAX else timedelta()


def judge(data: JSON, type_: str | None, place: str, sending: Sending) -> Arrival:
    """The input that an event is.

    :param type_: its type; ``None``: it says so itself.
    :param place: what fields are named after, such as ``batch[3].``; empty for an event that is the whole request.
    :raises InvalidEvent: when it can't be taken; names the field.
    """
    if not isinstance(data, dict):
        raise InvalidEvent(place[:-1] or "body", "expected an event, which is a JSON object")
    _judge_form(data, place, sending)
    kind = data.get("type") if type_ is None else type_
    take = _TAKERS.get(kind) if isinstance(kind, str) else None
    if take is None:
        raise InvalidEvent(f"{place}type", "expected track, identify, page, screen, group or alias")
    return take(data, place, sending, _contact(data, place))


def _judge_form(data: Properties, place: str, sending: Sending) -> None:
    if too_deep(data):
        raise InvalidEvent(place[:-1] or "body", f"expected at most {DEPTH_MAX} lists and objects inside each other")
    if sending.careful:
        found = unfit(data, place[:-1])
        if found is not None:
            raise found
    if sending.weigh and len(orjson.dumps(data)) > EVENT_BYTES_MAX:
        raise InvalidEvent(place[:-1] or "body", f"expected an event of at most {EVENT_BYTES_MAX // 1024} kB")


# --- fields ----------------------------------------------------------------------------------------------------------


class Whose(NamedTuple):
    """The contact that an event names, and whether by its user id."""

    contact: str
    known: bool


def _contact(data: Properties, place: str) -> Whose:
    for field in ("userId", "anonymousId"):
        found = _id(data, field, place)
        if found is not None:
            return Whose(found, field == "userId")
    raise InvalidEvent(f"{place}userId", "expected userId or anonymousId")


def _id(data: Properties, field: str, place: str) -> str | None:
    """An id as text; SDKs send numbers too."""
    value = data.get(field)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidEvent(f"{place}{field}", "expected text")
    return _key_text(value, f"{place}{field}", ID_LENGTH_MAX)


def _key_text(value: str, place: str, longest: int) -> str:
    if len(value) > longest or not value.strip() or _CONTROL.search(value):
        raise InvalidEvent(place, f"expected text of 1 to {longest} characters, without control characters")
    return value


def key_text(value: str, place: str) -> str:
    """A contact's key.

    :raises InvalidEvent: when it can be none.
    """
    return _key_text(value, place, ID_LENGTH_MAX)


def _mapping(data: Properties, field: str, place: str) -> Properties:
    value = data.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidEvent(f"{place}{field}", "expected a JSON object")
    return value


def _occurred_at(data: Properties, place: str, sending: Sending) -> datetime:
    """``timestamp`` by the clock of the server (Segment's specification, "Timestamps").

    Where there is an ``originalTimestamp`` beside it, somebody corrected it before.
    """
    field = "timestamp" if data.get("timestamp") is not None else "originalTimestamp"
    value = data.get(field)
    if value is None:
        return sending.received_at
    claimed = parse_instant(value)
    if claimed is None:
        raise InvalidEvent(f"{place}{field}", "expected an instant in ISO 8601 such as 2026-03-02T10:00:00Z")
    if not EPOCH <= claimed <= sending.received_at + FUTURE_MAX:
        raise InvalidEvent(f"{place}{field}", "expected an instant from 1970 on, at most 100 years ahead")
    if field == "timestamp" and data.get("originalTimestamp") is not None:
        return claimed
    skew = skew_of(data, sending.received_at) if data.get("sentAt") is not None else sending.skew
    return claimed + skew


# --- types -----------------------------------------------------------------------------------------------------------


def _track(data: Properties, place: str, sending: Sending, whose: Whose) -> Arrival:
    name = data.get("event")
    if not isinstance(name, str):
        raise InvalidEvent(f"{place}event", "expected the name of the event")
    properties = _mapping(data, "properties", place)
    if sending.browser and name in PROVIDER_NAMES:
        raise InvalidEvent(f"{place}event", f"expected another name: with a browser key nobody can send {name}")
    demand_name(name, properties, place)
    return _event(name, properties, data, place, sending, whose)


def demand_name(name: str, properties: Properties, place: str) -> None:
    """See that an event of this name may come from outside.

    :raises InvalidEvent: when it may not; names the field.
    """
    _key_text(name, f"{place}event", NAME_LENGTH_MAX)
    if name in ENGINE_NAMES:
        raise InvalidEvent(f"{place}event", f"expected another name: {name} is what journeyflow itself tells")
    # A topic that can't be read must not become "everything", which is what no topic means (rule 5.8).
    topic = properties.get("topic")
    if name in CONSENT_NAMES and topic is not None and not (isinstance(topic, str) and topic):
        raise InvalidEvent(f"{place}properties.topic", "expected the id of a topic, or none for everything")


def _event(name: str, properties: Properties, data: Properties, place: str, sending: Sending, whose: Whose) -> Arrival:
    occurred_at = _occurred_at(data, place, sending)
    message_id = _id(data, "messageId", place)
    event = Event(
        sending.received_at, name, occurred_at, properties, message_id, known=whose.known, guarded=sending.browser
    )
    return Arrival(whose.contact, event)


def _viewed(name: str) -> Taker:
    def take(data: Properties, place: str, sending: Sending, whose: Whose) -> Arrival:
        properties = _mapping(data, "properties", place)
        for field in ("name", "category"):
            value = data.get(field)
            if value is not None and not isinstance(value, str):
                raise InvalidEvent(f"{place}{field}", "expected text")
            if value is not None:
                properties = {**properties, field: value}
        return _event(name, properties, data, place, sending, whose)

    return take


def _identify(data: Properties, place: str, sending: Sending, whose: Whose) -> Arrival:
    """With both ids the anonymous contact is merged into the known one."""
    anonymous = _id(data, "anonymousId", place) if whose.known else None
    traits = _mapping(data, "traits", place)
    return Arrival(whose.contact, _traits(traits, data, place, sending, whose), anonymous)


def _group(data: Properties, place: str, sending: Sending, whose: Whose) -> Arrival:
    traits: Properties = {"group": _mapping(data, "traits", place)}
    return Arrival(whose.contact, _traits(traits, data, place, sending, whose))


def _traits(traits: Properties, data: Properties, place: str, sending: Sending, whose: Whose) -> Identify:
    _occurred_at(data, place, sending)  # values are set when they arrive; a time that can't be read is still told
    message_id = _id(data, "messageId", place)
    return Identify(sending.received_at, traits, message_id, known=whose.known, guarded=sending.browser)


def _alias(data: Properties, place: str, sending: Sending, whose: Whose) -> Arrival:
    """``previousId`` was anonymous and is ``userId`` now; SDKs that leave it out mean the anonymous id."""
    if sending.browser:
        raise InvalidEvent(f"{place}type", "expected another type: with a browser key nobody can send alias")
    if not whose.known:
        raise InvalidEvent(f"{place}userId", "expected the id that the contact goes by from now on")
    _occurred_at(data, place, sending)
    previous = _id(data, "previousId", place) or _id(data, "anonymousId", place)
    if previous is None:
        raise InvalidEvent(f"{place}previousId", "expected the id that the contact went by")
    return Arrival(previous, Merge(sending.received_at, whose.contact))


Taker = Callable[[Properties, str, Sending, Whose], Arrival]
_TAKERS: Final[dict[str, Taker]] = {
    "track": _track,
    "identify": _identify,
    "page": _viewed("Page Viewed"),
    "screen": _viewed("Screen Viewed"),
    "group": _group,
    "alias": _alias,
}
