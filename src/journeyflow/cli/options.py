"""Options that several commands have."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="A SQLite file, or postgresql://...; JOURNEYFLOW_DATABASE_URL, else journeyflow.db.",
    ),
]
Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", envvar="JOURNEYFLOW_URL", help="Ask this server, not the database."),
]
ApiKey = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", envvar="JOURNEYFLOW_KEY", show_envvar=True, help="The server's API key."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with JSON.")]
Flows = Annotated[Path, typer.Argument(metavar="FLOWS", help="A folder of documents.", show_default=False)]


def parse_time(text: str, local: ZoneInfo | None = None) -> datetime:
    """An instant of the command line, local to that zone, else UTC, where it has no offset."""
    from journeyflow.core.values import GREENWICH, parse_instant

    found = parse_instant(text, local or GREENWICH)
    if found is None:
        raise typer.BadParameter("expected an instant in ISO 8601 such as 2026-03-02T10:00:00Z")
    return found


Instant = Annotated[datetime | None, typer.Option(parser=parse_time, metavar="INSTANT")]
