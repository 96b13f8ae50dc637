"""Coupon codes from CSV: one a row, in the column ``code`` of a header, or alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

from journeyflow.core.coupon_pool import CODE_LENGTH_MAX, is_code
from journeyflow.core.errors import InvalidInput
from journeyflow.services.csv_files import CSVRows
from journeyflow.services.data_files import opened
from journeyflow.services.imports import Rejected
from journeyflow.services.records import demand_once, other_sign
from journeyflow.services.simulate_errors import BadLine, BrokenFile

CODES_MAX: Final = 1_000_000
"""So many codes are taken at once, because they share a transaction."""
COLUMN: Final = "code"
_EXPECTED: Final = f"expected a code of 1 to {CODE_LENGTH_MAX} printable characters"


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One code: the line in which it stands (from 1), the row as it was written, and the code."""

    number: int
    written: list[str]
    code: str


@dataclass(slots=True)
class CodeFile:
    """What a file holds; ``header`` is its own, or the one that it would have."""

    path: Path
    header: list[str] | None
    lines: list[CodeLine] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def read_codes(path: Path) -> CodeFile:
    """Read a CSV, plain or gzip; rows that hold no code are among the rejected.

    :raises InvalidInput: when the file can't be read, has several columns and none of codes, or two, or too many rows.
    """
    with opened(path) as file:
        rows = CSVRows(file, path)
        return _parsed(rows, path)


def parse_codes(body: bytes, name: str) -> CodeFile:
    """Read a CSV that is in memory; ``name`` is what errors call it.

    :raises InvalidInput: when it is no CSV, has several columns and none of codes, or two, or too many rows.
    """
    path = Path(name)
    return _parsed(CSVRows(BytesIO(body), path), path)


def _parsed(rows: CSVRows, path: Path) -> CodeFile:
    try:
        return _read(path, rows)
    except BrokenFile as error:
        raise InvalidInput(f"{error}; nothing was imported") from None
    except BadLine as error:
        raise InvalidInput(f"{path}:1: {error}; nothing was imported") from None


def _read(path: Path, rows: Iterable[tuple[int, list[str]]]) -> CodeFile:
    found = CodeFile(path, [COLUMN])
    place = 0
    first = True
    for number, cells in rows:
        names = _names(cells) if first else []
        if COLUMN in names:
            demand_once(names, COLUMN)
            found.header, place = cells, names.index(COLUMN)
        elif len(names) > 1 or other_sign(names):
            raise BadLine(
                f"{BadLine.at('line', f'a column {COLUMN}, or codes alone', ','.join(cells))}{other_sign(cells)}"
            )
        elif cells:
            _take(found, number, cells, place)
        first = False
    return found


def _names(cells: Sequence[str]) -> list[str]:
    return [cell.strip().lower() for cell in cells]


def _take(found: CodeFile, number: int, cells: list[str], place: int) -> None:
    if len(found.lines) + len(found.rejected) >= CODES_MAX:
        raise InvalidInput(
            f"{found.path}:{number}: expected at most {CODES_MAX:,} codes in a file; split it, nothing was imported"
        )
    code = cells[place].strip() if place < len(cells) else ""
    if is_code(code):
        found.lines.append(CodeLine(number, cells, code))
    else:
        found.rejected.append(Rejected(number, cells, _EXPECTED))


# --- judging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """Codes that may be put into a pool, each once, and why the others may not, by their place from 1."""

    codes: dict[str, int]
    wrong: dict[int, str]
    doubled: dict[int, str]


def judge(given: Sequence[str]) -> Judged:
    """What can be taken of codes as somebody sent them."""
    judged = Judged({}, {}, {})
    for place, code in enumerate(given, 1):
        if not is_code(code):
            judged.wrong[place] = _EXPECTED
        elif code in judged.codes:
            judged.doubled[place] = f"comes twice: it is code {judged.codes[code]} too"
        else:
            judged.codes[code] = place
    return judged
