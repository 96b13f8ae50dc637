"""The engine's own part of the five-node journey: turns over the floor's start, on a clock that stands still.

python -m benchmarks.five_node_engine --contacts 20000 --batch 500
"""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from benchmarks.five_node_start import (
    ENTERING_AT,
    JOURNEY,
    TEMPLATES,
    WAKING_AT,
    WORKSPACE_DOCUMENT,
    prepare,
    take_stock,
)
from benchmarks.measure import Cost, measured
from journeyflow.db.documents import FlowsCache, JourneyRow, add, put_journey, raise_epoch
from journeyflow.db.sqlite import open_engine, write
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.garbage import collect_rarely
from journeyflow.services.turn import take_turn

PUBLISHED_AT = ENTERING_AT - timedelta(days=1)


def publish(engine: Engine) -> None:
    """The journey and what it needs."""
    with write(engine) as connection:
        add(connection, "workspace", "shop", WORKSPACE_DOCUMENT, "published", PUBLISHED_AT)
        for template in TEMPLATES:
            add(connection, "template", str(template["template"]), template, "published", PUBLISHED_AT)
        add(connection, "journey", "five-node", JOURNEY, "published", PUBLISHED_AT)
        put_journey(connection, JourneyRow("five-node", "live", 1, PUBLISHED_AT, None))
        raise_epoch(connection)


def turns(engine: Engine, cache: FlowsCache, now: datetime, batch: int) -> None:
    """One turn after the other until nobody is left."""
    moved = batch
    while moved:
        with write(engine) as connection:
            moved = take_turn(connection, cache, now, batch, lambda *_: None).contacts


def play(file: Path, contacts: int, batch: int) -> Cost:
    """Prepare, and let everybody enter and wake."""
    prepare(file, contacts)
    engine = open_engine(str(file))
    publish(engine)
    cache = FlowsCache(LiquidRenderer())
    with measured() as cost:
        turns(engine, cache, ENTERING_AT, batch)
        turns(engine, cache, WAKING_AT, batch)
    engine.dispose()
    return cost


def main() -> None:
    """Prepare, run, print the cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "engine.db"
        collect_rarely()  # as serve does
        cost = play(file, options.contacts, options.batch)
        take_stock(file, cost)
    cost.print()


if __name__ == "__main__":
    main()
