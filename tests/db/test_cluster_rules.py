"""The nine rules of a schema that can be spread over a cluster (architecture, "scale"), kept on plain PostgreSQL.

What they ask of statements is in ``tests/statements.py``, which looks at each that the tests execute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlglot
from sqlalchemy import CheckConstraint, SmallInteger, Table, UniqueConstraint
from tests import statements
from tests.statements import ACROSS, NotForACluster

from journeyflow.db import migrations
from journeyflow.db.tables import SHARD, metadata

TABLES = metadata.sorted_tables
DISTRIBUTED = [table for table in TABLES if table.info["spread"] == "distributed"]
REFERENCE = [table for table in TABLES if table.info["spread"] == "reference"]


def name(table: Table) -> str:
    return table.name


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES, ids=name)
def test_1_every_table_says_how_it_is_spread(table: Table) -> None:
    assert table.info["spread"] in ("distributed", "reference", "local")
    assert (SHARD in table.c) == (table.info["spread"] == "distributed")


@pytest.mark.parametrize("table", DISTRIBUTED, ids=name)
def test_2_the_shard_has_one_type_and_is_in_every_key(table: Table) -> None:
    assert type(table.c[SHARD].type) is SmallInteger
    assert not table.c[SHARD].nullable
    assert SHARD in table.primary_key.columns
    unique: list[Any] = [one for one in table.constraints if isinstance(one, UniqueConstraint)]  # Any: each has columns
    unique.extend(index for index in table.indexes if index.unique)
    assert all(SHARD in one.columns for one in unique)


@pytest.mark.parametrize("table", TABLES, ids=name)
def test_2_and_3_foreign_keys_name_the_shard_set_nothing_to_null_and_lead_to_no_distributed_table(table: Table) -> None:
    for key in table.foreign_key_constraints:
        assert key.ondelete != "SET NULL"
        assert key.onupdate is None
        there = key.referred_table.info["spread"]
        if table.info["spread"] == "distributed" and there == "distributed":
            assert SHARD in key.column_keys
        else:
            assert there == "reference"


@pytest.mark.parametrize("table", TABLES, ids=name)
def test_4_no_value_comes_from_the_database(table: Table) -> None:
    for column in table.columns:
        assert column.autoincrement in (False, "auto") or not column.primary_key
        assert not (column.primary_key and column.autoincrement)
        assert column.identity is None
        assert column.computed is None
        assert column.server_onupdate is None
        default: Any = column.server_default  # Any: of several kinds, a constant's has an argument
        assert default is None or re.fullmatch(r"-?\d+|'[^']*'", str(default.arg))


@pytest.mark.parametrize("table", TABLES, ids=name)
def test_5_every_constraint_and_index_has_a_name(table: Table) -> None:
    checks = [one for one in table.constraints if isinstance(one, CheckConstraint)]
    named: list[Any] = [*checks, *table.foreign_key_constraints, *table.indexes]  # Any: of several kinds
    assert all(one.name for one in named)


@pytest.mark.parametrize("table", REFERENCE, ids=name)
def test_7_nothing_that_is_counted_leased_or_refreshed_is_in_a_reference_table(table: Table) -> None:
    telling = re.compile("count|lease|heartbeat|attempts|cursor|seen_at|last_at")
    assert [column.name for column in table.columns if telling.search(column.name)] == []


# --- migrations ------------------------------------------------------------------------------------------------------


def made() -> Iterator[str]:
    """The statements that make the newest schema, without their comments, one after the other."""
    text = re.sub(r"--.*", "", migrations.sql("postgresql"))
    text = re.sub(r"(?s)DO \$\$.*?\$\$;", "", text)  # before there is a cluster; it alters column after column
    yield from (" ".join(one.split()) for one in text.split(";") if one.strip())


def test_4_there_are_no_triggers_sequences_or_functions_of_our_own() -> None:
    forbidden = re.compile(r"CREATE (OR REPLACE )?(TRIGGER|SEQUENCE|RULE)|SERIAL|GENERATED (ALWAYS|BY DEFAULT)|nextval")
    assert [one for one in made() if forbidden.search(one)] == []


def actions(alter: str) -> int:
    """How many things a statement asks for."""
    if re.search(r" SET \([^)]*\)$", alter):  # what is set of a table is one thing, however much it is
        return 1
    return len(sqlglot.parse_one(alter, dialect="postgres").args.get("actions") or [])


def test_5_an_alter_does_one_thing() -> None:
    assert actions("ALTER TABLE runs ADD COLUMN a int, ADD COLUMN b int") == 2
    altering = [one for one in made() if one.startswith("ALTER TABLE")]
    assert len(altering) > 10
    assert [one for one in altering if actions(one) != 1] == []


def test_5_constraints_are_named_in_the_migrations() -> None:
    for one in made():
        for kind in ("PRIMARY KEY", "UNIQUE (", "CHECK (", "FOREIGN KEY"):
            for found in re.finditer(re.escape(kind), one):
                assert re.search(r"CONSTRAINT \S+ $", one[: found.start()]), one


# --- statements ------------------------------------------------------------------------------------------------------

GOOD = [
    "SELECT runs.id FROM runs WHERE runs.shard = %(a)s AND runs.contact = %(b)s",
    "SELECT runs.id FROM runs WHERE runs.shard BETWEEN %(a)s AND %(b)s FOR UPDATE",
    "SELECT runs.id FROM runs WHERE runs.shard IN (%(a)s, %(b)s) FOR UPDATE SKIP LOCKED",
    "SELECT runs.id FROM unnest(%(a)s) AS k(shard, contact) JOIN runs ON runs.shard = k.shard AND runs.id = k.contact",
    "DELETE FROM seen WHERE (seen.shard, seen.at) IN (SELECT k.shard, k.at FROM unnest(%s) AS k(shard, at))",
    'DELETE FROM "timers" AS t USING unnest(%s::int2[]) AS k("shard") WHERE t."shard" = k."shard"',
    'INSERT INTO "seen" ("at") SELECT * FROM unnest(%s::int2[]) ON CONFLICT ("at") DO UPDATE SET "at" = excluded."at"',
    "UPDATE contacts SET timer_at = %(t)s WHERE contacts.shard = %(a)s",
    "SELECT documents.id FROM documents",
]
BAD = {
    "SELECT runs.id FROM runs WHERE runs.id = %(a)s": "names no shard of runs",
    "SELECT runs.id FROM runs JOIN contacts ON runs.contact = contacts.contact WHERE runs.shard = %(a)s": "of contacts",
    "SELECT runs.id FROM runs WHERE runs.shard = %(a)s OR runs.contact = %(b)s": "names no shard of runs",
    "SELECT claims.now FROM claims FOR UPDATE": "FOR UPDATE names one claim group",
    "SELECT 1 FROM unnest(%(a)s) AS k(shard) JOIN runs ON runs.shard = k.shard FOR UPDATE OF runs": "FOR UPDATE names",
    "UPDATE runs SET shard = %(a)s WHERE runs.shard = %(b)s": "rule 2, no row of runs moves",
    "UPDATE runs SET status = %(a)s WHERE runs.id = %(b)s": "names no shard of runs",
    "UPDATE runs SET ended_at = now() WHERE runs.shard = %(b)s": "rule 4",
    "UPDATE runs SET ended_at = extract(epoch from clock_timestamp()) WHERE runs.shard = %(b)s": "rule 4",
    'INSERT INTO seen (shard) VALUES (%s) ON CONFLICT (shard) DO UPDATE SET at = random()': "rule 4",
    "DELETE FROM runs WHERE runs.contact = %(a)s": "names no shard of runs",
    "DELETE FROM runs": "names no shard of runs",
    "SELECT runs.journey, count(*) FROM runs WHERE runs.shard = %(a)s GROUP BY ROLLUP (runs.journey)": "rule 8",
    "SELECT 1 WHERE EXISTS (SELECT * FROM inbox WHERE inbox.id > %(a)s)": "names no shard of inbox",
}  # fmt: skip


@pytest.mark.parametrize("sql", GOOD)
def test_6_a_statement_names_its_shards_or_joins_on_them(sql: str) -> None:
    statements.check(sql, "somewhere.else")


@pytest.mark.parametrize(("sql", "reason"), BAD.items())
def test_6_one_that_does_not_is_found_out(sql: str, reason: str) -> None:
    with pytest.raises(NotForACluster, match=reason):
        statements.check(sql, "somewhere.else")


def test_7_reference_tables_are_written_where_documents_and_keys_are_kept_and_nowhere_else() -> None:
    sql = "UPDATE journeys SET state = %(a)s WHERE journeys.id = %(b)s"
    statements.check(sql, "documents.put_journey")
    with pytest.raises(NotForACluster, match="rule 7"):
        statements.check(sql, "turns.save")


def test_6_who_reads_all_shards_on_purpose_may_neither_lock_nor_join_nor_write() -> None:
    asker = next(iter(ACROSS))
    statements.check("SELECT count(*) FROM runs", asker)
    for sql in ("SELECT runs.id FROM runs FOR UPDATE", "DELETE FROM runs", "SELECT 1 FROM runs, contacts"):
        with pytest.raises(NotForACluster):
            statements.check(sql, asker)
