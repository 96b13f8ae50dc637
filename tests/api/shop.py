"""A whole shop for tests: an installation, its API, and an engine that takes its turns at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import delete
from tests import stores

from journeyflow.api.app import create_app
from journeyflow.bootstrap import Installation, installation_on, open_installation
from journeyflow.db import tables
from journeyflow.db.store import write
from journeyflow.services import keys
from journeyflow.services.ingest import Ingest
from journeyflow.services.keys import Scope
from journeyflow.services.metrics import Metrics
from journeyflow.services.pressure import Bounds, Pressure
from journeyflow.services.stream import Stream
from journeyflow.services.turn import Done
from journeyflow.settings import Settings
from journeyflow.worker.turns import TurnLoop

DATABASE = "shop.db"
JSONObject = dict[str, Any]  # Any: what a test expects inside is what it tests

WORKSPACE: JSONObject = {
    "workspace": "shop",
    "name": "The Shop",
    "sender": {"name": "The Shop", "email": "hello@shop.example", "reply_to": "care@shop.example"},
    "postal_address": "Long Street 1, Gdansk",
    "topics": [
        {"id": "offers", "name": "Offers & news"},
        {"id": "tips", "name": "Tips", "default": "unsubscribed", "description": "Once a month"},
        {"id": "account", "name": "Orders and account", "transactional": True},
    ],
}
TEMPLATE: JSONObject = {
    "template": "hello",
    "subject": "Hello {{ contact.first_name }}",
    "body": "<p>Hello {{ contact.first_name }}</p>",
}
JOURNEY: JSONObject = {
    "journey": "welcome",
    "name": "Welcome",
    "triggers": [{"type": "event", "event": "Signed Up"}],
    "reentry": {"policy": "always"},
    "start": "mail",
    "nodes": {
        "mail": {"type": "email", "template": "hello", "topic": "offers", "next": "pause"},
        "pause": {"type": "wait", "for": "2d", "next": "label"},
        "label": {"type": "tag", "add": ["welcomed"]},
    },
}
DOCUMENTS = [WORKSPACE, TEMPLATE, JOURNEY]


class Client:
    """Sends requests into the app, without a network."""

    def __init__(self, app: FastAPI, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:  # Any: those of httpx
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://shop.test", headers=self._headers
            ) as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(send())

    def get(self, path: str, **arguments: Any) -> httpx.Response:  # Any: those of httpx
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:  # Any: those of httpx
        return self.request("POST", path, **arguments)


@dataclass(slots=True)
class Hands:
    """A clock that stands still until it is moved."""

    at: datetime = datetime(2026, 3, 2, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, **arguments: float) -> None:
        self.at += timedelta(**arguments)


INPUTS_MAX = 5
"""Where the engine of the shop has been seen to be behind, so many inputs may wait for it."""


@dataclass(slots=True)
class Shop:
    """The shop; ``working`` is whether its engine takes turns."""

    installation: Installation
    clock: Hands
    metrics: Metrics = field(default_factory=Metrics)
    working: bool = True
    happenings: Stream = field(default_factory=Stream)
    ingest: Ingest = field(init=False)
    engine: TurnLoop = field(init=False)
    app: FastAPI = field(init=False)
    pressure: Pressure = field(init=False)
    _turns: Any = field(default_factory=Lock)  # Any: a lock, whose type has no name

    def __post_init__(self) -> None:
        one = self.installation
        self.engine = TurnLoop(one.engine, one.cache, one.clock, one.make_code, self._on_turn)
        self.ingest = Ingest(one.engine, self.work)
        self.pressure = Pressure(one.engine, one.clock, Bounds(lag_seconds=3600, inputs=INPUTS_MAX))
        self.app = create_app(
            one, self.ingest, self.work, metrics=self.metrics, happenings=self.happenings, pressure=self.pressure
        )

    def _on_turn(self, done: Done, seconds: float) -> None:
        self.metrics.on_turn(done, seconds)
        self.happenings.on_turn(done)

    def work(self) -> None:
        """What wakes the engine of a server lets this one take all its turns, in the same thread."""
        with self._turns:
            while self.working:
                done = self.engine.turn()
                if not done.contacts and not done.more:
                    return

    def rest(self) -> None:
        """From here on the engine takes no turns."""
        with self._turns:
            self.working = False

    def settle(self) -> None:
        """Wait until the engine has worked off what was answered so far."""
        self.ingest.submit([]).result()
        self.ingest.submit([]).result()

    def later(self, **arguments: float) -> None:
        """Let time pass, and the engine do what has come due."""
        self.clock.move(**arguments)
        self.settle()

    def key(self, scope: Scope) -> str:
        with write(self.installation.engine) as connection:
            return keys.create(connection, scope, "test", self.clock())

    def client(self, scope: Scope) -> Client:
        return Client(self.app, {"Authorization": f"Bearer {self.key(scope)}"})

    def visitor(self) -> Client:
        """Somebody without a key."""
        return Client(self.app, {})

    def track(self, contact: str, event: str, **properties: Any) -> None:  # Any: JSON
        body = {"userId": contact, "event": event, "properties": properties}
        assert self.client("write").post("/v1/track", json=body).status_code == 200
        self.settle()

    def identify(self, contact: str, **traits: Any) -> None:  # Any: JSON
        body = {"userId": contact, "traits": traits}
        assert self.client("write").post("/v1/identify", json=body).status_code == 200
        self.settle()

    def erase(self, contact: str) -> None:
        """Of a contact nothing but its messages is left."""
        with write(self.installation.engine) as connection:
            for table in (tables.runs, tables.contacts):
                connection.execute(delete(table).where(table.c.contact == contact))

    def publish(self, *documents: JSONObject) -> None:
        answer = self.client("admin").post("/v1/documents:apply", json={"documents": documents})
        assert answer.status_code == 200, answer.text
        self.settle()

    def contact(self, key: str) -> JSONObject:
        found: JSONObject = self.client("read").get(f"/v1/contacts/{key}").json()
        return found


def open_shop(place: Path | str) -> Shop:
    """A shop in a folder, or on the database with that URL."""
    clock = Hands()
    return Shop(open_installation(_settings(place if isinstance(place, str) else str(place / DATABASE)), clock), clock)


@contextmanager
def new_shop(directory: Path) -> Iterator[Shop]:
    """A shop without documents, on a database of the store that is chosen."""
    clock = Hands()
    with stores.database(directory, DATABASE) as url, stores.engines(url, 1) as (engine,):
        shop = Shop(installation_on(engine, _settings(url), clock), clock)
        shop.ingest.start()
        yield shop
        shop.app.state.context.simulations.close()
        shop.ingest.stop()


def _settings(url: str) -> Settings:
    return Settings(database_url=url, base_url="https://shop.example")
