"""Whole files, as history: nothing moves (rule 1.11), and all that can be taken of a file is stored together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, Final, NamedTuple

import orjson
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from journeyflow.api.bodies import FileRoute, unfit
from journeyflow.api.context import ADMIN, Context, Here
from journeyflow.api.errors import problems
from journeyflow.api.once import OF_MANY, do_once, token_of
from journeyflow.api.segment_events import EVENT_BYTES_MAX, demand_name, key_text
from journeyflow.clock import stopwatch
from journeyflow.core.errors import Busy, InvalidEvent
from journeyflow.core.inputs import Input, Merge
from journeyflow.core.local_time import zone
from journeyflow.core.values import JSON
from journeyflow.db import aliases, inbox
from journeyflow.db.idempotency import Token
from journeyflow.db.memory import read_seen
from journeyflow.db.store import read, write
from journeyflow.services.contact_lines import arrival
from journeyflow.services.data_files import parsed
from journeyflow.services.event_lines import EventLine, Happened, History
from journeyflow.services.imports import LINES_MAX
from journeyflow.services.simulate_errors import BadLine
from journeyflow.services.unusable import dates_of, unusable

REJECTED_MAX: Final = 10_000
"""So many rejected lines are told; the others are counted."""
UNUSABLE_MAX: Final = 100
"""So many lines with a value that can't be used are told, likewise."""
WAIT_SECONDS_MAX: Final = 5.0
POLL_SECONDS: Final = 0.02
SEEN_AT_ONCE: Final = 5_000
NDJSON: Final[dict[str, Any]] = {  # Any: JSON Schema
    "requestBody": {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
}

router = APIRouter(tags=["imports"], dependencies=[ADMIN], route_class=FileRoute)
_one_at_a_time = Lock()


class RejectedLine(BaseModel):
    """One line that was not taken, or not all of whose values can be used."""

    line: int = Field(description="its number, from 1")
    detail: str


class Imported(BaseModel):
    """What became of the lines; ``handled`` is false while the last of them still waits for its turn."""

    imported: int = Field(description="lines that are on disk")
    rejected: int
    rejected_lines: list[RejectedLine]
    handled: bool


class ImportedContacts(Imported):
    """What became of contacts."""

    unusable: int = Field(description="lines that were taken with a value that can't be used, such as no address")
    unusable_lines: list[RejectedLine] = Field(description="the first of them")


class ImportedEvents(Imported):
    """What became of events."""

    repeated: int = Field(description="lines that their contact has had before, which are not taken again")


class Judged(NamedTuple):
    """What can be taken of the lines, what can't; what is taken though not all of it can be used, what was there."""

    arrivals: list[tuple[str, Input]]
    rejected: list[RejectedLine]
    unusable: list[RejectedLine]
    repeated: int


@router.post(
    "/v1/imports/contacts",
    responses={202: {"model": ImportedContacts, "description": "on disk, and waiting for its turn"}, **problems(429)},
    openapi_extra=NDJSON,
)
async def import_contacts(request: Request, response: Response, here: Here) -> ImportedContacts:
    """Take contacts as JSON Lines: `{"contact": KEY, "attributes": {}, "tags": [], "created_at": ISO}`.

    Beside them `topics`, `unsubscribed`, `suppressed` and `anonymous`, as `GET /v1/exports/contacts` has them. Of a
    contact that exists, attributes and tags are merged in, and a "no" on either side stays one.
    """
    judged, told = await _import(request, response, here, _judge_contacts)
    return ImportedContacts(
        unusable=len(judged.unusable), unusable_lines=judged.unusable[:UNUSABLE_MAX], **told.model_dump()
    )


@router.post(
    "/v1/imports/events",
    responses={202: {"model": ImportedEvents, "description": "on disk, and waiting for its turn"}, **problems(429)},
    openapi_extra=NDJSON,
)
async def import_events(request: Request, response: Response, here: Here) -> ImportedEvents:
    """Take events as JSON Lines: `{"contact": KEY, "event": NAME, "occurred_at": ISO, "properties": {}}`.

    Beside them `message_id` (else one follows from what the line says) and `received_at`, by which they are put in
    order; `$identify` and `$merge` mean what they mean in a simulation.
    """
    judged, told = await _import(request, response, here, _judge_events)
    return ImportedEvents(repeated=judged.repeated, **told.model_dump())


async def _import(
    request: Request, response: Response, here: Context, judge: Callable[[Context, bytes], Judged]
) -> tuple[Judged, Imported]:
    here.pressure.demand_room()
    if not _one_at_a_time.acquire(blocking=False):
        raise Busy("another import is on its way; nothing of this one was stored")
    try:
        body = await request.body()
        once = await token_of(request)
        judged = await run_in_threadpool(judge, here, body)
        last = await run_in_threadpool(_store, here, judged.arrivals, once)
    finally:
        _one_at_a_time.release()
    handled = last is None or await _had_its_turn(here, *last)
    response.status_code = 200 if handled else 202
    response.headers.update(OF_MANY)
    rejected = judged.rejected
    return judged, Imported(
        imported=len(judged.arrivals),
        rejected=len(rejected),
        rejected_lines=rejected[:REJECTED_MAX],
        handled=handled,
    )


# --- contacts --------------------------------------------------------------------------------------------------------


def _judge_contacts(here: Context, body: bytes) -> Judged:
    now = here.installation.clock()
    with read(here.installation.engine) as connection:
        flows = here.flows.at(connection)
    timezone, dates = flows.library.workspace.timezone, dates_of(flows)
    judged = Judged([], [], [], 0)
    known: set[str] = set()
    for number, line in _numbered(body):
        try:
            named, item = arrival(_object(line), timezone, now)
            key = key_text(named, "contact")
            if key in known:
                raise BadLine.at("contact", "each contact once", key)
            _demand_room(judged, "contacts")
        except (BadLine, InvalidEvent) as error:
            judged.rejected.append(RejectedLine(line=number, detail=str(error)))
        else:
            known.add(key)
            judged.arrivals.append((key, item))
            found = unusable(item.attributes, dates)
            if found:
                judged.unusable.append(RejectedLine(line=number, detail="; ".join(found)))
    return judged


def _demand_room(judged: Judged, what: str) -> None:
    if len(judged.arrivals) >= LINES_MAX:
        raise BadLine(f"expected at most {LINES_MAX:,} {what} at once")


# --- events ----------------------------------------------------------------------------------------------------------


def _judge_events(here: Context, body: bytes) -> Judged:
    now = here.installation.clock()
    with read(here.installation.engine) as connection:
        history = History(zone(here.flows.at(connection).library.workspace.timezone), now)
    judged = Judged([], [], [], 0)
    found: list[tuple[EventLine, Happened]] = []
    visitors: set[str] = set()
    for number, line in _numbered(body):
        try:
            event = history.read(_object(line))
            _demand_fit(event)
            item = event.as_input(now, imported=True, known=True)
            if isinstance(item, Merge):
                key_text(item.into, "properties.into")
                visitors.add(event.contact)
            _demand_room(judged, "events")
        except (BadLine, InvalidEvent) as error:
            judged.rejected.append(RejectedLine(line=number, detail=str(error)))
        else:
            found.append((event, item))
    found.sort(key=lambda one: one[0].received_at)
    new = [(key, _unknown(item) if key in visitors else item) for key, item in _new(here, found)]
    return judged._replace(arrivals=[*new], repeated=len(found) - len(new))


def _unknown(item: Happened) -> Happened:
    """A server tells of its customers, but who turns out to be one was a visitor."""
    return item if isinstance(item, Merge) else replace(item, known=False)


def _demand_fit(event: EventLine) -> None:
    key_text(event.contact, "contact")
    demand_name(event.name, event.properties, "")
    if len(orjson.dumps(event.properties)) > EVENT_BYTES_MAX:
        raise BadLine(f"properties: expected at most {EVENT_BYTES_MAX // 1024} kB")


def _new(here: Context, found: Sequence[tuple[EventLine, Happened]]) -> Iterator[tuple[str, Happened]]:
    """What contacts have not had; the engine would pass over the others as well, and nobody could count them."""
    taken: set[tuple[str, str]] = set()
    for start in range(0, len(found), SEEN_AT_ONCE):
        some = found[start : start + SEEN_AT_ONCE]
        with read(here.installation.engine) as connection:
            into = {item.into for _, item in some if isinstance(item, Merge)}
            people = aliases.find(connection, into | {event.contact for event, _ in some})
            named = [(people.get(event.contact, event.contact), event.message_id or "") for event, _ in some]
            taken |= read_seen(connection, named)
        for name, (event, item) in zip(named, some, strict=True):
            merged = isinstance(item, Merge) and people.get(item.into, item.into) == name[0]
            if name not in taken and not merged:
                taken.add(name)
                yield event.contact, item


# --- lines -----------------------------------------------------------------------------------------------------------


def _numbered(body: bytes) -> Iterator[tuple[int, bytes]]:
    start, number = 0, 0
    while start < len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        number += 1
        line = body[start:end]
        if line and not line.isspace():
            yield number, line
        start = end + 1


def _object(line: bytes) -> dict[str, JSON]:
    data = parsed(line)
    wrong = unfit(data, "line") if b"\\u0000" in line else None
    if wrong is not None:
        raise BadLine(str(wrong).removeprefix("line."))
    return data


def _store(here: Context, arrivals: list[tuple[str, Input]], once: Token | None) -> tuple[str, int] | None:
    """All of them, in one transaction; the last one's key and input."""
    if not arrivals:
        return None
    with write(here.installation.engine) as connection:
        do_once(connection, once, here.installation.clock())
        ids = inbox.put(connection, arrivals)
    here.wake()
    return arrivals[-1][0], ids[-1]


async def _had_its_turn(here: Context, contact: str, id_: int) -> bool:
    began = stopwatch()
    while await run_in_threadpool(_waits, here, contact, id_):
        if stopwatch() - began > WAIT_SECONDS_MAX:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


def _waits(here: Context, contact: str, id_: int) -> bool:
    with read(here.installation.engine) as connection:
        return inbox.waits(connection, contact, id_)
