"""Events that tell what became of a message: which message they mean, and what they say of it (rule 5.7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final, Literal

from journeyflow.core.contact import PastMessage
from journeyflow.core.decision import Decision
from journeyflow.core.effects import Engaged
from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON

ENGAGEMENT: Final[dict[str, Literal["opened", "clicked"] | None]] = {
    "Email Delivered": None,
    "Email Opened": "opened",
    "Email Link Clicked": "clicked",
    "Email Bounced": None,
    "Email Marked as Spam": None,
}
"""The events that belong to a message, and what a person did to it by them."""
_FILLED: Final = ("message", "template", "journey", "node", "run")
_CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""An event may carry a time so much before its message was queued."""


def belonging(decision: Decision, event: Event) -> Event:
    """The event with what it does not say of its message; an opening or a click by a person is noted.

    One that names no message belongs to the contact's latest one of its template, or to the latest of all, that was
    queued by the time it occurred.
    """
    given = event.properties
    if not all(given.get(name) for name in _FILLED):
        message = _message_of(decision, event)
        if message is not None:
            event = replace(event, properties=_filled(given, message))
    what, named = ENGAGEMENT[event.name], event.properties.get("message")
    if what is not None and isinstance(named, str) and event.properties.get("machine") is not True:
        decision.view.correspondence.engage(named, what)
        decision.effects.engaged.append(Engaged(decision.contact.key, named, what, decision.now))
    return event


def _message_of(decision: Decision, event: Event) -> PastMessage | None:
    named = event.properties.get("message")
    correspondence = decision.view.correspondence
    if named:
        return correspondence.find(named) if isinstance(named, str) else None
    return correspondence.latest("email", event.properties.get("template") or None, event.occurred_at + _CLOCKS_DIFFER)


def _filled(given: dict[str, JSON], message: PastMessage) -> dict[str, JSON]:
    known = (message.id, message.template, message.journey, message.node, message.run)
    missing = {
        name: value
        for name, value in zip(_FILLED, known, strict=True)
        if value is not None and given.get(name) in (None, "")
    }
    return {**given, **missing}
