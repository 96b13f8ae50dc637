"""The floor of taking single events in: a bare Starlette handler that parses the JSON, plus one group-committed insert.

``python -m benchmarks.floors.ingestion_single DATABASE_URL PORT``. It judges nothing, knows no keys and wakes nobody;
each event is answered once it is on disk, in the row of ``inbox`` that the engine keeps of it.
"""

from __future__ import annotations

import asyncio
import sys
from queue import SimpleQueue
from threading import Thread
from typing import Any

import orjson
import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.floors.inbox_rows import COPY, arrived, line

Waiting = tuple[dict[str, Any], int, asyncio.Future[None]]  # Any: JSON
_waiting: SimpleQueue[Waiting] = SimpleQueue()


async def take(request: Request) -> Response:
    """Parse, store with what arrived meanwhile, answer."""
    at = arrived()
    event = orjson.loads(await request.body())
    done = asyncio.get_running_loop().create_future()
    _waiting.put((event, at, done))
    await done
    return Response(b'{"success":true}', media_type="application/json")


def _commit(url: str, loop: asyncio.AbstractEventLoop) -> None:
    with psycopg.connect(url) as connection:
        while True:
            group = [_waiting.get()]
            while not _waiting.empty():
                group.append(_waiting.get())
            with connection.cursor() as cursor, cursor.copy(COPY) as copy:
                copy.write(b"".join([line(event, at) for event, at, _ in group]))
            connection.commit()
            loop.call_soon_threadsafe(_answer, [done for *_, done in group])


def _answer(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        done.set_result(None)


def main(url: str, port: int) -> None:
    """Serve until it is stopped."""

    async def begin() -> None:
        Thread(target=_commit, args=(url, asyncio.get_running_loop()), daemon=True).start()
        await server.serve()

    app = Starlette(routes=[Route("/v1/track", take, methods=["POST"])])
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, http="httptools", ws="none", log_config=None, access_log=False)
    )
    asyncio.run(begin())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
