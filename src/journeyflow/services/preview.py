"""A template filled in to be looked at, or sent to somebody who is to look at it; nothing is used up by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection

from journeyflow.channels.base import Email, Outgoing, ShortMessage
from journeyflow.core.address import KINDS, reachable
from journeyflow.core.check.problem import shortened
from journeyflow.core.contact import Contact
from journeyflow.core.errors import InvalidEvent, NotFound, Refused
from journeyflow.core.flows import Flows
from journeyflow.core.journey import Journey
from journeyflow.core.local_time import zone
from journeyflow.core.nodes.coupon import CouponNode
from journeyflow.core.nodes.gates import is_transactional
from journeyflow.core.nodes.message import MessageNode
from journeyflow.core.values import JSON, iso
from journeyflow.core.view import Library, Renderer
from journeyflow.core.workspace import Workspace
from journeyflow.db import documents
from journeyflow.rendering.message import RenderedEmail
from journeyflow.services import contacts
from journeyflow.services.check import check_data
from journeyflow.services.letters import Letter, Letters, Needs
from journeyflow.services.message_links import NOT_TRACKED, MessageLinks, Passage, finished, tracking_of

SAMPLE_CODE: Final = "TEST-CODE"
"""What stands for a coupon's code; no pool gives it out."""
_LAID_OVER: Final = frozenset({"contact", "vars"})


@dataclass(frozen=True, slots=True)
class Sample:
    """What to fill a template in with: a contact, and values by name (``trigger``, ``vars``, ...) that go first.

    ``document`` is a template's text to take instead of the published one.
    """

    contact: str | None = None
    values: Mapping[str, JSON] = field(default_factory=dict)
    document: dict[str, JSON] | None = None


class Preview(NamedTuple):
    """A template filled in, and the paths that it reads, such as ``trigger.total``."""

    mail: RenderedEmail
    reads: tuple[str, ...]


class Previews:
    """Fills templates in as they are now."""

    def __init__(self, letters: Letters, renderer: Renderer) -> None:
        self._letters = letters
        self._renderer = renderer

    def show(self, connection: Connection, flows: Flows, template: str, sample: Sample, now: datetime) -> Preview:
        """A template as a contact would see it, with the links as its author wrote them.

        :raises NotFound: when there is no such template or contact.
        :raises InvalidDocuments: when the text given instead is wrong.
        :raises TemplateError: when it can't be filled in with these values.
        """
        copy = self._copy(connection, flows, template, sample, now)
        reads = tuple(sorted(".".join(path) for path in copy.letter.compiled.reads))
        return Preview(copy.finished(tracked=False), reads)

    def outgoing(
        self, connection: Connection, flows: Flows, template: str, sample: Sample, to: str, now: datetime
    ) -> Outgoing:
        """A template as a message; its links are marked as a test's and change nothing.

        :raises NotFound: when there is no such template or contact.
        :raises InvalidEvent: when ``to`` is no address of the template's channel.
        :raises Refused: when the workspace has no sender, or the text is empty.
        :raises TemplateError: when it can't be filled in with these values.
        """
        copy = self._copy(connection, flows, template, sample, now)
        channel = copy.letter.template.channel
        address = reachable(to, channel)
        if address is None:
            raise InvalidEvent("to", f"expected {KINDS[channel]}, found {shortened(to)}")
        if channel == "email":
            return _email(copy, address, now)
        text = copy.finished(tracked=False).text
        if not text:
            raise Refused("the text is empty")
        return ShortMessage(copy.links.passage.message, channel, address, text)

    def _copy(self, connection: Connection, flows: Flows, template: str, sample: Sample, now: datetime) -> _Copy:
        letter = self._letter(connection, flows.library, template, sample)
        contact = Contact("") if sample.contact is None else contacts.find(connection, sample.contact, now)
        users = [one for one in _journeys(flows) if any(node.template == template for node in _senders(one))]
        journey = users[0] if users else None
        nodes = [node for one in users for node in _senders(one) if node.template == template]
        workspace = flows.library.workspace
        transactional = bool(nodes) and all(is_transactional(workspace, one.topic, one.transactional) for one in nodes)
        topic = nodes[0].topic if nodes else None
        name = "preview" if journey is None else journey.journey
        links = self._letters.links(Passage(contact.key, str(uuid4()), name, template, topic, test=True))
        values = _values(flows.library, journey, contact, sample.values, now)
        return _Copy(letter, links, workspace, journey, contact, values, transactional)

    def _letter(self, connection: Connection, library: Library, template: str, sample: Sample) -> Letter:
        if sample.document is not None:
            around = [(one.kind, one.document) for one in documents.newest(connection)]
            checked = check_data([sample.document], around, self._renderer).demand()
            return self._letters.compiled(checked.documents, template)
        stored = library.templates.get(template)
        if stored is None:
            raise NotFound(f"there is no template {template}")
        return self._letters.letter(connection, _needs(template, stored.version, stored.parts))


