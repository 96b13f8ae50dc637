"""How Alembic runs the migrations: on the connection that it is given, else on the database of ``-x database=URL``."""

from __future__ import annotations

from contextlib import ExitStack

from alembic import context
from sqlalchemy import Connection

from journeyflow.db.store import open_engine, write
from journeyflow.db.tables import metadata


def run_on(connection: Connection) -> None:
    """Run what was asked for; the transaction is the caller's, so that it happens as a whole or not at all."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


def run_as_sql() -> None:
    """Print the statements instead."""
    dialect = context.config.attributes.get("dialect", "sqlite")
    context.configure(dialect_name=dialect, target_metadata=metadata, literal_binds=True, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_as_sql()
else:
    with ExitStack() as stack:
        given = context.config.attributes.get("connection")
        if given is None:
            address = context.get_x_argument(as_dictionary=True).get("database", "journeyflow.db")
            given = stack.enter_context(write(open_engine(address)))
        run_on(given)
