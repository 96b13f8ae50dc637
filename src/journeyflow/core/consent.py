"""What incoming events say about consent, suppression, coupons and surveys (rules 2.1, 5.8, 6.3)."""

from __future__ import annotations

from journeyflow.core.address import ATTRIBUTES, written
from journeyflow.core.answers import answer
from journeyflow.core.contact import Address
from journeyflow.core.decision import Decision
from journeyflow.core.identity import normal_address
from journeyflow.core.inputs import Event


def apply(decision: Decision, event: Event) -> None:
    """Take an incoming event's word for it; the engine's own events have been applied where they were made."""
    if event.own:
        return
    if event.name in ("Unsubscribed", "Subscribed"):
        _consent(decision, event, event.name == "Subscribed")
    elif event.name == "Email Marked as Spam" or (
        event.name == "Email Bounced" and event.properties.get("type") == "hard"
    ):
        email = _named_email(event) or written(decision.contact.attributes, "email")
        if email is not None:
            _change_address(decision, "email", email, suppressed=True)
    elif event.name == "Coupon Redeemed":
        _redeem(decision, event)
    elif event.name == "Survey Answered":
        answer(decision, event)


def _consent(decision: Decision, event: Event, given: bool) -> None:
    topic = event.properties.get("topic")
    if isinstance(topic, str) and topic:
        decision.contact.topics[topic] = given
        return
    email = _named_email(event)
    if email is not None:
        _change_address(decision, "email", email, unsubscribed=not given)
        return
    for channel in ATTRIBUTES:  # everything is everything, whatever it would come by
        own = written(decision.contact.attributes, channel)
        if own is not None:
            _change_address(decision, channel, own, unsubscribed=not given)


def _named_email(event: Event) -> str | None:
    """The address that the event itself is about."""
    named = event.properties.get("email")
    return named if isinstance(named, str) and named.strip() else None


def _change_address(
    decision: Decision, channel: str, address: str, suppressed: bool | None = None, unsubscribed: bool | None = None
) -> None:
    """Suppression and "everything" belong to the address."""
    known = decision.view.address_of(channel, address)
    decision.effects.addresses[channel, normal_address(channel, address)] = Address(
        known.suppressed if suppressed is None else suppressed,
        known.unsubscribed if unsubscribed is None else unsubscribed,
    )


def _redeem(decision: Decision, event: Event) -> None:
    code = event.properties.get("code")
    for coupon in decision.contact.coupons:
        if coupon.code == code and not coupon.redeemed:
            coupon.redeemed = True
            decision.effects.redeemed.append((decision.contact.key, coupon.pool, coupon.code, decision.now))
