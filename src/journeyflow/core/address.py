"""Where a contact is reached: which attribute holds the address of each channel, and what can be one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from journeyflow.core.values import JSON
from journeyflow.core.workspace import Channel

ATTRIBUTES: Final[Mapping[Channel, str]] = {"email": "email", "sms": "phone", "push": "push_token"}
"""The attribute of a contact that holds its address, by channel."""
KINDS: Final[Mapping[Channel, str]] = {
    "email": "an e-mail address such as ann@example.com",
    "sms": "a telephone number such as +48 123 456 789",
    "push": "a push token",
}
"""What an address of each channel is."""
_EMAIL: Final = re.compile(r"[^\s<>,;]+@[^\s<>,;@]+")
_PHONE: Final = re.compile(r"\+?[0-9]{3,15}")
_PHONE_SIGNS: Final = re.compile(r"[\s().\-/\u00a0\u2010-\u2015]")
_TOKEN: Final = re.compile(r"\S{1,4096}")


def written(attributes: Mapping[str, JSON], channel: Channel) -> str | None:
    """What the contact's attribute says, without the blanks around it; a telephone number may be a number."""
    value = attributes.get(ATTRIBUTES[channel])
    if channel == "sms" and isinstance(value, int) and not isinstance(value, bool) and value > 0:
        value = str(value)
    return (value.strip() or None) if isinstance(value, str) else None


def first_written(attributes: Mapping[str, JSON]) -> tuple[Channel, str] | None:
    """The address by which a contact is known first of all: its e-mail, else another one, with its channel."""
    for channel in ATTRIBUTES:
        text = written(attributes, channel)
        if text is not None:
            return channel, text
    return None


def reachable(text: str | None, channel: Channel) -> str | None:
    """The address, if the text can be one of that channel."""
    if text is None:
        return None
    text = text.strip()
    if channel == "email":
        fits = _EMAIL.fullmatch(text)
    elif channel == "sms":
        fits = _PHONE.fullmatch(_PHONE_SIGNS.sub("", text))
    else:
        fits = _TOKEN.fullmatch(text)
    return text if fits else None
