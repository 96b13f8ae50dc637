"""``journeyflow migrate``: bring the database to the newest schema, or a whole installation to another database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from journeyflow.cli import console
from journeyflow.cli.configuration import load_settings
from journeyflow.cli.doctor import shown
from journeyflow.cli.engine import database_file, sole_engine
from journeyflow.cli.options import DatabaseUrl
from journeyflow.core.errors import Conflict, InvalidValue, NotFound

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from journeyflow.settings import Settings

CopyTo = Annotated[
    str | None,
    typer.Option(
        "--copy-to", metavar="URL", help="Copy the whole installation, runs in flight included, to an empty database."
    ),
]
Distribute = Annotated[
    bool, typer.Option("--distribute", help="Spread the tables over the cluster that the database is one of (Citus).")
]


def migrate(
    database_url: DatabaseUrl = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the statements: for an empty database, or those of --distribute.")
    ] = False,
    distribute: Distribute = False,
    copy_to: CopyTo = None,
) -> None:
    """Bring the database to the newest schema; ``serve`` does so too."""
    if copy_to is not None and (sql or distribute):
        raise typer.BadParameter("--copy-to goes with neither --sql nor --distribute")
    settings = load_settings(database_url=database_url)
    if sql and distribute:
        _print_distribution()
    elif sql:
        _print_statements(settings)
    elif distribute:
        _distribute(settings)
    elif copy_to is not None:
        _copy(settings, load_settings(database_url=copy_to))
    else:
        _bring_up(settings)


def _print_statements(settings: Settings) -> None:
    from journeyflow.db import migrations
    from journeyflow.db.store import postgresql_url

    sys.stdout.write(migrations.sql("sqlite" if postgresql_url(settings.database_url) is None else "postgresql"))


def _print_distribution() -> None:
    from journeyflow.db import distribution

    for statement in distribution.statements():
        console.say(f"{statement};")
    console.say("-- and what belongs to claim groups is written anew: claims, tasks, firings")


def _distribute(settings: Settings) -> None:
    from journeyflow.services.distribute import distribute

    with _opened(settings) as engine:
        number = distribute(engine)
    console.say(f"{shown(settings.database_url)} is spread over its cluster, in {number} claim groups")


def _bring_up(settings: Settings) -> None:
    from journeyflow.db import migrations, schema_version

    with _opened(settings) as engine:
        current = schema_version.is_current(engine)
        migrations.migrate(engine)
    console.say(f"{shown(settings.database_url)} {'was' if current else 'is now'} at the newest schema")


@contextmanager
def _opened(settings: Settings) -> Iterator[Engine]:
    from journeyflow.db.store import open_engine

    engine = open_engine(settings.database_url)
    try:
        yield engine
    finally:
        engine.dispose()


# --- to another database ---------------------------------------------------------------------------------------------


def _copy(source: Settings, target: Settings) -> None:
    from journeyflow.clock import now
    from journeyflow.db import migrations, schema_version
    from journeyflow.services.copy import copy

    here, there = shown(source.database_url), shown(target.database_url)
    file = database_file(source)
    if file is not None and not file.exists():
        raise NotFound(f"there is no database {here} to copy")
    if source.database_url == target.database_url or (file is not None and database_file(target) == file):
        raise InvalidValue(f"{there} is the database itself; name another one")
    with sole_engine(file, now(), "stop it, then copy"), _opened(source) as old:
        if not schema_version.is_current(old):
            raise Conflict(f"{here} has an older schema; bring it to the newest first: journeyflow migrate")
        with _opened(target) as new, console.progress("copying") as on_progress:
            migrations.migrate(new)
            tables = copy(old, new, on_progress)
    console.tabulate(
        ("table", "rows there", "rows here", "checksum"),
        [(one.table, one.rows_before, one.rows, one.checksum) for one in tables],
    )
    console.say(f"{here} is copied to {there}: what was read is what was written, in every table")
    console.say("Go on there, and nowhere else: two engines on two copies would send everything twice.")
