"""Back-pressure: when what waits for the engine is too much, nothing more is taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests import stores
from tests.stores import Store

from journeyflow.core.errors import Behind
from journeyflow.core.inputs import Event
from journeyflow.db import inbox
from journeyflow.db.claims import groups
from journeyflow.db.migrations import migrate
from journeyflow.db.store import open_engine, write
from journeyflow.services.pressure import Bounds, Pressure

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture(params=stores.BOTH)
def engine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    store: Store = request.param
    with stores.chosen(store), stores.database(tmp_path) as url:
        opened = open_engine(url)
        migrate(opened)
        yield opened
        opened.dispose()


def arrive(engine: Engine, at: datetime, count: int = 1) -> None:
    with write(engine) as connection:
        inbox.put(connection, [(f"c{number}", Event(at, "Signed Up", at)) for number in range(count)])


def takes(pressure: Pressure) -> bool:
    pressure.look()
    try:
        pressure.demand_room()
    except Behind:
        return False
    return True


def test_nothing_is_taken_while_the_oldest_input_has_waited_for_too_long(engine: Engine) -> None:
    moments = [NOW, NOW + timedelta(seconds=60), NOW + timedelta(seconds=61)]
    pressure = Pressure(engine, lambda: moments[0], Bounds(lag_seconds=60))
    assert takes(pressure)
    arrive(engine, NOW)
    moments.pop(0)
    assert takes(pressure)
    moments.pop(0)

    assert not takes(pressure)
    with pytest.raises(Behind, match="the engine is 61 s behind; nothing of this request was stored"):
        pressure.demand_room()


def test_nothing_is_taken_while_too_many_inputs_wait(engine: Engine) -> None:
    pressure = Pressure(engine, lambda: NOW, Bounds(inputs=3))
    arrive(engine, NOW - timedelta(seconds=2), 2)
    assert takes(pressure)
    arrive(engine, NOW - timedelta(seconds=2))

    assert not takes(pressure)
    with pytest.raises(Behind, match="3 inputs wait for the engine"):
        pressure.demand_room()


def test_it_takes_again_once_the_engine_has_caught_up(engine: Engine) -> None:
    pressure = Pressure(engine, lambda: NOW, Bounds(lag_seconds=60, inputs=3))
    arrive(engine, NOW - timedelta(seconds=90), 5)
    assert not takes(pressure)
    with write(engine) as connection:
        for group in groups(connection):
            inbox.remove(connection, inbox.oldest(connection, group, 10))

    assert takes(pressure)


def test_without_bounds_everything_is_taken(engine: Engine) -> None:
    arrive(engine, NOW - timedelta(days=1), 5)

    assert takes(Pressure(engine, lambda: NOW, Bounds()))


def test_inputs_of_this_moment_are_not_counted(engine: Engine) -> None:
    """What an engine takes at once is no pressure, and to count it again and again would be."""
    arrive(engine, NOW, 5)

    assert takes(Pressure(engine, lambda: NOW, Bounds(inputs=3)))
