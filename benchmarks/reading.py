"""A simulation beside merely reading its events: how many times the time, how many times the memory.

Both are whole processes, from start to end, with everything that they load.
"""

from __future__ import annotations

import csv
import gzip
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
SHOPS: Final = ("onlineretail", "otto", "ecom5")
FIRST: Final = ("welcome", "abandoned-cart", "win-back")
LAUNCH: Final = ROOT / "benchmarks" / "launch.py"
FIRST_TIMES_AS_LONG_MAX: Final = 15
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


class Case(NamedTuple):
    """Files to simulate over, and by which journeys; all where none is named."""

    name: str
    events: Path
    contacts: Path
    journeys: tuple[str, ...]
    times_as_long_max: float


def run(options: Namespace) -> bool:
    """Measure, print; false where a limit is exceeded."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        kept = [_compare(case, options.rounds, folder) for case in _cases(options, folder)]
    return all(kept)


def _cases(options: Namespace, folder: Path) -> list[Case]:
    if isinstance(options.events, Path):
        given = (options.events.resolve(), options.contacts_file.resolve())
        return [Case(f"all starters over {options.events.name}", *given, (), TIMES_AS_LONG_MAX)]
    if not all(file.exists() for shop in SHOPS for file in _files(shop)):
        made = make(folder)
        return [
            Case("three starters over a made shop's year", *made, FIRST, FIRST_TIMES_AS_LONG_MAX),
            Case("all starters over a made shop's year", *made, (), TIMES_AS_LONG_MAX),
        ]
    return [
        Case("three starters over a real shop's year", *_files(SHOPS[0]), FIRST, FIRST_TIMES_AS_LONG_MAX),
        Case("all starters over three real shops", *_joined(folder), (), TIMES_AS_LONG_MAX),
    ]


def _files(shop: str) -> tuple[Path, Path]:
    return DATA / f"{shop}.events.jsonl.gz", DATA / f"{shop}.contacts.csv"


def _joined(folder: Path) -> tuple[Path, Path]:
    """The files of all shops as one of events and one of contacts."""
    events, contacts = folder / "all.events.jsonl.gz", folder / "all.contacts.csv"
    rows: list[dict[str, str]] = []
    with gzip.open(events, "wb") as joined:
        for shop in SHOPS:
            theirs, people = _files(shop)
            joined.write(gzip.decompress(theirs.read_bytes()))
            with open(people, newline="", encoding="utf-8") as file:
                rows.extend(csv.DictReader(file))
    with open(contacts, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(column for row in rows for column in row)))
        writer.writeheader()
        writer.writerows(rows)
    return events, contacts


def _compare(case: Case, rounds: int, folder: Path) -> bool:
    chosen = [part for journey in case.journeys for part in ("--journey", journey)]
    simulate = ["simulate", "flows", *chosen, "--events", str(case.events), "--contacts", str(case.contacts)]
    commands = {
        "simulate": [str(Path(sys.executable).with_name("journeyflow")), *simulate],
        "reading and grouping": [sys.executable, "-m", "benchmarks.floors.grouping", str(case.events)],
    }
    costs: dict[str, list[ProcessCost]] = {what: [] for what in commands}
    for _ in range(rounds):
        for what, command in commands.items():
            costs[what].append(run_process(command, folder))
    return _tell(case, costs)


def _tell(case: Case, costs: dict[str, list[ProcessCost]]) -> bool:
    console.print(f"simulate: {case.name}, whole processes, median of {len(costs['simulate'])} rounds")
    print_table(["", "wall s", "CPU s", "peak MiB"], [[what, *_medians(found)] for what, found in costs.items()])
    dear, cheap = costs["simulate"], costs["reading and grouping"]
    names = ("simulate", "reading and grouping")
    wall = ratio([cost.wall_seconds for cost in dear], [cost.wall_seconds for cost in cheap])
    cpu = ratio([cost.cpu_seconds for cost in dear], [cost.cpu_seconds for cost in cheap])
    peak = ratio([cost.peak_bytes for cost in dear], [cost.peak_bytes for cost in cheap])
    kept = [
        tell_ratio(*names, "wall time", wall, case.times_as_long_max),
        tell_ratio(*names, "CPU time", cpu),
        tell_ratio(*names, "peak memory", peak, TIMES_THE_MEMORY_MAX),
    ]
    return all(kept)


def _medians(found: list[ProcessCost]) -> tuple[str, str, str]:
    wall, cpu, peak = (median(values) for values in zip(*found, strict=True))
    return f"{wall:.2f}", f"{cpu:.2f}", f"{peak / 2**20:.0f}"
