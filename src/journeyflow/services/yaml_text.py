"""YAML, read strictly and with the line of every part.

Of the surprises of YAML 1.1 none is left: only ``true`` and ``false`` are booleans, a time such as 21:00, a date, and
a number with a leading zero or a plus are text; keys that come twice, tags and merging are errors; aliases are
bounded, so that no file grows while it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import yaml
from yaml import events as ev

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

# The parser of libyaml is many times as fast, where PyYAML was built with it.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_WORDS: Final[dict[str, JSON]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FRACTION: Final = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_REPEATED_SIGNS_PER_VALUE: Final = 10
"""So many characters that an alias repeats count as one more value."""


def read_yaml(text: str, file: str, first_line: int = 1) -> tuple[list[RawDocument], list[Problem]]:
    """The documents of a YAML text, and everything that is wrong with its form; it raises nothing.

    ``first_line`` is the number of the text's first line within the file.
    """
    reader = _Reader(file, first_line)
    documents: list[RawDocument] = []
    try:
        for document in reader.documents(text):
            documents.append(document)
    except Unreadable as error:
        reader.problems.append(error.problem(file))
    return documents, reader.problems


class _Reader:
    """Builds plain data from the parser's events."""

    def __init__(self, file: str, first_line: int) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._first_line = first_line
        self._values_left = VALUES_MAX
        self._events: Iterator[ev.Event] = iter(())
        self._anchors: dict[str, JSON] = {}
        self._positions: dict[PathKeys, int] = {}
        self._blocks: dict[PathKeys, int] = {}

    def documents(self, text: str) -> Iterator[RawDocument]:
        unprintable = _UNPRINTABLE.search(text)
        if unprintable is not None:
            line = self._first_line + text.count("\n", 0, unprintable.start())
            raise Unreadable(line, f"the character {_code_point(unprintable[0])} can't be part of a YAML file")
        self._events = self._parsed(text)
        for event in self._events:
            if isinstance(event, ev.DocumentStartEvent):
                self._anchors, self._positions, self._blocks = {}, {}, {}
                root = next(self._events)
                self._positions[()] = self._line(root)
                data = self._value(root, ())
                if data is not None:
                    yield RawDocument(data, self._positions, self._blocks)

    def _parsed(self, text: str) -> Iterator[ev.Event]:
        try:
            yield from yaml.parse(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            raise self._unreadable(error, text) from None
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            raise Unreadable(self._first_line, f"not YAML: {error}") from None

    def _unreadable(self, error: yaml.MarkedYAMLError, text: str) -> Unreadable:
        last = text.count("\n", 0, len(text) - 1)  # what is not closed is noticed only behind it
        place = 0 if error.problem_mark is None else error.problem_mark.index
        words = _in_plain_words(error.problem or "", text[place : place + 1])
        line = 0 if error.problem_mark is None else min(error.problem_mark.line, last)
        begun = line if error.context_mark is None else error.context_mark.line
        if begun != line and _CLOSED.search(error.context or ""):
            words = f"{words} (of what begins on line {self._first_line + begun})"
        return Unreadable(self._first_line + line, words)

    def _line(self, event: ev.Event) -> int:
        assert event.start_mark is not None, "a parser marks every event"
        return self._first_line + event.start_mark.line

    def _complain(self, code: str, event: ev.Event, path: PathKeys, message: str, value: str | None = None) -> None:
        self.problems.append(Problem(code, message, self._file, self._line(event), path_text(path), value))
        if len(self.problems) > PROBLEMS_MAX:
            raise Unreadable(self._line(event), TOO_WRONG)

    def _spend(self, event: ev.Event, values: int) -> None:
        self._values_left -= values
        if self._values_left < 0:
            raise Unreadable(self._line(event), TOO_MANY, "JF008")

    def _value(self, event: ev.Event, path: PathKeys) -> JSON:
        self._spend(event, 1)
        if isinstance(event, ev.AliasEvent):
            return self._repeated(event, path)
        assert isinstance(event, ev.ScalarEvent | ev.SequenceStartEvent | ev.MappingStartEvent)
        self._refuse_tag(event, path)
        value = self._collection(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _collection(self, event: ev.ScalarEvent | ev.CollectionStartEvent, path: PathKeys) -> JSON:
        if isinstance(event, ev.ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= DEPTH_MAX:
            raise Unreadable(self._line(event), TOO_DEEP, "JF008")
        return self._sequence(path) if isinstance(event, ev.SequenceStartEvent) else self._mapping(path)

    def _sequence(self, path: PathKeys) -> JSON:
        items: list[JSON] = []
        while not isinstance(event := next(self._events), ev.SequenceEndEvent):
            place = (*path, len(items))
            self._positions[place] = self._line(event)
            items.append(self._value(event, place))
        return items

    def _mapping(self, path: PathKeys) -> JSON:
        found: dict[str, JSON] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), ev.MappingEndEvent):
            key = self._key(event, path)
            place = (*path, key)
            self._positions.setdefault(place, self._line(event))
            if key in lines:
                again = comes_twice(lines[key], self._line(event))
                self._complain("JF002", event, place, again, shortened(key))
            lines.setdefault(key, self._line(event))
            found.setdefault(key, self._value(next(self._events), place))
        return found

    def _key(self, event: ev.Event, path: PathKeys) -> str:
        if not isinstance(event, ev.ScalarEvent):
            expected = "expected a key, which is text; put text that begins with [, { or * in quotes"
            raise Unreadable(self._line(event), expected)
        self._spend(event, 1)
        self._refuse_tag(event, (*path, event.value))
        if event.value == "<<" and event.implicit[0]:
            self._complain("JF001", event, (*path, "<<"), "merging with << is not read; write the keys out")
        return event.value

    def _refuse_tag(self, event: ev.ScalarEvent | ev.CollectionStartEvent, path: PathKeys) -> None:
        if event.tag is not None:
            tag = shortened(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self._complain("JF001", event, path, "tags are not read; take it out, or put the text in quotes", tag)

    def _scalar(self, event: ev.ScalarEvent, path: PathKeys) -> JSON:
        text: str = event.value
        if not event.implicit[0]:
            if event.style == "|":
                self._blocks.setdefault(path, self._line(event) + 1)
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            self._complain("JF006", event, path, "expected a finite number, or text in quotes", text)
            return None
        if not _FRACTION.fullmatch(text):
            return text
        number = integer(text) if _INTEGER.fullmatch(text) else fraction(text)
        if number is None:
            self._complain("JF006", event, path, NUMBER_TOO_LARGE, shortened(text))
        return number

    def _repeated(self, event: ev.AliasEvent, path: PathKeys) -> JSON:
        if event.anchor not in self._anchors:
            message = f"the alias *{event.anchor} names no value that stands before it and does not contain it"
            self._complain("JF001", event, path, message)
            return None
        value = self._anchors[event.anchor]
        weight, height = _size(value)
        self._spend(event, weight)
        if len(path) + height > DEPTH_MAX:
            raise Unreadable(self._line(event), TOO_DEEP, "JF008")
        return _copy(value)


def _code_point(sign: str) -> str:
    return f"U+{ord(sign):04X}"


def _size(value: JSON) -> tuple[int, int]:
    """How much an alias to the value repeats, and how many levels it has."""
    if isinstance(value, str):
        return 1 + len(value) // _REPEATED_SIGNS_PER_VALUE, 0
    if not isinstance(value, dict | list):
        return 1, 0
    parts = [_size(part) for part in (value.values() if isinstance(value, dict) else value)]
    return 1 + sum(weight for weight, _ in parts), 1 + max((height for _, height in parts), default=0)


def _copy(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _copy(part) for key, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list) else value


_CLOSED: Final = re.compile(r"quoted|flow")
"""Contexts that something has to close."""

_PLAIN_WORDS: Final = (
    ("found a tab character", "a tab can't indent; use spaces"),
    ("that cannot start any token", "a value can't begin with this sign (%, @ or `); put it in quotes"),
    ("mapping values are not allowed", "a ': ' can't stand here; is the line indented too far, or the text unquoted?"),
    ("block sequence entries are not allowed", "a list can't begin here; put it on its own line, indented"),
    ("could not find expected ':'", "expected ':' after a key; is the line indented as it should be?"),
    ("did not find expected key", "expected another key here; the lines above are indented otherwise"),
    ("did not find expected '-' indicator", "expected another '-' here; the lines above are indented otherwise"),
    ("expected <block end>", "the lines above are indented otherwise"),
    ("did not find expected ',' or", "expected ',' or the closing bracket"),
    ("expected ',' or", "expected ',' or the closing bracket"),
    ("unexpected end of stream", "the text ends inside quotes"),
    ("found unknown escape character", "a backslash in double quotes begins an escape; use single quotes"),
    ("invalid Unicode character escape", "this escape names no character"),
    ("unknown directive", "a line that begins with % is a directive; put it in quotes"),
)  # fmt: skip


def _in_plain_words(problem: str, sign: str) -> str:
    """``sign`` is the character that the problem was met at."""
    if sign == "\t" and "cannot start any token" in problem:
        return "a tab can't indent or stand here; use spaces"
    for part, words in _PLAIN_WORDS:
        if part in problem:
            return words
    return f"not YAML: {problem}"
