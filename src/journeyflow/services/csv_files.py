"""CSV as people and spreadsheets write it: cells in quotes where they need them; blanks beside a comma mean nothing."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Final

from journeyflow.services.simulate_errors import BrokenFile

_QUOTED: Final = re.compile(r'"(?:[^"]|"")*+"')
_WHOLE_CELL: Final = re.compile(rf' *+(?:{_QUOTED.pattern}|(?!")[^,\r\n]*+)(?:,|\r\n?|\n|\Z)')
_BEFORE_COMMA: Final = re.compile(r"(?<! ) ++(?=,|\r?\n?\Z)")
_NEEDS_QUOTES: Final = re.compile(r'\A |[",\r\n]| \Z')


class CSVRows:
    """Rows of cells, each with the line in which it begins (from 1).

    What is no UTF-8 comes as half surrogates, so that the error can name its line. To be kept until the file is closed,
    which it would close itself otherwise.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        """:param path: what errors call the file."""
        self._text = TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._path = path
        self._row: list[str] = []

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Read on.

        :raises BrokenFile: naming the line in which the quote begins that ends nowhere, or in the wrong place.
        """
        reader = csv.reader(self._lines(), strict=True, skipinitialspace=True)
        while True:
            first = reader.line_num + 1
            self._row.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                raise self._broken(first) from None
            yield first, cells

    def _lines(self) -> Iterator[str]:
        for line in self._text:
            # Where there are no quotes a row ends with its line, and all blanks beside commas are only for the eye.
            bare = not self._row and " " in line and '"' not in line
            self._row.append(_BEFORE_COMMA.sub("", line) if bare else line)
            yield self._row[-1]

    def _broken(self, first: int) -> BrokenFile:
        row, most = "".join(self._row), csv.field_size_limit()
        begin = _broken_cell(row, most)
        quoted = _QUOTED.match(row, begin)
        if quoted is not None and len(quoted[0]) <= most:
            end = first + self._line_of(quoted.end() - 1)
            reason = f"the quote that begins here ends in line {end}, where no comma follows"
        elif len(row) - begin > most:
            reason = (
                f"expected at most {most:,} characters in the cell that begins here; is a quote missing at its end?"
            )
        else:
            reason = "the quote that begins here never ends"
        return BrokenFile(self._path, first + self._line_of(begin), reason)

    def _line_of(self, place: int) -> int:
        """In which line of the row a place of it is, from 0."""
        for number, line in enumerate(self._row):
            if place < len(line):
                return number
            place -= len(line)
        return len(self._row) - 1


def _broken_cell(row: str, most: int) -> int:
    """Where the cell begins that makes the row none."""
    at = 0
    while at < len(row) and (cell := _WHOLE_CELL.match(row, at)) is not None and len(cell[0]) <= most:
        at = cell.end()
    return len(row) - len(row[at:].lstrip(" "))


def csv_line(cells: Iterable[str]) -> str:
    """One row, with quotes around what would not be read as it is."""
    return f"{','.join(map(_cell, cells))}\n"


def _cell(text: str) -> str:
    if _NEEDS_QUOTES.search(text) is None:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
