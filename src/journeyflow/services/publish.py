"""Publishing documents: what would change, and changing it, all or nothing (rules 8.1, 8.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection

from journeyflow.core.check.source import Source
from journeyflow.core.errors import Conflict, NotFound
from journeyflow.core.flows import JourneyState
from journeyflow.core.journey import Journey
from journeyflow.core.segment import Segment
from journeyflow.core.standing import standing_of
from journeyflow.core.triggers import DateTrigger, ScheduleTrigger
from journeyflow.core.values import JSON
from journeyflow.core.view import Renderer
from journeyflow.core.workspace import DEFAULT, Workspace
from journeyflow.db import documents, statistics, tasks
from journeyflow.db.documents import JourneyRow, StoredDocument, digest_of
from journeyflow.services.check import check_data


@dataclass(frozen=True, slots=True)
class Change:
    """One document that is added, changed or removed.

    ``differences`` are ``path: old → new``; ``in_flight`` counts the runs that stand at each node that changed.
    """

    kind: str
    id: str
    what: Literal["added", "changed", "removed"]
    differences: tuple[str, ...] = ()
    in_flight: dict[str, int] = field(default_factory=dict)


def plan(connection: Connection, sources: Sequence[Source], prune: bool) -> list[Change]:
    """What ``apply`` would do; nothing is changed."""
    known = {(one.kind, one.id): one for one in documents.newest(connection)}
    changes = []
    for source in sources:
        before = known.get((source.kind, source.id))
        if before is None:
            changes.append(Change(source.kind, source.id, "added"))
        elif before.digest != digest_of(source.data):
            changes.append(_changed(connection, before, source))
    if prune:
        given = {(source.kind, source.id) for source in sources}
        changes.extend(Change(kind, id_, "removed") for kind, id_ in known if (kind, id_) not in given)
    return changes


def _changed(connection: Connection, before: StoredDocument, source: Source) -> Change:
    differences = tuple(difference(before.document, source.data))
    in_flight: dict[str, int] = {}
    if before.kind == "journey":
        waiting = statistics.waiting(connection, before.id)
        touched = {line.split(".")[1].split(":")[0] for line in differences if line.startswith("nodes.")}
        in_flight = {node: count for node, count in waiting.items() if node in touched and count}
    return Change(source.kind, source.id, "changed", differences, in_flight)


def difference(before: JSON, after: JSON, path: str = "") -> Iterable[str]:
    """``path: old → new`` for each place where two documents differ, however they are laid out."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            inner = f"{path}.{key}" if path else key
            if key not in before:
                yield f"{inner}: added {_short(after[key])}"
            elif key not in after:
                yield f"{inner}: removed {_short(before[key])}"
            else:
                yield from difference(before[key], after[key], inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from difference(old, new, f"{path}[{index}]")
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield f"{path}: {_short(before)} → {_short(after)}"


def _short(value: JSON) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def apply(
    connection: Connection, sources: Sequence[Source], prune: bool, now: datetime, renderer: Renderer
) -> list[Change]:
    """Make the installation what the documents say; the changes made. Inside the caller's transaction.

    :raises InvalidDocuments: when documents and installation together are wrong; nothing is changed.
    """
    changes = plan(connection, sources, prune)
    removed = {(change.kind, change.id) for change in changes if change.what == "removed"}
    kept = [(one.kind, one.document) for one in documents.newest(connection) if (one.kind, one.id) not in removed]
    check_data([source.data for source in sources], kept, renderer).demand()
    by_key = {(source.kind, source.id): source for source in sources}
    before = _definitions(connection) if any(change.kind in STANDING for change in changes) else frozenset()
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

    :raises Conflict: when another version was published meanwhile.
    :raises InvalidDocuments: when it, or what refers to it, is wrong.
    """
    kept = [(one.kind, one.document) for one in documents.newest(connection)]
    source = check_data([data], kept, renderer).demand().sources[0]
    history = documents.versions(connection, source.kind, source.id)
    if expected is not None and (history[0].version if history else 0) != expected:
        raise Conflict(
            f"{source.kind} {source.id} was changed meanwhile: it is at version {history[0].version if history else 0}"
        )
    if history and history[0].digest == digest_of(source.data) and history[0].status != "removed":
        return history[0]
    before = _definitions(connection) if source.kind in STANDING else frozenset()
    stored = _publish(connection, source.kind, source.id, source.data, now)
    if source.kind in STANDING:
        _judge_everybody(connection, before, now)
    documents.raise_epoch(connection)
    return stored


def remove(connection: Connection, kind: str, id_: str, now: datetime, renderer: Renderer) -> None:
    """Take one document away (rule 8.5).

    :raises NotFound: when there is none.
    :raises Conflict: when another document needs it, or runs are on it.
    """
    rest = [(one.kind, one.document) for one in documents.newest(connection)]
    left = [(one, document) for one, document in rest if (one, str(document[one])) != (kind, id_)]
    if len(left) == len(rest):
        raise NotFound(f"there is no {kind} {id_}")
    problems = check_data([], left, renderer).errors
    if problems:
        raise Conflict(f"{kind} {id_} is needed: {problems[0].path} of {problems[0].value or 'another document'}")
    _remove(connection, kind, id_, now)
    documents.raise_epoch(connection)


STANDING: Final = ("segment", "workspace")
"""The kinds of documents that say where contacts stand."""


def _definitions(connection: Connection) -> frozenset[str]:
    """The keys of the definitions that contacts are judged by."""
    workspace = DEFAULT
    for found in documents.newest(connection, "workspace"):
        workspace = Workspace.model_validate(found.document)
    segments = {one.id: Segment.model_validate(one.document) for one in documents.newest(connection, "segment")}
    return standing_of(workspace, segments).keys


def _judge_everybody(connection: Connection, before: frozenset[str], now: datetime) -> None:
    """Time alone can bring a contact into a segment that nobody has asked it about: so all are asked, once."""
    if not _definitions(connection) <= before:
        tasks.add(connection, "look_at_all", "", now)


def _publish(connection: Connection, kind: str, id_: str, data: dict[str, JSON], now: datetime) -> StoredDocument:
    if kind == "workspace":
        others = [one.id for one in documents.newest(connection, kind) if one.id != id_]
        if others:
            raise Conflict(f"this installation is the workspace {others[0]}, and an installation is one workspace")
    if kind != "journey":
        return documents.add(connection, kind, id_, data, "published", now)
    journey = Journey.model_validate(data)
    before = documents.journey_rows(connection).get(id_, JourneyRow(id_, "draft", 0, None, None))
    if before.state == "archived":
        raise Conflict(f"journey {id_} is archived, and stays so (rule 8.1); give the new one another id")
    if journey.status == "draft":
        stored = documents.add(connection, kind, id_, data, "stored", now)
        documents.put_journey(connection, before)
        return stored
    stored = documents.add(connection, kind, id_, data, "published", now)
    state: JourneyState = "archived" if journey.status == "archived" else before.state if before.version else "live"
    documents.put_journey(connection, JourneyRow(id_, state, stored.version, now, before.paused_at))
    if documents.arm(connection, journey, now):
        tasks.add(connection, "look_at_all", "", now)
    if state == "archived":
        tasks.add(connection, "look_at_journey", id_, now)
    return stored


def _remove(connection: Connection, kind: str, id_: str, now: datetime) -> None:
    if kind == "journey" and any(statistics.waiting(connection, id_).values()):
        raise Conflict(f"journey {id_} has runs in flight; archive it first (status: archived)")
    last = documents.versions(connection, kind, id_)[0]
    documents.add(connection, kind, id_, last.document, "removed", now)
    if kind == "journey":
        documents.remove_journey(connection, id_)


# --- the life of a journey -------------------------------------------------------------------------------------------


def pause(connection: Connection, journey: str, now: datetime, entries_only: bool) -> JourneyRow:
    """Let nobody in; unless ``entries_only``, let runs stand still too (rule 8.2).

    :raises NotFound: when there is no such journey.
    :raises Conflict: when it is not live.
    """
    row = _row(connection, journey)
    if row.state not in ("live", "entries_paused", "paused"):
        raise Conflict(f"journey {journey} is {row.state}; only a live one can be paused")
    paused = JourneyRow(journey, "entries_paused" if entries_only else "paused", row.version, row.published_at, now)
    documents.put_journey(connection, paused)
    if row.state == "paused" and entries_only:
        tasks.add(connection, "look_at_journey", journey, now)
    documents.raise_epoch(connection)
    return paused


def resume(connection: Connection, journey: str, now: datetime) -> JourneyRow:
    """Go on, those first whose time came meanwhile.

    :raises NotFound: when there is no such journey.
    :raises Conflict: when it is not paused.
    """
    row = _row(connection, journey)
    if row.state not in ("entries_paused", "paused"):
        raise Conflict(f"journey {journey} is {row.state}, not paused")
    live = JourneyRow(journey, "live", row.version, row.published_at, None)
    documents.put_journey(connection, live)
    _arm_again(connection, journey, row.version, now)
    # Silences went unwatched meanwhile: where the journey waits for them, it may concern contacts that are in no run.
    tasks.add(connection, "look_at_all" if documents.armed(connection, journey) else "look_at_journey", journey, now)
    documents.raise_epoch(connection)
    return live


def _arm_again(connection: Connection, id_: str, version: int, now: datetime) -> None:
    """Dates and schedules that came while nobody was let in are past; silences that began meanwhile still are."""
    for stored in documents.versions(connection, "journey", id_):
        if stored.version == version:
            triggers = Journey.model_validate(stored.document).triggers
            keys = [one.key for one in triggers if isinstance(one, DateTrigger | ScheduleTrigger)]
            documents.arm_again(connection, id_, keys, now)


def _row(connection: Connection, journey: str) -> JourneyRow:
    row = documents.journey_rows(connection).get(journey)
    if row is None:
        raise NotFound(f"there is no journey {journey}")
    return row
