"""Segment's own Python client, unmodified, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
import uvicorn
from segment.analytics.client import Client
from tests.api.shop import Shop


class Server(uvicorn.Server):
    """Says its address once it listens."""

    @property
    def address(self) -> str:
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"


@pytest.fixture
def server(busy_shop: Shop) -> Iterator[Server]:
    """The shop's API on a free port of this machine."""
    config = uvicorn.Config(busy_shop.app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    running = Server(config)
    thread = Thread(target=running.run)
    thread.start()
    while not running.started:
        thread.join(0.01)
    yield running
    running.should_exit = True
    thread.join()


@pytest.mark.parametrize("compressed", [False, True])
def test_an_event_of_the_client_arrives_and_its_contact_appears(
    busy_shop: Shop, server: Server, compressed: bool
) -> None:
    errors: list[Any] = []  # Any: what the client hands over
    client = Client(
        busy_shop.key("write"), host=server.address, gzip=compressed, on_error=lambda *given: errors.append(given)
    )

    client.identify("ann", {"email": "ann@example.com", "first_name": "Ann"})
    client.track("ann", "Signed Up", {"plan": "gold"})
    client.page("ann", "Shop", "Tea", {"url": "/tea"})
    client.screen(42, "App", "Cart")
    client.group("ann", "g-1", {"name": "Tea Ltd"})
    client.flush()
    client.join()

    assert errors == []
    busy_shop.settle()
    ann = busy_shop.contact("ann")
    assert ann["attributes"] == {
        "email": "ann@example.com",
        "first_name": "Ann",
        "group": {"name": "Tea Ltd"},
    }
    assert [run["journey"] for run in ann["runs"]] == ["welcome"]
    assert busy_shop.contact("42")["contact"] == "42"
    queued = busy_shop.client("read").get("/v1/messages", params={"contact": "ann"}).json()["items"]
    assert [one["status"] for one in queued] == ["queued"]


def test_what_the_client_sends_and_can_not_be_taken_is_told_to_it(busy_shop: Shop, server: Server) -> None:
    errors: list[Any] = []  # Any: what the client hands over
    client = Client(busy_shop.key("write"), host=server.address, on_error=lambda *given: errors.append(given))

    client.track("ann", "Tag Added")
    client.flush()
    client.join()

    assert [error.status for error, _ in errors] == [400]
