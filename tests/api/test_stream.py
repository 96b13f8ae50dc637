"""What happens, as server-sent events over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlencode

import orjson
import pytest
from starlette.types import Message, Receive
from tests.api.shop import Shop

from journeyflow.api import stream


def heard(shop: Shop, happens: Callable[[], None], **query: str) -> str:
    """What a listener gets that listens from before something happens until the server stops."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/v1/stream",
        "query_string": urlencode(query).encode(),
        "headers": [(b"authorization", f"Bearer {shop.key('read')}".encode())],
    }

    async def listen() -> str:
        listening, parts = asyncio.Event(), list[bytes]()

        async def receive() -> Message:
            await asyncio.Future()  # the client stays
            raise AssertionError

        async def send(message: Message) -> None:
            parts.append(message.get("body", b""))
            if message["type"] == "http.response.body":
                listening.set()

        asked: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
        answer = asyncio.create_task(shop.app(scope, lambda: _first(asked, receive), send))
        await listening.wait()
        await asyncio.to_thread(happens)
        shop.happenings.end()
        await answer
        return b"".join(parts).decode()

    return asyncio.run(listen())


async def _first(waiting: list[Message], then: Receive) -> Message:
    return waiting.pop(0) if waiting else await then()


def events(text: str) -> list[tuple[str, dict[str, object]]]:
    """(name, data) of each."""
    found = []
    for block in text.split("\n\n"):
        if block.startswith("event: "):
            name, data = block.split("\n")
            found.append((name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))))
    return found


def test_what_the_engine_decides_is_told_as_it_happens(busy_shop: Shop) -> None:
    text = heard(busy_shop, lambda: busy_shop.track("ann", "Signed Up"))

    assert text.startswith(": ")
    told = events(text)
    assert [name for name, _ in told] == ["entered", "message", "waiting"]
    assert {(data["contact"], data["journey"]) for _, data in told} == {("ann", "welcome")}


def test_a_listener_may_ask_for_one_contact(busy_shop: Shop) -> None:
    def happens() -> None:
        busy_shop.track("ann", "Signed Up")
        busy_shop.track("bob", "Signed Up")

    assert {data["contact"] for _, data in events(heard(busy_shop, happens, contact="bob"))} == {"bob"}
    assert busy_shop.happenings.listeners == 0


def test_in_silence_a_comment_keeps_the_connection_alive(busy_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SILENCE_SECONDS_MAX", 0.001)

    assert ": nothing new\n\n" in heard(busy_shop, lambda: busy_shop.track("ann", "Viewed"))


def test_only_who_may_read_may_listen(busy_shop: Shop) -> None:
    assert busy_shop.visitor().get("/v1/stream").status_code == 401
    assert busy_shop.client("write").get("/v1/stream").status_code == 403
