"""Two editors can't overwrite each other: a change names the text that its author saw (RFC 9110, `If-Match`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from sqlalchemy import Connection

from journeyflow.api.errors import PreconditionFailed
from journeyflow.db import documents
from journeyflow.db.documents import StoredDocument

IfMatch = Annotated[
    str | None, Header(max_length=200, description="the `ETag` that the author saw; `*`: whichever there is")
]


def newest_of(connection: Connection, kind: str, id_: str) -> StoredDocument | None:
    """The newest text of a document, unless it was removed."""
    found = documents.versions(connection, kind, id_, limit=1)
    return found[0] if found and found[0].status != "removed" else None


def etag_of(document: StoredDocument) -> str:
    """What `If-Match` names this text by."""
    return f'"{document.version}"'


def demand_match(document: StoredDocument | None, if_match: str | None, if_none_match: str | None = None) -> None:
    """See that a document is the one that the author of a change saw.

    :raises PreconditionFailed: when it is not.
    """
    tags = {tag.strip().removeprefix("W/") for tag in (if_match or "").split(",")}
    if if_match is not None and (document is None or not tags & {"*", etag_of(document)}):
        now = "it does not exist" if document is None else f"it is at version {document.version}"
        raise PreconditionFailed(f"the document was changed meanwhile: {now}; read it again")
    if if_none_match is not None and if_none_match.strip() == "*" and document is not None:
        raise PreconditionFailed(f"the document exists already, at version {document.version}")
