"""Changing one contact: an input like an event, and for a moment the wait until it has had its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from journeyflow.api.context import Context
from journeyflow.clock import stopwatch
from journeyflow.core.errors import Overloaded, SystemFailure
from journeyflow.core.inputs import Input
from journeyflow.db import aliases, inbox
from journeyflow.db.idempotency import Token
from journeyflow.db.store import is_postgresql, read
from journeyflow.db.timeline import last_to_come

WAIT_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = (0.004, 0.1)


class Accepted(BaseModel):
    """The change is on disk and waits for its turn; ask for the contact again in a moment."""

    id: str = Field(description="the id of the input")


class Changed(NamedTuple):
    """What became of a change. ``waiting`` is what to answer where it has not had its turn; else ``None``.

    ``since`` is when it was asked for, the first time if that was said more than once.
    """

    waiting: JSONResponse | None
    since: datetime


async def change(
    here: Context, contact: str, inputs: Sequence[Input], once: Token | None, whose: str | None = None
) -> Changed:
    """Store inputs of a contact and wait for their turn.

    :param whose: whose request it is, where not the contact's.
    :raises Overloaded: when too much is waiting; nothing was stored.
    :raises Conflict: when ``once`` came before with another request.
    """
    since = here.installation.clock()
    if is_postgresql(here.installation.engine):  # else an alias would hand it on, and only that would be waited for
        contact = await run_in_threadpool(_person, here, contact)
    if once is None:
        ids = await asyncio.wrap_future(here.ingest.submit([(contact, item) for item in inputs]))
    else:
        ids, since = await run_in_threadpool(here.ingest.submit_once, contact, inputs, once, since, whose)
    last = ids[-1] if ids else await run_in_threadpool(_last_to_come, here, contact)
    if last is None or await _had_its_turn(here, contact, last):
        return Changed(None, since)
    return Changed(JSONResponse(Accepted(id=str(last)).model_dump(), 202), since)


async def _had_its_turn(here: Context, contact: str, id_: int) -> bool:
    """Whether it is known to have had its turn: it is on disk, also where the database can't be asked any more."""
    pause, longest = PAUSE_SECONDS
    end = stopwatch() + WAIT_SECONDS
    try:
        while await run_in_threadpool(_waits, here, contact, id_):
            if stopwatch() >= end:
                return False
            await asyncio.sleep(pause)
            pause = min(longest, pause * 1.5)
    except (SystemFailure, Overloaded):
        return False
    return True


def _person(here: Context, contact: str) -> str:
    with read(here.installation.engine) as connection:
        return aliases.resolve(connection, contact)


def _waits(here: Context, contact: str, id_: int) -> bool:
    with read(here.installation.engine) as connection:
        return inbox.waits(connection, contact, id_)


def _last_to_come(here: Context, contact: str) -> int | None:
    with read(here.installation.engine) as connection:
        return last_to_come(connection, contact)
