"""What a cluster of databases (Citus) asks of a statement, checked on plain PostgreSQL for each that the tests execute.

A statement names the shards that it is about, or joins on them; it takes row locks in one claim group, or one pool's
shard; it moves no row to another shard; and what it writes is what the application computed. Statements that look at
all shards on purpose (reports, and looks at what waits) are named in ``ACROSS``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

import sqlglot
from sqlglot import exp

from journeyflow.db.tables import SHARD, metadata

WAITS: Final = "how much waits, and who is next: workers ask it of all groups, and lock in one"
BY_ID: Final = "found by an id alone, for somebody who looks at it"
REPORT: Final = "a sum over all contacts"
COPY: Final = "a whole installation is read"
ACROSS: Final = {
    "aliases.into": "who was merged into a contact may be of any shard; asked when it is erased or looked at",
    "calls.by_id": BY_ID,
    "calls.count_waiting": WAITS,
    "calls.next_due": WAITS,
    "claims.groups": "the groups themselves",
    "codes.counts": REPORT,
    "coupons.given": "which of some codes were given, whoever has them; they are named",
    "distribution.regroup": COPY,
    "failures.count": REPORT,
    "firings.last_of_groups": WAITS,
    "history.engine_clock": WAITS,
    "history.similar_contacts": "keys like one that nobody has, for somebody who mistyped it",
    "idempotency._find": "found by its name alone, which a client uses once",
    "inbox.count": WAITS,
    "inbox.is_empty": WAITS,
    "inbox.oldest": "of all groups only where there is one",
    "inbox.oldest_at": WAITS,
    "leases.take_due": "the candidates, which are then locked group by group",
    "outbox._channels_waiting": WAITS,
    "outbox._first_due": WAITS,
    "outbox.by_id": BY_ID,
    "outbox.count_due": WAITS,
    "outbox.count_waiting": WAITS,
    "outbox.page": "a list of all messages, page by page",
    "outbox.waiting": WAITS,
    "regroup.await_anew": COPY,
    "regroup._claims": COPY,
    "regroup._firings": COPY,
    "regroup._inbox": COPY,
    "regroup._tasks": COPY,
    "retention.expired_shards": "which shards have something to be tidied up, which is then done shard by shard",
    "runs.by_id": BY_ID,
    "runs.overdue": "how many wait too long, for somebody who watches",
    "replay.contacts_after": "all contacts, page by page",
    "runs.page": "a list of all runs, page by page",
    "segments.count_certain": REPORT,
    "segments.possible_members": "a list of contacts, page by page; for a firing it names its group",
    "segments.uncertain_members": "of a report, page by page",
    "snapshot.count": COPY,
    "snapshot.occupied": COPY,
    "snapshot.read_rows": COPY,
    "statistics.totals": REPORT,
    "tasks.is_empty": WAITS,
    "tasks.is_last": WAITS,
    "tasks.waiting_groups": WAITS,
    "timeline.contact_keys": "a list of contacts, page by page",
    "timeline.still_to_come": "also what waits behind merges of others, for somebody who looks at a contact",
    "timers.first_of_groups": WAITS,
}
"""Functions that read all shards on purpose, and what for. Nothing of it locks, joins or writes."""
WRITE_REFERENCES: Final = {"copy", "documents", "forgotten", "keys", "pauses"}
"""Modules that write what is the same on every machine, which is dear: nothing that every turn or event needs."""
OWN: Final = ("pg_catalog", "pg_stat_activity", "alembic_version", "information_schema")
UNREAD: Final = ("COMMENT ", "SAVEPOINT ", "RELEASE SAVEPOINT ", "ROLLBACK TO SAVEPOINT ")
"""What the parser does not know; it is about no rows."""
PURE: Final = (exp.Unnest, exp.Cast, exp.Collate, exp.Coalesce, exp.Greatest, exp.Least)
"""Functions that give the same on every machine, at any time."""


class NotForACluster(AssertionError):
    """A statement that a cluster of databases would refuse, or answer otherwise."""


@cache
def check(sql: str, asker: str) -> None:
    """Judge a statement.

    :param asker: the function that executes it, as in ``ACROSS``.
    :raises NotForACluster: says which rule it breaks.
    """
    text = " ".join(sql.split())
    if any(name in sql for name in OWN) or text.startswith(UNREAD):
        return
    for statement in sqlglot.parse(text, dialect="postgres"):
        if isinstance(statement, exp.Select | exp.Union | exp.Insert | exp.Update | exp.Delete):
            for broken in _broken(statement, asker):
                raise NotForACluster(f"{broken} ({asker}): {text}")


def _broken(statement: exp.Expr, asker: str) -> Iterator[str]:
    yield from _of_references(statement, asker)
    yield from _of_functions(statement)
    for part in statement.find_all(exp.Select, exp.Update, exp.Delete):
        yield from _of_shards(part, asker in ACROSS)
    if statement.find(exp.Rollup, exp.Cube, exp.GroupingSets):
        yield "rule 8, reports need no grouping sets"


# --- which shards ----------------------------------------------------------------------------------------------------


def _of_shards(part: exp.Expr, across: bool) -> Iterator[str]:
    spread = dict(_distributed(part))
    if not spread:
        return
    named, joined = _shards_of(part)
    names = ", ".join(sorted(spread.values()))
    if isinstance(part, exp.Update) and any(one.this.name == SHARD for one in part.expressions):
        yield f"rule 2, no row of {names} moves to another shard"
    locking = isinstance(part, exp.Select) and bool(part.args.get("locks"))
    if locking and not named & spread.keys():
        yield f"rule 6, FOR UPDATE names one claim group or one pool's shard, not all rows of {names}"
    loose = spread.keys() - _reached(named, joined) - {name for pair in joined for name in pair}
    if loose and (locking or not across or not isinstance(part, exp.Select) or len(spread) > 1):
        yield f"rule 6, it names no shard of {', '.join(sorted(spread[name] for name in loose))}, and joins on none"


def _distributed(part: exp.Expr) -> Iterator[tuple[str, str]]:
    """The distributed tables that a part of a statement reads or changes: their names in it, and their own."""
    for table in _tables(part):
        known = metadata.tables.get(table.name)
        if known is not None and known.info["spread"] == "distributed":
            yield table.alias_or_name, table.name


def _tables(part: exp.Expr) -> Iterator[exp.Table]:
    sources: list[exp.Expr | None] = []
    if isinstance(part, exp.Update | exp.Delete):
        sources.append(part.this)
    using = part.args.get("using") or []
    sources.extend(using if isinstance(using, list) else [using])
    from_ = part.args.get("from_") or part.args.get("from")
    if from_ is not None:
        sources.append(from_.this)
        sources.extend(join.this for join in from_.this.args.get("joins") or [])
    sources.extend(join.this for join in part.args.get("joins") or [])
    for source in sources:
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
            yield source


def _conditions(part: exp.Expr) -> Iterator[exp.Expr]:
    where = part.args.get("where")
    if where is not None:
        yield from _all_of(where.this)
    for join in part.args.get("joins") or []:
        if join.args.get("on") is not None:
            yield from _all_of(join.args["on"])


def _all_of(condition: exp.Expr) -> Iterator[exp.Expr]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _all_of(condition.left)
        yield from _all_of(condition.right)
    else:
        yield condition


def _shards_of(part: exp.Expr) -> tuple[set[str], list[tuple[str, str]]]:
    """The tables whose shards are named, and pairs of tables that are joined on theirs."""
    named: set[str] = set()
    joined: list[tuple[str, str]] = []
    for condition in _conditions(part):
        if isinstance(condition, exp.EQ):
            sides = [_table_of(one) for one in (condition.left, condition.right)]
            if sides[0] is not None and sides[1] is not None:
                joined.append((sides[0], sides[1]))
            else:
                named.update(one for one in sides if one is not None)
        elif isinstance(condition, exp.In | exp.Between | exp.LTE | exp.LT):
            # A tuple that begins with the shard, in a list of such, is joined to it.
            key = condition.this.expressions[0] if isinstance(condition.this, exp.Tuple) else condition.this
            table = _table_of(key)
            if table is not None and (isinstance(condition, exp.In) or key is condition.this):
                named.add(table)
    return named, joined


def _table_of(one: exp.Expr) -> str | None:
    one = one.unnest()
    if isinstance(one, exp.Cast):
        one = one.this
    return one.table if isinstance(one, exp.Column) and one.name == SHARD else None


def _reached(named: set[str], joined: Iterable[tuple[str, str]]) -> set[str]:
    found = set(named)
    for _ in range(10):
        for one, two in joined:
            if found & {one, two}:
                found |= {one, two}
    return found


def _of_references(statement: exp.Expr, asker: str) -> Iterator[str]:
    for part in statement.find_all(exp.Insert, exp.Update, exp.Delete):
        target = part.this.this if isinstance(part.this, exp.Schema) else part.this
        known = metadata.tables.get(target.name)
        if (
            known is not None
            and known.info["spread"] == "reference"
            and asker.split(".", maxsplit=1)[0] not in WRITE_REFERENCES
        ):
            yield f"rule 7, {known.name} is the same on every machine, and not written here"


# --- what is written -------------------------------------------------------------------------------------------------


def _of_functions(statement: exp.Expr) -> Iterator[str]:
    written: list[exp.Expr] = []
    for update in statement.find_all(exp.Update):
        written.extend(update.expressions)
    for conflict in statement.find_all(exp.OnConflict):
        written.extend(conflict.expressions)
    for one in written:
        for function in one.find_all(exp.Func):
            if not isinstance(function, PURE):
                yield f"rule 4, {function.sql()} is computed by the database, where the application has to"
