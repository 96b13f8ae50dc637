"""``journeyflow worker``: an engine without the API; as many as one likes on one PostgreSQL."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Annotated

import typer

from journeyflow.cli.configuration import load_settings
from journeyflow.cli.engine import own_database_file, sole_engine
from journeyflow.cli.options import DatabaseUrl
from journeyflow.cli.serve import address_of, bind, try_settings, warn, warn_of_links

Roles = Annotated[
    str,
    typer.Option(metavar="ROLES", help="What it does, with commas: turns, dispatch (mail, calls), schedule (tidying)."),
]


MetricsPort = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="Answer /metrics, /healthz and /readyz there; JOURNEYFLOW_METRICS_PORT, else nowhere; 0 takes a free one.",
    ),
]


def worker(
    database_url: DatabaseUrl = None, roles: Roles = "turns,dispatch,schedule", metrics_port: MetricsPort = None
) -> None:
    """Be an engine: decide, deliver, tidy up; SIGTERM or Ctrl-C stops it in order."""
    from journeyflow.bootstrap import open_installation
    from journeyflow.cli import logs
    from journeyflow.cli.process import work
    from journeyflow.cli.roles import read_roles
    from journeyflow.clock import now

    chosen = read_roles(roles)
    settings = load_settings(database_url=database_url, metrics_port=metrics_port)
    logs.configure(settings.log_format, settings.log_level, tracebacks=True)
    logs.take_over(settings.log_format, settings.log_level)
    try_settings(settings)
    with ExitStack() as stack:
        database = own_database_file(settings)
        is_new = database is not None and not (database.exists() and database.stat().st_size)
        stack.enter_context(sole_engine(database, now(), "stop it first"))
        probed_at = None if settings.metrics_port is None else bind(settings.host, settings.metrics_port)
        if probed_at is not None:
            stack.enter_context(probed_at)
            sys.stdout.write(f"metrics: http://{address_of(settings.host, probed_at)}/metrics\n")
            sys.stdout.flush()
        installation = open_installation(settings)
        stack.callback(installation.engine.dispose)
        if is_new:
            warn(f"there was no database {database}; a new one was made, in which nothing is published")
        warn_of_links(installation)
        work(installation, chosen, probed_at)
