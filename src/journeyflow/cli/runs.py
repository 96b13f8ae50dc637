"""``journeyflow runs``: one passage of one contact through a journey, and what a hand can do to it."""

from __future__ import annotations

from typing import Annotated

import typer

from journeyflow.cli import console
from journeyflow.cli.client import Answer, path_part, reach
from journeyflow.cli.options import ApiKey, AsJson, DatabaseUrl, Server

app = typer.Typer(no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", show_default=False)]
Node = Annotated[str, typer.Argument(metavar="NODE", help="Where it goes.", show_default=False)]
Version = Annotated[int | None, typer.Option(help="A published version of its journey; without, the one it is on.")]


@app.command("show")
def show(
    run: Id, as_json: AsJson = False, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """Show how a run stands."""
    with reach(server, key, database_url) as client:
        _tell(client.get(f"/v1/runs/{path_part(run)}"), as_json)


@app.command("remove")
def remove(
    run: Id, as_json: AsJson = False, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """Take a contact out of a run: it exits, and what it queued is withdrawn."""
    with reach(server, key, database_url, decides=True) as client:
        _tell(client.post(f"/v1/runs/{path_part(run)}/remove"), as_json)


@app.command("move")
def move(
    run: Id,
    node: Node,
    version: Version = None,
    as_json: AsJson = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Send a run to a node; it goes on from there at once."""
    body = {"node": node, **({} if version is None else {"version": version})}
    with reach(server, key, database_url, decides=True) as client:
        _tell(client.post(f"/v1/runs/{path_part(run)}/move", body), as_json)


def _tell(found: Answer, as_json: bool) -> None:
    if as_json or "status" not in found:  # an answer without a status: it is on disk, and its turn has not come yet
        console.give(found)
        return
    for name, value in found.items():
        if value is not None:
            console.say(f"{name}: {value}")
