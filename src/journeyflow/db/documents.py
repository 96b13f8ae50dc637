"""Published documents: immutable versions, the state of each journey, and the epoch that tells when they changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import orjson
from pydantic import ValidationError
from sqlalchemy import BigInteger, Connection, Text, bindparam, cast, delete, exists, func, select, update

from journeyflow.core.check.problem import path_text
from journeyflow.core.documents import KINDS, Documents
from journeyflow.core.errors import TemplateError, UnknownForm
from journeyflow.core.flows import Flows, JourneyState, Published
from journeyflow.core.instructions import Instruction, Migration, Resumption
from journeyflow.core.journey import Journey
from journeyflow.core.template import Parts, Template
from journeyflow.core.triggers import ScheduleTrigger
from journeyflow.core.values import JSON, Model, from_micros, to_micros
from journeyflow.core.view import Library, Renderer, StoredTemplate
from journeyflow.core.workspace import DEFAULT
from journeyflow.db import bulk
from journeyflow.db.contacts import dump, instant, micros
from journeyflow.db.store import one_at_a_time
from journeyflow.db.tables import armings, documents, installation, instructions, journeys, pauses

PUBLISHING: Final = "publish"
"""What one does after the other: changing documents, and how journeys stand."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One version of one document. ``status`` is published, stored (a draft's text) or removed."""

    kind: str
    id: str
    version: int
    status: str
    at: datetime
    digest: str
    document: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class JourneyRow:
    """How a journey stands; ``version`` is the newest published one, 0 where there is none."""

    id: str
    state: JourneyState
    version: int
    published_at: datetime | None
    paused_at: datetime | None


def digest_of(document: dict[str, JSON]) -> str:
    """The same for the same document, however its keys are ordered."""
    return sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


# --- the epoch -------------------------------------------------------------------------------------------------------


_SETTING: Final = select(installation.c.value).where(installation.c.name == bindparam("of_name"))


def setting(connection: Connection, name: str) -> str | None:
    """A value of the installation."""
    found: str | None = connection.scalar(_SETTING, {"of_name": name})
    return found


def set_setting(connection: Connection, name: str, value: str) -> None:
    """Keep a value of the installation."""
    bulk.put(connection, installation, [(name, value)])


_LINKS_GIVEN: Final = "links_given"
_LINKS_SERVED: Final = "links_served"


def links(connection: Connection) -> str | None:
    """What links in messages begin with: as the last server that was told so had it, else as the last one had it."""
    return setting(connection, _LINKS_GIVEN) or setting(connection, _LINKS_SERVED)


def keep_links(connection: Connection, beginning: str, *, given: bool) -> None:
    """Keep what links begin with; ``given`` is whether somebody set it, or it is just where a server listens."""
    set_setting(connection, _LINKS_GIVEN if given else _LINKS_SERVED, beginning)


def epoch(connection: Connection) -> int:
    """Grows whenever what is published, or how a journey stands, changes."""
    return int(setting(connection, "epoch") or 0)


def raise_epoch(connection: Connection) -> None:
    """Tell every engine to load the documents anew."""
    value = installation.c.value
    following = update(installation).where(installation.c.name == "epoch")
    following = following.values(value=cast(cast(value, BigInteger) + 1, Text))  # in one statement: nobody's is lost
    if connection.execute(following).rowcount == 0:
        bulk.insert_new(connection, installation, [("epoch", "0")])
        connection.execute(following)


# --- documents -------------------------------------------------------------------------------------------------------


def _stored(row: Any) -> StoredDocument:  # Any: a row of the table
    return StoredDocument(
        row.kind, row.id, row.version, row.status, from_micros(row.at), row.digest, orjson.loads(row.document)
    )


