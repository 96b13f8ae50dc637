"""Messages: what was queued, what became of it, and what the contact sees."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection

from journeyflow.api import shapes
from journeyflow.api.bodies import StrictRoute
from journeyflow.api.context import ADMIN, READ, Context, Here
from journeyflow.api.errors import problems
from journeyflow.api.once import Once, do_once
from journeyflow.api.paging import Cursor, Limit, page_of, read_cursor
from journeyflow.channels.base import Email
from journeyflow.core.contact import Contact
from journeyflow.core.errors import Conflict, JourneyflowError, NotFound
from journeyflow.db import aliases, contacts, outbox
from journeyflow.db.outbox import StoredMessage
from journeyflow.db.store import read, write
from journeyflow.services.contacts import Shape, message_shape

router = APIRouter(tags=["messages"], route_class=StrictRoute)

Id = Annotated[str, Path(max_length=64, description="the message's id")]


def _find(connection: Connection, id_: str) -> StoredMessage:
    found = outbox.by_id(connection, id_)
    if found is None:
        raise NotFound(f"there is no message {id_}")
    return found


@router.get("/v1/messages", response_model=shapes.MessagePage, responses=problems(), dependencies=[READ])
def list_messages(
    here: Here,
    contact: Annotated[str | None, Query(max_length=255)] = None,
    status: Annotated[shapes.MessageStatus | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Shape:
    """Messages: of one contact oldest first, of all in a fixed order that means nothing."""
    place = read_cursor(cursor, (int, str, int, str))
    after = None if place is None else (int(place[0]), str(place[1]), int(place[2]), str(place[3]))
    with read(here.installation.engine) as connection:
        person = None if contact is None else aliases.resolve(connection, contact)
        found = outbox.page(connection, person, status, after, limit + 1)
    items, following = page_of(found, limit, outbox.place)
    return {"items": [message_shape(one) for one in items], "next_cursor": following}


@router.get("/v1/messages/{id}", response_model=shapes.SentMessage, responses=problems(404), dependencies=[READ])
def show_message(here: Here, id: Id) -> Shape:
    """A message as its contact sees it; one that was not sent yet, as it would go out now."""
    with read(here.installation.engine) as connection:
        message = _find(connection, id)
        return {**message_shape(message), **_shown(connection, here, message)}


def _shown(connection: Connection, here: Context, message: StoredMessage) -> Shape:
    """What is in the message; nothing where it was skipped, or its template fails."""
    nothing: Shape = {"html": None, "text": None, "headers": {}}
    if message.status == "skipped":
        return nothing
    installation = here.installation
    now = installation.clock()
    contact = contacts.load(connection, [message.contact], now).get(message.contact) or Contact(message.contact)
    flows = here.flows.at(connection)
    try:
        email = installation.postmaster.outgoing(connection, message, flows, contact, message.sent_at or now)
    except JourneyflowError:
        return nothing
    if not isinstance(email, Email):
        return {**nothing, "text": email.text}
    sender = email.sender_email if email.sender_name is None else f"{email.sender_name} <{email.sender_email}>"
    headers = {"From": sender, "To": email.to, "Subject": email.subject}
    if email.reply_to is not None:
        headers["Reply-To"] = email.reply_to
    return {"html": email.html, "text": email.text, "headers": {**headers, **email.headers}}


@router.post(
    "/v1/messages/{id}/retry", response_model=shapes.Message, responses=problems(404, 409), dependencies=[ADMIN]
)
def retry_message(here: Here, id: Id, once: Once) -> Shape:
    """Try a message that failed once more; consent, suppression and quiet hours are asked again."""
    now = here.installation.clock()
    with write(here.installation.engine) as connection:
        message = _find(connection, id)
        do_once(connection, once, now, message.contact)
        if not outbox.retry(connection, message, now):
            raise Conflict(f"message {id} is {message.status}; only one that failed can be tried again")
        again = _find(connection, id)
    here.wake()
    return message_shape(again)
