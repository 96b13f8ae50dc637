"""A SQLite disk without room for a page more, while contacts are tried one by one; for PostgreSQL see the outages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.live.post_room import HELLO, LETTER, WORKSPACE
from tests.live.world import START, LiveWorld

from journeyflow.core.errors import SystemFailure
from journeyflow.core.inputs import Event
from journeyflow.db import failures, inbox
from journeyflow.db.store import WriteConnection, read, write
from journeyflow.services.turn import isolate

STORES = ("sqlite",)


def test_a_full_disk_is_no_contact_s_fault_and_sets_nobody_aside(tmp_path: Path) -> None:
    world = LiveWorld(tmp_path, [WORKSPACE, HELLO, LETTER], START)
    people = [f"contact {number}" for number in range(200)]
    with write(world.engine) as connection:
        inbox.put(connection, [(key, Event(START, "Signed Up", START)) for key in people])
    one = world.installation
    with pytest.raises(SystemFailure, match=r"disk of .* is full"), no_space(world.engine) as connection:
        isolate(connection, one.cache, world.now, one.make_code, 1_000)

    with read(world.engine) as connection:
        assert failures.count(connection) == 0
    world.settle()
    assert {record.contact for record in world.trail()} == set(people)
    world.close()


@contextmanager
def no_space(engine: Engine) -> Iterator[WriteConnection]:
    with write(engine) as connection:
        before = connection.exec_driver_sql("PRAGMA max_page_count").scalar_one()
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # which is as many as there are
        try:
            yield connection
        finally:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {before}")
