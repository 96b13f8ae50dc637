"""JSON (RFC 8259), read strictly and with the line of every part.

YAML does not read all of JSON (tabs that indent, surrogate pairs as escapes), hence a reader of its own.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Final, NoReturn

from journeyflow.core.check.problem import Problem, path_text, shortened
from journeyflow.core.values import JSON, PathKeys
from journeyflow.services.positions import (
    DEPTH_MAX,
    NUMBER_TOO_LARGE,
    PROBLEMS_MAX,
    TOO_DEEP,
    TOO_MANY,
    TOO_WRONG,
    VALUES_MAX,
    RawDocument,
    Unreadable,
    comes_twice,
    fraction,
    integer,
)

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
# What was read is not given back, so that a text without an end is refused at once.
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\.)*+"')
_WORD: Final = re.compile(r"true|false|null")
_WORDS: Final[dict[str, JSON]] = {"true": True, "false": False, "null": None}


def read_json(text: str, file: str) -> tuple[list[RawDocument], list[Problem]]:
    """The one document of a JSON text, and everything that is wrong with its form; it raises nothing."""
    reader = _Reader(text, file)
    try:
        return [reader.document()], reader.problems
    except Unreadable as error:
        return [], [*reader.problems, error.problem(file)]


class _Reader:
    """Reads from left to right; ``_at`` is the next sign."""

    def __init__(self, text: str, file: str) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._file = file
        self._at = 0
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        self._positions: dict[PathKeys, int] = {}

    def document(self) -> RawDocument:
        self._skip_space()
        self._positions[()] = self._line()
        data = self._value(())
        self._skip_space()
        if self._at < len(self._text):
            self._fail("expected the end of the file; a JSON file holds one document")
        return RawDocument(data, self._positions)

    def _line(self) -> int:
        return bisect_right(self._line_ends, self._at - 1) + 1 if self._at else 1

    def _fail(self, message: str, code: str = "JF001") -> NoReturn:
        raise Unreadable(self._line(), message, code)

    def _complain(self, code: str, path: PathKeys, message: str, value: str) -> None:
        self.problems.append(Problem(code, message, self._file, self._line(), path_text(path), value))
        if len(self.problems) > PROBLEMS_MAX:
            self._fail(TOO_WRONG)

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None, "no space at all matches too"
        self._at = match.end()

    def _next(self) -> str:
        """The next sign that is no space, not taken; empty at the end."""
        self._skip_space()
        return self._text[self._at : self._at + 1]

    def _take(self, *signs: str) -> str:
        found = self._next()
        if found not in signs or not found:
            wanted = " or ".join(f"'{sign}'" for sign in signs)
            self._fail(f"expected {wanted}, found {_named(found)}")
        self._at += 1
        return found

    def _value(self, path: PathKeys) -> JSON:
        sign = self._next()
        if sign == '"':
            return self._string()
        if sign in ("{", "["):
            if len(path) >= DEPTH_MAX:
                self._fail(TOO_DEEP, "JF008")
            return self._object(path) if sign == "{" else self._array(path)
        word = _WORD.match(self._text, self._at)
        if word is not None:
            self._at = word.end()
            return _WORDS[word[0]]
        return self._number(path)

    def _place(self, path: PathKeys) -> None:
        if len(self._positions) > VALUES_MAX:
            self._fail(TOO_MANY, "JF008")
        self._positions.setdefault(path, self._line())

    def _array(self, path: PathKeys) -> JSON:
        items: list[JSON] = []
        self._take("[")
        if self._next() == "]":
            self._at += 1
            return items
        while True:
            place = (*path, len(items))
            self._next()
            self._place(place)
            items.append(self._value(place))
            if self._take(",", "]") == "]":
                return items

    def _object(self, path: PathKeys) -> JSON:
        found: dict[str, JSON] = {}
        lines: dict[str, int] = {}
        self._take("{")
        if self._next() == "}":
            self._at += 1
            return found
        while True:
            self._member(path, found, lines)
            if self._take(",", "}") == "}":
                return found

    def _member(self, path: PathKeys, found: dict[str, JSON], lines: dict[str, int]) -> None:
        if self._next() != '"':
            self._fail(f"expected a key in double quotes, found {_named(self._next())}")
        line = self._line()
        key = self._string()
        place = (*path, key)
        self._place(place)
        if key in lines:
            self._complain("JF002", place, comes_twice(lines[key], line), shortened(key))
        lines.setdefault(key, line)
        self._take(":")
        found.setdefault(key, self._value(place))

    def _string(self) -> str:
        match = _STRING.match(self._text, self._at)
        if match is None:
            self._fail("expected the end of the text, a double quote, before the end of the line")
        try:
            text: str = json.loads(match[0])
        except json.JSONDecodeError as error:
            self._at += error.pos
            self._fail("a backslash begins an escape, such as \\n or \\u00e9; write \\\\ for a backslash")
        self._at = match.end()
        return text

    def _number(self, path: PathKeys) -> JSON:
        match = _NUMBER.match(self._text, self._at)
        if match is None:
            self._fail(f"expected a value, found {_named(self._next())}")
        whole = match[2] is None and match[3] is None
        number = integer(match[0]) if whole else fraction(match[0])
        if number is None:
            self._complain("JF006", path, NUMBER_TOO_LARGE, shortened(match[0]))
        self._at = match.end()
        return number


def _named(sign: str) -> str:
    return shortened(sign) if sign else "the end of the file"
