"""``journeyflow simulate``: journeys over a file of events, sending nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import typer

from journeyflow.cli import console
from journeyflow.cli.options import AsJson, Flows, parse_time
from journeyflow.core.errors import SystemFailure

if TYPE_CHECKING:
    from journeyflow.core.effects import TrailRecord
    from journeyflow.services.simulate import OnTrail
    from journeyflow.services.simulate_summary import JourneyNumbers, Simulation

Events = Annotated[
    list[Path] | None,
    typer.Option(
        help="JSON Lines or CSV, plain or gzip; Parquet with journeyflow[parquet]. May come often.", show_default=False
    ),
]
Contacts = Annotated[
    list[Path] | None,
    typer.Option(
        help="CSV or JSON Lines, plain or gzip; Parquet; events make contacts too. May come often.", show_default=False
    ),
]
Journeys = Annotated[list[str] | None, typer.Option("--journey", metavar="ID", help="Only this one; may come often.")]
Start = Annotated[str | None, typer.Option("--from", metavar="INSTANT", help="Earlier events are history.")]
Until = Annotated[str | None, typer.Option(metavar="INSTANT", help="The end of the clock, itself included.")]
Trail = Annotated[Path | None, typer.Option(help="Write the trail records here, as JSON Lines; - is standard output.")]
Report = Annotated[Path | None, typer.Option(help="Write a page with graphs and charts here, one HTML file.")]
Seed = Annotated[int, typer.Option(help="Makes the coupon codes, nothing else.")]
STDOUT: Final = Path("-")


def simulate(
    flows: Flows,
    events: Events = None,
    contacts: Contacts = None,
    journey: Journeys = None,
    from_: Start = None,
    until: Until = None,
    trail: Trail = None,
    report: Report = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run the journeys of a folder over events and contacts, on a virtual clock."""
    from journeyflow.core.local_time import zone
    from journeyflow.core.workspace import DEFAULT
    from journeyflow.rendering.renderer import LiquidRenderer
    from journeyflow.services.check import check_folder
    from journeyflow.services.garbage import collect_rarely
    from journeyflow.services.report import Given, write_report
    from journeyflow.services.report_counts import ReportCounts
    from journeyflow.services.simulate import choose
    from journeyflow.services.simulate import simulate as run

    if not events and not contacts:
        raise typer.BadParameter("expected --events or --contacts: without them nothing happens")
    _demand_instants(from_, until)
    renderer = LiquidRenderer()
    documents = choose(check_folder([flows], renderer).demand().documents, journey or ())
    local = zone((documents.workspace or DEFAULT).timezone)
    start, end = (None if text is None else parse_time(text, local) for text in (from_, until))
    counts = None if report is None else ReportCounts(local)
    collect_rarely()
    with ExitStack() as stack:
        on_trail = None if trail is None else _trail_writer(stack.enter_context(_output(trail)))
        page = None if report is None else stack.enter_context(_output(report))
        on_progress = stack.enter_context(console.progress("simulating"))
        found = run(
            documents,
            renderer,
            events or (),
            contacts or (),
            start=start,
            until=end,
            seed=seed,
            on_trail=on_trail,
            on_progress=on_progress,
            counts=counts,
        )
        if page is not None and counts is not None:
            given = Given(flows.name, _names(events), _names(contacts), journey or (), start, end, seed)
            page.write(write_report(documents, found, counts, given).encode())
    for told in (*found.notes, *found.alerts):
        console.warn(told)
    with ExitStack() as stack:
        if STDOUT in (trail, report):
            stack.enter_context(redirect_stdout(sys.stderr))
        console.give(found.summary()) if as_json else _show(found)


def _demand_instants(*texts: str | None) -> None:
    """Wrong usage is told before anything is read."""
    for text in texts:
        if text is not None:
            parse_time(text)


def _names(paths: list[Path] | None) -> list[str]:
    return [path.name for path in paths or ()]


@contextmanager
def _output(path: Path) -> Iterator[IO[bytes]]:
    """A file to write; what can't be written is told before the work begins."""
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with path.open("wb", buffering=1 << 20) as file:
            yield file
    except OSError as error:
        raise SystemFailure(f"{path} can't be written: {error.strerror}") from error


def _trail_writer(file: IO[bytes]) -> OnTrail:
    from journeyflow.services.simulate_summary import trail_line

    def write(record: TrailRecord) -> None:
        file.write(trail_line(record))

    return write


# --- the summary -----------------------------------------------------------------------------------------------------


def _show(found: Simulation) -> None:
    events, contacts = console.counted(found.events, "event"), console.counted(found.contacts, "contact")
    when = "no time passed" if found.span is None else f"{found.start:%Y-%m-%d} to {found.end:%Y-%m-%d}"
    console.say(f"{events}, {contacts}, {when}")
    console.say()
    busy = {name: numbers for name, numbers in found.journeys.items() if _had_somebody(numbers)}
    if busy:
        columns = ("journey", "entered", "refused", "active", "completed", "exited", "converted")
        console.tabulate(columns, [_journey_row(name, numbers) for name, numbers in busy.items()])
    idle = ", ".join(name for name in found.journeys if name not in busy)
    if idle:
        console.say(f"nobody entered: {idle}")
    for name, numbers in busy.items():
        console.say()
        console.say(f"{name}{_reasons(numbers)}", "bold")
        rows = [(node, one.visits, one.waiting) for node, one in numbers.nodes.items()]
        console.tabulate(("node", "visits", "waiting"), rows)
    console.say()
    _show_messages(found)


def _had_somebody(numbers: JourneyNumbers) -> bool:
    """Whether somebody entered, or wanted to."""
    return bool(numbers.entered or numbers.holdout or numbers.refused)


def _journey_row(name: str, numbers: JourneyNumbers) -> tuple[object, ...]:
    refused, exited = sum(numbers.refused.values()), sum(numbers.exited.values())
    return (name, numbers.entered, refused, numbers.active, numbers.completed, exited, numbers.converted)


def _reasons(numbers: JourneyNumbers) -> str:
    parts = [
        f"{verb}: {', '.join(f'{reason} {count:,}' for reason, count in reasons.items())}"
        for verb, reasons in (("refused", numbers.refused), ("exited", numbers.exited))
        if reasons
    ]
    if numbers.holdout:
        parts.append(f"held out: {numbers.holdout:,}, of these converted {numbers.holdout_converted:,}")
    return f" ({'; '.join(parts)})" if parts else ""


def _show_messages(found: Simulation) -> None:
    rows: list[tuple[str, str, int]] = []
    for channel, numbers in found.messages.items():
        rows.append((channel, "queued", numbers.queued))
        rows.extend((channel, f"skipped: {reason}", count) for reason, count in numbers.skipped.items())
    rows.extend(("coupon", pool, count) for pool, count in found.coupons.items())
    if not rows:
        console.say("no messages")
        return
    console.tabulate(("channel", "outcome", "number"), rows)
    if found.busiest_day is not None:
        day, count = found.busiest_day
        console.say(f"most messages on one day: {count:,} on {day:%Y-%m-%d}")
    if found.most_messages is not None:
        contact, count = found.most_messages
        console.say(f"most messages to one contact: {count:,} to {contact}")
