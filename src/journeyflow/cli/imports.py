"""Importing a file: its lines go to the API together, and what was not taken is written beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from journeyflow.cli import console, rejected
from journeyflow.cli.client import Answer, reach

if TYPE_CHECKING:
    from journeyflow.services.imports import ImportFile


def send(found: ImportFile, path: str, server: str | None, key: str | None, database_url: str | None) -> Answer:
    """Import what can be taken; ``None`` where nothing of the file can. What was rejected is in ``found`` then."""
    if not found.lines:
        return None
    body = b"".join(orjson.dumps(line.data, option=orjson.OPT_APPEND_NEWLINE) for line in found.lines)
    with reach(server, key, database_url, absent="made", decides=True) as client:
        answer = client.send(path, body, "application/x-ndjson")
    _add_rejected(found, answer["rejected_lines"])
    return answer


def _add_rejected(found: ImportFile, refused: list[Answer]) -> None:
    """What the API did not take, by its line in the file."""
    from journeyflow.services.imports import Rejected

    for one in refused:
        line = found.lines[one["line"] - 1]
        found.rejected.append(Rejected(line.number, line.written, one["detail"]))
    found.rejected.sort(key=lambda one: one.number)


def tell(found: ImportFile, answer: Answer, what: str, warnings: list[str]) -> None:
    """Say what became of the file.

    :raises typer.Exit: with 1, where lines were rejected.
    """
    from journeyflow.services.imports import write_rejected

    untold = 0 if answer is None else answer["rejected"] - len(answer["rejected_lines"])
    target = write_rejected(found)
    said = [f"{console.counted(0 if answer is None else answer['imported'], what)} imported"]
    if answer is not None and answer.get("repeated"):
        said.append(f"{answer['repeated']:,} there before")
    if target is not None:
        said.append(f"{console.counted(len(found.rejected) + untold, 'line')} rejected")
    console.say(", ".join(said))
    rejected.complain(found, target, warnings)
