"""``migrate --distribute``: what is asked of Citus, in which order, and what becomes of the rest.

There is no Citus here. Functions of the same names write down what they are asked for, so that everything runs but
what they do themselves. Where ``JOURNEYFLOW_TEST_CITUS_URL`` names the coordinator of a cluster, whose user may create
databases, the last test runs on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, insert, select
from tests import postgres, stores
from tests.cli.calls import call, done
from tests.live.books import balance
from tests.live.test_random import numbers, simulated
from tests.live.test_same_trail import shop
from tests.live.world import START, LiveWorld, comparable, refused

from journeyflow.core.errors import Conflict, SystemFailure
from journeyflow.db import claims, distribution, tables
from journeyflow.db.store import open_engine, read, write
from journeyflow.services.distribute import distribute

CITUS = "JOURNEYFLOW_TEST_CITUS_URL"
STAND_IN = """
CREATE TABLE asked (n integer GENERATED ALWAYS AS IDENTITY, what text);
CREATE TABLE pg_dist_partition (logicalrelid regclass);
CREATE FUNCTION create_reference_table(one text) RETURNS void LANGUAGE sql AS
  $$ INSERT INTO asked (what) VALUES ('reference ' || one) $$;
CREATE FUNCTION create_distributed_table(one text, by text, colocate_with text) RETURNS void LANGUAGE sql AS
  $$ INSERT INTO asked (what) VALUES ('distributed ' || one || ' by ' || by || ' beside ' || colocate_with);
     INSERT INTO pg_dist_partition VALUES (one::regclass) $$;
CREATE FUNCTION get_shard_id_for_distribution_column(one regclass, value smallint) RETURNS bigint LANGUAGE sql AS
  $$ SELECT 102008 + abs(hashint2(value)::bigint) % 32 $$;
