"""What incoming events say about consent, suppression, coupons and surveys (rules 2.1, 5.8, 6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from journeyflow.core.address import ATTRIBUTES, written
from journeyflow.core.answers import answer
from journeyflow.core.contact import Address, Contact
from journeyflow.core.decision import Decision
from journeyflow.core.effects import AddressTurn
from journeyflow.core.identity import normal_address
from journeyflow.core.inputs import Appear, Event, Input

Turned = frozenset[str]
"""The topics to which consent has changed."""
_NONE: Final[Turned] = frozenset()


def turns_address(item: Input) -> bool:
    """Whether it may unsubscribe an address from everything, or give it back."""
    if isinstance(item, Appear):
        return bool(item.unsubscribed)
    return isinstance(item, Event) and item.name in ("Unsubscribed", "Subscribed") and not _named_topic(item)


def _named_topic(event: Event) -> str | None:
    topic = event.properties.get("topic")
    return topic if isinstance(topic, str) and topic != "" else None


def apply(decision: Decision, event: Event) -> Turned:
    """Take an incoming event's word for it; the engine's own events have been applied where they were made.

    Returns the topics that the event turned: given or taken away, whichever it says (rule 5.8).
    """
    if event.name in ("Unsubscribed", "Subscribed"):
        return _consent(decision, event, event.name == "Subscribed")
    if event.own:
        return _NONE
    if event.name == "Email Marked as Spam" or (
        event.name == "Email Bounced" and event.properties.get("type") == "hard"
    ):
        email = _named_email(event) or written(decision.contact.attributes, "email")
        if email is not None:
            _change_address(decision, "email", email, suppressed=True)
    elif event.name == "Coupon Redeemed":
        _redeem(decision, event)
    elif event.name == "Survey Answered":
        answer(decision, event)
    return _NONE


def _consent(decision: Decision, event: Event, given: bool) -> Turned:
    topic = _named_topic(event)
    if event.own:
        return frozenset([str(topic)]) if event.change else _NONE
    topics = {*(one.id for one in decision.library.workspace.topics), *decision.contact.topics}
    if topic is not None:
        _tell_unknown(decision, event, topic)
        topics = {topic}
    before = {one: decision.view.subscribed(one) for one in topics}
    if topic is not None:
        decision.contact.topics[topic] = given
    else:
        _unsubscribe_from_everything(decision, event, given)
    decision.consent_changed()
    return frozenset(one for one in topics if before[one] != given and decision.view.subscribed(one) == given)


def _tell_unknown(decision: Decision, event: Event, topic: str) -> None:
    """The word is kept, for a topic that may come; but whoever misspelled one has to hear of it.

    What comes from the link of a message was spelled right when that went out.
    """
    known = [one.id for one in decision.library.workspace.topics]
    if known and topic not in known and "message" not in event.properties:
        decision.effects.alerts.append(
            f"contact {decision.contact.key}: {event.name} names the topic {topic!r}; there are {', '.join(known)}"
        )


def _unsubscribe_from_everything(decision: Decision, event: Event, given: bool) -> None:
    """Or back to everything: of the address that the event names, else of all that the contact has."""
    email = _named_email(event)
    if email is not None:
        _change_address(decision, "email", email, unsubscribed=not given, imported=event.imported)
        return
    addresses = [(channel, written(decision.contact.attributes, channel)) for channel in ATTRIBUTES]
    for channel, own in addresses:  # everything is everything, whatever it would come by
        if own is not None:
            _change_address(decision, channel, own, unsubscribed=not given, imported=event.imported)
    if all(own is None for _, own in addresses):
        # There is no address yet that could keep it; the word must not be lost until one is known.
        decision.contact.topics.update((topic.id, given) for topic in decision.library.workspace.topics)


def take_over(decision: Decision, item: Appear) -> None:
    """Take a file's word for what the contact was told or said; a "no" on either side stays one (as in rule 10.2)."""
    contact = decision.contact
    contact.topics = join_topics(contact.topics, item.topics)
    for channel in ATTRIBUTES:
        own = written(contact.attributes, channel)
        unsubscribed, suppressed = channel in item.unsubscribed, channel in item.suppressed
        if own is not None and (unsubscribed or suppressed):
            _change_address(
                decision, channel, own, suppressed=suppressed or None, unsubscribed=unsubscribed or None, imported=True
            )
    if item.topics or item.unsubscribed or item.suppressed:
        decision.consent_changed()


def _named_email(event: Event) -> str | None:
    """The address that the event itself is about."""
    named = event.properties.get("email")
    return named if isinstance(named, str) and named.strip() else None


def _change_address(
    decision: Decision,
    channel: str,
    address: str,
    *,
    suppressed: bool | None = None,
    unsubscribed: bool | None = None,
    imported: bool = False,
) -> None:
    """Suppression and "everything" belong to the address, whoever else has it."""
    known, normal = decision.view.address_of(channel, address), normal_address(channel, address)
    decision.effects.addresses[channel, normal] = Address(
        known.suppressed if suppressed is None else suppressed,
        known.unsubscribed if unsubscribed is None else unsubscribed,
    )
    if unsubscribed is not None and unsubscribed != known.unsubscribed:
        decision.effects.turned.append(AddressTurn(decision.contact.key, channel, normal, imported))


def join_topics(known: Mapping[str, bool], other: Mapping[str, bool]) -> dict[str, bool]:
    """What two contacts who are one person said about topics: an explicit "no" on either side wins (rule 10.2)."""
    names = [*known, *(topic for topic in other if topic not in known)]
    return {topic: known.get(topic, True) and other.get(topic, True) for topic in names}


def join_addresses(decision: Decision, other: Contact) -> None:
    """Of two addresses of one person the known one stays; what either was told to stop stays stopped (rule 10.2).

    Who is unsubscribed from everything on one side is so on the other, whatever it would come by.
    """
    known = decision.contact
    for channel in ATTRIBUTES:
        mine, theirs = written(known.attributes, channel), written(other.attributes, channel)
        address = mine or theirs
        if address is None:
            continue
        found = decision.view.address_of(channel, address)
        suppressed = theirs is not None and decision.view.address_of(channel, theirs).suppressed
        stopped = _stopped(decision, known if mine is None else other)
        if (suppressed and not found.suppressed) or (stopped and not found.unsubscribed):
            _change_address(
                decision,
                channel,
                address,
                suppressed=found.suppressed or suppressed,
                unsubscribed=found.unsubscribed or stopped,
            )


def _stopped(decision: Decision, contact: Contact) -> bool:
    """Whether the contact is unsubscribed from everything by any channel."""
    own = ((channel, written(contact.attributes, channel)) for channel in ATTRIBUTES)
    return any(text is not None and decision.view.address_of(channel, text).unsubscribed for channel, text in own)


def _redeem(decision: Decision, event: Event) -> None:
    code = event.properties.get("code")
    for coupon in decision.contact.coupons:
        if coupon.code == code and not coupon.redeemed:
            coupon.redeemed = True
            holder = coupon.given_to or decision.contact.key
            decision.effects.redeemed.append((holder, coupon.pool, coupon.code, decision.now))
