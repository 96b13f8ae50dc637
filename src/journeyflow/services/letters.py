"""What a stored message says: its template in the version that it was queued with, filled in, its links in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from journeyflow.core.contact import Contact
from journeyflow.core.documents import KINDS, Documents
from journeyflow.core.errors import NotFound, Refused
from journeyflow.core.flows import Flows
from journeyflow.core.survey import Survey
from journeyflow.core.template import NO_PARTS, Template
from journeyflow.core.values import JSON, Model, to_micros
from journeyflow.db.documents import links as links_of_servers
from journeyflow.db.outbox import StoredMessage
from journeyflow.db.tables import documents
from journeyflow.rendering.message import CompiledEmail, RenderedEmail
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.rendering.short_message import CompiledShortMessage
from journeyflow.services.message_links import MessageLinks, Passage, finished, tracking_of
from journeyflow.services.tokens import Signer

LETTERS_KEPT_MAX: Final = 512

Needs = tuple[tuple[str, str, int], ...]
"""Kind, id and version of the documents that a message is made of, its template first."""


class Letter(NamedTuple):
    """A template in one version with the parts in theirs, compiled."""

    template: Template
    compiled: CompiledEmail | CompiledShortMessage
    surveys: tuple[Survey, ...]


class Letters:
    """Fills messages in. Versions never change, so that what was compiled once is kept."""

    def __init__(self, renderer: LiquidRenderer, signer: Signer, base: str, *, follows_servers: bool) -> None:
        """:param base: what links begin with; with ``follows_servers`` until :meth:`follow_servers` finds another."""
        self._renderer = renderer
        self._signer = signer
        self._base = base
        self._follows_servers = follows_servers
        self._kept: dict[Needs, Letter] = {}

    def follow_servers(self, connection: Connection) -> None:
        """Before a batch of messages: a server may have been started meanwhile, and have another address."""
        if self._follows_servers:
            self._base = links_of_servers(connection) or self._base

    def links(self, passage: Passage) -> MessageLinks:
        """The links of a message."""
        return MessageLinks(self._signer, self._base, passage)

    def rendered(self, connection: Connection, message: StoredMessage, flows: Flows, contact: Contact) -> RenderedEmail:
        """A message as its contact sees it.

        :raises TemplateError: when its template fails.
        :raises Refused: when a version that it is made of is gone.
        """
        letter = self._letter_of(connection, message)
        links = self.links(passage_of(message))
        workspace = flows.library.workspace
        surveys = links.surveys(letter.surveys)
        footer = links.footer(workspace, appended=not message.transactional)
        filled = letter.compiled.render(message.values, footer, surveys, own_subject(message.overrides))
        if message.channel != "email":
            return filled
        published = flows.versions.get((message.journey, message.version))
        journey = None if published is None else published.journey
        tracking = tracking_of(workspace, journey, letter.template, contact)
        return finished(filled, links, workspace, tracking, surveys)

    def _letter_of(self, connection: Connection, message: StoredMessage) -> Letter:
        if message.template is not None:
            return self.letter(connection, needs_of(message, message.template))
        own = Template.model_validate(
            {"template": "text", "channel": message.channel, "body": message.overrides.get("text")}
        )
        return Letter(own, self._renderer.message(own, NO_PARTS), ())

    def letter(self, connection: Connection, needs: Needs) -> Letter:
        """A template and its parts in these versions.

        :raises Refused: when one of them is gone.
        """
        found = self._kept.get(needs)
        if found is None:
            models = [_document(connection, *need) for need in needs]
            found = self.compiled(Documents.of(models), needs[0][1])
            if len(self._kept) >= LETTERS_KEPT_MAX:
                self._kept.clear()
            self._kept[needs] = found
        return found

    def compiled(self, known: Documents, template: str) -> Letter:
        """One of these templates with those of these documents that it needs.

        :raises NotFound: when it is not among them.
        :raises TemplateError: when it does not compile.
        """
        found = known.templates.get(template)
        if found is None:
            raise NotFound(f"there is no template {template}")
        compiled = self._renderer.message(found, known.parts)
        return Letter(found, compiled, tuple(known.surveys[id_] for id_ in compiled.surveys if id_ in known.surveys))


def own_subject(overrides: Mapping[str, JSON]) -> str | None:
    """The subject that a message's node gives it, in place of its template's."""
    subject = overrides.get("subject")
    return str(subject) if subject else None


def needs_of(message: StoredMessage, template: str) -> Needs:
    """What a message is made of that has a template."""
    parts = message.overrides.get("parts")
    named = sorted(parts.items()) if isinstance(parts, Mapping) else []
    others = ((*_kind_and_id(name), version) for name, version in named if isinstance(version, int))
    return (("template", template, message.template_version), *others)


def _kind_and_id(name: str) -> tuple[str, str]:
    kind, _, id_ = name.partition(":")
    return kind, id_


def passage_of(message: StoredMessage) -> Passage:
    """Which message its links are in."""
    queued_at = to_micros(message.queued_at)
    return Passage(message.contact, message.id, message.journey, message.template, message.topic, queued_at=queued_at)


def _document(connection: Connection, kind: str, id_: str, version: int) -> Model:
    text = connection.scalar(
        select(documents.c.document).where(
            documents.c.kind == kind, documents.c.id == id_, documents.c.version == version
        )
    )
    if text is None:
        raise Refused(f"{kind} {id_}, version {version}, does not exist")
    return KINDS[kind].model_validate_json(text)
