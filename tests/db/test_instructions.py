"""What all runs of a journey follow once, as it is kept; and what an older version of the program kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests import postgres, stores

from journeyflow.core.contact import Contact, Run
from journeyflow.core.instructions import Instruction, Migration, Resumption
from journeyflow.core.values import to_micros
from journeyflow.db import bulk, claims, contacts, documents, migrations, tables, tasks
from journeyflow.db.store import open_engine, read, write

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
END = Resumption("walk", NOW, NOW - HOUR, "over", 2 * HOUR)


@pytest.fixture(params=stores.BOTH)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with ExitStack() as stack:
        url = str(tmp_path / "shop.db") if request.param == "sqlite" else stack.enter_context(postgres.empty())
        engine = open_engine(url)
        stack.callback(engine.dispose)
        yield engine


def test_each_kind_comes_back_as_it_was_in_order(empty: Engine) -> None:
    migrations.migrate(empty)
    kept: list[Instruction] = [END, Migration("walk", NOW + HOUR, 3, {"first": "second", "third": None})]

    with write(empty) as connection:
        for one in reversed(kept):
            documents.add_instruction(connection, one)

    with read(empty) as connection:
        assert documents.pending_instructions(connection) == {"walk": kept}


def test_what_was_followed_before_the_upgrade_is_followed_after_it(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "NEWEST", "2026_11_26_1430")
        migrations.migrate(empty)
    at, before = to_micros(NOW), to_micros(NOW - HOUR)
    with write(empty) as connection:
        connection.exec_driver_sql(f"INSERT INTO resumptions VALUES ('walk', {at}, {before}, 'over', 7200000000)")
        args = f'{{"journey":"walk","resumption":{at}}}'
        bulk.insert(connection, tables.tasks, [(0, "t", "look_at_journey", args, '[0,""]', at)])

    migrations.migrate(empty)

    with write(empty) as connection:
        assert documents.pending_instructions(connection) == {"walk": [END]}
        claim = claims.take(connection, claims.groups(connection)[:1], NOW)
        assert claim is not None
        (task,) = tasks.oldest(connection, claim, NOW)
        assert (task.journey, task.instruction, tasks.is_last(connection, task)) == ("walk", NOW, False)


RUN = Run("r", "walk", 1, "", 0, NOW - 2 * HOUR, 1, {}, node="pause", standing=True, followed_at=NOW)


def kept(engine: Engine, run: Run, followed_at: str = "followed_at") -> Run:
    """A run as it comes out of the store, where an older version may have called something otherwise."""
    ann = Contact("ann")
    *columns, state = contacts.run_row("ann", run)
    with write(engine) as connection:
        bulk.insert(connection, tables.runs, [(*columns, str(state).replace("followed_at", followed_at))])
        contacts.load_runs(connection, [ann], NOW)
    (found,) = ann.runs
    return found


def test_who_had_followed_before_the_upgrade_does_not_follow_again(empty: Engine) -> None:
    migrations.migrate(empty)

    assert not END.concerns(kept(empty, RUN, "resumed_at"))


def test_a_run_keeps_what_it_has_followed_and_whose_reply_it_waits_for(empty: Engine) -> None:
    migrations.migrate(empty)

    assert kept(empty, replace(RUN, called_as=("before", 2))) == replace(RUN, called_as=("before", 2))
