"""Files that are imported: contacts, events. An import is history; it moves nothing (rule 1.11).

A file is read into lines, each of which is judged on its own; what can be taken is stored in one transaction, what
can't is told with its reason and kept beside the file, to be corrected and imported again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import orjson

from journeyflow.core.errors import InvalidInput, SystemFailure
from journeyflow.core.values import JSON
from journeyflow.services.contact_lines import CONTACTS
from journeyflow.services.csv_files import csv_line
from journeyflow.services.event_lines import EVENTS
from journeyflow.services.records import Records, Shape, written
from journeyflow.services.simulate_errors import BadLine, BrokenFile

LINES_MAX: Final = 1_000_000
"""So many contacts or events are imported at once, because they share a transaction."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a file: where it begins (lines count from 1), as it was written, and what it says."""

    number: int
    written: str | list[str]
    data: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Rejected:
    """One line that can't be taken, and why."""

    number: int
    written: str | list[str]
    reason: str


@dataclass(slots=True)
class ImportFile:
    """What a file holds; ``header`` is that of a CSV, ``None`` of anything else."""

    path: Path
    header: list[str] | None = None
    lines: list[Line] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class WithRejected(Protocol):
    """A file that was read."""

    path: Path
    header: list[str] | None
    rejected: list[Rejected]


# --- files -----------------------------------------------------------------------------------------------------------


def read_contacts(path: Path) -> ImportFile:
    """Read contacts from CSV, JSON Lines or Parquet; what is wrong with a line is among the rejected.

    :raises InvalidInput: when the file can't be read, its header is wrong, or it has too many lines.
    """
    return _read(path, CONTACTS, "contacts")


def read_events(path: Path) -> ImportFile:
    """Read events, likewise."""
    return _read(path, EVENTS, "events")


def _read(path: Path, shape: Shape, what: str) -> ImportFile:
    found = ImportFile(path)
    records = Records(path, shape)
    try:
        for number, raw, read in records:
            if len(found.lines) + len(found.rejected) >= LINES_MAX:
                raise BrokenFile(path, number, f"expected at most {LINES_MAX:,} {what} in a file; split it")
            try:
                found.lines.append(Line(number, written(raw), read()))
            except BadLine as error:
                found.rejected.append(Rejected(number, written(raw), str(error)))
    except BrokenFile as error:
        raise InvalidInput(f"{error}; nothing was imported") from None
    found.header = records.header
    return found


def write_rejected(found: WithRejected) -> Path | None:
    """Write the rejected lines beside the file, each with its number and reason; ``None`` where there are none.

    A CSV has them as its first two columns, so that without these it can be imported; the others become lines
    of JSON with ``line``, ``reason`` and ``text``. What an earlier import left there is replaced.

    :raises SystemFailure: when it can't be written.
    """
    target = found.path.with_name(f"{found.path.name}.rejected")
    try:
        if not found.rejected:
            target.unlink(missing_ok=True)
            return None
        with target.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            if found.header is None:
                file.writelines(_rejected_lines(found.rejected))
            else:
                rows = ([str(one.number), one.reason, *one.written] for one in found.rejected)
                file.writelines(map(csv_line, [["line", "reason", *found.header], *rows]))
    except OSError as error:
        raise SystemFailure(f"{target} can't be written: {error.strerror}") from error
    return target


def _rejected_lines(rejected: Sequence[Rejected]) -> Iterator[str]:
    for one in rejected:
        data = {"line": one.number, "reason": one.reason, "text": one.written}
        yield orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE).decode()
