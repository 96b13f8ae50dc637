"""``journeyflow contacts``: import and export them, show what is known of one, and erase one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from journeyflow.cli import console, imports
from journeyflow.cli.client import Answer, path_part, reach
from journeyflow.cli.options import ApiKey, AsJson, DatabaseUrl, Server

if TYPE_CHECKING:
    from journeyflow.services.imports import ImportFile

app = typer.Typer(no_args_is_help=True)

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="CSV or JSON Lines, plain or gzip; Parquet.", show_default=False)
]
Contact = Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's key.", show_default=False)]
Target = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSON Lines, CSV or Parquet; - is standard output, as JSON Lines.")
]
LAST = 20
STDOUT: Final = Path("-")
CONTACTS_PER_PAGE: Final = 1_000


# --- import ----------------------------------------------------------------------------------------------------------


@app.command("import")
def import_contacts(file: File, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None) -> None:
    """Import contacts as history: nobody enters a journey by it, nothing is sent.

    Attributes and tags are merged into contacts that exist. Lines that can't be taken are written to FILE.rejected.
    """
    from journeyflow.services.imports import read_contacts

    found = read_contacts(file)
    answer = imports.send(found, "/v1/imports/contacts", server, key, database_url)
    imports.tell(found, answer, "contact", [] if answer is None else [*_unusable(found, answer)])


def _unusable(found: ImportFile, answer: Answer) -> Iterator[str]:
    """Which lines were imported though not all of their values can be used."""
    if not answer["unusable"]:
        return
    yield f"{console.counted(answer['unusable'], 'line')} imported with a value that can't be used"
    for one in answer["unusable_lines"][:LAST]:
        yield f"{found.path}:{found.lines[one['line'] - 1].number}: {one['detail']}"
    if answer["unusable"] > LAST:
        yield f"and {answer['unusable'] - LAST:,} more"


# --- export ----------------------------------------------------------------------------------------------------------


@app.command("export")
def export_contacts(
    target: Target = STDOUT, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """Write all contacts as `contacts import` and `simulate` read them.

    The file's name says in which form: .jsonl, .csv (both also .gz) or .parquet. JSON Lines and Parquet keep everything
    that an import knows; a CSV, which is for spreadsheets, has no types, and what it can't keep is told.
    """
    from journeyflow.services.contact_files import writing

    with reach(server, key, database_url) as client, writing(target) as writer:
        for contact in client.items("/v1/exports/contacts", CONTACTS_PER_PAGE):
            writer.write(contact)
    for told in writer.notes():
        console.warn(told)
    if target != STDOUT:
        console.say(f"{console.counted(writer.count, 'contact')} exported to {target}")


# --- show ------------------------------------------------------------------------------------------------------------


@app.command("show")
def show(
    contact: Contact,
    as_json: AsJson = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show what is known of a contact, and the last things that happened."""
    path = f"/v1/contacts/{path_part(contact)}"
    with reach(server, key, database_url) as client:
        found = client.get(path)
        last = [] if as_json else client.get(f"{path}/timeline", limit=LAST)["items"]
    if as_json:
        console.give(found)
        return
    for name in ("contact", "email", "created_at", "stage", "suppressed"):
        if found[name] not in (None, False):
            console.say(f"{name}: {_text(found[name])}")
    console.say(f"tags: {', '.join(found['tags']) or 'none'}")
    topics = ", ".join(f"{topic} {'yes' if held else 'no'}" for topic, held in found["topics"].items())
    console.say(f"topics: {topics or 'none'}{' (unsubscribed from everything)' if 'unsubscribed' in found else ''}")
    for line in found.get("unusable", ()):
        console.say(line, "yellow")
    for title, columns, rows in (
        ("attributes", ("name", "value"), [(name, _text(value)) for name, value in found["attributes"].items()]),
        ("active runs", ("journey", "node", "due_at", "run"), [_run(one) for one in found["runs"]]),
        ("last happenings", ("at", "what"), [(one["at"][:19] + "Z", happening(one)) for one in last]),
    ):
        if rows:
            console.say()
            console.say(title, "bold")
            console.tabulate(columns, rows)


def _run(one: Answer) -> tuple[object, ...]:
    return (one["journey"], one["node"], one["due_at"], one["id"])


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def happening(one: Answer) -> str:
    """One entry of a timeline in a line."""
    if one["kind"] == "event":
        properties = one["event"]["properties"]
        return f"event {one['event']['name']}{f' {_text(properties)}' if properties else ''}"
    if one["kind"] == "message":
        message = one["message"]
        reason = f" ({message['reason']})" if message["reason"] else ""
        became = one["note"] or f"{message['status']}{reason}"
        return f"message {message['template']} to {message['to'] or 'nobody'}: {became}"
    step = one["step"]
    node = f" {step['node']}" if step["node"] else ""
    return f"{step['journey']}{node}: {step['kind']}"


# --- forget ----------------------------------------------------------------------------------------------------------


@app.command("forget")
def forget(contact: Contact, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None) -> None:
    """Erase a contact, its trail and its messages included, at once: it does not ask, and can't be undone.

    What was said of its address (suppressed, unsubscribed from everything) stays with the address's hash.
    """
    with reach(server, key, database_url, decides=True) as client:
        answer = client.delete(f"/v1/contacts/{path_part(contact)}")
    if answer is None:
        console.say(f"{contact} is forgotten")
    else:
        console.say(f"{contact} is about to be forgotten: input {answer['id']} waits for its turn")
