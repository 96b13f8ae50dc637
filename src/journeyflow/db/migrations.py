"""Bringing a database to the newest schema. The steps are in the ``migrations`` folder and run through Alembic."""

from __future__ import annotations

from io import StringIO

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from journeyflow.core.errors import SystemFailure
from journeyflow.db import schema_version
from journeyflow.db.foreign import made_by_another
from journeyflow.db.schema_version import is_current
from journeyflow.db.store import ReadConnection, on_postgresql, one_at_a_time, write
from journeyflow.db.tables import metadata

NEWEST = "head"


def migrate(engine: Engine) -> None:
    """Bring the database to the newest schema, as a whole or not at all; does nothing where it is there already.

    Processes that start at once wait for one another: the first one does it, the others find it done.

    :raises SystemFailure: when a newer journeyflow, or another program, made the database.
    """
    if is_current(engine):
        return
    with write(engine) as connection:
        if on_postgresql(connection):  # however long the other one needs
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        one_at_a_time(connection, "migrate")
        check_origin(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, NEWEST)


def sql(dialect: str = "sqlite") -> str:
    """The statements that make the newest schema out of an empty database, for whoever runs them by hand.

    :param dialect: ``sqlite`` or ``postgresql``.
    """
    printed = StringIO()
    config = _config(printed)
    config.attributes["dialect"] = dialect
    command.upgrade(config, NEWEST, sql=True)
    return printed.getvalue()


def _heads(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())


def check_origin(connection: ReadConnection) -> None:
    """See that nothing is built on what this program does not know.

    :raises SystemFailure: when a newer journeyflow, or another program, made the database.
    """
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    heads = _heads(connection)
    if not heads <= known:
        schema = ", ".join(sorted(heads - known))
        raise SystemFailure(
            f"a newer journeyflow made this database (schema {schema}); install that version or a later one"
        )
    tables = inspect(connection).get_table_names() if not heads else []
    if on_postgresql(connection):  # a server's extensions, and other programs, may have tables of other names there
        tables = [name for name in tables if name in metadata.tables]
    if tables:
        raise SystemFailure(made_by_another(tables[0]))


def _config(output: StringIO | None = None) -> Config:
    folder = schema_version.folder()
    config = Config(folder / "alembic.ini", output_buffer=output)  # without a buffer: standard output
    config.set_main_option("script_location", str(folder))
    return config
