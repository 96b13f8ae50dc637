"""What incoming events say about consent, suppression and coupons (rules 2.1, 5.8, 6.3)."""

from __future__ import annotations

from journeyflow.core.contact import Address, Contact
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
        _change_address(decision, event, suppressed=True)
    elif event.name == "Coupon Redeemed":
        _redeem(decision, event)


def _consent(decision: Decision, event: Event, given: bool) -> None:
    topic = event.properties.get("topic")
    if isinstance(topic, str) and topic:
        decision.contact.topics[topic] = given
    else:
        _change_address(decision, event, unsubscribed=not given)


def _change_address(
    decision: Decision, event: Event, suppressed: bool | None = None, unsubscribed: bool | None = None
) -> None:
    """Suppression and "everything" belong to the address: the one the event names, else the contact's."""
    named = event.properties.get("email")
    email = named if isinstance(named, str) and named.strip() else decision.contact.attributes.get("email")
    if not isinstance(email, str) or not email.strip():
        return
    known = decision.view.address_of("email", email)
    decision.effects.addresses["email", normal_address("email", email)] = Address(
        known.suppressed if suppressed is None else suppressed,
        known.unsubscribed if unsubscribed is None else unsubscribed,
    )


def join_addresses(decision: Decision, other: Contact) -> None:
    """Of two addresses of one person the known one stays; what either was told to stop stays stopped (rule 10.2)."""
    mine, theirs = decision.contact.attributes.get("email"), other.attributes.get("email")
    if not (isinstance(mine, str) and mine.strip() and isinstance(theirs, str) and theirs.strip()):
        return
    known, added = decision.view.address_of("email", mine), decision.view.address_of("email", theirs)
    joined = Address(known.suppressed or added.suppressed, known.unsubscribed or added.unsubscribed)
    if joined != known:
        decision.effects.addresses["email", normal_address("email", mine)] = joined


def _redeem(decision: Decision, event: Event) -> None:
    code = event.properties.get("code")
    for coupon in decision.contact.coupons:
        if coupon.code == code and not coupon.redeemed:
            coupon.redeemed = True
            holder = coupon.given_to or decision.contact.key
            decision.effects.redeemed.append((holder, coupon.pool, coupon.code, decision.now))