"""


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.empty() as made:
        yield made


@pytest.fixture
def cluster(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    done("migrate", "--database-url", url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(STAND_IN)
    monkeypatch.setattr(distribution, "is_cluster", lambda _: True)
    return url


@pytest.fixture
def engine(cluster: str) -> Iterator[Engine]:
    opened = open_engine(cluster)
    yield opened
    opened.dispose()


def asked(engine: Engine) -> list[str]:
    with read(engine) as connection:
        return [*connection.exec_driver_sql("SELECT what FROM asked ORDER BY n").scalars()]


def test_every_table_is_spread_as_its_metadata_says_and_beside_the_claims(engine: Engine) -> None:
    distribute(engine)

    found = asked(engine)
    references = [name for name, one in tables.metadata.tables.items() if one.info["spread"] == "reference"]
    others = [name for name, one in tables.metadata.tables.items() if one.info["spread"] == "distributed"]
    assert len(found) == len(references) + len(others)
    assert found[: len(references)] == [f"reference {name}" for name in sorted(references)]
    assert found[len(references)] == "distributed claims by shard beside none"
    assert set(found[len(references) + 1 :]) == {
        f"distributed {name} by shard beside claims" for name in others if name != "claims"
    }


def test_queues_are_put_together_with_what_waits_in_them(engine: Engine) -> None:
    with write(engine) as connection:
        for shard in (0, 64, 1023):
            connection.execute(insert(tables.timers).values(due_at=shard, shard=shard, contact="ann"))
            connection.execute(
                insert(tables.inbox).values(id=shard, shard=shard, contact="ann", at=1, kind="wake", payload="{}")
            )

    distribute(engine)

    with read(engine) as connection:
        assert [*connection.scalars(select(tables.timers.c.shard).order_by(tables.timers.c.shard))] == [0, 64, 1023]
        assert [*connection.scalars(select(tables.inbox.c.shard).order_by(tables.inbox.c.shard))] == [0, 64, 1023]
        kinds = connection.exec_driver_sql("SELECT relkind::text FROM pg_class WHERE relname IN ('inbox', 'timers')")
        assert set(kinds.scalars()) == {"r"}
        left = connection.exec_driver_sql("SELECT count(*) FROM pg_class WHERE relname ~ '_in_parts|^(inbox|timers)_0'")
        assert left.scalar() == 0


def test_claim_groups_are_the_shards_that_lie_together_and_time_goes_on_in_them(engine: Engine) -> None:
    with write(engine) as connection:
        connection.execute(tables.claims.update().where(tables.claims.c.shard == 64).values(now=7, timers_from=9))
        connection.execute(insert(tables.firings).values(shard=0, journey="j", trigger="t", fire_at=5, at=6))
        for first in range(64, 1024, 64):
            connection.execute(insert(tables.firings).values(shard=first, journey="j", trigger="t", fire_at=5, at=6))

    number = distribute(engine)

    with read(engine) as connection:
        found = claims.groups(connection)
        rows = connection.execute(select(tables.claims)).all()
        fired = connection.scalars(select(tables.firings.c.shard)).all()
    assert number == len(found) == 32
    assert sorted(shard for group in found for shard in group.shards()) == [*range(1024)]
    assert all(row.timers_from == 0 for row in rows)
    assert {row.now for row in rows if any(64 <= one < 128 for one in group_at(found, row.shard).shards())} == {7}
    assert sorted(fired) == [group.first for group in found]


def group_at(found: tuple[claims.Group, ...], first: int) -> claims.Group:
    return next(group for group in found if group.first == first)


def test_nothing_is_done_twice_nor_under_running_processes(engine: Engine, cluster: str) -> None:
    other = open_engine(cluster)
    with pytest.raises(SystemFailure, match="journeyflow has the database open"):
        distribute(engine)
    other.dispose()
    assert asked(engine) == []
    distribute(engine)

    with pytest.raises(Conflict, match="spread over the cluster already; nothing was changed"):
        distribute(engine)


def test_groups_that_can_not_be_made_anew_leave_everything_as_it_was(engine: Engine) -> None:
    with write(engine) as connection:
        connection.execute(insert(tables.firings).values(shard=0, journey="j", trigger="t", fire_at=5, at=6))

    with pytest.raises(Conflict, match="a schedule has fired for some contacts and not yet for others"):
        distribute(engine)

    assert asked(engine) == []
    with read(engine) as connection:
        assert len(claims.groups(connection)) == 16


def test_without_the_extension_nothing_is_done_and_a_sentence_says_why(url: str) -> None:
    done("migrate", "--database-url", url)

    result = call("migrate", "--distribute", "--database-url", url)

    assert result.exit_code == 1
    assert result.stderr.startswith("error: this PostgreSQL has no Citus")
    assert "CREATE EXTENSION citus" in result.stderr
    engine = open_engine(url)
    with read(engine) as connection:
        assert len(claims.groups(connection)) == 16
    engine.dispose()


def test_sqlite_has_nothing_to_spread(tmp_path: Path) -> None:
    result = call("migrate", "--distribute", "--database-url", tmp_path / "shop.db")

    assert result.exit_code == 1
    assert "--copy-to" in result.stderr


def test_the_statements_can_be_read_before() -> None:
    lines = done("migrate", "--distribute", "--sql").splitlines()

    assert "SELECT create_reference_table('documents');" in lines
    assert "SELECT create_distributed_table('runs', 'shard', colocate_with => 'claims');" in lines


# --- the engine on it ------------------------------------------------------------------------------------------------


class Spread(LiveWorld):
    """An installation that is spread over a cluster before anything happens."""

    def open(self, url: str) -> None:
        engine = open_engine(url)
        distribute(engine)
        engine.dispose()
        super().open(url)


def assert_the_shop_s_trail(url: str, directory: Path) -> None:
    some, inputs = shop()
    records, simulation = simulated(some, inputs)
    with stores.chosen("workers"), stores.given(url):
        world = Spread(directory, some, START)
    try:
        assert len(world.groups) == distribution.PARTS
        world.settle()  # what was published is in force before anything arrives, as in a simulation
        world.feed(inputs, simulation.end)
        balance(world)
        assert comparable(world.trail()) == comparable(records)
        assert world.refusals() == refused(records, world.people())
        assert numbers(world) == simulation.journeys
    finally:
        world.close()


def test_several_workers_write_the_shop_s_trail_in_the_groups_of_a_cluster(cluster: str, tmp_path: Path) -> None:
    assert_the_shop_s_trail(cluster, tmp_path)


@pytest.mark.skipif(CITUS not in os.environ, reason=f"NOT RUN ON CITUS: {CITUS} names no coordinator of a cluster")
def test_several_workers_write_the_shop_s_trail_on_a_real_cluster(tmp_path: Path) -> None:
    """The database that is named has the extension, and is there for this test alone: its tables are dropped."""
    url = os.environ[CITUS]
    names = ", ".join([*tables.metadata.tables, "alembic_version"])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {names} CASCADE".encode())
    done("migrate", "--database-url", url)

    assert_the_shop_s_trail(url, tmp_path)
