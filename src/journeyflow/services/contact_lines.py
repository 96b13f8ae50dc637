"""One contact as a record of a file: ``{"contact", "created_at", "attributes", "tags"}`` and what it said of consent.

That is what an export writes, and what imports and simulations read. In CSV, and wherever there is no object
``attributes``, every column is an attribute but for ``contact``, ``tags`` and those of :data:`BESIDE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

import orjson

from journeyflow.core.address import ATTRIBUTES, written
from journeyflow.core.channel import Channel
from journeyflow.core.inputs import Appear
from journeyflow.core.local_time import zone
from journeyflow.core.values import DEPTH_MAX, JSON, too_deep
from journeyflow.services.data_files import KEY_LENGTH_MAX, NAME_LENGTH_MAX, TOO_DEEP, instant
from journeyflow.services.records import Shape, object_in
from journeyflow.services.simulate_errors import BadLine

FIELDS: Final = ("contact", "attributes", "tags", "created_at", "topics", "unsubscribed", "suppressed", "anonymous")
BESIDE: Final = {f"${name}": name for name in FIELDS[3:]}
"""The columns of a CSV that are fields beside the attributes: an attribute may have a field's name."""


class ContactLine(NamedTuple):
    """What a record says of a contact; see :class:`journeyflow.core.inputs.Appear`."""

    contact: str
    created_at: datetime | None
    attributes: dict[str, JSON]
    tags: tuple[str, ...]
    topics: dict[str, bool]
    unsubscribed: tuple[Channel, ...]
    suppressed: tuple[Channel, ...]
    anonymous: bool


def arrival(contact: Mapping[str, JSON], timezone: str, now: datetime) -> tuple[str, Appear]:
    """One contact as an input with its key.

    Of a contact that exists, attributes and tags are merged in (``null`` takes an attribute away), a "no" on either
    side stays one, and it keeps its time of creation; a new one came into being at ``created_at``, else now.

    :param timezone: the workspace's, for an instant without an offset.
    :raises BadLine: naming the field, what was expected and what was found.
    """
    line = read_contact(contact, timezone)
    if line.created_at is not None and line.created_at > now:
        raise BadLine.at("created_at", "an instant that is not in the future", line.created_at.isoformat())
    since, consent = line.created_at or now, (line.topics, line.unsubscribed, line.suppressed)
    return line.contact, Appear(now, since, line.attributes, line.tags, False, not line.anonymous, *consent)


def read_contact(contact: Mapping[str, JSON], timezone: str) -> ContactLine:
    """A contact in the one form that :data:`CONTACTS` makes of all.

    :raises BadLine: naming the field, what was expected and what was found.
    """
    unknown = [name for name in contact if name not in FIELDS]
    if unknown:
        raise BadLine(f"{unknown[0]}: expected only {', '.join(FIELDS)}")
    key = contact.get("contact")
    if not isinstance(key, str) or not 0 < len(key) <= KEY_LENGTH_MAX:
        raise BadLine.at("contact", f"text of 1 to {KEY_LENGTH_MAX} characters", key)
    attributes = _attributes(contact)
    anonymous = contact.get("anonymous") or False
    if not isinstance(anonymous, bool):
        raise BadLine.at("anonymous", "true or false", anonymous)
    return ContactLine(
        key,
        _created_at(contact, attributes, timezone),
        attributes,
        _tags(contact.get("tags")),
        _topics(contact),
        _channels(contact, "unsubscribed", attributes),
        _channels(contact, "suppressed", attributes),
        anonymous,
    )


def _attributes(contact: Mapping[str, JSON]) -> dict[str, JSON]:
    attributes = contact.get("attributes")
    if attributes is None:
        return {}
    if not isinstance(attributes, dict):
        raise BadLine.at("attributes", "a JSON object", attributes)
    for name in attributes:
        if not 0 < len(name) <= NAME_LENGTH_MAX:
            raise BadLine.at("attributes", f"names of 1 to {NAME_LENGTH_MAX} characters", name)
    return attributes


