"""Attributes that mean something to journeyflow and whose values it can't use. They are kept as they are, and told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from journeyflow.core.address import ATTRIBUTES, reachable, written
from journeyflow.core.flows import Flows
from journeyflow.core.local_time import is_zone
from journeyflow.core.triggers import DateTrigger
from journeyflow.core.values import JSON, Missing, PathKeys, look_up, parse_instant, parse_path
from journeyflow.core.workspace import Channel
from journeyflow.services.explain_words import shown

_ADDRESSES: Final[Mapping[Channel, str]] = {
    "email": "is not a usable address: mails to it are skipped (no_address)",
    "sms": "is not a usable number: SMS to it are skipped (no_address)",
    "push": "is not a usable token: push messages to it are skipped (no_address)",
}
_ZONE: Final = "is not a time zone such as Europe/Warsaw: local times are those of the journey or the workspace"

Dates = Sequence[tuple[str, PathKeys, str]]
"""Attributes that are to hold dates: as they are written, as paths, and the journey whose trigger reads them."""


def dates_of(flows: Flows) -> Dates:
    """The dates that triggers wait for, of journeys that have not ended."""
    return [
        (trigger.attribute, parse_path(trigger.attribute), id_)
        for id_, published in flows.current.items()
        if flows.states[id_] != "archived"
        for trigger in published.journey.triggers
        if isinstance(trigger, DateTrigger)
    ]


def unusable(attributes: Mapping[str, JSON], dates: Dates) -> list[str]:
    """A line for each value that can't be used: where it stands, what it is, and what comes of it."""
    return [*_wrong_addresses(attributes), *_wrong_zone(attributes), *_wrong_dates(attributes, dates)]


def _wrong_addresses(attributes: Mapping[str, JSON]) -> Iterator[str]:
    for channel, name in ATTRIBUTES.items():
        value = attributes.get(name)
        if not _is_blank(value) and reachable(written(attributes, channel), channel) is None:
            yield f"{name}: {_quoted(value)} {_ADDRESSES[channel]}"


def _wrong_zone(attributes: Mapping[str, JSON]) -> Iterator[str]:
    value = attributes.get("timezone")
    if not _is_blank(value) and not is_zone(value):
        yield f"timezone: {_quoted(value)} {_ZONE}"


def _wrong_dates(attributes: Mapping[str, JSON], dates: Dates) -> Iterator[str]:
    for name, path, journey in dates:
        value = look_up(attributes, path)
        if not isinstance(value, Missing) and not _is_blank(value) and parse_instant(value) is None:
            yield f"{name}: {_quoted(value)} is not a date such as 1990-12-31: journey {journey} does not see it come"


def _is_blank(value: JSON) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _quoted(value: JSON) -> str:
    return f"'{shown(value)}'" if isinstance(value, str) else shown(value)
