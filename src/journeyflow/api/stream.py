"""What happens, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from journeyflow.api.bodies import StrictRoute
from journeyflow.api.context import READ, Here
from journeyflow.api.errors import problems
from journeyflow.services.stream import Listener, Notice, Stream

router = APIRouter(tags=["operations"], route_class=StrictRoute)

SILENCE_SECONDS_MAX: Final = 15.0
"""After so long without news a comment is sent, so that nobody on the way takes the connection for dead."""
MEDIA_TYPE: Final = "text/event-stream"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_TEXT: Final = {MEDIA_TYPE: {"schema": {"type": "string"}}}


@router.get(
    "/v1/stream",
    response_class=StreamingResponse,
    responses={**problems(429), 200: {"content": _TEXT, "description": "an event a step, for as long as you listen"}},
    dependencies=[READ],
)
async def stream(
    here: Here,
    journey: Annotated[str | None, Query(max_length=64, description="only what happens in this one")] = None,
    contact: Annotated[str | None, Query(max_length=255, description="only what happens to this one")] = None,
) -> StreamingResponse:
    """What the engine decides and delivers, from now on, as server-sent events.

    The event's name is the kind of a trail record (`entered`, `message`, `exited`, `completed`, `converted`, ...), and
    its data the record; or `delivery`, `coupon_pool_low`, `alert`. Who reads too slowly misses some: `dropped {n}`.
    """
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it the connection
            loop.call_soon_threadsafe(woken.set)

    listener = here.stream.listen(wake, journey, contact)
    return StreamingResponse(_events(here.stream, listener, woken), media_type=MEDIA_TYPE, headers=_HEADERS)


async def _events(stream: Stream, listener: Listener, woken: asyncio.Event) -> AsyncIterator[bytes]:
    try:
        yield b": what happens from now on\n\n"
        while True:
            woken.clear()
            for notice in listener.take():
                yield _text(notice)
            if listener.ended:
                return
            try:
                await asyncio.wait_for(woken.wait(), SILENCE_SECONDS_MAX)
            except TimeoutError:
                yield b": nothing new\n\n"
    finally:
        stream.leave(listener)


def _text(notice: Notice) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (notice.name.encode(), orjson.dumps(notice.data))
