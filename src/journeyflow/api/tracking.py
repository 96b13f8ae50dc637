"""Opens and clicks: an image and a redirect behind signed tokens, told as events (rule 5.7)."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from hashlib import sha256
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from journeyflow.api.context import Context, Here
from journeyflow.api.errors import ProblemResponses, open_problems
from journeyflow.core.errors import NotFound, Overloaded
from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON
from journeyflow.db import aliases, contacts, outbox
from journeyflow.db.store import read
from journeyflow.services.machines import is_machine
from journeyflow.services.message_links import known_instant, with_query

log = structlog.get_logger()

router = APIRouter(tags=["pages for contacts"])

Token = Annotated[str, Path(description="from a message")]

ONCE_SECONDS: Final = 10
"""Fetches of the same by the same kind of visitor within the same such stretch are one event."""
_NEVER_KEPT: Final = {"Cache-Control": "no-store, max-age=0", "X-Robots-Tag": "noindex, nofollow"}
_IMAGE: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_REDIRECT: Final[ProblemResponses] = {302: {"description": "the page that the link in the message leads to"}}
_GIF: Final[ProblemResponses] = {200: {"content": {"image/gif": {}}, "description": "one transparent pixel"}}


@router.get(
    "/t/c/{token}",
    status_code=302,
    response_class=RedirectResponse,
    summary="Follows a link",
    responses={**_REDIRECT, **open_problems(404, media_type="text/html")},
)
async def follow_link(here: Here, token: Token, request: Request) -> Response:
    """The event `Email Link Clicked`, and on to the address inside the signed token; to no other."""
    data = here.installation.signer.read("click", token)
    await _tell(here, request, "Email Link Clicked", data, str(data["u"]))
    return _onwards(data)


@router.head("/t/c/{token}", include_in_schema=False)
async def look_at_link(here: Here, token: Token) -> Response:
    """Where the link leads; nobody followed it."""
    return _onwards(here.installation.signer.read("click", token))


def _onwards(data: dict[str, JSON]) -> Response:
    return RedirectResponse(with_query(str(data["u"]), str(data.get("q") or "")), 302, _NEVER_KEPT)


@router.get(
    "/t/o/{token}.gif",
    response_class=Response,
    summary="Shows the image in a message",
    responses={**_GIF, **open_problems(404)},
)
async def show_image(here: Here, token: Token, request: Request) -> Response:
    """The event `Email Opened`."""
    data = here.installation.signer.read("open", token)
    await _tell(here, request, "Email Opened", data, None)
    return Response(_IMAGE, media_type="image/gif", headers=_NEVER_KEPT)


@router.head("/t/o/{token}.gif", include_in_schema=False)
async def look_at_image(here: Here, token: Token) -> Response:
    """That there is an image; nobody saw it."""
    here.installation.signer.read("open", token)
    return Response(media_type="image/gif", headers=_NEVER_KEPT)


async def _tell(here: Context, request: Request, name: str, data: dict[str, JSON], url: str | None) -> None:
    """Store the event; whoever clicked gets on in any case."""
    if data.get("test"):
        return
    machine = is_machine(request.headers)
    try:
        contact, properties = await run_in_threadpool(_described, here, data)
    except NotFound:  # erased since: nothing is to make it anew
        return
    properties["machine"] = machine
    if url is not None:
        properties["url"] = url
    now = here.installation.clock()
    stretch = int(now.timestamp()) // ONCE_SECONDS
    what = f"{name}\x1f{data['m']}\x1f{url}\x1f{machine}\x1f{stretch}"
    event = Event(now, name, now, properties, sha256(what.encode()).hexdigest())
    try:
        await asyncio.wrap_future(here.ingest.submit([(contact, event)]))
    except Overloaded:
        log.warning("too much is waiting: not stored", event=name, message=data["m"])


def _described(here: Context, data: dict[str, JSON]) -> tuple[str, dict[str, JSON]]:
    """Whose event it is, and which message it speaks of.

    :raises NotFound: when the contact is not there any more.
    """
    message = str(data["m"])
    properties: dict[str, JSON] = {"message": message}
    with read(here.installation.engine) as connection:
        found = outbox.by_id(connection, message, known_instant(data))
        contact = aliases.resolve(connection, str(data["c"])) if found is None else found.contact
        if not contacts.load(connection, [contact], here.installation.clock()):
            raise NotFound(f"there is no contact {contact!r}")
    if found is not None:
        properties |= {
            "template": found.template,
            "journey": found.journey,
            "node": found.node,
            "run": found.run,
        }
    return contact, properties
