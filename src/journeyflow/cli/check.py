"""``journeyflow check``: everything wrong with a folder of documents, at once."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journeyflow.cli import console

if TYPE_CHECKING:
    from journeyflow.core.check.problem import Problem
    from journeyflow.core.values import JSON
    from journeyflow.services.check import Checked


class Format(StrEnum):
    """How problems are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def check(
    flows: Annotated[list[Path], typer.Argument(metavar="FLOWS...", help="Folders or files.", show_default=False)],
    format_: Annotated[Format, typer.Option("--format", help="github: annotations of a pull request.")] = Format.TEXT,
) -> None:
    """Validate documents; exit code 1 when there are errors."""
    from journeyflow.rendering.renderer import LiquidRenderer
    from journeyflow.services.check import check_folder

    checked = check_folder(flows, LiquidRenderer())
    if format_ is Format.JSON:
        console.give(_as_json(checked))
    elif format_ is Format.GITHUB:
        for problem in checked.problems:
            console.say(github_line(problem))
    else:
        for problem in checked.problems:
            console.say(str(problem), "red" if problem.severity == "error" else "yellow")
        if checked.advice is not None:
            console.say(checked.advice)
        console.say(_summary(checked))
    if checked.errors:
        raise typer.Exit(1)


def _summary(checked: Checked) -> str:
    errors = len(checked.errors)
    counts = [(errors, "error"), (len(checked.problems) - errors, "warning")]
    found = ", ".join(console.counted(count, word) for count, word in counts if count)
    return f"{console.counted(checked.read, 'document')}: {found or 'nothing is wrong'}"


def _as_json(checked: Checked) -> dict[str, JSON]:
    problems: Sequence[Problem] = checked.problems
    return {
        "documents": checked.read,
        "errors": len(checked.errors),
        "warnings": len(problems) - len(checked.errors),
        "problems": [
            {
                "severity": one.severity,
                "code": one.code,
                "file": one.file,
                "line": one.line or None,
                "path": one.path or None,
                "message": one.message,
                "value": one.value,
            }
            for one in problems
        ],
    }


def github_line(problem: Problem) -> str:
    """A workflow command that annotates the line."""
    place = f"file={_property(problem.file)}" + (f",line={problem.line}" if problem.line else "")
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    value = "" if problem.value is None else f" (got {problem.value})"
    return f"::{problem.severity} {place},title={problem.code}::{_message(text + value)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
