"""Delivering messages: what is asked again when one is picked up, what it looks like, and when it is tried again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection

from journeyflow.channels.base import Email, Outgoing, ShortMessage
from journeyflow.core.contact import Address, Contact
from journeyflow.core.errors import DeliveryError, JourneyflowError, Refused, Undeliverable
from journeyflow.core.flows import Flows
from journeyflow.core.identity import address_hash
from journeyflow.core.inputs import Event, Input, MessageFailed
from journeyflow.core.local_time import in_window, quiet_end, zone
from journeyflow.core.values import JSON
from journeyflow.core.view import Library
from journeyflow.core.workspace import Rate
from journeyflow.db import contacts, departures, inbox, memory, outbox
from journeyflow.db.documents import FlowsCache
from journeyflow.db.outbox import Outcome, StoredMessage
from journeyflow.services import pace
from journeyflow.services.letters import Letters, passage_of

LEASE: Final = timedelta(minutes=5)
"""A dispatcher that has not reported after so long is taken for dead."""
GIVE_UP_AFTER: Final = timedelta(hours=24)
BACK_OFF_FIRST: Final = timedelta(seconds=30)
BACK_OFF_MAX: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed message, rendered."""

    message: StoredMessage
    outgoing: Outgoing
    redelivered: bool


class Places(NamedTuple):
    """What a batch may send on channels that have a sending rate, and until when its places are kept for it."""

    batch: str
    free: dict[str, int]
    until: dict[str, datetime]


