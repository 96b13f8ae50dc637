"""``journeyflow send-test``: one message to look at."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from journeyflow.cli import console
from journeyflow.cli.client import path_part, reach
from journeyflow.cli.options import ApiKey, AsJson, DatabaseUrl, Server
from journeyflow.core.errors import InvalidInput


def send_test(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="The template's id.", show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Who gets it.", show_default=False)],
    contact: Annotated[
        str | None, typer.Option("--contact", metavar="CONTACT", help="Whose attributes it is filled in with.")
    ] = None,
    values: Annotated[
        str, typer.Option("--values", metavar="JSON", help='Other values, such as {"trigger": {"total": 12}}.')
    ] = "{}",
    as_json: AsJson = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Send one message as it would go out, using up nothing."""
    try:
        given = orjson.loads(values)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"--values: expected JSON: {error}") from None
    if not isinstance(given, dict):
        raise InvalidInput(f"--values: expected a JSON object, found {values[:60]}")
    body = {"to": to, "values": given, **({} if contact is None else {"contact": contact})}
    with reach(server, key, database_url) as client:
        sent = client.post(f"/v1/templates/{path_part(template)}/send-test", body)
    if as_json:
        console.give(sent)
    elif sent["channel"] == "mailbox":
        console.say(f"not sent to {sent['to']}, but would be: {sent['subject']}")
        console.warn("what this channel sends goes to mailbox://; JOURNEYFLOW_EMAIL_URL names a mail server")
    else:
        console.say(f"sent to {sent['to']}: {sent['subject']}")
