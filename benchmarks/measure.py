"""Costs of work, and contenders that do the same work side by side.

A contender is a module that is run as a process of its own (``python -m MODULE``), so that none warms up the next. It
measures itself and prints its cost as the last line of its output. Contenders take turns, a round each, because a
machine is never equally fast for long; what counts is the median of the rounds' ratios.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
console = Console(highlight=False, soft_wrap=True)


def cpu_seconds() -> float:
    """CPU time, in user and in kernel mode, of this process with its threads and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@dataclass
class Cost:
    """What a piece of work cost, and how many rows it left in each table, with a digest of what is in them.

    :param cpu_seconds: of the processes that did the work.
    :param server_seconds: CPU time of the database's server meanwhile; ``None`` where it can't be told.
    """

    cpu_seconds: float = 0.0
    server_seconds: float | None = 0.0
    wall_seconds: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def total_seconds(self) -> float:
        """CPU time of both, as far as it is known."""
        return self.cpu_seconds + (self.server_seconds or 0.0)

    def print(self) -> None:
        """Hand the cost to who started this process."""
        print(orjson.dumps(asdict(self)).decode())


@contextmanager
def measured() -> Iterator[Cost]:
    """The cost of what happens inside, complete once it has ended."""
    cost = Cost()
    cpu, wall = cpu_seconds(), time.perf_counter()
    yield cost
    cost.cpu_seconds, cost.wall_seconds = cpu_seconds() - cpu, time.perf_counter() - wall


def run_contender(module: str, arguments: Sequence[str]) -> Cost:
    """Run a contender and read the cost that it prints.

    :raises subprocess.CalledProcessError: when it fails.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return Cost(**orjson.loads(done.stdout.splitlines()[-1]))


def side_by_side(contenders: Mapping[str, str], arguments: Sequence[str], rounds: int) -> dict[str, list[Cost]]:
    """The costs of each contender (by name; its module) in each round."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, module in contenders.items():
            costs[name].append(run_contender(module, arguments))
    return costs


class Ratio(NamedTuple):
    """How many times as dear one is as another: the median of the rounds, the least and the most."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def ratio(dear: Sequence[float], cheap: Sequence[float]) -> Ratio:
    """Round by round, as the machine was then."""
    ratios = [one / other for one, other in zip(dear, cheap, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))


def percentile(times: Sequence[float], share: float) -> float:
    """Of times in order of size, the one that so many of them do not exceed."""
    return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0


def tell_ratio(dear: str, cheap: str, what: str, found: Ratio, most: float | None = None) -> bool:
    """Print a ratio, and whether it is within what is allowed; false where it is not."""
    kept = most is None or found.median <= most
    verdict = "" if most is None else f", allowed {most:g}: {'kept' if kept else '[bold red]EXCEEDED[/]'}"
    console.print(f"{what}, {dear} / {cheap}: [bold]{found}[/]{verdict}")
    return kept


def tell_ratio_least(dear: str, cheap: str, what: str, found: Ratio, least: float) -> bool:
    """Print a ratio, and whether it is as much as is promised; false where it is not."""
    kept = found.median >= least
    verdict = "kept" if kept else "[bold red]MISSED[/]"
    console.print(f"{what}, {dear} / {cheap}: [bold]{found}[/], at least {least:g}: {verdict}")
    return kept


def print_costs(costs: Mapping[str, Sequence[Cost]], transitions: Mapping[str, int]) -> None:
    """What 1,000 transitions cost on the client and on the server of a database, and how many there were in a second.

    :param transitions: how many each contender made in a round.
    """
    rows = []
    for name, found in costs.items():
        parts = (
            [cost.cpu_seconds for cost in found],
            [cost.server_seconds for cost in found if cost.server_seconds is not None],
            [cost.total_seconds for cost in found],
        )
        made = transitions[name]
        per_thousand = [f"{median(part) / made * 1000:.4f}" if part else "unknown" for part in parts]
        wall = median(cost.wall_seconds for cost in found)
        rows.append([name, *per_thousand, f"{made / wall:,.0f}"])
    print_table(["CPU s / 1,000 transitions", "client", "server", "both", "transitions / s"], rows)
    if any(cost.server_seconds is None for found in costs.values() for cost in found):
        console.print("[bold]the server runs elsewhere: its CPU time is not known, and not in the ratios[/]")


def print_table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns beside each other; all but the first are numbers."""
    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(heading):
        table.add_column(name, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table)
