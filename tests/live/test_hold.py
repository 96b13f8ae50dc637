"""Nodes on hold on the live engine: publishing a version without ``hold`` lets those who stand there go on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.live.books import balance
from tests.live.test_turns import published
from tests.live.world import START, LiveWorld

from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON
from journeyflow.db import inbox, runs
from journeyflow.db.store import read, write


def journey(*, hold: bool) -> dict[str, JSON]:
    return {
        "journey": "walk",
        "triggers": [{"type": "event", "event": "Go"}],
        "start": "label",
        "nodes": {"label": {"type": "tag", "add": ["done"], "hold": hold}},
    }


def test_a_version_without_hold_lets_them_go_on(tmp_path: Path) -> None:
    world = LiveWorld(tmp_path, [journey(hold=True)], START)
    with write(world.engine) as connection:
        inbox.put(connection, [(one, Event(START, "Go", START)) for one in ("ann", "bob")])
    world.settle()
    world.now += timedelta(days=3)
    with read(world.engine) as connection:
        assert runs.overdue(connection, "walk", world.now) == 0, "who stands on purpose is not late"

    published(world, journey(hold=True))
    world.settle()
    assert {record.kind for record in world.trail()} == {"entered", "waiting"}

    published(world, journey(hold=False))
    world.settle()

    balance(world)
    assert [record.kind for record in world.trail() if record.contact == "bob"] == [
        "entered",
        "waiting",
        "resumed",
        "ran",
        "completed",
    ]
    world.close()
