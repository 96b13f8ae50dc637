"""``journeyflow segments``: which there are, how many contacts are in one, and who."""

from __future__ import annotations

from typing import Annotated

import typer

from journeyflow.cli import console
from journeyflow.cli.client import path_part, reach
from journeyflow.cli.options import ApiKey, AsJson, DatabaseUrl, Server

app = typer.Typer(no_args_is_help=True)

Segment = Annotated[str, typer.Argument(metavar="SEGMENT", help="The segment's id.", show_default=False)]


@app.command("list")
def list_(as_json: AsJson = False, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None) -> None:
    """List the segments, each with how many contacts are in it."""
    with reach(server, key, database_url) as client:
        found = [
            {**one, "count": client.get(f"/v1/segments/{path_part(one['id'])}/count")["count"]}
            for one in client.items("/v1/segments")
        ]
    if as_json:
        console.give(found)
    else:
        console.tabulate(("segment", "name", "contacts"), [(one["id"], one["name"], one["count"]) for one in found])


@app.command("count")
def count(
    segment: Segment, as_json: AsJson = False, server: Server = None, key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:  # fmt: skip
    """Tell how many contacts are in a segment."""
    with reach(server, key, database_url) as client:
        found = client.get(f"/v1/segments/{path_part(segment)}/count")
    if as_json:
        console.give(found)
    else:
        console.say(str(found["count"]))


@app.command("contacts")
def contacts(
    segment: Segment, as_json: AsJson = False, server: Server = None, key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:  # fmt: skip
    """List the contacts that are in a segment, one key a line."""
    found = False
    with reach(server, key, database_url) as client:
        for one in client.items(f"/v1/segments/{path_part(segment)}/contacts"):
            found = True
            if as_json:
                console.give(one)
            else:
                console.say(one["contact"])
    if not found and not as_json:
        console.warn(f"nobody is in segment {segment}")