def _created_at(contact: Mapping[str, JSON], attributes: Mapping[str, JSON], timezone: str) -> datetime | None:
    """When the contact came into being, local to it (else to ``timezone``) where there is no offset."""
    value = attributes.get("created_at") if contact.get("created_at") is None else contact["created_at"]
    if value is None:
        return None
    own = attributes.get("timezone")
    return instant("created_at", value, zone(own if isinstance(own, str) else None, timezone))


def _tags(value: JSON) -> tuple[str, ...]:
    tags = _listed("tags", value)
    for tag in tags:
        if not isinstance(tag, str) or not 0 < len(tag) <= NAME_LENGTH_MAX:
            raise BadLine.at("tags", f"texts of 1 to {NAME_LENGTH_MAX} characters", tag)
    return tuple(str(tag) for tag in tags)


def _listed(field: str, value: JSON) -> list[JSON]:
    if value is None:
        return []
    if isinstance(value, str):
        return [*split(value)]
    if not isinstance(value, list):
        raise BadLine.at(field, "a list of texts", value)
    return value


def _topics(contact: Mapping[str, JSON]) -> dict[str, bool]:
    topics = contact.get("topics")
    if topics is None:
        return {}
    if not isinstance(topics, dict):
        raise BadLine.at("topics", "a JSON object", topics)
    found: dict[str, bool] = {}
    for name, said in topics.items():
        if not isinstance(said, bool) or not 0 < len(name) <= NAME_LENGTH_MAX:
            raise BadLine.at(f"topics.{name}"[:NAME_LENGTH_MAX], "true or false", said)
        found[name] = said
    return found


def _channels(contact: Mapping[str, JSON], field: str, attributes: Mapping[str, JSON]) -> tuple[Channel, ...]:
    """What holds of an address can't be kept without it, and must not be lost unnoticed."""
    named = _listed(field, contact.get(field))
    for one in named:
        if one not in ATTRIBUTES:
            raise BadLine.at(field, f"some of {', '.join(ATTRIBUTES)}", one)
    found = tuple(channel for channel in ATTRIBUTES if channel in named)
    for channel in found:
        if written(attributes, channel) is None:
            raise BadLine(f"{field}: expected channels that the contact has an address for; {channel} has none")
    return found


def split(text: str) -> tuple[str, ...]:
    """``vip; tea`` → ``vip``, ``tea``."""
    return tuple(found for part in text.split(";") if (found := part.strip()))


# --- forms of files --------------------------------------------------------------------------------------------------


def _of_line(data: dict[str, JSON]) -> dict[str, JSON]:
    return data if isinstance(data.get("attributes"), dict) else _flat(data)


def _flat(data: dict[str, JSON]) -> dict[str, JSON]:
    own = {"contact", "tags", *BESIDE}
    attributes = {name: value for name, value in data.items() if name not in own}
    beside = {field: data[name] for name, field in BESIDE.items() if name in data}
    return {"contact": data.get("contact"), "attributes": attributes, "tags": data.get("tags"), **beside}


def _of_cells(given: dict[str, str]) -> dict[str, JSON]:
    data: dict[str, JSON] = {"contact": given.pop("contact", None), "tags": [*split(given.pop("tags", ""))]}
    for name, cell in given.items():
        value = data[name] = read_cell(cell)
        if isinstance(value, list | dict) and too_deep(value, DEPTH_MAX - 1):
            raise BadLine(f"{name}: {TOO_DEEP}")
    return _flat(data)


def _of_row(data: dict[str, JSON]) -> dict[str, JSON]:
    object_in(data, "attributes")
    found = _of_line(data)
    object_in(found, "topics")
    return found


CONTACTS: Final = Shape(("contact",), None, _of_line, _of_cells, _of_row, as_csv=True)

_BEGINS_VALUE: Final = frozenset("-0123456789tf[{")


def read_cell(cell: str) -> JSON:
    """A number, ``true``, ``false``, a list or an object as JSON reads it; anything else is text, ``007`` too."""
    if cell[:1] not in _BEGINS_VALUE:
        return cell
    try:
        value: JSON = orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell
    return value
