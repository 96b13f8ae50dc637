"""``journeyflow migrate``: bring the database to the newest schema."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from journeyflow.cli import console
from journeyflow.cli.configuration import load_settings
from journeyflow.cli.options import DatabaseUrl


def migrate(
    database_url: DatabaseUrl = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements for an empty database.")] = False,
) -> None:
    """Bring the database to the newest schema; ``serve`` does so too."""
    from journeyflow.db import migrations, schema_version
    from journeyflow.db.sqlite import open_engine

    if sql:
        sys.stdout.write(migrations.sql())
        return
    settings = load_settings(database_url=database_url)
    engine = open_engine(settings.database_url)
    try:
        current = schema_version.is_current(engine)
        migrations.migrate(engine)
    finally:
        engine.dispose()
    console.say(f"{settings.database_url} {'was' if current else 'is now'} at the newest schema")
