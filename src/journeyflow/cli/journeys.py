"""``journeyflow journeys``: how journeys stand, and who is in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import orjson
import typer

from journeyflow.cli import console
from journeyflow.cli.client import Answer, path_part, reach
from journeyflow.cli.options import ApiKey, AsJson, DatabaseUrl, Server
from journeyflow.core.errors import Conflict
from journeyflow.core.instructions import EXIT

app = typer.Typer(no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="JOURNEY", show_default=False)]
Contact = Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's key.", show_default=False)]
Entries = Annotated[bool, typer.Option("--entries", help="Only let nobody in; runs go on.")]
Now = Annotated[bool, typer.Option("--now", help="Runs that are late go on at once.")]
Over = Annotated[
    str | None, typer.Option("--over", metavar="DURATION", help="They go on evenly spread over a time, such as 2h.")
]
Shift = Annotated[bool, typer.Option("--shift", help="Every due time moves by the length of the pause.")]
Skip = Annotated[bool, typer.Option("--skip", help="They go on at once, past the messages that are late.")]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="OLD=NEW",
        help="Where runs go that stand at OLD: to a node of the newest version, or exit. As often as needed.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say who would go where.")]
Properties = Annotated[str, typer.Option(metavar="JSON", help="What the run gets as trigger.")]
CROWD = ("version", "node", "to", "runs")
COLUMNS = ("id", "status", "version", "published_at", "name")


@app.command("list")
def list_journeys(
    as_json: AsJson = False, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """List journeys and how they stand."""
    with reach(server, key, database_url) as client:
        found = list(client.items("/v1/journeys"))
    if as_json:
        console.give(found)
    else:
        console.tabulate(COLUMNS, [[one[column] for column in COLUMNS] for one in found])


@app.command("show")
def show(
    journey: Id, as_json: AsJson = False, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """Show a journey: how it stands, and its document."""
    with reach(server, key, database_url) as client:
        found = client.get(f"/v1/journeys/{path_part(journey)}")
    if as_json:
        console.give(found)
        return
    for name in (*COLUMNS, "paused_at"):
        if found[name] is not None:
            console.say(f"{name}: {found[name]}")
    console.say(f"document:\n{_as_yaml(found['document'])}")


def _as_yaml(document: Answer) -> str:
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return text.rstrip()


@app.command("stats")
def stats(
    journey: Id, as_json: AsJson = False, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """Show a journey in numbers."""
    with reach(server, key, database_url) as client:
        found = client.get(f"/v1/journeys/{path_part(journey)}/stats")
    if as_json:
        console.give(found)
        return
    console.tabulate(("what", "runs"), _numbers(found))
    console.say()
    nodes = found["nodes"].items()
    console.tabulate(("node", "visits", "waiting"), [(name, one["visits"], one["waiting"]) for name, one in nodes])


def _numbers(found: Answer) -> list[tuple[str, int]]:
    rows: list[tuple[str, int]] = []
    for name, value in found.items():
        if isinstance(value, int):
            rows.append((name, value))
        elif name in ("refused", "exited"):
            rows.append((name, sum(value.values())))
            rows.extend((f"{name}: {reason}", count) for reason, count in value.items())
    return rows


@app.command("enroll")
def enroll(
    journey: Id,
    contact: Contact,
    properties: Properties = "{}",
    as_json: AsJson = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Let a contact into a live journey by hand."""
    data = {"contact": contact, "properties": _object(properties)}
    with reach(server, key, database_url, decides=True) as client:
        answer = client.post(f"/v1/journeys/{path_part(journey)}/enroll", data)
    if as_json:
        console.give(answer)
    elif "contact" not in answer:
        console.say(f"{contact} is on its way into {journey}: input {answer['id']} waits for its turn")
    elif answer["refused"] is None:
        console.say(f"{contact} has entered {journey}: run {answer['run']}")
    else:
        hint = f"journeyflow explain {contact} --journey {journey} tells more"
        raise Conflict(f"{journey} has refused {contact}: {answer['refused']}\n{hint}")