def _needs(template: str, version: int, parts: Mapping[str, int]) -> Needs:
    others = ((name.partition(":")[0], name.partition(":")[2], number) for name, number in sorted(parts.items()))
    return (("template", template, version), *others)


class _Copy(NamedTuple):
    """One template with everything that it is filled in with."""

    letter: Letter
    links: MessageLinks
    workspace: Workspace
    journey: Journey | None
    contact: Contact
    values: dict[str, JSON]
    transactional: bool

    def finished(self, *, tracked: bool) -> RenderedEmail:
        template, compiled, known = self.letter
        surveys = self.links.surveys(known)
        footer = self.links.footer(self.workspace, appended=not self.transactional)
        filled = compiled.render(self.values, footer, surveys)
        if template.channel != "email":
            return filled
        wanted = tracking_of(self.workspace, self.journey, template, self.contact)
        return finished(filled, self.links, self.workspace, wanted if tracked else NOT_TRACKED, surveys)


def _email(copy: _Copy, to: str, now: datetime) -> Email:
    sender = copy.workspace.sender
    if sender is None:
        raise Refused("no sender: set sender in the workspace")
    mail = copy.finished(tracked=True)
    headers = {
        "List-Unsubscribe": f"<{copy.links.unsubscribe}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    return Email(
        id=copy.links.passage.message,
        to=to,
        sender_name=sender.name,
        sender_email=sender.email,
        reply_to=sender.reply_to,
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        headers={} if copy.transactional else headers,
        sent_at=now,
    )


def _journeys(flows: Flows) -> Sequence[Journey]:
    return [one.journey for _, one in sorted(flows.current.items()) if flows.states.get(one.id) != "archived"]


def _senders(journey: Journey) -> Iterator[MessageNode]:
    return (node for node in journey.nodes.values() if isinstance(node, MessageNode))


def _values(
    library: Library, journey: Journey | None, contact: Contact, given: Mapping[str, JSON], now: datetime
) -> dict[str, JSON]:
    """What Liquid sees, as for a message that is queued now; what is given goes before it."""
    workspace = library.workspace
    own = contact.attributes.get("timezone")
    of_journey = None if journey is None else journey.timezone
    here = zone(own if isinstance(own, str) else None, of_journey, workspace.timezone)
    made: dict[str, JSON] = {} if contact.created_at is None else {"created_at": iso(contact.created_at)}
    values: dict[str, JSON] = {
        "contact": {**made, **contact.attributes, "id": contact.key, "tags": [*contact.tags]},
        "trigger": {},
        "event": given.get("trigger", {}),
        "vars": _sample_coupons(library, journey, now, here.key),
        "journey": {"id": "preview" if journey is None else journey.journey, "version": 0},
        "run": {"id": "preview", "entered_at": iso(now)},
        "now": iso(now),
        "timezone": here.key,
        "locale": contact.attributes.get("locale") or workspace.locale,
        "currency": workspace.currency,
    }
    for name, value in given.items():
        known = values.get(name)
        if name in _LAID_OVER and isinstance(known, dict) and isinstance(value, dict):
            values[name] = {**known, **value}
        else:
            values[name] = value
    return values


def _sample_coupons(library: Library, journey: Journey | None, now: datetime, timezone: str) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    for node in () if journey is None else journey.nodes.values():
        pool = library.pools.get(node.pool) if isinstance(node, CouponNode) else None
        if isinstance(node, CouponNode) and pool is not None:
            expires_at = pool.expires_at(now, zone(timezone))
            found[node.save_as] = {"code": f"{pool.prefix}{SAMPLE_CODE}", "pool": node.pool, "expires_at": expires_at}
    return found
