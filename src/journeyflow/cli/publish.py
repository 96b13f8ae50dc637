"""``journeyflow plan`` and ``apply``: the difference between a folder and the installation, shown or made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journeyflow.cli import console
from journeyflow.cli.client import Answer, Client, reach
from journeyflow.cli.options import ApiKey, AsJson, DatabaseUrl, Flows, Server

if TYPE_CHECKING:
    from journeyflow.core.values import JSON

Prune = Annotated[bool, typer.Option("--prune", help="Also remove what is not in the folder.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done, as plan does.")]

_SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}


def plan(
    flows: Flows,
    prune: Prune = False,
    as_json: AsJson = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show what applying a folder would change; exit code 1 where apply would refuse it."""
    documents = _documents(flows)
    with reach(server, key, database_url, absent="empty") as client:
        answer = _ask(client, "plan", documents, prune)
    _tell(answer, as_json, done=False)
    _demand_free(answer)


def apply(
    flows: Flows,
    prune: Prune = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make the installation what a folder says, all of it or nothing."""
    documents = _documents(flows)
    with reach(server, key, database_url, absent="empty" if dry_run else "made") as client:
        answer = _ask(client, "plan" if dry_run else "apply", documents, prune)
    _tell(answer, as_json, done=not dry_run)
    _demand_free(answer)


def _documents(flows: Path) -> list[dict[str, JSON]]:
    """The folder's documents; here its errors still have a file and a line."""
    from journeyflow.rendering.renderer import LiquidRenderer
    from journeyflow.services.check import check_folder

    checked = check_folder([flows], LiquidRenderer()).demand()
    for problem in checked.problems:
        console.warn(str(problem))
    return [source.data for source in checked.sources]


def _ask(client: Client, verb: str, documents: list[dict[str, JSON]], prune: bool) -> Answer:
    return client.post(f"/v1/documents:{verb}", {"documents": documents, "prune": prune})


def _tell(answer: Answer, as_json: bool, *, done: bool) -> None:
    if as_json:
        console.give(answer)
        return
    changes = answer["changes"]
    for change in changes:
        sign, colour = _SIGNS[change["what"]]
        console.say(f"{sign} {change['kind']} {change['id']}", colour)
        for difference in change["differences"]:
            console.say(f"    {difference}")
        exiting = change["exiting"]
        where = ", on older versions" if change["what"] == "changed" and exiting is None else ""
        for node, count in change["in_flight"].items():
            console.say(f"    {count:,} {'run stands' if count == 1 else 'runs stand'} at {node}{where}")
        if exiting is not None:
            runs = "1 run in flight exits" if exiting == 1 else f"{exiting:,} runs in flight exit"
            console.say(f"    archiving is final: nobody enters any more, and {runs}", "red")
        if change["blocked"] is not None:
            console.say(f"    {change['blocked']}", "red")
    for note in answer["notes"]:
        console.say(f"! {note}", "yellow")
    blocked = sum(change["blocked"] is not None for change in changes)
    if blocked:
        console.say(f"nothing can be applied: {console.counted(blocked, 'change')} refused", "red")
        return
    counts = [(sum(change["what"] == what for change in changes), what) for what in _SIGNS]
    said = ", ".join(f"{count} {what if done else f'to be {what}'}" for count, what in counts if count)
    console.say(said or ("nothing was to be changed" if done else "nothing to change"))


def _demand_free(answer: Answer) -> None:
    """A plan that can't be carried out is something wrong in what was given."""
    if any(change["blocked"] is not None for change in answer["changes"]):
        raise typer.Exit(1)
