"""``python -m benchmarks [NAME...]``: run benchmarks and print their ratios; exit code 1 where a limit is exceeded."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import (
    capacity,
    chaos,
    comparison,
    crash,
    fairness,
    five_node,
    ingestion,
    latency,
    memory,
    reading,
    waiting,
)
from benchmarks.measure import console

BENCHMARKS: Final[dict[str, Callable[[Namespace], bool]]] = {
    "five_node": five_node.run,
    "waiting": waiting.run,
    "comparison": comparison.run,
    "reading": reading.run,
    "crash": crash.run,
    "chaos": chaos.run,
    "fairness": fairness.run,
    "ingestion": ingestion.run,
    "latency": latency.run,
    "memory": memory.run,
    "capacity": capacity.run,
}


def main() -> None:
    """Run those that are named, or all."""
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; all without")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender runs")
    parser.add_argument("--contacts", type=int, default=20_000, help="contacts of the five-node journey")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], help="else five_node on both, fairness on SQLite")
    parser.add_argument("--peer-contacts", type=int, default=300, help="contacts of the peers in the comparison")
    parser.add_argument("--waiting", type=int, default=500_000, help="runs that wait")
    parser.add_argument("--memory", default="2GB", help="shared_buffers of the server on which runs wait")
    parser.add_argument("--few", type=int, default=50_000, help="runs that wait beside which these are measured")
    parser.add_argument("--due", type=int, default=4_000, help="so many of them are due in each round")
    parser.add_argument("--events", type=_events, help="of the simulation: JSON Lines, .gz; of chaos: how many")
    parser.add_argument("--contacts-file", type=Path, help="CSV of the simulation; with --events")
    parser.add_argument("--kills", type=int, default=50, help="how often the server is killed")
    parser.add_argument("--faults", type=int, default=100, help="how many things happen in the chaos benchmark")
    parser.add_argument("--crowd", type=int, default=1_000_000, help="contacts of the fairness benchmark")
    parser.add_argument("--skip", action="append", default=[], help="a phase of the fairness benchmark to leave out")
    parser.add_argument("--ingested", type=int, default=20_000, help="events that are taken in over HTTP")
    parser.add_argument("--seconds", type=float, default=20, help="of events at each rate, of the latency benchmark")
    parser.add_argument("--passing", type=int, default=100_000, help="contacts that pass through a worker, of memory")
    parser.add_argument("--history", type=int, default=100_000, help="events of the contact with a long history")
    parser.add_argument("--capacity-contacts", type=int, default=20_000, help="contacts of the capacity benchmark")
    parser.add_argument("--seed", type=int, default=1, help="of the crash benchmark's moments and events")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if isinstance(options.events, Path) != (options.contacts_file is not None):
        parser.error("--events FILE and --contacts-file go together")
    kept = []
    for name in options.names or BENCHMARKS:
        kept.append(BENCHMARKS[name](options))
        console.print()
    sys.exit(0 if all(kept) else 1)


def _events(text: str) -> Path | int:
    return int(text) if text.isdecimal() else Path(text)


if __name__ == "__main__":
    main()
