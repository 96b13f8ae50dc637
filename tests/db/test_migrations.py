"""The migrations make exactly the tables that the program knows."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from difflib import unified_diff
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from journeyflow.core.errors import SystemFailure
from journeyflow.db import bulk, entry_keys, migrations, schema_version
from journeyflow.db.store import ReadConnection, open_engine, read, write
from journeyflow.db.tables import metadata

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(str(tmp_path / "shop.db"))
    yield engine
    engine.dispose()


@pytest.fixture
def migrated(empty: Engine) -> Engine:
    migrations.migrate(empty)
    return empty


def schema(connection: ReadConnection) -> list[str]:
    """Every statement that made the schema, without Alembic's own table, one line a column.

    The lines of a statement are sorted: a column that was added later stands behind the constraints.
    """
    rows = connection.exec_driver_sql("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
    statements = [re.sub(r"\s+", " ", sql).strip() for (sql,) in rows if "alembic_version" not in sql]
    return [line for sql in statements for line in _lines(sql)]


def _lines(statement: str) -> list[str]:
    first, *parts = re.sub(r"(\(|,) (?=\S)", r"\1\n    ", statement.replace(" )", ")")).split("\n")
    return [first, *sorted(part.rstrip(",") for part in parts)]


# What SQLAlchemy can't read back, the test after this one compares word for word.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection", "ignore:autogenerate skipping metadata-specified")
def test_the_migrations_make_the_tables_that_the_program_knows(migrated: Engine) -> None:
    with read(migrated) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)

    assert not differences, "\n".join(map(str, differences))


def test_the_migrations_make_them_word_for_word(migrated: Engine) -> None:
    known = open_engine("sqlite://")
    with write(known) as connection:
        metadata.create_all(connection)
        wanted = schema(connection)
    known.dispose()
    with read(migrated) as connection:
        made = schema(connection)

    difference = "\n".join(
        unified_diff(made, wanted, "made by the migrations", "known in db/tables.py", lineterm="", n=3)
    )
    assert not difference, difference


def test_a_new_database_is_not_current_and_a_migrated_one_is(empty: Engine) -> None:
    before = schema_version.is_current(empty)
    migrations.migrate(empty)

    assert (before, schema_version.is_current(empty)) == (False, True)


def test_a_database_in_memory_is_migrated_too() -> None:
    engine = open_engine("sqlite://")
    migrations.migrate(engine)

    assert schema_version.is_current(engine)
    engine.dispose()


def test_migrating_again_changes_nothing_and_does_not_ask_to_write(migrated: Engine, tmp_path: Path) -> None:
    impatient = open_engine(str(tmp_path / "shop.db"), patience_seconds=0.01)
    with write(migrated) as connection:
        connection.exec_driver_sql("INSERT INTO installation VALUES ('workspace', 'shop')")

        migrations.migrate(impatient)

    with read(migrated) as reader:
        assert reader.exec_driver_sql("SELECT value FROM installation").scalars().all() == ["shop"]
    impatient.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(
    empty: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "migrations"
    (broken / "versions").mkdir(parents=True)
    for name in ("alembic.ini", "env.py", "script.py.mako"):
        (broken / name).write_text((VERSIONS.parent / name).read_text())
    (broken / "versions" / "broken.py").write_text(
        "from alembic import op\nrevision = 'broken'\ndown_revision = None\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (id INTEGER)')\n    raise RuntimeError\n"
    )
    monkeypatch.setattr(schema_version, "folder", lambda: broken)

    with pytest.raises(RuntimeError):
        migrations.migrate(empty)

    with read(empty) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar_one() == 0


def test_the_newest_schema_is_found_without_loading_the_migrations() -> None:
    config = Config(VERSIONS.parent / "alembic.ini")
    config.set_main_option("script_location", str(VERSIONS.parent))

    assert schema_version.newest() == set(ScriptDirectory.from_config(config).get_heads())


def test_a_database_of_a_newer_version_is_left_alone(migrated: Engine) -> None:
    with write(migrated) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '2031_01_01_0900'")

    with pytest.raises(SystemFailure, match=r"a newer journeyflow made this database \(schema 2031_01_01_0900\)"):
        migrations.migrate(migrated)


def test_a_database_of_another_program_is_left_alone(empty: Engine) -> None:
    with write(empty) as connection:
        connection.exec_driver_sql("CREATE TABLE recipes (id INTEGER)")

    with pytest.raises(SystemFailure, match=r"another program made this database \(it has a table recipes\)"):
        migrations.migrate(empty)


MIGRATE = """
import sys
from journeyflow.db.migrations import migrate
from journeyflow.db.schema_version import is_current
from journeyflow.db.store import open_engine
print("ready", flush=True)
sys.stdin.readline()
engine = open_engine(sys.argv[1])
migrate(engine)
print(is_current(engine), flush=True)
"""


def test_processes_that_start_at_once_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MIGRATE, str(tmp_path / "shop.db")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    assert [process.communicate()[0] for process in processes] == ["True\n"] * 3


def test_the_printed_statements_make_the_same_database(migrated: Engine, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "by_hand.db")) as connection:
        connection.executescript(migrations.sql())
    other = open_engine(str(tmp_path / "by_hand.db"))

    with read(other) as by_hand, read(migrated) as made:
        assert schema(by_hand) == schema(made)
    assert schema_version.is_current(other)
    other.dispose()


def test_a_long_key_of_before_is_known_by_its_digest_afterwards(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    long, short = "ż" * 600, "z" * 900
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "NEWEST", "2026_11_26_0340")
        migrations.migrate(empty)
    with write(empty) as connection:
        rows = [(1, "ann", "carts", key, 0, 0, 1) for key in (long, short)]
        bulk.insert(connection, metadata.tables["entries"], rows)

    migrations.migrate(empty)

    with read(empty) as connection:
        found = set(connection.exec_driver_sql("SELECT key FROM entries").scalars())
    assert found == {entry_keys.stored(long), short}
    assert long not in found


def test_the_folder_reads_as_a_history() -> None:
    names = [path.name for path in VERSIONS.glob("*.py")]

    assert names
    assert all(re.fullmatch(r"\d{4}_\d\d_\d\d_\d{4}_[a-z0-9_]+\.py", name) for name in names)
