"""The pages behind the links in messages: unsubscribing (RFC 8058) and preferences. Looking at one changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from html import escape
from typing import Annotated, NamedTuple
from urllib.parse import parse_qs

from fastapi import APIRouter, Path
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse

from journeyflow.api.bodies import read_body
from journeyflow.api.changes import change
from journeyflow.api.context import Context, Here
from journeyflow.api.errors import open_problems
from journeyflow.api.pages import page, test_page
from journeyflow.core.inputs import Event, Identify, Input
from journeyflow.core.values import JSON
from journeyflow.core.view import Library
from journeyflow.core.workspace import Topic
from journeyflow.db.store import read
from journeyflow.services import contacts

router = APIRouter(tags=["pages for contacts"], default_response_class=HTMLResponse)

Token = Annotated[str, Path(description="from the link in a message")]
FORM_BYTES_MAX = 65_536


class Visitor(NamedTuple):
    """Who looks at a page, and what can be chosen there: ``subscribed`` has the ids of the topics chosen.

    ``tracked`` is whether the contact lets opens and clicks be told; ``None`` where the shop does not ask for them.
    """

    contact: str
    shop: str | None
    topics: Sequence[Topic]
    subscribed: frozenset[str]
    everything_off: bool
    chosen: frozenset[str]
    tracked: bool | None


def _visitor(here: Context, key: JSON) -> Visitor:
    with read(here.installation.engine) as connection:
        library = here.flows.at(connection).library
        return _read_visitor(connection, key, library, here)


def _read_visitor(connection: Connection, key: JSON, library: Library, here: Context) -> Visitor:
    contact = contacts.find(connection, str(key), here.installation.clock())
    address = contacts.addresses_of(connection, [contact])[contact.key]
    topics = contacts.choices(library)
    chosen = frozenset(topic.id for topic in topics if contacts.chosen(contact, topic.id, library))
    workspace = library.workspace
    shop = workspace.name or (workspace.sender.name if workspace.sender else None)
    subscribed = frozenset() if address.unsubscribed else chosen
    tracked = contact.attributes.get("tracking") is not False if _tracks(library) else None
    return Visitor(contact.key, shop, topics, subscribed, address.unsubscribed, chosen, tracked)


def _tracks(library: Library) -> bool:
    tracking = library.workspace.tracking
    return tracking.opens or tracking.clicks


# --- unsubscribing ---------------------------------------------------------------------------------------------------


class Wish(NamedTuple):
    """What an unsubscribe link is for; without a topic it is everything."""

    visitor: Visitor
    topic: str | None
    message: str | None

    @property
    def what(self) -> str:
        """In words."""
        names = [one.name for one in self.visitor.topics if one.id == self.topic]
        whose = f" from {self.visitor.shop}" if self.visitor.shop else ""
        return f"any e-mails{whose}" if self.topic is None else f"“{names[0] if names else self.topic}”{whose}"


def _wish(here: Context, token: str) -> Wish | None:
    """What the link is for; ``None`` for one of a test."""
    data = here.installation.signer.read("unsubscribe", token)
    if data.get("test"):
        return None
    topic, message = data.get("t"), data.get("m")
    visitor = _visitor(here, data.get("c"))
    return Wish(visitor, topic if isinstance(topic, str) else None, message if isinstance(message, str) else None)


def _preferences_link(here: Context, contact: str) -> str:
    token = here.installation.signer.sign("preferences", {"c": contact})
    return f'<p><a href="../p/{escape(token)}">Choose which e-mails you get</a></p>'


@router.head("/u/{token}", include_in_schema=False)
@router.get("/u/{token}", summary="Asks whether to unsubscribe", responses=open_problems(404, media_type="text/html"))
def ask_to_unsubscribe(here: Here, token: Token) -> HTMLResponse:
    """A page with one button; mail scanners that open links change nothing."""
    wish = _wish(here, token)
    if wish is None:
        return test_page("unsubscribe")
    body = (
        f"<p>You will no longer get {escape(wish.what)}.</p>\n"
        '<form method="post"><button type="submit">Unsubscribe</button></form>\n'
        f"{_preferences_link(here, wish.visitor.contact)}"
    )
    return page("Unsubscribe?", body)


@router.post("/u/{token}", summary="Unsubscribes", responses=open_problems(404, media_type="text/html"))
async def unsubscribe(here: Here, token: Token) -> HTMLResponse:
    """The button of the page and the one click of mail programs (RFC 8058) alike; the body says nothing more."""
    wish = await run_in_threadpool(_wish, here, token)
    if wish is None:
        return test_page("unsubscribe")
    properties: dict[str, JSON] = {}
    if wish.topic is not None:
        properties["topic"] = wish.topic
    if wish.message is not None:
        properties["message"] = wish.message
    now = here.installation.clock()
    arrival = (wish.visitor.contact, Event(now, "Unsubscribed", now, properties))
    await asyncio.wrap_future(here.ingest.submit([arrival]))
    body = f'<p role="status">You will no longer get {escape(wish.what)}.</p>\n'
    return page("You are unsubscribed", body + _preferences_link(here, wish.visitor.contact))


# --- preferences -----------------------------------------------------------------------------------------------------


def _of_token(here: Context, token: str) -> Visitor | None:
    """Who may choose; ``None`` for a link of a test."""
    data = here.installation.signer.read("preferences", token)
    return None if data.get("test") else _visitor(here, data.get("c"))


def _form(visitor: Visitor, saved: str | None) -> HTMLResponse:
    status = "" if saved is None else f'<p role="status">{escape(saved)}</p>\n'
    if not visitor.topics:
        return page("E-mail preferences", f"{status}{_all_or_nothing(visitor)}{_tracking_form(visitor)}")
    boxes = "\n".join(_box(topic, topic.id in visitor.subscribed) for topic in visitor.topics)
    whose = f" from {visitor.shop}" if visitor.shop else ""
    body = (
        f'{status}<form method="post">\n<fieldset>\n<legend>Which e-mails{escape(whose)} would you like?</legend>\n'
        f'{boxes}\n</fieldset>\n{_tracking_box(visitor)}<button type="submit">Save</button>\n'
        '<button type="submit" name="everything" value="off" class="second">Unsubscribe from everything</button>\n'
        '</form>\n<p class="faint">E-mails about your orders and your account come all the same.</p>'
    )
    return page("E-mail preferences", body)


def _box(topic: Topic, checked: bool) -> str:
    note = f'<br><span class="faint">{escape(topic.description)}</span>' if topic.description else ""
    mark = " checked" if checked else ""
    return (
        f'<label><input type="checkbox" name="topic" value="{escape(topic.id)}"{mark}>'
        f"<span>{escape(topic.name)}{note}</span></label>"
    )


def _tracking_box(visitor: Visitor) -> str:
    """The hidden field tells a box that was left empty from a form without one."""
    if visitor.tracked is None:
        return ""
    who = escape(visitor.shop or "us")
    mark = " checked" if visitor.tracked else ""
    return (
        '<fieldset>\n<legend>Privacy</legend>\n<input type="hidden" name="tracking" value="asked">'
        f'<label><input type="checkbox" name="tracking" value="yes"{mark}>'
        f"<span>Let {who} see which e-mails I open and which links I follow</span></label>\n</fieldset>\n"
    )


def _tracking_form(visitor: Visitor) -> str:
    box = _tracking_box(visitor)
    return f'\n<form method="post">\n{box}<button type="submit">Save</button>\n</form>' if box else ""


def _all_or_nothing(visitor: Visitor) -> str:
    """A workspace without topics: there is only everything."""
    if visitor.everything_off:
        text, name, label = "You are unsubscribed from everything.", "on", "Subscribe again"
    else:
        text, name, label = "You are subscribed.", "off", "Unsubscribe from everything"
    button = f'<button type="submit" name="everything" value="{name}">{label}</button>'
    return f'<p>{text}</p>\n<form method="post">{button}</form>'


@router.head("/p/{token}", include_in_schema=False)
@router.get("/p/{token}", summary="Shows preferences", responses=open_problems(404, media_type="text/html"))
def show_preferences(here: Here, token: Token) -> HTMLResponse:
    """A page with a box for each topic."""
    visitor = _of_token(here, token)
    return test_page("choose which e-mails to get") if visitor is None else _form(visitor, None)


@router.post("/p/{token}", summary="Saves preferences", responses=open_problems(404, 413, media_type="text/html"))
async def save_preferences(here: Here, token: Token, request: Request) -> HTMLResponse:
    """What the form says, as events `Subscribed` and `Unsubscribed`."""
    visitor = await run_in_threadpool(_of_token, here, token)
    if visitor is None:
        return test_page("choose which e-mails to get")
    form = parse_qs((await read_body(request, FORM_BYTES_MAX)).decode(errors="replace"), max_num_fields=None)
    everything = form.get("everything", [""])[0]
    known = {topic.id for topic in visitor.topics}
    wanted = frozenset(known & {*form.get("topic", [])}) if everything != "off" else frozenset()
    tracked = _wants_tracking(visitor, form)
    now = here.installation.clock()
    inputs: list[Input] = [
        Event(now, name, now, properties) for name, properties in _changes(visitor, wanted, everything)
    ]
    if tracked != visitor.tracked:
        inputs.append(Identify(now, {"tracking": None if tracked else False}))
    if inputs:
        await change(here, visitor.contact, inputs, None)
    off = everything == "off" or (visitor.everything_off and not wanted and everything != "on")
    saved = "You are unsubscribed from everything." if off else "Saved."
    return _form(visitor._replace(subscribed=wanted, everything_off=off, tracked=tracked), saved)


def _wants_tracking(visitor: Visitor, form: dict[str, list[str]]) -> bool | None:
    """What a form says of opens and clicks; one that does not ask for them changes nothing."""
    said = form.get("tracking", [])
    return "yes" in said if said and visitor.tracked is not None else visitor.tracked


def _changes(visitor: Visitor, wanted: frozenset[str], everything: str) -> list[tuple[str, dict[str, JSON]]]:
    """The events that lead from what holds to what is wanted."""
    if everything == "off":
        return [] if visitor.everything_off else [("Unsubscribed", {})]
    changes: list[tuple[str, dict[str, JSON]]] = []
    if visitor.everything_off:
        if not wanted and everything != "on":
            return []
        changes.append(("Subscribed", {}))
    if everything == "on":
        return changes
    for topic in visitor.topics:
        if (topic.id in wanted) != (topic.id in visitor.chosen):
            name = "Subscribed" if topic.id in wanted else "Unsubscribed"
            changes.append((name, {"topic": topic.id}))
    return changes
