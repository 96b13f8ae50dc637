"""What a user reads: on a terminal with colours and boxes, in a pipe as plain lines that ``grep`` and ``cut`` like."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import orjson
from rich.console import Console
from rich.text import Text

OnProgress = Callable[[int, int], None]


def _console(stderr: bool = False) -> Console:
    # Made anew each time: a test, or a caller, may have put another stream in its place.
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)


def say(text: str = "", style: str | None = None) -> None:
    """A line of the answer, on standard output; ``style`` is shown on a terminal only."""
    _console().print(Text(text, style=style or ""))


def counted(number: int, word: str) -> str:
    """``1 line``, ``2,000 lines``."""
    return f"{number:,} {word if number == 1 else f'{word}s'}"


def warn(text: str) -> None:
    """A line beside the answer, on standard error."""
    _console(stderr=True).print(Text(text, style="yellow"))


def complain(error: str) -> None:
    """An error on standard error: its first line, then the detail."""
    first, _, rest = error.partition("\n")
    console = _console(stderr=True)
    console.print(Text.assemble(("error: ", "bold red"), first))
    if rest:
        console.print(Text(rest))


def give(data: object) -> None:
    """JSON on standard output: indented on a terminal, one line in a pipe."""
    option = orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0
    sys.stdout.write(orjson.dumps(data, option=option).decode() + "\n")


def tabulate(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table: with lines on a terminal; in a pipe only columns, at least two blanks apart, nothing cut off.

    A column whose cells are all numbers is flush right.
    """
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    numbers = [all(isinstance(row[place], int | float) for row in rows) and bool(rows) for place in range(len(columns))]
    if _console().is_terminal:
        _draw(columns, cells, numbers)
        return
    lines = [[column.upper() for column in columns], *cells]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        padded = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numbers, strict=True)
        ]
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def _draw(columns: Sequence[str], cells: Sequence[Sequence[str]], numbers: Sequence[bool]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, header_style="bold")
    for column, number in zip(columns, numbers, strict=True):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for line in cells:
        table.add_row(*map(Text, line))
    Console(highlight=False, emoji=False).print(table)


@contextmanager
def progress(what: str) -> Iterator[OnProgress | None]:
    """Something that takes (done, total) and shows a bar on a terminal; ``None`` where nobody would see it."""
    console = _console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
