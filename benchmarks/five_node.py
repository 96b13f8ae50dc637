"""The five-node journey on SQLite and on PostgreSQL: what a transition costs, beside floors written by hand.

Each contender is a module that takes ``--contacts``, starts from the same contacts and events (or from tables of its
own) and prints its cost. Those in ``SAME_TABLES`` must leave the same rows behind.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks import postgresql
from benchmarks.five_node_start import TRANSITIONS
from benchmarks.measure import Cost, console, print_costs, print_table, ratio, side_by_side, tell_ratio

SQLITE: Final = {
    "engine": "benchmarks.five_node_engine",
    "floor": "benchmarks.floors.five_node_sqlite",
    "lean floor": "benchmarks.floors.lean_sqlite",
}
POSTGRESQL: Final = {
    "engine": "benchmarks.five_node_engine_postgresql",
    "floor": "benchmarks.floors.five_node_postgresql",
    "lean floor": "benchmarks.floors.lean_postgresql",
}
SAME_TABLES: Final = ("engine", "floor")
PUBLISHED: Final = frozenset({"documents", "installation", "journeys"})
"""Tables that are no part of what a journey writes."""
RATIOS: Final[tuple[tuple[str, str, float | None], ...]] = (
    ("engine", "floor", 3.0),
    ("engine", "lean floor", 6.0),
    ("floor", "lean floor", None),
)
"""(dear, cheap, how many times as dear at most)"""
MANY: Final = 4
"""So many workers at a time."""

Costs = Mapping[str, Sequence[Cost]]


def run(options: Namespace) -> bool:
    """Measure, print; false where a limit is exceeded or rows differ."""
    kept = True
    if options.store in (None, "sqlite"):
        kept = _on_sqlite(options)
    if options.store is None:
        console.print()
    if options.store in (None, "postgresql"):
        kept = _on_postgresql(options) and kept
    return kept


def _on_sqlite(options: Namespace) -> bool:
    costs = side_by_side(SQLITE, ["--contacts", str(options.contacts)], options.rounds)
    _tell(costs, "SQLite", options.contacts)
    return all([*_tell_ratios(costs), _tell_rows(costs)])


def _on_postgresql(options: Namespace) -> bool:
    """One worker against the limits; then several, for whom nothing is promised but that they do the same."""
    with postgresql.started() as server:
        arguments = ["--server", server, "--contacts", str(options.contacts)]
        console.print(postgresql.told(server))
        costs = side_by_side(POSTGRESQL, [*arguments, "--workers", "1"], options.rounds)
        _tell(costs, "PostgreSQL, one worker", options.contacts)
        kept = [*_tell_ratios(costs), _tell_rows(costs)]
        many = side_by_side(POSTGRESQL, [*arguments, "--workers", str(MANY)], 1)
        _tell(many, f"PostgreSQL, {MANY} workers", options.contacts)
        _tell_ratios(many, limited=False)
        return all([*kept, _tell_rows(many)])


def _tell(costs: Costs, where: str, contacts: int) -> None:
    rounds = len(costs["engine"])
    console.print(
        f"five-node journey on {where}, {contacts:,} contacts, {TRANSITIONS} transitions each, "
        f"median of {rounds} rounds side by side"
    )
    print_costs(costs, dict.fromkeys(costs, contacts * TRANSITIONS))


def _tell_ratios(costs: Costs, limited: bool = True) -> list[bool]:
    cpu = {name: [cost.total_seconds for cost in found] for name, found in costs.items()}
    return [
        tell_ratio(dear, cheap, "CPU time", ratio(cpu[dear], cpu[cheap]), most if limited else None)
        for dear, cheap, most in RATIOS
    ]


def _tell_rows(costs: Costs) -> bool:
    """Print the rows of each table, and whether all contenders left the same."""
    last = {name: costs[name][-1] for name in SAME_TABLES}
    tables = sorted({table for cost in last.values() for table in cost.rows} - PUBLISHED)
    counts = {table: [cost.rows.get(table, 0) for cost in last.values()] for table in tables}
    print_table(["rows", *last], [[table, *found] for table, found in counts.items() if any(found)])
    different = [table for table, found in counts.items() if len(set(found)) > 1]
    contents = [table for table in tables if len({cost.digests.get(table) for cost in last.values()}) > 1]
    if different:
        console.print(f"[bold red]the number of rows differs[/] in {', '.join(different)}")
    elif contents:
        console.print(f"the number of rows is the same, what is in them differs in {', '.join(contents)}")
    return not different
