"""Publishing documents: what would change, and changing it, all or nothing (rules 8.1, 8.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection

from journeyflow.core.check.source import Source
from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.documents import Documents
from journeyflow.core.errors import Conflict, NotFound, UnknownForm
from journeyflow.core.flows import JourneyState
from journeyflow.core.journey import Journey
from journeyflow.core.standing import standing_of
from journeyflow.core.values import JSON
from journeyflow.core.view import Renderer
from journeyflow.core.workspace import DEFAULT
from journeyflow.db import codes, documents, statistics, tasks
from journeyflow.db.documents import JourneyRow, StoredDocument, digest_of
from journeyflow.db.store import one_at_a_time
from journeyflow.services.check import check_data
from journeyflow.services.difference import difference


@dataclass(frozen=True, slots=True)
class Change:
    """One document that is added, changed or removed.

    ``differences`` are ``path: old → new``; ``in_flight`` counts the runs that stand at each node that changed or goes.
    ``blocked`` says what has to be done before, where it can't be made as things stand. ``exiting`` is how many runs
    exit because the change archives their journey, which is final; ``None`` where it archives none.
    """

    kind: str
    id: str
    what: Literal["added", "changed", "removed"]
    differences: tuple[str, ...] = ()
    in_flight: dict[str, int] = field(default_factory=dict)
    blocked: str | None = None
    exiting: int | None = None


def plan(connection: Connection, sources: Sequence[Source], prune: bool) -> list[Change]:
    """What ``apply`` would do; nothing is changed."""
    known = {(one.kind, one.id): one for one in documents.newest(connection)}
    given = {(source.kind, source.id) for source in sources}
    gone = {name for name in known if name not in given} if prune else set()
    changes = []
    for source in sources:
        before = known.get((source.kind, source.id))
        blocked = _obstacle(connection, source, gone)
        if before is None:
            changes.append(Change(source.kind, source.id, "added", blocked=blocked))
        elif before.digest != digest_of(source.data):
            changes.append(_changed(connection, before, source, blocked))
    changes.extend(_removed(connection, kind, id_) for kind, id_ in known if (kind, id_) in gone)
    return changes


def notes(connection: Connection, sources: Sequence[Source], prune: bool) -> list[str]:
    """What applying documents does not alter, though they do not work as they say before somebody does something."""
    pools = [source.data for source in sources if source.kind == "coupon_pool"]
    return [
        *_archived_by_hand(connection, sources),
        *_drafts_of_live(connection, sources),
        *empty_pools(connection, pools),
        *_without_sender(connection, sources, prune),
    ]


def _without_sender(connection: Connection, sources: Sequence[Source], prune: bool) -> Iterator[str]:
    """A sentence that names the journeys whose e-mails nobody sends: each of these will fail (rule 5.5)."""
    after = {(source.kind, source.id): source.data for source in sources}
    if not prune:
        after = {(one.kind, one.id): one.document for one in documents.newest(connection)} | after
    if any(data.get("sender") is not None for (kind, _), data in after.items() if kind == "workspace"):
        return
    states = documents.journey_rows(connection)
    archived = {id_ for id_, row in states.items() if row.state == "archived"}
    found = sorted(
        id_ for (kind, id_), data in after.items() if kind == "journey" and id_ not in archived and _needs_sender(data)
    )
    if found:
        journeys = f"journey {found[0]}" if len(found) == 1 else f"journeys {', '.join(found)}"
        yield f"e-mails of {journeys} will fail: they have no sender; set sender in the workspace, or from at the node"


def _needs_sender(data: Mapping[str, JSON]) -> bool:
    """Whether a journey, which an earlier release may have taken, has an e-mail that relies on the workspace's."""
    nodes = data.get("nodes")
    every = [*nodes.values()] if isinstance(nodes, dict) else []
    emails = [node for node in every if isinstance(node, dict) and node.get("type") == "email"]
    return data.get("status") != "archived" and any(node.get("from") is None for node in emails)


