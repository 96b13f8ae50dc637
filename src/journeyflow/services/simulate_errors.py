"""Errors in the lines of data files, collected so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from journeyflow.core.check.problem import shortened
from journeyflow.core.errors import InvalidInput

TOLD_MAX: Final = 100


class BadLine(InvalidInput):
    """One line can't be taken: names the field, what was expected there and what was found."""

    @classmethod
    def at(cls, field: str, expected: str, found: object) -> BadLine:
        """``occurred_at: expected an instant ..., found "yesterday"``."""
        return cls(f"{field}: expected {expected}, found {'nothing' if found is None else shortened(found)}")


class BrokenFile(InvalidInput):
    """A file can't be read on from some line."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}")
        self.line = line
        self.reason = reason


class Told:
    """What there is to tell, however much it is: keeps the first ``most`` sentences and counts the others."""

    def __init__(self, most: int) -> None:
        self.count = 0
        self._most = most
        self._first: list[str] = []

    def add(self, sentence: str) -> None:
        """One more."""
        self.count += 1
        if self.count <= self._most:
            self._first.append(sentence)

    def sentences(self) -> list[str]:
        """The first, and how many more there are."""
        more = self.count - self._most
        return [*self._first, f"and {more:,} more"] if more > 0 else [*self._first]


class LineErrors:
    """Tells of the first :data:`TOLD_MAX` errors and counts the others."""

    def __init__(self) -> None:
        self._told = Told(TOLD_MAX)

    def add(self, file: Path, line: int, error: BadLine) -> None:
        """Note what is wrong with a line (counted from 1)."""
        self._told.add(f"{file}:{line}: {error}")

    @contextmanager
    def noting(self, file: Path, line: int) -> Iterator[None]:
        """Note what the work inside finds wrong with a line, and go on."""
        try:
            yield
        except BadLine as error:
            self.add(file, line, error)

    @contextmanager
    def noting_broken(self, file: Path) -> Iterator[None]:
        """Note from where on the file that the work inside reads can't be read, and end that work."""
        try:
            yield
        except BrokenFile as error:
            self.add(file, error.line, BadLine(error.reason))

    def finish(self) -> None:
        """Where there was an error, tell of them all.

        :raises InvalidInput: one line that says how many, then one for each error.
        """
        count = self._told.count
        if count == 0:
            return
        heading = "1 line can't be taken" if count == 1 else f"{count:,} lines can't be taken"
        raise InvalidInput("\n".join([heading, *self._told.sentences()]))