def newest(connection: Connection, kind: str | None = None) -> list[StoredDocument]:
    """The newest version of every document (of a kind) that was not removed, by kind and id."""
    last = select(documents.c.kind, documents.c.id, func.max(documents.c.version).label("version"))
    last_rows = last.group_by(documents.c.kind, documents.c.id).subquery()
    same = (documents.c.kind == last_rows.c.kind) & (documents.c.id == last_rows.c.id)
    query = (
        select(documents)
        .join(last_rows, same & (documents.c.version == last_rows.c.version))
        .where(documents.c.status != "removed")
        .order_by(documents.c.kind, documents.c.id)
    )
    if kind is not None:
        query = query.where(documents.c.kind == kind)
    return [_stored(row) for row in connection.execute(query)]


def in_force(connection: Connection) -> list[StoredDocument]:
    """What is published now: of journeys the version that lets contacts in, archived ones left out."""
    published = [_stored(row) for row in connection.execute(select(documents).where(documents.c.status == "published"))]
    states = journey_rows(connection)
    return [
        one
        for one in _newest_published(published, newest(connection))
        if one.kind != "journey" or (one.id in states and states[one.id].state != "archived")
    ]


def versions(connection: Connection, kind: str, id_: str, limit: int | None = None) -> list[StoredDocument]:
    """All versions of one document, or its last ``limit``, newest first."""
    mine = (documents.c.kind == kind) & (documents.c.id == id_)
    query = select(documents).where(mine).order_by(documents.c.version.desc()).limit(limit)
    return [_stored(row) for row in connection.execute(query)]


def version(connection: Connection, kind: str, id_: str, number: int) -> StoredDocument | None:
    """One version of one document."""
    mine = (documents.c.kind == kind) & (documents.c.id == id_) & (documents.c.version == number)
    row = connection.execute(select(documents).where(mine)).first()
    return None if row is None else _stored(row)


def add(
    connection: Connection, kind: str, id_: str, document: dict[str, JSON], status: str, at: datetime
) -> StoredDocument:
    """The next version of a document."""
    mine = (documents.c.kind == kind) & (documents.c.id == id_)
    number = (connection.scalar(select(func.max(documents.c.version)).where(mine)) or 0) + 1
    digest = digest_of(document)
    bulk.insert(connection, documents, [(kind, id_, number, status, to_micros(at), digest, dump(document), None)])
    return StoredDocument(kind, id_, number, status, at, digest, document)


_CORRECT: Final = "apply it corrected, or go back to the release that took it"
_WAIT: Final = (
    "contacts in runs on it are set aside until a release takes it, as the one that published it does: what is applied "
    "never takes the place of a former version"
)


def model_of(stored: StoredDocument, remedy: str = _CORRECT) -> Model:
    """A stored document as it was understood when it was published.

    :param remedy: what to do where it can't be.
    :raises UnknownForm: when this release refuses what an earlier one took; names the document and the place.
    """
    try:
        return KINDS[stored.kind].model_validate(stored.document)
    except ValidationError as refused:
        first = refused.errors(include_url=False)[0]
        place = path_text(tuple(first["loc"])) or stored.kind
        raise _unknown(stored.kind, stored.id, stored.version, f"{place}: {first['msg']}", remedy) from refused


def _unknown(kind: str, id_: str, version: int, cause: str, remedy: str) -> UnknownForm:
    return UnknownForm(
        f"the {kind} {id_}, version {version}, is stored in this installation and refused by this release: {cause}; "
        f"{remedy}"
    )


def journey_of(stored: StoredDocument) -> Journey:
    """A version of a journey as it was understood when it was published.

    :raises UnknownForm: when this release refuses what an earlier one took.
    """
    journey = model_of(stored)
    assert isinstance(journey, Journey)
    return journey


# --- journeys --------------------------------------------------------------------------------------------------------


def journey_rows(connection: Connection) -> dict[str, JourneyRow]:
    """How every journey stands."""
    return {
        row.id: JourneyRow(row.id, row.state, row.version, instant(row.published_at), instant(row.paused_at))
        for row in connection.execute(select(journeys).order_by(journeys.c.id))
    }


def put_journey(connection: Connection, row: JourneyRow) -> None:
    """Keep how a journey stands."""
    values = (row.id, row.state, row.version, micros(row.published_at), micros(row.paused_at))
    bulk.put(connection, journeys, [values])


