"""Events in the Segment protocol: each is judged on its own, and 200 means that what was not rejected is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import orjson
import structlog
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from journeyflow.api.bodies import parse_json, read_body
from journeyflow.api.context import Context, authorize, secret_of
from journeyflow.api.errors import Problem, ProblemPart, TooLarge, answer, problems, refuse, status_of
from journeyflow.api.segment_events import (
    BATCH_MAX,
    EVENT_BYTES_MAX,
    Arrival,
    Properties,
    Sending,
    Type,
    judge,
    skew_of,
)
from journeyflow.core.errors import InvalidEvent, JourneyflowError, NotAllowed, Overloaded
from journeyflow.core.inputs import GUARDED, Identify
from journeyflow.db.store import read
from journeyflow.services.contacts import Guarded, guarded_attributes
from journeyflow.services.keys import Scope as KeyScope

REQUEST_BYTES_MAX: Final = 500_000
SCOPES: Final[tuple[KeyScope, ...]] = ("browser", "write", "admin")
STORED: Final = b'{"success":true}'

log = structlog.get_logger()

router = APIRouter(tags=["events"])


class Rejected(BaseModel):
    """One event, or one trait, of a request that was not taken."""

    index: int = Field(description="the event's place in the batch, from 0")
    field: str = Field(description="such as `batch[3].timestamp`")
    detail: str


class Taken(BaseModel):
    """What was taken is on disk. ``rejected`` and ``dropped`` are absent where there is nothing to say."""

    success: bool = True
    rejected: list[Rejected] = Field(default=[], description="events that were not taken")
    dropped: list[Rejected] = Field(
        default=[], description="traits that a browser key may not change, left out of events that were taken"
    )


# --- one request -----------------------------------------------------------------------------------------------------


async def _receive(request: Request, type_: Type | None) -> Response:
    """``type_`` is that of the one event in the request; ``None`` for a batch."""
    here: Context = request.app.state.context
    received_at = here.installation.clock()
    secret = secret_of(request)
    scope = None if secret is None else await authorize(here, secret, SCOPES)
    body = await read_body(request, REQUEST_BYTES_MAX)
    data, careful = parse_json(body)
    if not isinstance(data, dict):
        raise InvalidEvent("body", "expected a JSON object")
    request.state.size = len(body)
    batch = data.get("batch")
    if type_ is None and isinstance(batch, list):
        request.state.events = len(batch)
    if scope is None:  # in a browser a header would cost a request more, so its SDK puts the key into the body
        key = data.get("writeKey")
        scope = await authorize(here, key if isinstance(key, str) and key else None, SCOPES)
    here.pressure.demand_room()
    if type_ == "alias" and scope == "browser":
        raise NotAllowed("a browser key, which everybody can read, does not permit alias; it takes write or admin")
    skew = skew_of(data, received_at)
    sending = Sending(received_at, skew, scope == "browser", careful, len(body) > EVENT_BYTES_MAX)
    if type_ is not None:
        return await _take(here, request, sending, [judge(data, type_, "", sending)], [], [Place(0, "")])
    arrivals, rejected, places = _judge_batch(data, sending)
    return await _take(here, request, sending, arrivals, rejected, places)


class Place(NamedTuple):
    """Where in the request an event stood, and what its fields are named after."""

    number: int
    prefix: str


def _judge_batch(data: Properties, sending: Sending) -> tuple[list[Arrival], list[Rejected], list[Place]]:
    batch = data.get("batch")
    if not isinstance(batch, list):
        raise InvalidEvent("batch", "expected a list of events")
    if len(batch) > BATCH_MAX:
        raise TooLarge("batch", f"expected at most {BATCH_MAX:,} events")
    arrivals: list[Arrival] = []
    rejected: list[Rejected] = []
    places: list[Place] = []
    for index, one in enumerate(batch):
        prefix = f"batch[{index}]."
        try:
            arrivals.append(judge(one, None, prefix, sending))
            places.append(Place(index, prefix))
        except InvalidEvent as error:
            rejected.append(Rejected(index=index, field=error.field, detail=error.message))
    return arrivals, rejected, places


async def _take(
    here: Context,
    request: Request,
    sending: Sending,
    arrivals: list[Arrival],
    rejected: list[Rejected],
    places: list[Place],
) -> Response:
    dropped: list[Rejected] = []
    if rejected and not sending.browser:  # SDKs do not read the answer; a browser could fill the log
        first = f"{rejected[0].field}: {rejected[0].detail}"
        log.warning("events of a batch were rejected", rejected=len(rejected), taken=len(arrivals), first=first)
    if sending.browser:
        arrivals, dropped = await _guard(here, arrivals, places, sending.received_at)
    if arrivals:
        inputs = [one for arrival in arrivals for one in arrival.inputs()]
        await asyncio.wrap_future(here.ingest.submit(inputs, request.state.size))
        here.metrics.ingested(len(arrivals), len(rejected))
    elif rejected:
        here.metrics.ingested(0, len(rejected))
        parts = [ProblemPart(field=one.field, detail=one.detail) for one in rejected]
        detail = f"none of {len(rejected)} events was taken; the first: {rejected[0].field}: {rejected[0].detail}"
        return answer(request, Problem(title="Bad Request", status=400, detail=detail, errors=parts))
    if not rejected and not dropped:
        return Response(STORED, media_type="application/json")
    told = Taken(rejected=rejected, dropped=dropped).model_dump(exclude_defaults=True)
    return Response(orjson.dumps({"success": True, **told}), media_type="application/json")


async def _guard(
    here: Context, arrivals: list[Arrival], places: list[Place], now: datetime
) -> tuple[list[Arrival], list[Rejected]]:
    """Without the traits that a browser, whose key everybody can read, may not change."""
    touching = [
        one.contact for one in arrivals if isinstance(one.input, Identify) and GUARDED & one.input.attributes.keys()
    ]
    if not touching:
        return arrivals, []
    known = await run_in_threadpool(_known, here, touching, now)
    dropped: list[Rejected] = []
    allowed = [
        _without(one, known.get(one.contact), place, dropped) for one, place in zip(arrivals, places, strict=True)
    ]
    return allowed, dropped


def _known(here: Context, keys: list[str], now: datetime) -> dict[str, Guarded]:
    with read(here.installation.engine) as connection:
        return guarded_attributes(connection, keys, GUARDED, now)


def _without(one: Arrival, known: Guarded | None, place: Place, dropped: list[Rejected]) -> Arrival:
    if known is None or not known.server or not isinstance(one.input, Identify):
        return one
    attributes = one.input.attributes
    changed = [name for name in attributes if name in GUARDED and known.attributes.get(name) != attributes[name]]
    if not changed:
        return one
    for name in changed:
        detail = "a browser key can't change what is known of this contact; send it with a write key"
        dropped.append(Rejected(index=place.number, field=f"{place.prefix}traits.{name}", detail=detail))
    kept = {name: value for name, value in attributes.items() if name not in changed}
    return one._replace(input=replace(one.input, attributes=kept))


# --- routes ----------------------------------------------------------------------------------------------------------

_ID: Final = {"description": "1 to 255 characters; a number is taken as text"}
_COMMON: Final[dict[str, Any]] = {  # Any: JSON Schema
    "userId": {"type": ["string", "integer", "null"], **_ID},
    "anonymousId": {"type": ["string", "integer", "null"], "description": "where there is no userId"},
    "messageId": {"type": ["string", "integer", "null"], "description": "makes the event count once in 30 days"},
    "timestamp": {"type": ["string", "null"], "format": "date-time"},
    "sentAt": {"type": ["string", "null"], "description": "the sender's clock, which `timestamp` is corrected by"},
}
_OBJECT: Final = {"type": ["object", "null"]}
_TEXT: Final = {"type": ["string", "null"]}
_FIELDS: Final[dict[str, dict[str, Any]]] = {  # Any: JSON Schema
    "track": {"event": {"type": "string", "minLength": 1, "maxLength": 200}, "properties": _OBJECT},
    "identify": {"traits": _OBJECT},
    "page": {"name": _TEXT, "category": _TEXT, "properties": _OBJECT},
    "screen": {"name": _TEXT, "category": _TEXT, "properties": _OBJECT},
    "group": {"groupId": {"type": ["string", "integer", "null"]}, "traits": _OBJECT},
    "alias": {"previousId": {"type": ["string", "integer", "null"], "description": "the id it went by until now"}},
}
_SUMMARIES: Final = {
    "track": "Something a contact did",
    "identify": "What is known of a contact",
    "page": "A page was seen: the event `Page Viewed`",
    "screen": "A screen was seen: the event `Screen Viewed`",
    "group": "What a contact belongs to: the traits become the attribute `group`",
    "alias": "Two ids of one contact: what `previousId` was goes into `userId`",
}


def _schema(type_: Type) -> dict[str, Any]:  # Any: JSON Schema
    required = ["event"] if type_ == "track" else []
    return {"type": "object", "properties": {**_COMMON, **_FIELDS[type_]}, "required": required}


def _batch_schema() -> dict[str, Any]:  # Any: JSON Schema
    every: dict[str, Any] = {"type": {"type": "string", "enum": [*_FIELDS]}}  # Any: JSON Schema
    for fields in _FIELDS.values():
        every |= fields
    event = {"type": "object", "properties": {**_COMMON, **every}, "required": ["type"]}
    batch = {"type": "array", "items": event, "maxItems": BATCH_MAX}
    return {"type": "object", "properties": {"batch": batch, "sentAt": _COMMON["sentAt"]}, "required": ["batch"]}


Handler = Callable[[Request], Awaitable[Response]]
_HANDLERS: Final[dict[str, Handler]] = {}


def _handler(type_: Type | None) -> Handler:
    async def take(request: Request) -> Response:
        try:
            return await _receive(request, type_)
        except JourneyflowError as error:
            _count_refused(request, error)
            raise

    return take


def _count_refused(request: Request, error: JourneyflowError) -> None:
    """All events of a request that was refused as a whole; one, where how many they were is not known.

    What is to be sent again, since the server could not take it, is not rejected.
    """
    here: Context = request.app.state.context
    events = getattr(request.state, "events", 1)
    if isinstance(error, Overloaded):
        here.metrics.overloaded(events)
    elif status_of(error) < HTTPStatus.INTERNAL_SERVER_ERROR:
        here.metrics.ingested(0, events)


def _add(path: str, handler: Handler, summary: str, schema: dict[str, Any]) -> None:
    """The route, which describes it, and the one letter that Segment's browser SDK calls it by."""
    _HANDLERS[f"/v1/{path}"] = _HANDLERS[f"/v1/{path[0]}"] = handler
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    responses = {**problems(), 200: {"model": Taken, "description": "stored"}}
    router.add_api_route(
        f"/v1/{path}",
        handler,
        methods=["POST"],
        summary=summary,
        name=path,
        responses=responses,
        openapi_extra={"requestBody": body},
    )


TYPES: Final[tuple[Type, ...]] = ("track", "identify", "page", "screen", "group", "alias")
for _type in TYPES:
    _add(_type, _handler(_type), _SUMMARIES[_type], _schema(_type))
_add("batch", _handler(None), "Up to 2,500 events, each judged on its own", _batch_schema())


# --- the short way ---------------------------------------------------------------------------------------------------


class EventLane:
    """In front of the app: takes events straight to their handlers, since finding a route costs more than handling one.

    Pages of any site may use it (CORS): the key is in each request, and no cookie is asked for.
    """

    _MAY_ASK: Final = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
        "Access-Control-Max-Age": "86400",
    }

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = _HANDLERS.get(scope["path"]) if scope["type"] == "http" else None
        if handler is None or scope["method"] not in ("POST", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            response = Response(status_code=204, headers=self._MAY_ASK)
        else:
            response = await _handled(handler, Request(scope, receive))
            response.headers["Access-Control-Allow-Origin"] = "*"
        await response(scope, receive, send)


async def _handled(handler: Handler, request: Request) -> Response:
    try:
        return await handler(request)
    except JourneyflowError as error:
        return refuse(request, error)
