"""``journeyflow keys``: API keys."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from journeyflow.cli import console
from journeyflow.cli.client import path_part, reach
from journeyflow.cli.options import ApiKey, AsJson, DatabaseUrl, Server

app = typer.Typer(no_args_is_help=True)


class Scope(StrEnum):
    """What a key permits."""

    BROWSER = "browser"
    WRITE = "write"
    READ = "read"
    ADMIN = "admin"


Name = Annotated[str | None, typer.Option(help="What it is for, to tell it from others.")]


@app.command("create")
def create(
    scope: Annotated[Scope, typer.Argument(help="browser: public; write: events; read; admin: everything.")],
    name: Name = None,
    as_json: AsJson = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key; it is shown now and never again."""
    with reach(server, key, database_url, absent="made") as client:
        made = client.post("/v1/keys", {"scope": scope.value, "name": name})
    if as_json:
        console.give(made)
    else:
        console.say(f"{scope.value} key: {made['key']}")


@app.command("list")
def list_keys(
    as_json: AsJson = False, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """List keys; of each what is known but the key itself."""
    with reach(server, key, database_url) as client:
        found = list(client.items("/v1/keys"))
    if as_json:
        console.give(found)
        return
    columns = ("id", "scope", "name", "created_at", "revoked_at")
    console.tabulate(columns, [[one[column] for column in columns] for one in found])


@app.command("revoke")
def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As list shows it.", show_default=False)],
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Let a key be good no more."""
    with reach(server, key, database_url) as client:
        client.delete(f"/v1/keys/{path_part(id_)}")
    console.say(f"key {id_} is revoked")
