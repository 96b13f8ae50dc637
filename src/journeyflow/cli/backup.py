"""``journeyflow backup`` and ``restore``: a whole installation as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from journeyflow.cli import console
from journeyflow.cli.configuration import load_settings
from journeyflow.cli.engine import database_file, sole_engine
from journeyflow.cli.options import DatabaseUrl
from journeyflow.core.errors import InvalidValue

File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace the file where there is one.")]


def backup(file: File, force: Force = False, database_url: DatabaseUrl = None) -> None:
    """Copy the whole installation into FILE, while it runs."""
    from journeyflow.services.backup import back_up

    database = _file(database_url)
    with console.progress("copying") as on_progress:
        size = back_up(database, file, force=force, on_progress=on_progress)
    console.say(f"{file}: {size:,} bytes, checked; it holds addresses and keys, keep it safe")


def restore(file: File, database_url: DatabaseUrl = None) -> None:
    """Make the backup FILE the database; what was there is kept beside it."""
    from journeyflow.clock import now
    from journeyflow.services.backup import put_back

    database = _file(database_url)
    with sole_engine(database, now(), "stop it, then restore"), console.progress("copying") as on_progress:
        restored = put_back(file, database, now(), on_progress=on_progress)
    console.say(f"{database} is restored from {file}")
    if restored.aside is not None:
        console.say(f"what was there is kept as {restored.aside}")


def _file(database_url: str | None) -> Path:
    """The file of the database.

    :raises InvalidValue: when it is PostgreSQL, which has tools of its own.
    """
    found = database_file(load_settings(database_url=database_url))
    if found is None:
        raise InvalidValue("backup and restore are for SQLite; PostgreSQL has pg_dump and pg_restore, and its archives")
    return found
