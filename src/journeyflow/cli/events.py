"""``journeyflow events``: import what happened before journeyflow was there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from journeyflow.cli import imports
from journeyflow.cli.options import ApiKey, DatabaseUrl, Server

app = typer.Typer(no_args_is_help=True)

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSON Lines or CSV, plain or gzip; Parquet.", show_default=False)
]


@app.callback()
def events() -> None:
    """Import events."""


@app.command("import")
def import_events(file: File, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None) -> None:
    """Import events as history: they count, but nobody enters or moves by them, and nothing is sent.

    The file is what `simulate --events` reads. Importing it again within 30 days imports nothing twice. Lines that
    can't be taken are written to FILE.rejected.
    """
    from journeyflow.services.event_lines import UnknownMembers
    from journeyflow.services.imports import read_events

    found, unknown = read_events(file), UnknownMembers()
    for line in found.lines:
        unknown.drop(line.data, f"{file}:{line.number}")
    answer = imports.send(found, "/v1/imports/events", server, key, database_url)
    imports.tell(found, answer, "event", [*unknown.notes()])
