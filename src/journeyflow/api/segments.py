"""Segments: how many contacts are in one, and who."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from journeyflow.api import shapes
from journeyflow.api.bodies import StrictRoute
from journeyflow.api.contacts import members_page
from journeyflow.api.context import READ, Here
from journeyflow.api.errors import problems
from journeyflow.api.paging import Cursor, Limit, page_of, read_cursor
from journeyflow.core.errors import NotFound
from journeyflow.db import documents
from journeyflow.db.documents import StoredDocument
from journeyflow.db.store import read
from journeyflow.services import members
from journeyflow.services.contacts import Shape

router = APIRouter(tags=["segments"], route_class=StrictRoute)

Id = Annotated[str, Path(max_length=64, description="the segment's id")]


def _shape(stored: StoredDocument) -> Shape:
    name, description = stored.document.get("name"), stored.document.get("description")
    return {
        "id": stored.id,
        "name": name if isinstance(name, str) else None,
        "description": description if isinstance(description, str) else None,
        "version": stored.version,
    }


@router.get("/v1/segments", response_model=shapes.SegmentPage, responses=problems(), dependencies=[READ])
def list_segments(here: Here, limit: Limit = 50, cursor: Cursor = None) -> Shape:
    """Segments by id."""
    place = read_cursor(cursor, (str,))
    with read(here.installation.engine) as connection:
        stored = [one for one in documents.newest(connection, "segment") if place is None or one.id > str(place[0])]
    items, following = page_of(stored, limit, lambda one: (one.id,))
    return {"items": [_shape(one) for one in items], "next_cursor": following}


@router.get("/v1/segments/{id}", response_model=shapes.SegmentDetail, responses=problems(404), dependencies=[READ])
def show_segment(here: Here, id: Id) -> Shape:
    """A segment with its document."""
    with read(here.installation.engine) as connection:
        found = next((one for one in documents.newest(connection, "segment") if one.id == id), None)
    if found is None:
        raise NotFound(f"there is no segment {id}")
    return {**_shape(found), "document": found.document}


@router.get("/v1/segments/{id}/count", response_model=shapes.SegmentCount, responses=problems(404), dependencies=[READ])
def count_members(here: Here, id: Id) -> Shape:
    """How many contacts are in the segment now."""
    installation = here.installation
    with read(installation.engine) as connection:
        library = here.flows.at(connection).library
        return {"segment": id, "count": members.count(connection, library, id, installation.clock())}


@router.get(
    "/v1/segments/{id}/contacts", response_model=shapes.ContactPage, responses=problems(404), dependencies=[READ]
)
def list_members(here: Here, id: Id, limit: Limit = 50, cursor: Cursor = None) -> Shape:
    """The contacts that are in the segment now, in a fixed order that means nothing.

    A page may have fewer than `limit` while there are more: `next_cursor` tells.
    """
    installation = here.installation
    place = read_cursor(cursor, (int, str))
    after = None if place is None else (int(place[0]), str(place[1]))
    with read(installation.engine) as connection:
        library = here.flows.at(connection).library
        return members_page(connection, library, id, after, limit, installation.clock())