class Postmaster:
    """Picks messages up, asks again, renders, and writes down what became of them."""

    def __init__(self, cache: FlowsCache, letters: Letters) -> None:
        self._cache = cache
        self._letters = letters
        self.rates: Mapping[str, Rate] | None = None
        """The sending rates that were in force when messages were last picked up; ``None`` before."""

    def reserve(self, connection: Connection, now: datetime, limit: int) -> Places:
        """Places for a batch on the channels that have a sending rate; to be settled once the batch is over."""
        rates = self._rates(self._cache.current(connection))
        places = Places(str(uuid4()), {}, {})
        for channel, rate in sorted(rates.items()):
            due = outbox.count_due(connection, channel, now, limit)
            if not due:
                continue
            departures.lock(connection, channel)
            count = min(due, pace.room(rate, departures.counted(connection, channel, now)))
            if count:
                until = now + LEASE + timedelta(seconds=rate.seconds)
                departures.reserve(connection, channel, places.batch, until, count, now)
                places.free[channel], places.until[channel] = count, until
        return places

    def _rates(self, flows: Flows) -> Mapping[str, Rate]:
        found: dict[str, Rate] = {}
        found.update(flows.library.workspace.sending_rate.items())
        self.rates = found
        return found

    def settle(self, connection: Connection, places: Places, sent: Iterable[tuple[str, datetime]]) -> None:
        """A batch is over; ``sent`` are channel and instant of each message that was handed over, or tried."""
        rates = self.rates or {}
        counts = Counter(
            (channel, pace.counts_until(rates[channel], at)) for channel, at in sent if channel in places.until
        )
        departures.settle(connection, places.until, places.batch, counts)

    def pick_up(
        self, connection: Connection, now: datetime, limit: int, places: Places | None = None
    ) -> tuple[list[Ready], list[Outcome]]:
        """Claim due messages; those to deliver, and the outcomes of those that are not delivered (rule 5.5).

        On channels that have a sending rate no more than there are places. The outcomes are written in the same
        transaction.
        """
        flows = self._cache.current(connection)
        rates = self._rates(flows)
        room = {channel: 0 if places is None else places.free.get(channel, 0) for channel in rates}
        claimed = outbox.claim(connection, now, now + LEASE, limit, room)
        if claimed:
            self._letters.follow_servers(connection)
        people = contacts.load(connection, {message.contact for message in claimed}, now)
        known = memory.read_addresses(connection, {address_hash(one.channel, one.to or "") for one in claimed})
        ready: list[Ready] = []
        decided: list[Outcome] = []
        for message in claimed:
            contact = people.get(message.contact) or Contact(message.contact)
            address = known[address_hash(message.channel, message.to or "")]
            outcome = _ask_again(message, contact, address, flows, now)
            if outcome is not None:
                decided.append(outcome)
                continue
            try:
                outgoing = self.outgoing(connection, message, flows, contact, now)
                ready.append(Ready(message, outgoing, message.status == "sending"))
            except JourneyflowError as error:
                fault = str(error) if isinstance(error, Refused) else type(error).__name__
                decided.append(Outcome(message, "failed", now, str(error), fault=fault))
        write_down(connection, decided)
        return ready, decided

    def outgoing(
        self, connection: Connection, message: StoredMessage, flows: Flows, contact: Contact, now: datetime
    ) -> Outgoing:
        """A message ready for its channel.

        :raises Refused: when an e-mail has no sender, or a text is empty.
        :raises TemplateError: when its template fails.
        """
        if message.channel == "email":
            return self.email(connection, message, flows, contact, now)
        text = self._letters.rendered(connection, message, flows, contact).text
        if not text:
            raise Refused("the text is empty")
        return ShortMessage(message.id, message.channel, message.to or "", text)

    def email(
        self, connection: Connection, message: StoredMessage, flows: Flows, contact: Contact, now: datetime
    ) -> Email:
        """An e-mail ready for its channel.

        :raises Refused: when there is no sender.
        :raises TemplateError: when its template fails.
        """
        sender = flows.library.workspace.sender
        address = message.overrides.get("from") or (sender.email if sender else None)
        if not isinstance(address, str):
            raise Refused("no sender: set sender in the workspace, or from on the node")
        shown = self._letters.rendered(connection, message, flows, contact)
        reply_to = message.overrides.get("reply_to") or (sender.reply_to if sender else None)
        return Email(
            id=message.id,
            to=message.to or "",
            sender_name=sender.name if sender else None,
            sender_email=address,
            reply_to=reply_to if isinstance(reply_to, str) else None,
            subject=shown.subject,
            html=shown.html,
            text=shown.text,
            headers={} if message.transactional else self._list_headers(message),
            sent_at=now,
        )

    def _list_headers(self, message: StoredMessage) -> dict[str, str]:
        """RFC 8058."""
        return {
            "List-Unsubscribe": f"<{self._letters.links(passage_of(message)).unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }


def write_down(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """What became of claimed messages; of one that failed its contact is told, for what counted on it (rule 5.5).

    A mail server that says at once that there is no such address says what a bounce says later (rule 5.8).
    """
    for outcome in outbox.finish(connection, outcomes):
        if outcome.status == "failed":
            message = outcome.message
            told: list[Input] = [MessageFailed(outcome.at, message.id, message.channel)]
            if outcome.bounced:
                told.append(_bounce(message, outcome))
            inbox.put(connection, [(message.contact, one) for one in told])


def _bounce(message: StoredMessage, outcome: Outcome) -> Event:
    properties: dict[str, JSON] = {
        "type": "hard",
        "email": message.to,
        "reason": outcome.reason,
        "message": message.id,
        "template": message.template,
        "journey": message.journey,
        "node": message.node,
        "run": message.run,
    }
    return Event(outcome.at, "Email Bounced", outcome.at, properties, message_id=f"bounce {message.id}")


def _ask_again(
    message: StoredMessage, contact: Contact, address: Address, flows: Flows, now: datetime
) -> Outcome | None:
    library = flows.library
    if message.expires_at is not None and now >= message.expires_at:
        return Outcome(message, "failed", now, "expired")
    if address.suppressed:
        return Outcome(message, "failed", now, "suppressed")
    if message.transactional:
        return None
    if address.unsubscribed or (message.topic is not None and not _consents(contact, message.topic, library)):
        return Outcome(message, "failed", now, "unsubscribed")
    hours = library.workspace.quiet_hours
    own = contact.attributes.get("timezone")
    published = flows.versions.get((message.journey, message.version))
    of_journey = None if published is None else published.journey.timezone
    here = zone(own if isinstance(own, str) else None, of_journey, library.workspace.timezone)
    if hours is not None and in_window(now, here, hours.from_, hours.to, None):
        return Outcome(message, "queued", now, "quiet_hours", due_at=quiet_end(now, here, hours.from_, hours.to))
    return None


def _consents(contact: Contact, topic: str, library: Library) -> bool:
    consent = contact.topics.get(topic)
    return library.topic_default(topic) if consent is None else consent


def after_failure(message: StoredMessage, error: DeliveryError, now: datetime, jitter: float) -> Outcome:
    """Try again later, or give up (rule 5.3); ``jitter`` is in [0, 1)."""
    reason = str(error) or type(error).__name__
    if isinstance(error, Refused):
        bounced = isinstance(error, Undeliverable) and message.channel == "email"
        return Outcome(message, "failed", now, reason, bounced=bounced)
    pause = min(BACK_OFF_MAX, BACK_OFF_FIRST * 2 ** min(message.attempts, 20)) * (0.5 + jitter)
    again = now + pause
    end = message.queued_at + GIVE_UP_AFTER
    if message.expires_at is not None:
        end = min(end, message.expires_at)
    if again > end:
        return Outcome(message, "failed", now, reason)
    return Outcome(message, "queued", now, reason, due_at=again)
