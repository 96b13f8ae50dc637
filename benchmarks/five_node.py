"""The five-node journey on SQLite: what a transition costs, beside floors written by hand.

Each contender is a module that takes ``--contacts``, starts from ``five_node_start.prepare`` (or from tables of its
own) and prints its cost. Those in ``SAME_TABLES`` must leave the same rows behind.
"""

from __future__ import annotations

from argparse import Namespace
from statistics import median
from typing import Final

from benchmarks.five_node_start import TRANSITIONS
from benchmarks.measure import Cost, console, print_table, ratio, side_by_side, tell_ratio

CONTENDERS: Final = {
    "engine": "benchmarks.five_node_engine",
    "floor": "benchmarks.floors.five_node_sqlite",
    "lean floor": "benchmarks.floors.lean_sqlite",
}
SAME_TABLES: Final = ("engine", "floor")
PUBLISHED: Final = frozenset({"documents", "installation", "journeys"})
"""Tables that are no part of what a journey writes."""
RATIOS: Final[tuple[tuple[str, str, float | None], ...]] = (
    ("engine", "floor", 4.0),
    ("engine", "lean floor", 8.0),
    ("floor", "lean floor", None),
)
"""(dear, cheap, how many times as dear at most)"""


def run(options: Namespace) -> bool:
    """Measure, print; false where a limit is exceeded or rows differ."""
    contacts: int = options.contacts
    costs = side_by_side(CONTENDERS, ["--contacts", str(contacts)], options.rounds)
    console.print(
        f"five-node journey on SQLite, {contacts:,} contacts, {TRANSITIONS} transitions each, "
        f"median of {options.rounds} rounds side by side"
    )
    print_table(
        ["", "CPU s / 1,000 transitions", "transitions / s"],
        [[name, *_per_transition(found, contacts * TRANSITIONS)] for name, found in costs.items()],
    )
    cpu = {name: [cost.cpu_seconds for cost in found] for name, found in costs.items()}
    kept = [tell_ratio(dear, cheap, "CPU time", ratio(cpu[dear], cpu[cheap]), most) for dear, cheap, most in RATIOS]
    return all([*kept, _tell_rows(costs)])


def _per_transition(found: list[Cost], transitions: int) -> tuple[str, str]:
    cpu = median(cost.cpu_seconds for cost in found)
    wall = median(cost.wall_seconds for cost in found)
    return f"{cpu / transitions * 1000:.4f}", f"{transitions / wall:,.0f}"


def _tell_rows(costs: dict[str, list[Cost]]) -> bool:
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