def remove_journey(connection: Connection, journey: str) -> None:
    """Forget how a journey that was removed stood."""
    connection.execute(delete(journeys).where(journeys.c.id == journey))
    connection.execute(delete(armings).where(armings.c.journey == journey))
    connection.execute(delete(instructions).where(instructions.c.journey == journey))
    connection.execute(delete(pauses).where(pauses.c.journey == journey))


def add_instruction(connection: Connection, one: Instruction) -> None:
    """What every run of the journey follows when its contact's turn comes."""
    bulk.insert(connection, instructions, [(one.journey, to_micros(one.at), *_described(one))])


def _described(one: Instruction) -> tuple[str, str]:
    """Its kind, and what there is to be said besides."""
    if isinstance(one, Migration):
        return "migrate", dump({"version": one.version, "places": dict(one.places)})
    over = one.over // timedelta(microseconds=1)
    return "resume", dump({"paused_at": to_micros(one.paused_at), "mode": one.mode, "over": over})


def end_instruction(connection: Connection, journey: str, at: datetime, is_last: Callable[[], bool]) -> None:
    """All contacts of a claim group have followed an instruction.

    :param is_last: whether those of the other groups have, too; asked while no other group ends the same.
    """
    one_at_a_time(connection, f"end the instruction of {journey} at {to_micros(at)}")
    if is_last():
        mine = (instructions.c.journey == journey) & (instructions.c.at == to_micros(at))
        connection.execute(delete(instructions).where(mine))
        raise_epoch(connection)


def pending_instructions(connection: Connection) -> dict[str, list[Instruction]]:
    """By journey, and in order, those that not all contacts have followed."""
    found: dict[str, list[Instruction]] = {}
    for row in connection.execute(select(instructions).order_by(instructions.c.journey, instructions.c.at)):
        found.setdefault(row.journey, []).append(_instruction(row))
    return found


def _instruction(row: Any) -> Instruction:  # Any: a row of the table
    at, args = from_micros(row.at), orjson.loads(row.args)
    if row.kind == "migrate":
        return Migration(row.journey, at, args["version"], args["places"])
    paused_at, over = from_micros(args["paused_at"]), timedelta(microseconds=args["over"])
    return Resumption(row.journey, at, paused_at, args["mode"], over)


def armed(connection: Connection, journey: str) -> bool:
    """Whether the journey has triggers that time fires, or that let members in."""
    return bool(connection.scalar(select(exists().where(armings.c.journey == journey))))


def arm(connection: Connection, journey: Journey, at: datetime) -> bool:
    """Triggers that time fires watch from now; those that did already, from when they did.

    Whether one is new for which every contact has to be looked at. A schedule that comes for all at one instant is
    none: its firing finds the contacts.
    """
    keyed = [(trigger.key, trigger) for trigger in journey.triggers if trigger.key is not None]
    everybodys = {key for key, trigger in keyed if not isinstance(trigger, ScheduleTrigger) or trigger.local}
    wanted = {key for key, _ in keyed}
    mine = armings.c.journey == journey.journey
    known = set(connection.scalars(select(armings.c.trigger).where(mine)))
    connection.execute(delete(armings).where(mine, armings.c.trigger.not_in(wanted)))
    new = wanted - known
    bulk.insert(connection, armings, [(journey.journey, key, to_micros(at)) for key in sorted(new)])
    return not new.isdisjoint(everybodys)


def arm_again(connection: Connection, journey: str, triggers: Collection[str], at: datetime) -> None:
    """These triggers of a journey watch from now."""
    mine = (armings.c.journey == journey) & armings.c.trigger.in_(list(triggers))
    connection.execute(update(armings).where(mine).values(at=to_micros(at)))


# --- flows -----------------------------------------------------------------------------------------------------------


