"""``journeyflow migrate``: bring the database to the newest schema."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from journeyflow.cli import console
from journeyflow.cli.configuration import load_settings
from journeyflow.cli.doctor import shown
from journeyflow.cli.options import DatabaseUrl


def migrate(
    database_url: DatabaseUrl = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements for an empty database.")] = False,
) -> None:
    """Bring the database to the newest schema; ``serve`` does so too."""
    from journeyflow.db import migrations, schema_version
    from journeyflow.db.store import open_engine, postgresql_url

    settings = load_settings(database_url=database_url)
    if sql:
        sys.stdout.write(migrations.sql("sqlite" if postgresql_url(settings.database_url) is None else "postgresql"))
        return
    engine = open_engine(settings.database_url)
    try:
        current = schema_version.is_current(engine)
        migrations.migrate(engine)
    finally:
        engine.dispose()
    console.say(f"{shown(settings.database_url)} {'was' if current else 'is now'} at the newest schema")
