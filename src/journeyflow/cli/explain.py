"""``journeyflow explain``: why a contact got, or did not get, what."""

from __future__ import annotations

from typing import Annotated

import typer

from journeyflow.cli import console
from journeyflow.cli.client import Answer, path_part, reach
from journeyflow.cli.options import ApiKey, AsJson, DatabaseUrl, Server

Contact = Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's key.", show_default=False)]
OneJourney = Annotated[str | None, typer.Option("--journey", metavar="ID", help="Only this journey.")]


def explain(
    contact: Contact,
    journey: OneJourney = None,
    as_json: AsJson = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Tell what happened to a contact in its journeys, and what each decision saw."""
    with reach(server, key, database_url) as client:
        found = client.get(f"/v1/contacts/{path_part(contact)}/explanation", journey=journey)
    if as_json:
        console.give(found["trail"])
        return
    console.say(f"{found['contact']} ({found['timezone']})", "bold")
    for line in found["merged"]:
        console.say(line)
    for run in found["runs"]:
        _tell_run(run)
    if found["refusals"]:
        console.say()
        console.say("refused entries", "bold")
        for one in found["refusals"]:
            console.say(f"  {_when(one)}  {one['journey']}: {one['text']}")
            _tell_because(one)
    for note in found["notes"]:
        console.say(note)


def _tell_run(run: Answer) -> None:
    console.say()
    console.say(f"{run['journey']}, version {run['version']}: {run['status']}  [run {run['run']}]", "bold")
    for step in run["steps"]:
        node = f"{step['node']}: " if step["node"] else ""
        console.say(f"  {_when(step)}  {node}{step['text']}")
        _tell_because(step)
    if not run["steps"]:
        console.say("  its steps are kept no longer")


def _tell_because(told: Answer) -> None:
    for line in told["because"]:
        console.say(f"      because {line}", "dim")


def _when(told: Answer) -> str:
    """The time where the contact is, and UTC: ``Tue 3 Mar 2026 11:00:02 (10:00:02Z)``."""
    return f"{told['local']} ({told['at'][11:19]}Z)"
