"""What a turn costs does not grow with what a contact has done before."""

from __future__ import annotations

from pathlib import Path

from tests.live.world import START, LiveWorld

from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON
from journeyflow.db import inbox
from journeyflow.db.store import write

STORES = ("sqlite",)
"""Whose machine counts the steps that it takes; the statements are those of both stores."""
GRAIN = 1
WALK: dict[str, JSON] = {
    "journey": "walk",
    "triggers": [{"type": "event", "event": "Order"}],
    "reentry": {"policy": "always"},
    "start": "worth",
    "nodes": {
        "worth": {
            "type": "branch",
            "cases": [{"when": {"event": "View", "where": {"property": "price", "gt": 5}, "sum": "price", "gte": 100}}],
            "else": "label",
        },
        "label": {"type": "tag", "add": ["seen"]},
    },
}


def steps_of_an_order(directory: Path, views: int) -> int:
    """What SQLite has to do for one order of a contact that has viewed so many products, in steps of its machine."""
    directory.mkdir()
    world = LiveWorld(directory, [WALK], START)
    with write(world.engine) as connection:
        inbox.put(connection, [("ann", Event(START, "View", START, {"price": number % 9})) for number in range(views)])
    world.settle()
    for _ in range(3):
        order(world)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += GRAIN
        return 0

    with write(world.engine) as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(count, GRAIN)
    order(world)
    world.close()
    return steps


def order(world: LiveWorld) -> None:
    with write(world.engine) as connection:
        inbox.put(connection, [("ann", Event(START, "Order", START))])
    world.settle()


def test_an_order_costs_the_same_after_ten_views_as_after_thousands(tmp_path: Path) -> None:
    few, many = (steps_of_an_order(tmp_path / str(views), views) for views in (10, 3_000))

    assert few > 0
    assert many <= few * 1.1, (few, many)
