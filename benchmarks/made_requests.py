"""Requests as a shop sends them by one of Segment's libraries, and a client that costs little."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from benchmarks.serving import WRITE_KEY
from journeyflow.clock import now, stopwatch

MADE_AT: Final = datetime(2026, 3, 2, 10, tzinfo=UTC)


def event(number: int, name: str = "Product Viewed") -> dict[str, object]:
    """One event, as Segment's library for Python fills it in."""
    return {
        "type": "track",
        "event": name,
        "userId": f"customer-{number % 100_000:07}",
        "messageId": str(UUID(int=number)),
        "timestamp": (MADE_AT + timedelta(milliseconds=number)).isoformat(),
        "properties": {
            "product_id": f"{20_000 + number % 5_000}",
            "name": "WHITE METAL LANTERN",
            "category": "Home",
            "price": 3.39,
            "quantity": number % 7,
            "currency": "GBP",
            "url": f"https://shop.example/products/{20_000 + number % 5_000}",
        },
        "context": {"library": {"name": "analytics-python", "version": "2.3.3"}},
        "integrations": {},
    }


def single_bodies(count: int) -> list[bytes]:
    """Bodies of requests with one event each."""
    return [orjson.dumps(event(number)) for number in range(count)]


def batch_bodies(count: int, size: int) -> list[bytes]:
    """Bodies of requests with so many events each; ``count`` is that of the events."""
    return [
        orjson.dumps({"batch": [event(number) for number in range(first, first + size)]})
        for first in range(0, count, size)
    ]


def request(url: str, path: str, body: bytes) -> bytes:
    """A whole request as it goes over the wire; the connection is kept."""
    key = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: Basic {key}\r\n"
        f"Content-Type: application/json\r\nUser-Agent: analytics-python/2.3.3\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Answers(asyncio.Protocol):
    """One connection, on which one request at a time waits for its answer."""

    def __init__(self) -> None:
        self._received = b""
        self._answered: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It can be used."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A part of the answer, which is whole when its length says so."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or self._answered is None:
            return
        place = head.lower().index(b"content-length:") + len(b"content-length:")
        if len(body) >= int(head[place:].partition(b"\r\n")[0]):
            self._received = b""
            answered, self._answered = self._answered, None
            answered.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Who waits is told."""
        if self._answered is not None:
            self._answered.set_exception(exc or ConnectionError("the server closed the connection"))

    async def ask(self, request: bytes) -> int:
        """Send a request; the status of its answer."""
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        """No more requests."""
        assert self._transport is not None
        self._transport.close()


async def connections(url: str, count: int) -> list[Answers]:
    """Open so many."""
    loop, place = asyncio.get_running_loop(), urlsplit(url)
    where = (place.hostname or "localhost", place.port or 80)
    return [(await loop.create_connection(Answers, *where))[1] for _ in range(count)]


def send_all(url: str, requests: Sequence[bytes], at_once: int) -> float:
    """Send requests, so many at a time, the next as soon as one is answered; how many seconds it took.

    :raises SystemExit: when one is not answered with 200.
    """
    return asyncio.run(_send_all(url, iter(requests), at_once))


async def _send_all(url: str, requests: Iterator[bytes], at_once: int) -> float:
    async def go_on(connection: Answers) -> None:
        for one in requests:
            status = await connection.ask(one)
            if status != 200:
                raise SystemExit(f"a request was answered with {status}")

    open_ = await connections(url, at_once)
    began = stopwatch()
    await asyncio.gather(*map(go_on, open_))
    lasted = stopwatch() - began
    for one in open_:
        one.close()
    return lasted


def send_at(url: str, requests: Sequence[bytes], per_second: float, connections_max: int) -> list[float]:
    """Send requests at a steady rate, whatever becomes of those before; when each was due (seconds since 1970).

    Where all connections wait for answers, the next request waits too; it was due all the same.

    :raises SystemExit: when one is not answered with 200.
    """
    return asyncio.run(_send_at(url, requests, per_second, connections_max))


async def _send_at(url: str, requests: Sequence[bytes], per_second: float, connections_max: int) -> list[float]:
    free: asyncio.Queue[Answers] = asyncio.Queue()
    open_ = await connections(url, connections_max)
    for one in open_:
        free.put_nowait(one)
    refused: list[int] = []

    async def ask(connection: Answers, wanted: bytes) -> None:
        status = await connection.ask(wanted)
        if status != 200:
            refused.append(status)
        free.put_nowait(connection)

    began, wall = stopwatch(), now().timestamp()
    due = [number / per_second for number in range(len(requests))]
    async with asyncio.TaskGroup() as asking:
        for at, wanted in zip(due, requests, strict=True):
            await asyncio.sleep(max(0.0, at - (stopwatch() - began)))
            asking.create_task(ask(await free.get(), wanted))
    for one in open_:
        one.close()
    if refused:
        raise SystemExit(f"{len(refused)} requests were answered with {refused[0]} and the like")
    return [wall + at for at in due]
