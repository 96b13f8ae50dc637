"""What a run costs that is due, among few others that wait and among many; and while somebody holds a snapshot open.

A snapshot (a backup, a report, a forgotten session) keeps PostgreSQL from cleaning up what was changed since: queues
whose dead rows are looked through again and again become slower with every turn.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median
from typing import Final

from psycopg import IsolationLevel
from sqlalchemy import Connection

from benchmarks import postgresql
from benchmarks.five_node_engine_postgresql import turns_of_all
from benchmarks.measure import Cost, console, print_table, ratio, tell_ratio
from benchmarks.waiting_start import due_at, prepare
from benchmarks.workers import play
from journeyflow.services.garbage import collect_rarely

MANY_MOST: Final = 1.3
HELD_MOST: Final = 2.0
BATCH: Final = 200
"""Small, so that there are many turns, each of which may meet what the others left behind."""
LOOK_AT_ALL: Final = """
    SELECT sum(length(get_raw_page(relname, block)))
    FROM pg_class, generate_series(0, pg_relation_size(oid) / current_setting('block_size')::int - 1) AS block
    WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace"""
FEW, LOTS, HELD = "few wait", "many wait", "many, snapshot held"


def run(options: Namespace) -> bool:
    """Measure, print; false where a limit is exceeded."""
    rounds = options.rounds
    with postgresql.started(shared_buffers=options.memory) as server, ExitStack() as stack:
        console.print(postgresql.told(server))
        few, many = (stack.enter_context(postgresql.database(server)) for _ in range(2))
        prepare(few, options.few, options.due, rounds)
        prepare(many, options.waiting, options.due, 2 * rounds)
        console.print(f"{options.waiting:,} waiting runs: {_size(many)} of tables and indexes")
        costs: dict[str, list[Cost]] = {FEW: [], LOTS: [], HELD: []}
        collect_rarely()  # as serve and worker do
        for round_ in range(rounds):
            costs[FEW].append(measure(few, round_, options.due))
            costs[LOTS].append(measure(many, 2 * round_, options.due))
            with held(many):
                costs[HELD].append(measure(many, 2 * round_ + 1, options.due))
        console.print(
            f"{options.due:,} due runs of {options.few:,} and of {options.waiting:,} that wait, "
            f"median of {rounds} rounds side by side"
        )
        print_table(
            ["CPU µs / due run", "client", "server", "both"],
            [[name, *_per_run(found, options.due)] for name, found in costs.items()],
        )
        print_table(["in the many", "updates", "in the same page"], _updates(many))
    return _tell(costs)


def measure(url: str, round_: int, due: int) -> Cost:
    """Wake all that are due in a round.

    :raises RuntimeError: when not all of them went on.
    """
    before = _count(url, "runs WHERE status = 'completed'")
    cost = play(partial(turns_of_all, [due_at(round_)], BATCH, look_at_all), url, workers=1)
    woken = _count(url, "runs WHERE status = 'completed'") - before
    if woken != due:
        raise RuntimeError(f"{woken} runs went on, not {due}")
    return cost


def look_at_all(connection: Connection) -> None:
    """Make a worker's process of the server one that has been there for a while, and has seen all tables and indexes.

    The first look that a process takes at a page of the server's memory costs far more than those after it: the page
    is put into the process's own table of pages. Where a few thousand of millions are woken nearly all looks are first
    ones, while a worker that runs for weeks hardly takes any such.
    """
    connection.exec_driver_sql(LOOK_AT_ALL)


@contextmanager
def held(url: str) -> Iterator[None]:
    """Somebody looks at the database as it is now, until the end."""
    with postgresql.connect(url) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            connection.execute("SELECT count(*) FROM claims")
            yield


def _count(url: str, of: str) -> int:
    with postgresql.connect(url) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {of}".encode()).fetchall()[0][0])


def _size(url: str) -> str:
    with postgresql.connect(url) as connection:
        return str(connection.execute("SELECT pg_size_pretty(pg_database_size(current_database()))").fetchall()[0][0])


def _updates(url: str) -> list[list[str]]:
    """How many rows were changed, and how many of them needed no new entry in an index."""
    query = "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname IN ('contacts', 'runs')"
    with postgresql.connect(url) as connection:
        rows = connection.execute(f"{query} ORDER BY relname".encode()).fetchall()
    return [[name, f"{updated:,}", f"{hot / updated:.0%}"] for name, updated, hot in rows if updated]


def _per_run(found: Sequence[Cost], due: int) -> list[str]:
    parts = (
        [cost.cpu_seconds for cost in found],
        [cost.server_seconds for cost in found if cost.server_seconds is not None],
        [cost.total_seconds for cost in found],
    )
    return [f"{median(part) / due * 1e6:,.0f}" if part else "unknown" for part in parts]


def _tell(costs: dict[str, list[Cost]]) -> bool:
    cpu = {name: [cost.total_seconds for cost in found] for name, found in costs.items()}
    return all(
        [
            tell_ratio(LOTS, FEW, "CPU time", ratio(cpu[LOTS], cpu[FEW]), MANY_MOST),
            tell_ratio(HELD, FEW, "CPU time", ratio(cpu[HELD], cpu[FEW]), HELD_MOST),
        ]
    )