class Versions(dict[tuple[str, int], Published]):
    """Published versions of journeys, by id and number, current or not.

    Of those that are current no longer a release may refuse some that an earlier one took; ``refused`` says why. Asking
    for one raises that, so that its runs are set aside and all others go on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[tuple[str, int], UnknownForm] = {}

    def __missing__(self, key: tuple[str, int]) -> Published:
        raise self.refused.get(key) or KeyError(key)


class FlowsCache:
    """The flows of the last epoch seen; parsed and compiled documents are kept from one epoch to the next."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._epoch: int | None = None
        self._flows: Flows | None = None
        self._models: dict[tuple[str, str, int], Model] = {}
        self._templates: dict[tuple[str, int], StoredTemplate] = {}
        self.refused: list[str] = []
        """Why versions of journeys that are current no longer can't be understood."""

    def current(self, connection: Connection) -> Flows:
        """The flows as they are published now."""
        now = epoch(connection)
        while self._flows is None or now != self._epoch:
            self._flows = self._load(connection)
            self._epoch = now
            now = epoch(connection)  # what was published while it was loaded may be there in part
        return self._flows

    def _load(self, connection: Connection) -> Flows:
        rows = [_stored(row) for row in connection.execute(select(documents).where(documents.c.status == "published"))]
        newest_rows = newest(connection)
        in_use = {(one.kind, one.id): one for one in _newest_published(rows, newest_rows)}
        states = journey_rows(connection)
        published = self._versions([row for row in rows if row.kind == "journey"], states)
        current = {
            row.id: published[row.id, row.version] for row in states.values() if (row.id, row.version) in published
        }
        armed = {(row.journey, row.trigger): from_micros(row.at) for row in connection.execute(select(armings))}
        library = self._library(in_use.values())
        stand = {row.id: row.state for row in states.values()}
        return Flows(library, current, published, stand, armed, pending_instructions(connection))

    def _versions(self, rows: Collection[StoredDocument], states: Mapping[str, JourneyRow]) -> Versions:
        found = Versions()
        for row in rows:
            is_current = row.id in states and states[row.id].version == row.version
            try:
                model = self._model(row, _CORRECT if is_current else _WAIT)
            except UnknownForm as refused:
                if is_current:
                    raise
                found.refused[row.id, row.version] = refused
            else:
                assert isinstance(model, Journey)
                found[row.id, row.version] = Published(model, row.version)
        self.refused = [str(one) for one in found.refused.values()]
        return found

    def _model(self, row: StoredDocument, remedy: str = _CORRECT) -> Model:
        key = (row.kind, row.id, row.version)
        if key not in self._models:
            self._models[key] = model_of(row, remedy)
        return self._models[key]

    def _library(self, rows: Collection[StoredDocument]) -> Library:
        found = Documents.of(self._model(row) for row in rows)
        versions = {f"{row.kind}:{row.id}": row.version for row in rows}
        templates = {id_: self._compiled(one, found.parts, versions) for id_, one in found.templates.items()}
        workspace, segments = found.workspace or DEFAULT, found.segments
        return Library(workspace, templates, found.pools, self._renderer, found.surveys, segments=segments)

    def _compiled(self, template: Template, parts: Parts, versions: Mapping[str, int]) -> StoredTemplate:
        """The template with the parts that are in use now; the work of the last time where none of them changed."""
        key = (template.template, versions[f"template:{template.template}"])
        kept = self._templates.get(key)
        if kept is None or any(versions.get(name) != version for name, version in kept.parts.items()):
            try:
                compiled = self._renderer.message(template, parts)
            except TemplateError as refused:
                raise _unknown("template", *key, str(refused), _CORRECT) from refused
            used = {name: versions[name] for name in compiled.needs if name in versions}
            kept = self._templates[key] = StoredTemplate(key[1], compiled, template.tracking, used)
        return kept


def _newest_published(rows: list[StoredDocument], alive: list[StoredDocument]) -> list[StoredDocument]:
    """Of each document that was not removed, the newest published version."""
    keys = {(one.kind, one.id) for one in alive}
    best: dict[tuple[str, str], StoredDocument] = {}
    for row in rows:
        key = (row.kind, row.id)
        if key in keys and (key not in best or best[key].version < row.version):
            best[key] = row
    return list(best.values())