def empty_pools(connection: Connection, pools: Iterable[dict[str, JSON]]) -> Iterator[str]:
    """A sentence for each pool, given as documents, that has no codes to give."""
    for data in pools:
        pool = CouponPool.model_validate(data)
        name = pool.coupon_pool
        if pool.stocked and not pool.listed and not codes.counts(connection, name)["left"]:
            yield (
                f"coupon pool {name} has no codes: whoever comes to it gets none; "
                f"journeyflow coupons import {name} FILE brings some"
            )


def _drafts_of_live(connection: Connection, sources: Sequence[Source]) -> Iterator[str]:
    """A sentence for each journey that goes on as it was published, though its file says draft (rule 8.1)."""
    states = documents.journey_rows(connection)
    for source in sources:
        row = states.get(source.id) if source.kind == "journey" else None
        if row is not None and row.version and row.state != "archived" and source.data.get("status") == "draft":
            yield (
                f"journey {source.id} goes on as version {row.version}: its file says status: draft, so that its text "
                f"is only stored; take that line out, or say journeyflow journeys publish {source.id}"
            )


def _archived_by_hand(connection: Connection, sources: Sequence[Source]) -> list[str]:
    states = documents.journey_rows(connection)
    known = {one.id: one.digest for one in documents.newest(connection, "journey")}
    archived = {id_ for id_, row in states.items() if row.state == "archived"}
    return [
        f"journey {source.id} was archived by hand; its file says {source.data.get('status', 'live')} and will not "
        "bring it back, for what is archived stays so; give it another id to begin anew, or status: archived"
        for source in sources
        if source.kind == "journey"
        and source.id in archived
        and source.data.get("status") != "archived"
        and known.get(source.id) == digest_of(source.data)
    ]


def _obstacle(connection: Connection, source: Source, gone: Set[tuple[str, str]] = frozenset()) -> str | None:
    """Why a document can't be published, though it is right; ``gone`` are those that are removed along with it."""
    kind, id_ = source.kind, source.id
    if kind == "workspace":
        others = [one.id for one in documents.newest(connection, kind) if one.id != id_ and (kind, one.id) not in gone]
        return _other_workspace(others[0]) if others else None
    if kind == "journey" and source.data.get("status") != "archived" and _is_archived(connection, id_):
        return (
            "it is archived, and stays so; give the new one another id, or say status: archived to change "
            "no more than its text"
        )
    return None


def _is_archived(connection: Connection, journey: str) -> bool:
    """Whether a journey is archived, or was when it was removed: nothing leads back from there (rule 8.1)."""
    row = documents.journey_rows(connection).get(journey)
    if row is not None:
        return row.state == "archived"
    last = documents.versions(connection, "journey", journey, limit=1)
    return bool(last) and last[0].document.get("status") == "archived"


def _other_workspace(id_: str) -> str:
    return (
        f"this installation is the workspace {id_}, and an installation is one workspace; keep that id (the name, the "
        "sender and the address can change at any time), or start anew with another database (JOURNEYFLOW_DATABASE_URL)"
    )


def _removed(connection: Connection, kind: str, id_: str) -> Change:
    """Runs in flight need their journey; archiving lets them leave."""
    in_flight = _in_flight(connection, id_) if kind == "journey" else {}
    total = sum(in_flight.values())
    runs = f"{total:,} run{'' if total == 1 else 's'} in flight"
    blocked = f"needs archiving first: {runs} (status: archived)" if total else None
    return Change(kind, id_, "removed", (), in_flight, blocked)


def _in_flight(connection: Connection, journey: str) -> dict[str, int]:
    """How many runs stand at each node at which any do."""
    return {node: count for node, count in statistics.waiting(connection, journey).items() if count}


def _demand(changes: Iterable[Change]) -> None:
    """See that nothing is in the way."""
    blocked = [f"{change.kind} {change.id}: {change.blocked}" for change in changes if change.blocked is not None]
    if blocked:
        raise Conflict("; ".join(blocked))


def _changed(connection: Connection, before: StoredDocument, source: Source, blocked: str | None) -> Change:
    differences = tuple(difference(before.document, source.data))
    if before.kind != "journey":
        return Change(source.kind, source.id, "changed", differences, blocked=blocked)
    in_flight = _in_flight(connection, before.id)
    if _archives(connection, source):
        exiting = sum(in_flight.values())
        return Change(source.kind, source.id, "changed", differences, in_flight, blocked, exiting)
    touched = {line.split(".")[1].split(":")[0] for line in differences if line.startswith("nodes.")}
    in_flight = {node: count for node, count in in_flight.items() if node in touched}
    return Change(source.kind, source.id, "changed", differences, in_flight, blocked)


