"""Whole files, as history: nothing moves (rule 1.11), and all that can be taken of a file is stored together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from threading import Lock
from typing import Final, NamedTuple

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from journeyflow.api.bodies import read_body, unfit
from journeyflow.api.context import ADMIN, Context, Here
from journeyflow.api.errors import problems
from journeyflow.api.segment_events import key_text
from journeyflow.clock import stopwatch
from journeyflow.core.errors import Busy, InvalidEvent
from journeyflow.core.inputs import Appear
from journeyflow.core.values import JSON
from journeyflow.db import inbox
from journeyflow.db.store import read, write
from journeyflow.services.contact_lines import arrival
from journeyflow.services.data_files import parsed
from journeyflow.services.imports import LINES_MAX
from journeyflow.services.simulate_errors import BadLine
from journeyflow.services.unusable import dates_of, unusable

BYTES_MAX: Final = 200_000_000
REJECTED_MAX: Final = 10_000
"""So many rejected lines are told; the others are counted."""
UNUSABLE_MAX: Final = 100
"""So many lines with a value that can't be used are told, likewise."""
WAIT_SECONDS_MAX: Final = 5.0
POLL_SECONDS: Final = 0.02

router = APIRouter(tags=["imports"], dependencies=[ADMIN])
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
    unusable: int = Field(description="lines that were taken with a value that can't be used, such as no address")
    unusable_lines: list[RejectedLine] = Field(description="the first of them")
    handled: bool


@router.post(
    "/v1/imports/contacts",
    responses={202: {"model": Imported, "description": "on disk, and waiting for its turn"}, **problems(429)},
    openapi_extra={"requestBody": {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
)
async def import_contacts(request: Request, response: Response, here: Here) -> Imported:
    """Take contacts as JSON Lines: ``{"contact": KEY, "attributes": {}, "tags": [], "created_at": ISO}``.

    Of a contact that exists, attributes and tags are merged in.
    """
    here.pressure.demand_room()
    if not _one_at_a_time.acquire(blocking=False):
        raise Busy("another import is on its way; nothing of this one was stored")
    try:
        body = await read_body(request, BYTES_MAX)
        judged = await run_in_threadpool(_judge, here, body)
        last = await run_in_threadpool(_store, here, judged.arrivals)
    finally:
        _one_at_a_time.release()
    handled = last is None or await _had_its_turn(here, *last)
    response.status_code = 200 if handled else 202
    return Imported(
        imported=len(judged.arrivals),
        rejected=len(judged.rejected),
        rejected_lines=judged.rejected[:REJECTED_MAX],
        unusable=len(judged.unusable),
        unusable_lines=judged.unusable[:UNUSABLE_MAX],
        handled=handled,
    )


class Judged(NamedTuple):
    """What can be taken of the lines, what can't, and what is taken though not all of it can be used."""

    arrivals: list[tuple[str, Appear]]
    rejected: list[RejectedLine]
    unusable: list[RejectedLine]


def _judge(here: Context, body: bytes) -> Judged:
    now = here.installation.clock()
    with read(here.installation.engine) as connection:
        flows = here.flows.at(connection)
    timezone, dates = flows.library.workspace.timezone, dates_of(flows)
    judged = Judged([], [], [])
    known: set[str] = set()
    for number, line in _numbered(body):
        try:
            named, item = arrival(_contact(line), timezone, now)
            key = key_text(named, "contact")
            if key in known:
                raise BadLine.at("contact", "each contact once", key)
            if len(judged.arrivals) >= LINES_MAX:
                raise BadLine(f"expected at most {LINES_MAX:,} contacts at once")
        except (BadLine, InvalidEvent) as error:
            judged.rejected.append(RejectedLine(line=number, detail=str(error)))
        else:
            known.add(key)
            judged.arrivals.append((key, item))
            found = unusable(item.attributes, dates)
            if found:
                judged.unusable.append(RejectedLine(line=number, detail="; ".join(found)))
    return judged


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


def _contact(line: bytes) -> dict[str, JSON]:
    data = parsed(line)
    wrong = unfit(data, "line") if b"\\u0000" in line else None
    if wrong is not None:
        raise BadLine(str(wrong).removeprefix("line."))
    return data


def _store(here: Context, arrivals: list[tuple[str, Appear]]) -> tuple[str, int] | None:
    """All of them, in one transaction; the last one's key and input."""
    if not arrivals:
        return None
    with write(here.installation.engine) as connection:
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
