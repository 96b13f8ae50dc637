"""``journeyflow serve``: API and engine in one process."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journeyflow.cli.configuration import load_settings
from journeyflow.cli.engine import own_database_file, sole_engine
from journeyflow.cli.options import DatabaseUrl
from journeyflow.core.errors import InvalidValue, SystemFailure

if TYPE_CHECKING:
    from journeyflow.bootstrap import Installation
    from journeyflow.services.check import Checked
    from journeyflow.settings import Settings

Host = Annotated[str | None, typer.Option(help="The address to listen on; JOURNEYFLOW_HOST, else 127.0.0.1.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="JOURNEYFLOW_PORT, else 8000; 0 takes one that is free.")
]
NoEngine = Annotated[bool, typer.Option("--no-engine", help="The API alone; another process is the engine.")]
Folder = Annotated[Path | None, typer.Option("--flows", metavar="DIR", help="Apply this folder first.")]


def serve(
    database_url: DatabaseUrl = None,
    host: Host = None,
    port: Port = None,
    no_engine: NoEngine = False,
    flows: Folder = None,
) -> None:
    """Serve the API and run the engine; SIGTERM or Ctrl-C stops it in order."""
    from journeyflow.bootstrap import open_installation
    from journeyflow.cli import logs
    from journeyflow.cli.process import run
    from journeyflow.clock import now

    settings = load_settings(database_url=database_url, host=host, port=port)
    logs.configure(settings.log_format, settings.log_level, tracebacks=True)
    logs.take_over(settings.log_format, settings.log_level)
    # Whatever can be wrong is looked at first: keys that a first start makes are shown once, and must be shown.
    checked = None if flows is None else _checked(flows)
    try_settings(settings)
    with ExitStack() as stack:
        listener = stack.enter_context(bind(settings.host, settings.port))
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        if not no_engine:
            stack.enter_context(sole_engine(own_database_file(settings), now()))
        installation = open_installation(settings)
        stack.callback(installation.engine.dispose)
        installation.keep_links()
        warn_of_links(installation)
        if checked is not None:
            _apply(installation, checked)
        run(installation, listener, engine=not no_engine, on_listening=lambda: announce(installation))


def try_settings(settings: Settings) -> None:
    """Find out before anything is made whether what goes out can.

    :raises InvalidValue: when a setting does not allow it.
    """
    from journeyflow.bootstrap import open_outlet, webhook_secret

    webhook_secret(settings)
    open_outlet(settings)
    if settings.base_url is not None and not settings.base_url.startswith(("http://", "https://")):
        raise InvalidValue(f"JOURNEYFLOW_BASE_URL: expected http://... or https://..., found {settings.base_url}")
    for told in settings.guessable_keys():
        warn(told)


def warn_of_links(installation: Installation) -> None:
    """Say at the start that mails go out whose links nobody can follow, where no setting says that it is meant so."""
    from journeyflow.services.doctor import check_links

    settings, found = installation.settings, check_links(installation.links)
    sends = not settings.email_url.get_secret_value().startswith("mailbox:")
    if sends and settings.base_url is None and found.verdict != "ok":
        warn(f"mails go out, but {found.text}")


def _checked(folder: Path) -> Checked:
    from journeyflow.rendering.renderer import LiquidRenderer
    from journeyflow.services.check import check_folder

    checked = check_folder([folder], LiquidRenderer()).demand()
    for problem in checked.problems:
        warn(str(problem))
    return checked


def _apply(installation: Installation, checked: Checked) -> None:
    from journeyflow.db.store import write
    from journeyflow.services.publish import apply, notes

    with write(installation.engine) as connection:
        apply(connection, checked.sources, False, installation.clock(), installation.renderer)
        told = notes(connection, checked.sources, False)
    for note in told:
        warn(note)


def warn(told: str) -> None:
    """A log line: whoever reads those of a process that serves need not know another form."""
    import structlog

    structlog.get_logger().warning(told)


def bind(host: str, port: int) -> socket.socket:
    """A socket that nobody can connect to yet; port 0 becomes a free one.

    :raises SystemFailure: when the address is taken, or is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SystemFailure(f"{host}:{port} can't be listened on: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SystemFailure(f"{host}:{port} can't be listened on: {error.strerror}; --port names another") from error
    return listener


def address_of(host: str, listener: socket.socket) -> str:
    """What a socket listens on, as it stands in a URL."""
    return f"{_in_url(host)}:{listener.getsockname()[1]}"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def announce(installation: Installation) -> None:
    """Say where the server listens and, once, the keys of a first start; nobody is answered before."""
    settings = installation.settings
    lines = [f"address: http://{_in_url(settings.host)}:{settings.port}"]
    with installation.first_keys() as made:
        lines += [f"{scope} key: {secret}" for scope, secret in made]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    for one in installation.revoke_former_keys():
        what = f"an {one.scope} key" if one.scope == "admin" else f"a {one.scope} key"
        warn(f"{what} from former settings is revoked: JOURNEYFLOW_{one.scope.upper()}_KEY gives another one")