def _archives(connection: Connection, source: Source) -> bool:
    """Whether publishing a journey that is there ends it."""
    row = documents.journey_rows(connection).get(source.id)
    return source.data.get("status") == "archived" and row is not None and row.state != "archived"


def apply(
    connection: Connection, sources: Sequence[Source], prune: bool, now: datetime, renderer: Renderer
) -> list[Change]:
    """Make the installation what the documents say; the changes made. Inside the caller's transaction.

    :raises InvalidDocuments: when documents and installation together are wrong; nothing is changed.
    :raises Conflict: when something is in the way of a change (``Change.blocked``); nothing is changed.
    """
    one_at_a_time(connection, documents.PUBLISHING)
    changes = plan(connection, sources, prune)
    removed = {(change.kind, change.id) for change in changes if change.what == "removed"}
    kept = [(one.kind, one.document) for one in documents.newest(connection) if (one.kind, one.id) not in removed]
    check_data([source.data for source in sources], kept, renderer, errors_only=True).demand()
    _demand(changes)
    by_key = {(source.kind, source.id): source for source in sources}
    before = _definitions_before(connection) if any(change.kind in STANDING for change in changes) else frozenset()
    for change in changes:
        if change.what == "removed":
            _remove(connection, change.kind, change.id, now)
        else:
            _publish(connection, change.kind, change.id, by_key[change.kind, change.id].data, now)
    if any(change.kind in STANDING for change in changes):
        _judge_everybody(connection, before, now)
    if changes:
        documents.raise_epoch(connection)
    return changes


def put(
    connection: Connection, data: dict[str, JSON], now: datetime, renderer: Renderer, expected: int | None = None
) -> StoredDocument:
    """Publish one document; ``expected`` is the version that its author saw.

    :raises Conflict: when another version was published meanwhile, or something else is in its way.
    :raises InvalidDocuments: when it, or what refers to it, is wrong.
    """
    one_at_a_time(connection, documents.PUBLISHING)
    kept = [(one.kind, one.document) for one in documents.newest(connection)]
    source = check_data([data], kept, renderer, errors_only=True).demand().sources[0]
    history = documents.versions(connection, source.kind, source.id)
    if expected is not None and (history[0].version if history else 0) != expected:
        raise Conflict(
            f"{source.kind} {source.id} was changed meanwhile: it is at version {history[0].version if history else 0}"
        )
    if history and history[0].digest == digest_of(source.data) and history[0].status != "removed":
        return history[0]
    _demand([Change(source.kind, source.id, "changed", blocked=_obstacle(connection, source))])
    before = _definitions_before(connection) if source.kind in STANDING else frozenset()
    stored = _publish(connection, source.kind, source.id, source.data, now)
    if source.kind in STANDING:
        _judge_everybody(connection, before, now)
    documents.raise_epoch(connection)
    return stored


def publish_draft(connection: Connection, id_: str, now: datetime, renderer: Renderer) -> StoredDocument:
    """Publish the text of a journey that is stored as a draft, as it says ``status: live``; else nothing is new.

    :raises NotFound: when there is no such journey.
    :raises Conflict: when it is archived.
    :raises InvalidDocuments: when it is wrong by now.
    """
    one_at_a_time(connection, documents.PUBLISHING)
    found = documents.versions(connection, "journey", id_, limit=1)
    if not found or found[0].status == "removed":
        raise NotFound(f"there is no journey {id_}")
    if found[0].status == "stored":
        return put(connection, {**found[0].document, "status": "live"}, now, renderer)
    if found[0].document.get("status") == "archived" or documents.journey_rows(connection)[id_].state == "archived":
        raise Conflict(f"journey {id_} is archived, and stays so; give the new one another id")
    return found[0]


