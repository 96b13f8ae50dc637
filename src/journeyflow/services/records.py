"""Files of records (contacts, events) in whatever form they come: JSON Lines, CSV, Parquet; one by one, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from journeyflow.core.values import JSON, too_deep
from journeyflow.services.csv_files import CSVRows
from journeyflow.services.data_files import (
    SAVE_AS_UTF_8,
    TOO_DEEP,
    demand_text,
    is_text,
    lines,
    opened,
    parsed,
    readable,
)
from journeyflow.services.parquet_files import is_parquet, plain, rows
from journeyflow.services.simulate_errors import BadLine, BrokenFile

JSON_SUFFIXES: Final = frozenset({".jsonl", ".ndjson", ".json"})
Object = dict[str, JSON]
Raw = bytes | list[str] | dict[str, Any]  # Any: whatever Arrow knows
"""A line, a row's cells, or a row of Parquet."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How records of one kind are read.

    ``needed`` are the columns that a CSV can't do without; ``columns`` those that are read of Parquet (``None``: all).
    ``of_line``, ``of_cells`` (given those cells of a row that are not empty, by column) and ``of_row`` make the one
    form of each; what they can't, they raise :class:`BadLine` for. ``as_csv`` says what a file is whose name does not.
    """

    needed: tuple[str, ...]
    columns: frozenset[str] | None
    of_line: Callable[[Object], Object]
    of_cells: Callable[[dict[str, str]], Object]
    of_row: Callable[[Object], Object]
    as_csv: bool


class Record(NamedTuple):
    """One record: where it begins (from 1), as it was written, and what reads it or raises :class:`BadLine`."""

    number: int
    raw: Raw
    read: Callable[[], Object]


class Records:
    """The records of a file; ``header`` is that of a CSV once reading has begun, ``None`` of anything else."""

    def __init__(self, path: Path, shape: Shape) -> None:
        self.header: list[str] | None = None
        self._path = path
        self._shape = shape

    def __iter__(self) -> Iterator[Record]:
        """Read on.

        :raises InvalidInput: when the file can't be read.
        :raises BrokenFile: when its first line is no text, its header is wrong, or a quote in it never ends, or in the
            wrong place.
        """
        if is_parquet(self._path):
            return self._rows()
        suffix = _suffix(self._path)
        as_csv = suffix == ".csv" or (self._shape.as_csv and suffix not in JSON_SUFFIXES)
        return self._cells() if as_csv else self._lines()

    def _lines(self) -> Iterator[Record]:
        begun = False
        with opened(self._path) as file:
            for number, line in enumerate(lines(file), 1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if text and not text.isspace():
                    if not begun:
                        self._demand_text(number, text)
                        begun = True
                    yield Record(number, text, partial(self._of_line, text))

    def _demand_text(self, number: int, line: bytes) -> None:
        try:
            demand_text(line)
        except BadLine as error:
            raise BrokenFile(self._path, number, str(error)) from None

    def _of_line(self, text: bytes) -> Object:
        return self._shape.of_line(parsed(text))

    def _cells(self) -> Iterator[Record]:
        with opened(self._path) as file:
            kept = CSVRows(file, self._path)
            rows_read = iter(kept)
            _, names = next(rows_read, (1, []))
            try:
                header = self.header = read_header(names, self._shape.needed)
            except BadLine as error:
                raise BrokenFile(self._path, 1, str(error)) from None
            for number, cells in rows_read:
                if cells:
                    yield Record(number, cells, partial(self._of_cells, header, cells))

    def _of_cells(self, header: list[str], cells: list[str]) -> Object:
        return self._shape.of_cells(by_column(header, cells))

    def _rows(self) -> Iterator[Record]:
        for number, row in enumerate(rows(self._path, self._shape.columns), 1):
            yield Record(number, row, partial(self._of_row, row))

    def _of_row(self, row: Mapping[str, object]) -> Object:
        data = self._shape.of_row({name: plain(value) for name, value in row.items()})
        if too_deep(data):
            raise BadLine(TOO_DEEP)
        return data


def _suffix(path: Path) -> str:
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def written(raw: Raw) -> str | list[str]:
    """A record as it was written: its text, or its cells."""
    if isinstance(raw, bytes):
        return raw.rstrip(b"\r\n").decode(errors="replace")
    return raw if isinstance(raw, list) else orjson.dumps(raw, default=str).decode()


def object_in(data: Object, field: str) -> None:
    """Where a field is text, put the JSON object that it has to be into its place.

    :raises BadLine: when it is none.
    """
    text = data.get(field)
    if isinstance(text, str):
        try:
            data[field] = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise BadLine.at(field, "a JSON object", text) from None


# --- CSV -------------------------------------------------------------------------------------------------------------


def read_header(names: list[str], needed: tuple[str, ...]) -> list[str]:
    """The names of the columns, without the blanks around them.

    :raises BadLine: when one that is needed is missing, or a name is empty, comes twice, or is no UTF-8.
    """
    names = [name.strip() for name in names]
    for number, name in enumerate(names, 1):
        if not is_text(name):
            raise BadLine(f"{BadLine.at(f'header, column {number}', 'UTF-8', readable(name))}; {SAVE_AS_UTF_8}")
    for name in needed:
        if name not in names:
            raise BadLine(f"{BadLine.at('header', f'a column {name}', ','.join(names) or None)}{other_sign(names)}")
    for number, name in enumerate(names, 1):
        if not name:
            raise BadLine.at(f"header, column {number}", "a name", name)
    if len(set(names)) < len(names):
        for name in names:
            demand_once(names, name)
    return names


def demand_once(names: Sequence[str], name: str) -> None:
    """See that no two columns have that name.

    :raises BadLine: when they do.
    """
    first, *more = (number for number, one in enumerate(names, 1) if one == name)
    if more:
        raise BadLine.at(f"header, columns {first} and {more[0]}", "each name once", name)


def other_sign(names: list[str]) -> str:
    """What to do where something else than commas seems to stand between the columns."""
    for sign, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if any(sign in name for name in names):
            return f"; it seems to have {word} between its columns: save it with commas"
    return ""


def by_column(header: list[str], cells: list[str]) -> dict[str, str]:
    """The cells that are not empty, by the name of their column.

    :raises BadLine: when cells are missing or too many, or something is no UTF-8.
    """
    if len(cells) != len(header):
        raise BadLine(f"expected {len(header)} cells as in the header, found {len(cells)}")
    given = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    for name, cell in given.items():
        if not is_text(cell):
            raise BadLine(f"{BadLine.at(name, 'UTF-8', readable(cell))}; {SAVE_AS_UTF_8}")
    return given
