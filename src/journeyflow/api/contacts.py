"""Contacts: read at once, changed by inputs that have their turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from journeyflow.api import shapes
from journeyflow.api.bodies import StrictRoute
from journeyflow.api.changes import Accepted, change
from journeyflow.api.context import ADMIN, READ, Context, Here
from journeyflow.api.errors import ProblemResponses, problems
from journeyflow.api.once import Once
from journeyflow.api.paging import Cursor, Limit, page_of, read_cursor, write_cursor
from journeyflow.api.segment_events import key_text
from journeyflow.core.effects import StoredEvent, TrailRecord
from journeyflow.core.errors import InvalidEvent, NotFound
from journeyflow.core.inputs import Forget, Identify, Input, SetTags, SetTopics
from journeyflow.core.values import iso
from journeyflow.core.view import Library
from journeyflow.db import forgetting
from journeyflow.db.claims import Place
from journeyflow.db.history import StoredRefusal
from journeyflow.db.idempotency import INSTALLATION
from journeyflow.db.outbox import StoredMessage
from journeyflow.db.segments import ANYBODY, Wish
from journeyflow.db.store import read
from journeyflow.db.timeline import Happening, Position
from journeyflow.services import contacts, members
from journeyflow.services.contacts import Shape, message_shape
from journeyflow.services.explain import Explanation, explain, record_json, refusal_json
from journeyflow.services.explain_steps import was_kept
from journeyflow.services.unusable import dates_of, unusable

router = APIRouter(tags=["contacts"], route_class=StrictRoute)

KeyPath = Annotated[str, Path(max_length=255, description="the contact's key; a slash in it as it is or as %2F")]
ACCEPTED: ProblemResponses = {202: {"model": Accepted, "description": "on disk; its turn has not come within 5 s"}}

# --- reading ---------------------------------------------------------------------------------------------------------


def describe(here: Context, key: str) -> Shape:
    """A contact's shape as it is now.

    :raises NotFound: when there is none of that key.
    """
    with read(here.installation.engine) as connection:
        library = here.flows.at(connection).library
        return contacts.describe(connection, key, library, here.installation.clock())


@router.get("/v1/contacts", response_model=shapes.ContactPage, responses=problems(404), dependencies=[READ])
def list_contacts(
    here: Here,
    email: Annotated[
        str | None, Query(min_length=1, max_length=320, description="that address, however it is spelled")
    ] = None,
    tag: Annotated[str | None, Query(min_length=1, max_length=200, description="who has that tag")] = None,
    segment: Annotated[str | None, Query(max_length=64, description="who is in that segment now")] = None,
    stage: Annotated[str | None, Query(max_length=64, description="who is in that stage, as judged last")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Shape:
    """Contacts, in a fixed order that means nothing; of several filters all hold.

    A page of a filtered list may have fewer than `limit` while there are more: `next_cursor` tells.
    """
    place = read_cursor(cursor, (int, str))
    after = None if place is None else (int(place[0]), str(place[1]))
    wish = Wish(email, tag, stage)
    now = here.installation.clock()
    with read(here.installation.engine) as connection:
        library = here.flows.at(connection).library
        if segment is None and wish == ANYBODY:
            found = contacts.describe_page(connection, after, limit + 1, library, now)
            items, following = page_of(found, limit, lambda one: one[0])
            return {"items": [shape for _, shape in items], "next_cursor": following}
        return members_page(connection, library, segment, after, limit, now, wish)


def members_page(
    connection: Connection,
    library: Library,
    segment: str | None,
    after: Place | None,
    limit: int,
    now: datetime,
    wish: Wish = ANYBODY,
) -> Shape:
    """A page of those whom a segment and a wish choose.

    :raises NotFound: when there is no such segment.
    """
    found, following = members.page(connection, library, segment, after, limit, now, wish)
    addresses = contacts.addresses_of(connection, found)
    return {
        "items": [contacts.contact_shape(one, library, addresses[one.key]) for one in found],
        "next_cursor": None if following is None else write_cursor(following),
    }


@router.get(
    "/v1/contacts/{key:key}/timeline", response_model=shapes.TimelinePage, responses=problems(404), dependencies=[READ]
)
def timeline(here: Here, key: KeyPath, limit: Limit = 50, cursor: Cursor = None) -> Shape:
    """What happened to a contact, newest first: its events, the steps of its runs, its messages."""
    place = read_cursor(cursor, (int, int, int, str))
    before = None if place is None else Position(int(place[0]), int(place[1]), int(place[2]), str(place[3]))
    with read(here.installation.engine) as connection:
        found = contacts.happenings(connection, key, before, limit + 1, here.installation.clock())
    items, following = page_of(found, limit, lambda one: one.position)
    return {"items": [_told(one) for one in items], "next_cursor": following}


def _told(one: Happening) -> Shape:
    told: Shape = {"at": iso(one.at), "kind": one.kind}
    match one.what:
        case StoredEvent() as event:
            told["event"] = {
                "name": event.name,
                "occurred_at": iso(event.occurred_at),
                "claimed_at": None if event.claimed_at is None else iso(event.claimed_at),
                "properties": event.properties,
            }
        case TrailRecord() as record:
            told["step"] = record_json(record)
        case StoredRefusal() as refusal:
            told["step"] = refusal_json(refusal)
        case StoredMessage() as message:
            told["message"] = message_shape(message)
            told["note"] = "kept in the mailbox, sent nowhere" if was_kept(message) else None
    return told


@router.get(
    "/v1/contacts/{key:key}/explanation", response_model=Explanation, responses=problems(404), dependencies=[READ]
)
def explanation(here: Here, key: KeyPath, journey: Annotated[str | None, Query(max_length=64)] = None) -> Explanation:
    """Why the contact got, or did not get, what: its runs and refusals as a story, and the trail behind it."""
    with read(here.installation.engine) as connection:
        return explain(connection, key, journey, here.installation.clock())


@router.get(
    "/v1/contacts/{key:key}/tags", response_model=shapes.ContactTags, responses=problems(404), dependencies=[READ]
)
def show_tags(here: Here, key: KeyPath) -> Shape:
    """The tags of a contact."""
    return {"tags": describe(here, key)["tags"]}


@router.get(
    "/v1/contacts/{key:key}/topics", response_model=shapes.ContactTopics, responses=problems(404), dependencies=[READ]
)
def show_topics(here: Here, key: KeyPath) -> Shape:
    """What a contact said about topics, or has by their defaults."""
    return {"topics": describe(here, key)["topics"]}


@router.get(
    "/v1/contacts/{key:key}",
    response_model=shapes.ShownContact,
    response_model_exclude_unset=True,
    responses=problems(404),
    dependencies=[READ],
)
def show_contact(here: Here, key: KeyPath) -> Shape:
    """One contact."""
    shape = describe(here, key)
    with read(here.installation.engine) as connection:
        dates = dates_of(here.flows.at(connection))
    attributes = shape["attributes"]
    assert isinstance(attributes, dict)
    found = unusable(attributes, dates)
    return shape | {"unusable": [*found]} if found else shape


# --- changing --------------------------------------------------------------------------------------------------------


async def _changed(here: Context, key: str, inputs: Sequence[Input], once: Once) -> Shape | JSONResponse:
    changed = await change(here, key, inputs, once)
    if changed.waiting is not None:
        return changed.waiting
    return await run_in_threadpool(describe, here, key)


@router.post(
    "/v1/contacts",
    response_model=shapes.Contact,
    responses={**problems(409), **ACCEPTED},
    dependencies=[ADMIN],
)
async def create_contact(here: Here, body: shapes.NewContact, once: Once) -> Shape | JSONResponse:
    """Make a contact, or change the one that has this key."""
    now = here.installation.clock()
    attributes = dict(body.attributes)
    if "email" in body.model_fields_set:
        attributes["email"] = body.email
    inputs: list[Input] = [Identify(now, attributes, known=True)]
    if body.tags:
        inputs.append(SetTags(now, add=tuple(body.tags)))
    if body.topics:
        inputs.append(await run_in_threadpool(_topics, here, body.topics, now))
    return await _changed(here, key_text(body.contact, "contact"), inputs, once)


@router.patch(
    "/v1/contacts/{key:key}",
    response_model=shapes.Contact,
    responses={**problems(404, 409), **ACCEPTED},
    dependencies=[ADMIN],
)
async def change_contact(here: Here, key: KeyPath, body: shapes.ContactChange, once: Once) -> Shape | JSONResponse:
    """Change attributes of a contact."""
    await run_in_threadpool(_demand, here, key)
    attributes = dict(body.attributes)
    if "email" in body.model_fields_set:
        attributes["email"] = body.email
    return await _changed(here, key, [Identify(here.installation.clock(), attributes)], once)


@router.post(
    "/v1/contacts/{key:key}/tags",
    response_model=shapes.Contact,
    responses={**problems(404, 409), **ACCEPTED},
    dependencies=[ADMIN],
)
async def change_tags(here: Here, key: KeyPath, body: shapes.TagChange, once: Once) -> Shape | JSONResponse:
    """Put tags on a contact and take tags off."""
    await run_in_threadpool(_demand, here, key)
    tags = SetTags(here.installation.clock(), tuple(body.add), tuple(body.remove))
    return await _changed(here, key, [tags], once)


@router.post(
    "/v1/contacts/{key:key}/topics",
    response_model=shapes.ShownContact,
    response_model_exclude_unset=True,
    responses={**problems(404, 409), **ACCEPTED},
    dependencies=[ADMIN],
)
async def change_topics(here: Here, key: KeyPath, body: shapes.TopicChange, once: Once) -> Shape | JSONResponse:
    """Write down what a contact said about topics."""
    await run_in_threadpool(_demand, here, key)
    topics = await run_in_threadpool(_topics, here, body.topics, here.installation.clock())
    return await _changed(here, key, [topics], once)


@router.delete(
    "/v1/contacts/{key:key}",
    status_code=204,
    responses={**problems(404, 409), **ACCEPTED},
    dependencies=[ADMIN],
)
async def forget_contact(here: Here, key: KeyPath, once: Once) -> Response:
    """Erase a contact: its runs leave, what is queued is withdrawn, and nothing that names it is kept.

    What was said of its address (suppressed, unsubscribed from everything) stays with the address's hash.
    What comes in for this key from then on makes a contact anew.
    """
    await run_in_threadpool(_demand_known, here, key)
    forget = Forget(here.installation.clock())
    changed = await change(here, key, [forget], once, INSTALLATION)  # else its name would be erased with the contact
    return Response(status_code=204) if changed.waiting is None else changed.waiting


def _demand_known(here: Context, key: str) -> None:
    with read(here.installation.engine) as connection:
        if not forgetting.is_known(connection, key):
            raise NotFound(f"there is no contact {key!r}")


def _demand(here: Context, key: str) -> None:
    """Refuse what would make a contact by a slip of the pen."""
    with read(here.installation.engine) as connection:
        contacts.demand(connection, key, here.installation.clock())


def _topics(here: Context, topics: dict[str, bool], now: datetime) -> SetTopics:
    with read(here.installation.engine) as connection:
        workspace = here.flows.at(connection).library.workspace
    for topic in topics:
        if workspace.topic(topic) is None:
            known = ", ".join(one.id for one in workspace.topics) or "none"
            raise InvalidEvent(f"topics.{topic}", f"expected the id of a topic of the workspace; there are: {known}")
    return SetTopics(now, dict(topics))
