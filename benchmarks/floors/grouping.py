"""The floor of a simulation: the events read, unpacked, parsed and grouped by contact, all held in memory.

python -m benchmarks.floors.grouping events.jsonl.gz
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import orjson

Event = dict[str, object]


def grouped(file: Path) -> dict[str, list[Event]]:
    """The events of each contact, in order of the file."""
    groups: dict[str, list[Event]] = {}
    with gzip.open(file) as lines:
        for line in lines:
            event = orjson.loads(line)
            groups.setdefault(event["contact"], []).append(event)
    return groups


if __name__ == "__main__":
    groups = grouped(Path(sys.argv[1]))
    print(f"{sum(map(len, groups.values()))} events of {len(groups)} contacts")