def _object(text: str) -> Answer:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"expected --properties as JSON: {error}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter('expected --properties as a JSON object such as {"plan": "gold"}')
    return found


@app.command("publish")
def publish(journey: Id, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None) -> None:
    """Publish the draft of a journey: who enters from now on enters its newest text.

    Take `status: draft` out of its file as well, else the next `apply` stores that text as a draft again.
    """
    with reach(server, key, database_url) as client:
        found = client.post(f"/v1/journeys/{path_part(journey)}/publish")
    console.say(f"{journey} is {found['status']}: version {found['version']} is published")


@app.command("pause")
def pause(
    journey: Id, entries: Entries = False, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """Let nobody in, and let runs stand still."""
    with reach(server, key, database_url) as client:
        found = client.post(f"/v1/journeys/{path_part(journey)}/pause", {"entries": entries})
    still = "stands still: its runs wait; who would come in until it is resumed does not come in"
    console.say(f"{journey} {'lets nobody in; runs go on' if found['status'] == 'entries_paused' else still}")


@app.command("resume")
def resume(
    journey: Id,
    now: Now = False,
    over: Over = None,
    shift: Shift = False,
    skip: Skip = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Let a paused journey go on. Where runs are overdue by more than a day, say how: one of the four options."""
    if sum((now, over is not None, shift, skip)) > 1:
        raise typer.BadParameter("expected one of --now, --over, --shift and --skip")
    choice = {"now": now, "shift": shift, "skip": skip, **({} if over is None else {"over": over})}
    with reach(server, key, database_url) as client:
        found = client.post(f"/v1/journeys/{path_part(journey)}/resume", choice)
    console.say(f"{journey} goes on; {overdue_words(found['overdue'])} overdue by more than a day")


@app.command("migrate")
def migrate(
    journey: Id,
    given: Map = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    server: Server = None,
    key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Let the runs of older versions go to the newest; the time that they have waited counts.

    They go to the node of the same name; where there is none, --map says where to.
    """
    body = {"map": _places(given or ()), "dry_run": dry_run}
    with reach(server, key, database_url) as client:
        found = client.post(f"/v1/journeys/{path_part(journey)}/migrate", body)
    if as_json:
        console.give(found)
        return
    crowds = found["nodes"]
    if crowds:
        console.tabulate(CROWD, [[one[column] for column in CROWD] for one in crowds])
        console.say()
    console.say(_migrated(found))


def _places(given: Iterable[str]) -> dict[str, str]:
    places: dict[str, str] = {}
    for one in given:
        old, _, new = (part.strip() for part in one.partition("="))
        if not old or not new:
            raise typer.BadParameter(f"expected --map OLD=NEW, such as first=second or first=exit, found {one!r}")
        if old in places:
            raise typer.BadParameter(f"expected one --map for {old}, found {places[old]} and {new}")
        places[old] = new
    return places


def _migrated(found: Answer) -> str:
    count = sum(one["runs"] for one in found["nodes"])
    leaving = sum(one["runs"] for one in found["nodes"] if one["to"] == EXIT)
    if not count:
        return f"all runs of {found['id']} are on version {found['version']}: there is nothing to do"
    what = f"{count:,} {'run' if count == 1 else 'runs'} of {found['id']}"
    verb = "would go" if found["dry_run"] else "goes" if count == 1 else "go"
    of_them = f"; {leaving:,} of them out of the journey" if leaving else ""
    return f"{what} {verb} to version {found['version']}{of_them}"


@app.command("archive")
def archive(journey: Id, server: Server = None, key: ApiKey = None, database_url: DatabaseUrl = None) -> None:
    """End a journey for good: nobody enters, and all its runs exit."""
    with reach(server, key, database_url) as client:
        client.post(f"/v1/journeys/{path_part(journey)}/archive")
    console.say(f"{journey} is archived; its runs exit")


def overdue_words(count: int) -> str:
    """``1 run was``, ``2 runs were``."""
    return f"{count:,} run was" if count == 1 else f"{count:,} runs were"
