"""Events that came too late to let a contact in (rule 1.11): no trail tells of them, so ``explain`` does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from sqlalchemy import Connection

from journeyflow.core.values import duration_text
from journeyflow.core.workspace import Workspace
from journeyflow.db import documents, history
from journeyflow.db.documents import StoredDocument
from journeyflow.services.explain_words import awaited_events, event_fits, local


def too_old(
    connection: Connection, contact: str, journey: str | None, workspace: Workspace, zone: tzinfo
) -> Iterator[str]:
    """A line for each journey (or for one) and event that a trigger of it names and that came too late."""
    found = history.old_events(connection, contact, workspace.max_event_age)
    if not found:
        return
    for document in documents.newest(connection, "journey"):
        if journey in (None, document.id):
            for name in _named(document, found):
                if found[name].handled_at >= documents.versions(connection, "journey", document.id)[-1].at:
                    yield f"{document.id}: {_line(name, found[name], workspace, zone)}"


def _named(document: StoredDocument, names: dict[str, history.OldEvents]) -> list[str]:
    """Those of the names that an event trigger of the journey listens to."""
    patterns = awaited_events(document.document)
    return [name for name in names if any(event_fits(name, pattern) for pattern in patterns)]


def _line(name: str, old: history.OldEvents, workspace: Workspace, zone: tzinfo) -> str:
    limit = f"max_event_age is {duration_text(workspace.max_event_age)}"
    age = duration_text(old.handled_at - old.occurred_at)
    last = f"of {local(old.occurred_at, zone)} came {local(old.handled_at, zone)}, {age} later"
    if old.count == 1:
        return f"the {name} {last}: too old to let anybody in ({limit})"
    return f"{old.count} {name} were too old to let anybody in ({limit}); the last, {last}"
