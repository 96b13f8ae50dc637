"""Databases that the first versions wrote, with runs in flight, are brought to the newest schema and go on.

See README.md in this folder.
"""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from sqlalchemy import select
from tests import postgres, stores
from tests.live.world import LiveWorld, comparable

from journeyflow.core.documents import KINDS, Documents
from journeyflow.core.effects import TrailRecord
from journeyflow.core.inputs import Event, Identify, Input, SetTags
from journeyflow.db import failures, inbox, migrations, tables, tasks
from journeyflow.db.schema_version import is_current
from journeyflow.db.store import open_engine, read, write
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services import keys, operate
from journeyflow.services.simulate import simulate_inputs

HERE = Path(__file__).parent
STORY: dict[str, Any] = yaml.safe_load((HERE / "story.yaml").read_text())  # Any: nested plain data
ONLY_LIVE = ("changed", "frozen")
"""Journeys that are published anew, or paused, on the way, which a simulation can't be told."""


class Upgraded(LiveWorld):
    """The newest code on a database that an older one wrote."""

    def __init__(self, url: str) -> None:
        self.now = STORY["stop"]
        self.limit = 100
        self.delivering = True
        self._open = ExitStack()
        self._opened = self._open.enter_context(ExitStack())
        engine = open_engine(url)
        migrations.migrate(engine)
        engine.dispose()
        self.open(url)


def written(store: stores.Store) -> str:
    return gzip.decompress((HERE / f"{store}.sql.gz").read_bytes()).decode()


@pytest.fixture(params=stores.BOTH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Upgraded]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = str(tmp_path / "old.db")
            with closing(sqlite3.connect(url)) as connection:
                connection.executescript(written("sqlite"))
        else:
            url = stack.enter_context(postgres.empty())
            with psycopg.connect(url, autocommit=True) as server:
                server.execute(written("postgresql").encode())
        world = Upgraded(url)
        stack.callback(world.close)
        asyncio.run(world.dispatcher.dispatch())  # as each start does
        yield world


def arrivals(*parts: str) -> list[tuple[str, Input]]:
    return [(key, _input(at, kind, data)) for part in parts for at, key, kind, data in STORY[part]]


def _input(at: datetime, kind: str, data: Any) -> Input:  # Any: as the story's
    if kind == "identify":
        return Identify(at, data)
    if kind == "tags":
        return SetTags(at, tuple(data))
    return Event(at, kind, at, data, f"{kind} {at.isoformat()}")


def simulated() -> list[TrailRecord]:
    """The whole story as the newest code decides it."""
    documents = [data for data in STORY["documents"] if data.get("journey") not in ONLY_LIVE]
    models = [KINDS[next(iter(data))].model_validate(data) for data in documents]
    records: list[TrailRecord] = []
    simulate_inputs(
        Documents.of(models),
        LiquidRenderer(),
        arrivals("before", "waiting", "after"),
        start=STORY["start"],
        until=STORY["end"],
        on_trail=records.append,
    )
    return records


def steps(world: Upgraded, journey: str) -> list[tuple[str, int, str, str | None]]:
    return [(one.contact, one.version, one.kind, one.node) for one in world.trail() if one.journey == journey]


def test_what_an_old_database_holds_is_at_work_and_in_flight(world: Upgraded) -> None:
    """Else the other tests would show nothing."""
    with read(world.engine) as connection:
        assert is_current(world.engine)
        runs = connection.execute(select(tables.runs.c.journey, tables.runs.c.status)).all()
        messages = set(connection.scalars(select(tables.messages.c.status)))
        assert not inbox.is_empty(connection)
    assert sum(status == "active" for _, status in runs) >= 12
    assert {journey for journey, status in runs if status == "active"} >= {"cart", "welcome", "labelled", *ONLY_LIVE}
    assert messages >= {"sent", "queued"}


def test_it_goes_on_as_if_it_had_always_been_the_newest(world: Upgraded) -> None:
    world.settle()
    world.feed(arrivals("after"), STORY["end"])

    trail = [record for record in world.trail() if record.journey not in ONLY_LIVE]
    assert comparable(trail) == comparable(simulated())
    with read(world.engine) as connection:
        assert inbox.is_empty(connection)
        assert tasks.is_empty(connection)
        assert failures.count(connection) == 0
        assert set(connection.scalars(select(tables.messages.c.status))) == {"sent"}
        active = connection.scalars(select(tables.runs.c.journey).where(tables.runs.c.status == "active"))
        assert set(active) == {"frozen"}


def test_runs_stay_on_the_version_that_they_began_on(world: Upgraded) -> None:
    world.settle()
    world.feed([], STORY["end"])

    assert [one for one in steps(world, "changed") if one[2] in ("ran", "completed")] == [
        ("ann", 1, "ran", "label"),
        ("ann", 1, "completed", "label"),
        ("bob", 2, "ran", "label"),
        ("bob", 2, "completed", "label"),
    ]


def test_what_was_paused_is_paused_and_can_go_on(world: Upgraded) -> None:
    world.settle()
    world.feed([], STORY["end"])
    assert [one[2] for one in steps(world, "frozen")][-1] == "waiting"

    with write(world.engine) as connection:
        operate.resume(connection, "frozen", world.now, "now")
    world.settle()

    assert [one[2:] for one in steps(world, "frozen")][-2:] == [("ran", "label"), ("completed", "label")]


def test_keys_and_the_secret_are_those_that_they_were(world: Upgraded) -> None:
    with read(world.engine) as connection:
        for scope in ("admin", "write"):
            found = keys.find(connection, f"jf_{scope}_of_the_upgrade_test")
            assert found is not None
            assert found.scope == scope