def remove(connection: Connection, kind: str, id_: str, now: datetime, renderer: Renderer) -> None:
    """Take one document away (rule 8.5).

    :raises NotFound: when there is none.
    :raises Conflict: when another document needs it, or runs are on it.
    """
    one_at_a_time(connection, documents.PUBLISHING)
    rest = [(one.kind, one.document) for one in documents.newest(connection)]
    left = [(one, document) for one, document in rest if (one, str(document[one])) != (kind, id_)]
    if len(left) == len(rest):
        raise NotFound(f"there is no {kind} {id_}")
    problems = check_data([], left, renderer, errors_only=True).errors
    if problems:
        needing = problems[0].file.removeprefix("(installation) ")
        raise Conflict(f"{kind} {id_} is needed: {problems[0].path} of {needing} names it")
    _demand([_removed(connection, kind, id_)])
    _remove(connection, kind, id_, now)
    documents.raise_epoch(connection)


STANDING: Final = ("segment", "workspace", "template", "journey")
"""The kinds of documents that say where contacts stand, or how conditions on messages are read."""


def _definitions(connection: Connection) -> frozenset[str]:
    """The keys of the definitions that contacts are judged by."""
    stored = [*documents.newest(connection, "workspace"), *documents.newest(connection, "segment")]
    known = Documents.of(documents.model_of(one) for one in stored)
    tracked: dict[str, JSON] = {
        f"{kind}:{one.id}": one.document["tracking"]
        for kind in ("template", "journey")
        for one in documents.newest(connection, kind)
        if one.document.get("tracking") is not None
    }
    return standing_of(known.workspace or DEFAULT, known.segments, tracked).keys


def _definitions_before(connection: Connection) -> frozenset[str]:
    """The same; none of those that another release published and this one refuses, which may be mended now."""
    try:
        return _definitions(connection)
    except UnknownForm:
        return frozenset()


def _judge_everybody(connection: Connection, before: frozenset[str], now: datetime) -> None:
    """Time alone can bring a contact into a segment that nobody has asked it about: so all are asked, once."""
    if not _definitions(connection) <= before:
        tasks.add(connection, "look_at_all", "", now)


def _publish(connection: Connection, kind: str, id_: str, data: dict[str, JSON], now: datetime) -> StoredDocument:
    if kind != "journey":
        stored = documents.add(connection, kind, id_, data, "published", now)
        if kind == "coupon_pool":
            _stock(connection, CouponPool.model_validate(data), now)
        return stored
    journey = Journey.model_validate(data)
    before = documents.journey_rows(connection).get(id_, JourneyRow(id_, "draft", 0, None, None))
    if journey.status == "draft":
        stored = documents.add(connection, kind, id_, data, "stored", now)
        documents.put_journey(connection, before)
        return stored
    stored = documents.add(connection, kind, id_, data, "published", now)
    state: JourneyState = "archived" if journey.status == "archived" else before.state if before.version else "live"
    documents.put_journey(connection, JourneyRow(id_, state, stored.version, now, before.paused_at))
    if documents.arm(connection, journey, now):
        tasks.add(connection, "look_at_all", "", now)
    if state == "archived" or _opens(connection, before, journey):
        tasks.add(connection, "look_at_journey", id_, now)
    return stored


def _stock(connection: Connection, pool: CouponPool, now: datetime) -> None:
    if pool.listed or pool.codes == ():
        codes.follow_list(connection, pool, now)


def _opens(connection: Connection, before: JourneyRow, journey: Journey) -> bool:
    """Whether the version before keeps runs standing before a node at which this one does not."""
    for stored in documents.versions(connection, "journey", before.id) if before.version else ():
        if stored.version == before.version:
            nodes = stored.document.get("nodes")
            held = {name for name, node in nodes.items() if _holds(node)} if isinstance(nodes, dict) else set()
            return any(name in held and not node.hold for name, node in journey.nodes.items())
    return False


def _holds(node: JSON) -> bool:
    return isinstance(node, dict) and node.get("hold") is True


def _remove(connection: Connection, kind: str, id_: str, now: datetime) -> None:
    document = documents.versions(connection, kind, id_, limit=1)[0].document
    if kind == "journey" and _is_archived(connection, id_):
        document = {**document, "status": "archived"}  # also one that was archived by hand
    documents.add(connection, kind, id_, document, "removed", now)
    if kind == "journey":
        documents.remove_journey(connection, id_)
