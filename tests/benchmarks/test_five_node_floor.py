"""The floor that the engine is measured by does the whole journey."""

from __future__ import annotations

from pathlib import Path

from benchmarks.five_node_engine import play
from benchmarks.five_node_start import prepare, take_stock
from benchmarks.floors.five_node_sqlite import run
from benchmarks.measure import Cost

CONTACTS = 10
VIPS = 5
PUBLISHING = {"documents", "installation", "journeys"}
"""What publishing the journey writes, which is no part of running it."""


def after(file: Path, batch: int) -> Cost:
    prepare(file, CONTACTS)
    run(file, batch)
    stock = Cost()
    take_stock(file, stock)
    return stock


def test_the_floor_leaves_the_rows_of_the_whole_journey(tmp_path: Path) -> None:
    stock = after(tmp_path / "floor.db", batch=4)

    assert {table: count for table, count in stock.rows.items() if count} == {
        "claims": 1,
        "contacts": CONTACTS,
        "events": CONTACTS + VIPS,
        "messages": CONTACTS + (CONTACTS - VIPS),
        "runs": CONTACTS,
        "seen": CONTACTS,
        "statistics": 9,
        "trail": 2 * CONTACTS,
    }


def test_it_leaves_the_very_rows_that_the_engine_leaves(tmp_path: Path) -> None:
    floor, engine = after(tmp_path / "floor.db", batch=4), Cost()

    play(tmp_path / "engine.db", CONTACTS, batch=4)
    take_stock(tmp_path / "engine.db", engine)

    assert {table for table in floor.digests if floor.digests[table] != engine.digests[table]} == PUBLISHING


def test_the_size_of_its_batches_changes_nothing_in_what_it_leaves(tmp_path: Path) -> None:
    assert after(tmp_path / "small.db", batch=3) == after(tmp_path / "large.db", batch=100)
