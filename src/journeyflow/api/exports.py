"""What the installation holds, page by page, in the form that imports read."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, JsonValue

from journeyflow.api.context import READ, Here
from journeyflow.api.errors import problems
from journeyflow.api.paging import Cursor, Page, page_of, read_cursor
from journeyflow.core.channel import Channel
from journeyflow.core.identity import shard_of
from journeyflow.db.replay import contacts_after
from journeyflow.db.store import read
from journeyflow.services.contacts import Shape
from journeyflow.services.exports import contact_lines

LIMIT_MAX: Final = 1_000

router = APIRouter(tags=["exports"], dependencies=[READ])


class ExportedContact(BaseModel):
    """A line of `POST /v1/imports/contacts`; what is empty of the last four is left out."""

    contact: str
    created_at: str
    attributes: dict[str, JsonValue]
    tags: list[str]
    topics: dict[str, bool] = Field(default={}, description="what the contact said about topics")
    unsubscribed: list[Channel] = Field(default=[], description="by which channels from everything")
    suppressed: list[Channel] = Field(default=[], description="which of its addresses get nothing any more")
    anonymous: bool = Field(default=False, description="whether nobody has named it by its `userId`")


@router.get(
    "/v1/exports/contacts",
    response_model=Page[ExportedContact],
    response_model_exclude_unset=True,
    responses=problems(),
)
def export_contacts(
    here: Here,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="how many at the most")] = LIMIT_MAX,
    cursor: Cursor = None,
) -> Shape:
    """Contacts as an import reads them, in a fixed order; those that were merged into others are these others."""
    place = read_cursor(cursor, (int, str))
    after = None if place is None else (int(place[0]), str(place[1]))
    with read(here.installation.engine) as connection:
        found = contacts_after(connection, after, limit + 1)
        stored, following = page_of(found, limit, lambda one: (shard_of(one.contact), one.contact))
        return {"items": [*contact_lines(connection, stored)], "next_cursor": following}
