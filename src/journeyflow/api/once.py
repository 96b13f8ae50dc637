"""Requests that their client named (``Idempotency-Key``): done once, and answered alike however often they come.

Every route that writes takes the name (:class:`journeyflow.api.bodies.StrictRoute`) and repeats the first answer. A
handler that changes the database claims the name in the transaction of the change (``Once``), so that what failed never
came, and what was done before its answer could be kept is not done again. The answer is then kept beside the claim.

Where nothing was claimed, nothing was changed (a plan, a preview, a simulation): those answers are kept in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Final

import structlog
from fastapi import Depends, Header, params
from sqlalchemy import Connection, Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from journeyflow.core.errors import Conflict, Overloaded, SystemFailure
from journeyflow.db import idempotency
from journeyflow.db.idempotency import INSTALLATION, Answer, Known, Token, hashed
from journeyflow.db.store import read, write

log = structlog.get_logger()

EXPECTING: Final = ("If-Match", "If-None-Match")
"""Headers that make another request of the same one."""
NAME: Final = "Idempotency-Key"
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
KEPT_MAX: Final = 50
BODY_BYTES_MAX: Final = 500_000
"""So many answers, of so many bytes each, are kept in memory; the oldest goes first."""
SHOWN_ONCE: Final = {"Cache-Control": "no-store"}
"""Of an answer that holds a secret, which is kept nowhere."""
OF_MANY: Final = {"Cache-Control": "private"}
"""Of an answer that tells of many contacts. It is kept in memory: whoever erases one of them could not find it."""


async def _name(
    name: Annotated[
        str | None,
        Header(
            alias=NAME,
            max_length=255,
            description="a name for this request: repeated within 30 days, it gets the first answer and changes "
            "nothing more; another request under this name is refused with 409",
        ),
    ] = None,
) -> str | None:
    return name


NAMED: Final[params.Depends] = Depends(_name)
"""For a route that takes the name of a request."""


async def token_of(request: Request) -> Token | None:
    """What a request is known by, if its client named it."""
    name = request.headers.get(NAME)
    if not name:
        return None
    body = await request.body()
    expected = [f" {name}: {request.headers[name]}" for name in EXPECTING if name in request.headers]
    target = f"{request.method} {request.url.path}?{request.url.query}{''.join(expected)}"
    return await run_in_threadpool(Token.of, name, target, body)


async def _token(request: Request, _: Annotated[str | None, NAMED]) -> Token | None:
    return await token_of(request)


Once = Annotated[Token | None, Depends(_token)]


def repeated(connection: Connection, once: Token | None, now: datetime, contact: str = INSTALLATION) -> bool:
    """Whether a request came before, though its answer is not kept; if not, it has from now on.

    It belongs into the transaction of what the request changes: where that fails, it never came.

    :param contact: whose request it is, with whom it is erased.
    :raises Conflict: when its name came before with another request.
    """
    return once is not None and idempotency.claim(connection, contact, once, now) is not None


def do_once(connection: Connection, once: Token | None, now: datetime, contact: str = INSTALLATION) -> None:
    """As :func:`repeated`, for what can't be answered a second time.

    :raises Conflict: when it came before.
    """
    if repeated(connection, once, now, contact):
        raise Conflict("this request was carried out before, but its answer was lost; look at what it changed")


class Answers:
    """What was answered to requests with a name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[str, Known] = {}
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    async def repeat(self, request: Request, handle: Callable[[], Awaitable[Response]]) -> Response:
        """The first answer to a request, which is that of ``handle`` where it did not come before.

        An error is no answer: the request changed nothing, and is judged anew when it comes again.

        :raises Conflict: when another request had its name.
        """
        name = request.headers.get(NAME)
        if not name or request.method in READING:
            return await handle()
        async with self._turn(name):
            known = self._kept.get(hashed(name)) or await run_in_threadpool(self._find, name)
            if known is not None:
                token = await token_of(request)
                assert token is not None, "it has a name"
                token.demand_same(known.asked)
                return _response(known.answer)
            response = await handle()
            if not 200 <= response.status_code < 300 or _says(response, SHOWN_ONCE):
                return response
            token = await token_of(request)
            assert token is not None, "as above"
            keep = self._keep_in_memory if _says(response, OF_MANY) else self._keep
            return _response(await run_in_threadpool(keep, token, _answer(response)))

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        """One of those that are sent at once is carried out; the others get its answer."""
        lock, wanted = self._turns.get(name) or (asyncio.Lock(), 0)
        self._turns[name] = (lock, wanted + 1)
        try:
            async with lock:
                yield
        finally:
            lock, wanted = self._turns.pop(name)
            if wanted > 1:
                self._turns[name] = (lock, wanted - 1)

    def _find(self, name: str) -> Known | None:
        with read(self._engine) as connection:
            return idempotency.find(connection, name)

    def _keep(self, token: Token, answer: Answer) -> Answer:
        try:
            with read(self._engine) as connection:
                claimed = idempotency.is_claimed(connection, token)
            if claimed:
                with write(self._engine) as connection:
                    return idempotency.keep(connection, token, answer)
        except (SystemFailure, Overloaded) as error:  # what was asked for is done, whatever becomes of the answer
            log.warning("the answer to a request with a name was not kept", error=str(error))
            return answer
        return self._keep_in_memory(token, answer)

    def _keep_in_memory(self, token: Token, answer: Answer) -> Answer:
        if len(answer.body) <= BODY_BYTES_MAX:
            self._kept[token.name] = Known(token.asked, answer)
            while len(self._kept) > KEPT_MAX:
                self._kept.pop(next(iter(self._kept)), None)
        return answer


def _says(response: Response, headers: Mapping[str, str]) -> bool:
    return all(response.headers.get(name) == value for name, value in headers.items())


def _answer(response: Response) -> Answer:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Answer(response.status_code, headers, bytes(response.body))


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, answer.headers)
