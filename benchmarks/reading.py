"""A simulation beside merely reading its events: how many times the time, how many times the memory.

Both are whole processes, from start to end, with everything that they load.
"""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import orjson

from benchmarks.made_events import make
from benchmarks.measure import ROOT, console, print_table, ratio, tell_ratio

DATA: Final = ROOT.parent / "shared" / "data"
REAL_EVENTS: Final = DATA / "onlineretail.events.jsonl.gz"
REAL_CONTACTS: Final = DATA / "onlineretail.contacts.csv"
LAUNCH: Final = ROOT / "benchmarks" / "launch.py"
TIMES_AS_LONG_MAX: Final = 25
TIMES_THE_MEMORY_MAX: Final = 3


class ProcessCost(NamedTuple):
    """What a whole process cost."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def run_process(command: Sequence[str], folder: Path) -> ProcessCost:
    """Run a command and wait for its end.

    :raises subprocess.CalledProcessError: when it fails; what it printed was shown.
    """
    result, output = folder / "cost.json", folder / "output.txt"
    with open(output, "wb") as file:
        launched = [sys.executable, "-I", "-S", str(LAUNCH), str(result), *command]
        done = subprocess.run(launched, cwd=ROOT, check=False, stdout=file, stderr=subprocess.STDOUT)
    if done.returncode:
        console.print(output.read_text(errors="replace"), markup=False)
    done.check_returncode()
    return ProcessCost(**orjson.loads(result.read_bytes()))


def run(options: Namespace) -> bool:
    """Measure, print; false where a limit is exceeded."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        events, contacts = _data(options, folder)
        simulate = ["simulate", "flows", "--events", str(events), "--contacts", str(contacts)]
        commands = {
            "simulate": [str(Path(sys.executable).with_name("journeyflow")), *simulate],
            "reading and grouping": [sys.executable, "-m", "benchmarks.floors.grouping", str(events)],
        }
        costs: dict[str, list[ProcessCost]] = {what: [] for what in commands}
        for _ in range(options.rounds):
            for what, command in commands.items():
                costs[what].append(run_process(command, folder))
    return _tell(events, costs)


def _data(options: Namespace, folder: Path) -> tuple[Path, Path]:
    if options.events is not None:
        return options.events.resolve(), options.contacts_file.resolve()
    return (REAL_EVENTS, REAL_CONTACTS) if REAL_EVENTS.exists() else make(folder)


def _tell(events: Path, costs: dict[str, list[ProcessCost]]) -> bool:
    console.print(f"simulate over {events.name}, whole processes, median of {len(costs['simulate'])} rounds")
    print_table(["", "wall s", "CPU s", "peak MiB"], [[what, *_medians(found)] for what, found in costs.items()])
    dear, cheap = costs["simulate"], costs["reading and grouping"]
    names = ("simulate", "reading and grouping")
    wall = ratio([cost.wall_seconds for cost in dear], [cost.wall_seconds for cost in cheap])
    cpu = ratio([cost.cpu_seconds for cost in dear], [cost.cpu_seconds for cost in cheap])
    peak = ratio([cost.peak_bytes for cost in dear], [cost.peak_bytes for cost in cheap])
    kept = [
        tell_ratio(*names, "wall time", wall, TIMES_AS_LONG_MAX),
        tell_ratio(*names, "CPU time", cpu),
        tell_ratio(*names, "peak memory", peak, TIMES_THE_MEMORY_MAX),
    ]
    return all(kept)


def _medians(found: list[ProcessCost]) -> tuple[str, str, str]:
    wall, cpu, peak = (median(values) for values in zip(*found, strict=True))
    return f"{wall:.2f}", f"{cpu:.2f}", f"{peak / 2**20:.0f}"
