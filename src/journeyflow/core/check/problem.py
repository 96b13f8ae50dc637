"""What can be wrong with a document: the codes, and one problem with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from journeyflow.core.errors import InvalidInput
from journeyflow.core.values import PathKeys

Severity = Literal["error", "warning"]

VALUE_LENGTH_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Code:
    """A class of problems; its code never changes its meaning."""

    code: str
    title: str
    advice: str
    """What to do about it, in one line."""
    severity: Severity = "error"


def _doubtful() -> Iterator[Code]:
    """What may be meant as it stands, and mostly is not."""
    for code, title, advice in (
        ("JF101", "a node that nobody comes to", "Let another node lead to it, or take it out."),
        ("JF102", "a loop whose waits take no time", "Give one of its waits a time, such as `for: 1d`."),
        ("JF103", "a wait without an end", "Give `timeout` a time; who never does it would stand there for ever."),
        ("JF104", "a case that is never taken", "Put the narrower case first, or take the case out."),
        ("JF105", "a goal that ends before the last message", "Make `within` longer than the way to the last message."),
        ("JF106", "opens that are asked too soon", "Wait at least 4 hours after the message before asking."),
        ("JF107", "a coupon that ends before it is shown", "Raise `valid_for` of the pool, or show the code earlier."),
        ("JF108", "a value that nothing provides", "Correct its name, or save it by a node before the message."),
        ("JF109", "a marketing message without a topic", "Add `topic`, so that people can unsubscribe from it alone."),
        ("JF110", "two journeys on one trigger", "Give each a `priority`, so that you decide which one goes first."),
        ("JF111", "a time of day inside the quiet hours", "Choose a time outside of them; the message waits anyway."),
        ("JF112", "a goal that does not end the run", "Name the goal's event in `exit_on` as well."),
        ("JF113", "blanks around a name or value", "Take the blanks at its beginning and end out."),
        ("JF114", "text that is compared as a number", "Write the number without quotes, or an instant."),
        ("JF115", "a schedule that comes too often", "Let it come less often, or give `reentry` a gap."),
    ):
        yield Code(code, title, advice, "warning")


CODES: Final = {
    code.code: code
    for code in (
        Code("JF001", "not YAML or JSON", "Correct the text at that line; an editor that knows YAML shows the place."),
        Code("JF002", "a key comes twice", "Keep one of the two; the message names both lines."),
        Code("JF003", "unknown kind of document", "Let the first key say what it is, such as `journey: welcome`."),
        Code("JF004", "unknown key", "Correct its spelling, move it to where it belongs, or take it out."),
        Code("JF005", "missing key", "Add the key; `journeyflow schema` lists what each document needs."),
        Code(
            "JF006",
            "wrong value",
            "Write what the message says was expected; text that looks like a number needs quotes.",
        ),
        Code(
            "JF007",
            "an id is used twice",
            "Rename one of the two documents or remove it; the message names both files.",
        ),
        Code("JF008", "unreadable file", "Save it as UTF-8, at most 1 MB, and readable for whoever runs journeyflow."),
        Code("JF010", "unknown node", "Name a node of the journey, or `end`."),
        Code(
            "JF011",
            "a loop without a wait",
            "Put a `wait` or `wait_for` into the loop; without one it would never end.",
        ),
        Code("JF012", "unknown id", "Correct the id, or add the document that it names to the folder."),
        Code("JF013", "Liquid that does not compile", "Correct the template at the place that the message names."),
        Code(
            "JF014", "a window longer than history is kept", "Shorten `within`, or raise `retention` in the workspace."
        ),
        Code(
            "JF020",
            "segments in a circle",
            "Take one of the references out; who is in a segment can't depend on itself.",
        ),
        Code(
            "JF021",
            "a condition without its run",
            "Ask for attributes, tags, topics, events or journeys; a run's values are asked for in its journey.",
        ),
        *_doubtful(),
    )
}
"""Every code by its name."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, or doubtful, in one place of one document.

    ``line`` counts from 1 and is 0 where there are no lines (a document that came as data); ``path`` is the place
    inside the document, such as ``nodes.first.template``; ``value`` is the offending value, shortened, as JSON.
    """

    code: str
    message: str
    file: str = ""
    line: int = 0
    path: str = ""
    value: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        path = f" {self.path}:" if self.path else ""
        value = "" if self.value is None else f" (got {self.value})"
        doubt = " (warning)" if self.severity == "warning" else ""
        return f"{place}: {self.code}{doubt}{path} {self.message}{value}"

    @property
    def order(self) -> tuple[str, int, str, str, str]:
        """What to sort a list of problems by: file, line, then path."""
        return (self.file, self.line, self.path, self.code, self.message)


_PLAIN_KEY: Final = re.compile(r"[^\s.\[\]\"'\\]+")


def path_text(keys: PathKeys) -> str:
    """``("triggers", 0, "where")`` → ``triggers[0].where``; a key that would not read as one is put in quotes."""
    parts: list[str] = []
    for key in keys:
        if isinstance(key, int):
            parts.append(f"[{key}]")
        elif _PLAIN_KEY.fullmatch(key) and key.isprintable():
            parts.append(f".{key}")
        else:
            parts.append(f"[{shortened(key)}]")
    return "".join(parts).removeprefix(".")


def shortened(value: object) -> str:
    """A value as JSON of at most :data:`VALUE_LENGTH_MAX` characters, fit to be printed."""
    text = ""
    # Piece by piece: the value may be a megabyte.
    for piece in json.JSONEncoder(ensure_ascii=False, default=repr).iterencode(_cut(value)):
        text += piece
        if len(text) > VALUE_LENGTH_MAX:
            text = f"{text[: VALUE_LENGTH_MAX - 1]}…"
            break
    return printable(text)


def printable(text: str) -> str:
    """A text in one line, with the signs that can't be seen written out."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode-escape").decode("ascii") for sign in text)


def first_of(told: Sequence[str], most: int) -> list[str]:
    """The first ``most`` of a list and how many more there are: no list is cut without a word."""
    more = len(told) - most
    return [*told[:most], f"and {more:,} more"] if more > 0 else [*told]


def _cut(value: object) -> object:
    return value[: VALUE_LENGTH_MAX + 1] if isinstance(value, str) else value


class InvalidDocuments(InvalidInput):
    """Documents have errors; ``problems`` lists them all, ``advice`` is what there is to say of them together."""

    def __init__(self, problems: Sequence[Problem], advice: str | None = None) -> None:
        count = sum(problem.severity == "error" for problem in problems)
        listed = "\n".join([*map(str, problems), *([] if advice is None else [advice])])
        super().__init__(f"{count} error{'' if count == 1 else 's'} in the documents\n{listed}")
        self.problems = list(problems)
