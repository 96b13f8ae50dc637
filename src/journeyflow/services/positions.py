"""What the readers of YAML and JSON have in common: plain data with the line of each of its parts, and limits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from journeyflow.core.check.problem import Problem
from journeyflow.core.values import JSON, PathKeys

BYTES_MAX: Final = 1_000_000
DEPTH_MAX: Final = 100
VALUES_MAX: Final = 100_000
"""Values of one file, those that YAML aliases repeat included."""

PROBLEMS_MAX: Final = 1_000
"""Problems of one file, then of one document, that are told; more help nobody."""

_INTEGER_DIGITS_MAX: Final = 20
_LEAST, _GREATEST = -(2**63), 2**64 - 1

TOO_DEEP: Final = f"expected at most {DEPTH_MAX} levels of lists and mappings inside each other"
TOO_WRONG: Final = f"more than {PROBLEMS_MAX:,} problems; the rest of the file was not read"
TOO_MANY: Final = f"expected at most {VALUES_MAX:,} values in one file"


@dataclass(frozen=True, slots=True)
class RawDocument:
    """A document as plain data; ``positions`` holds the line, from 1, of every path, the root's under ``()``.

    ``blocks`` holds, for texts that stand in the file line by line, the line of their first one.
    """

    data: JSON
    positions: dict[PathKeys, int]
    blocks: dict[PathKeys, int] = field(default_factory=dict)


class Unreadable(Exception):
    """The rest of the file can't be read."""

    def __init__(self, line: int, message: str, code: str = "JF001") -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.code = code

    def problem(self, file: str) -> Problem:
        """The same as a problem of that file."""
        return Problem(self.code, self.message, file, self.line)


def integer(digits: str) -> int | None:
    """The number, or ``None`` where it needs more than 64 bits, which not every program reads exactly."""
    if len(digits) > _INTEGER_DIGITS_MAX + digits.startswith("-"):
        return None
    number = int(digits)
    return number if _LEAST <= number <= _GREATEST else None


def fraction(digits: str) -> float | None:
    """The number, or ``None`` where it is too large for a 64-bit float."""
    number = float(digits)
    return number if math.isfinite(number) else None


NUMBER_TOO_LARGE: Final = "expected a number of at most 64 bits; put it in quotes if it is a name"


def comes_twice(first: int, second: int) -> str:
    """The message about a key that is on both lines."""
    return f"the key comes twice on line {second}" if first == second else f"the key is on line {first} already"
