"""The report of a simulation: one HTML page that needs nothing else, to look at, to send, to print.

It loads nothing and runs no script; its policy says so to the browser. Everything that comes from documents and files
is escaped where it is written (:mod:`journeyflow.services.html_text`).
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from importlib.metadata import version
from typing import Final

from journeyflow.core.documents import Documents
from journeyflow.core.values import iso
from journeyflow.core.workspace import DEFAULT
from journeyflow.services.html_text import Html, element, joined, text
from journeyflow.services.report_counts import ReportCounts
from journeyflow.services.report_journey import Chapter, is_quiet, write_chapter
from journeyflow.services.report_parts import (
    COLOURS,
    DASH,
    Cell,
    day_chart,
    figures,
    folded,
    legend,
    meter,
    percent,
    table,
)
from journeyflow.services.report_style import STYLE
from journeyflow.services.simulate_summary import Simulation

RECEIVERS_MAX: Final = 20
OTHERS: Final = "others"
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)
"""The Content-Security-Policy of the page."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the simulation was asked to do, in the words of whoever asked: files, options."""

    flows: str
    events: Sequence[str]
    contacts: Sequence[str]
    journeys: Sequence[str] = ()
    start: datetime | None = None
    until: datetime | None = None
    seed: int = 0


def write_report(documents: Documents, found: Simulation, counts: ReportCounts, given: Given) -> str:
    """The page.

    :param documents: those that ran; their journeys have a chapter each.
    :param counts: what :func:`journeyflow.services.simulate.simulate` filled.
    """
    workspace = documents.workspace or DEFAULT
    title = f"Simulation of {workspace.name or workspace.workspace}"
    # Journeys that nobody entered have little to say, and say it last.
    ordered = sorted(documents.journeys.items(), key=lambda item: is_quiet(found.journeys[item[0]]))
    chapters = [
        Chapter(journey, found.journeys[name], documents, counts, f"journey-{index}")
        for index, (name, journey) in enumerate(ordered, 1)
    ]
    body = joined(
        element("header", element("h1", title), _what_ran(found), _contents(chapters)),
        element(
            "main",
            _overview(found, counts, chapters),
            _sends(found, counts, chapters),
            *(write_chapter(chapter) for chapter in chapters),
        ),
        element("footer", _parameters(found, given)),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{text(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


# --- the beginning ---------------------------------------------------------------------------------------------------


def _what_ran(found: Simulation) -> Html:
    events = element("b", found.events), " event" if found.events == 1 else " events"
    contacts = element("b", found.contacts), " contact" if found.contacts == 1 else " contacts"
    when = "" if found.span is None else f", {found.start:%-d %B %Y} to {found.end:%-d %B %Y}"
    return element(
        "p", *events, " of ", *contacts, f"{when}. Nothing was sent: ",
        "this is what the journeys would have done with what these contacts did anyway.",
    )  # fmt: skip


def _contents(chapters: Sequence[Chapter]) -> Html:
    places = [("overview", "Overview"), ("messages", "Messages")]
    places += [(one.anchor, one.journey.name or one.id) for one in chapters]
    places.append(("parameters", "How this was made"))
    items = (element("li", element("a", words, href=f"#{anchor}")) for anchor, words in places)
    return element("nav", element("ul", *items), aria_label="Contents")


# --- all journeys ----------------------------------------------------------------------------------------------------


def _overview(found: Simulation, counts: ReportCounts, chapters: Sequence[Chapter]) -> Html:
    sent = sum(counts.sent.values())
    reached = len({contact for contact, _ in counts.receivers})
    pairs: list[tuple[str | int, str]] = [
        (sent, "messages"),
        (reached, f"contacts got one ({percent(reached, found.contacts)})"),
    ]
    if found.busiest_day is not None:
        pairs.append((found.busiest_day[1], f"on the busiest day, {found.busiest_day[0]}"))
    if found.most_messages is not None:
        pairs.append((found.most_messages[1], "to the contact with most"))
    rows: list[Sequence[Cell]] = []
    for one in chapters:
        numbers = one.numbers
        link = element("a", one.journey.name or one.id, href=f"#{one.anchor}")
        ended = (numbers.active, numbers.completed, sum(numbers.exited.values()))
        share = percent(numbers.converted, numbers.entered) if one.journey.goal is not None else DASH
        rows.append((link, numbers.entered, sum(numbers.refused.values()), *ended, numbers.converted, share))
    columns = ("journey", "entered", "refused", "active", "completed", "exited", "converted", "share")
    alerts = element("ul", *(element("li", alert) for alert in found.alerts), class_="alert") if found.alerts else ""
    return element(
        "section",
        element("h2", "Overview", id="overview", class_="first"),
        figures(pairs),
        joined(element("h3", "What an operator would be told"), alerts) if alerts else "",
        table("Journeys", columns, rows),
        table("Coupon codes used", ("pool", "codes"), list(found.coupons.items())) if found.coupons else "",
        aria_labelledby="overview",
    )


# --- messages --------------------------------------------------------------------------------------------------------


def _sends(found: Simulation, counts: ReportCounts, chapters: Sequence[Chapter]) -> Html:
    heading = element("h2", "Messages", id="messages")
    if not counts.sent and not counts.unsent:
        return element("section", heading, element("p", "No message was sent, and none was skipped."))
    outcomes = []
    for channel, numbers in found.messages.items():
        outcomes.append((channel, "sent", numbers.queued))
        outcomes += [(channel, f"skipped: {reason}", number) for reason, number in numbers.skipped.items()]
    return element(
        "section",
        heading,
        _days(counts, {one.id: one.journey.name or one.id for one in chapters}) if counts.sent else "",
        element(
            "div",
            element(
                "div",
                table("By channel and outcome", ("channel", "outcome", "messages"), outcomes),
                _spread(counts, found.contacts),
            ),
            _receivers(counts) if counts.sent else "",
            class_="pair",
        ),
        aria_labelledby="messages",
    )


def _days(counts: ReportCounts, names: dict[str, str]) -> Html:
    totals: Counter[str] = Counter()
    for day, number in counts.sent.items():
        totals[day.journey] += number
    order = [journey for journey, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))]
    own = order if len(order) <= COLOURS else order[: COLOURS - 1]
    days: defaultdict[date, Counter[str]] = defaultdict(Counter)
    channels: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for sent, number in counts.sent.items():
        days[sent.day][sent.journey if sent.journey in own else OTHERS] += number
        channels[sent.day][sent.channel] += number
    series = [*own, *([OTHERS] if len(own) < len(order) else [])]
    summed = [(names.get(one, one), sum(day[one] for day in days.values())) for one in series]
    used = sorted({channel for day in channels.values() for channel in day})
    rows: list[Sequence[Cell]] = [
        (
            f"{day:%Y-%m-%d}",
            *(channels[day][one] for one in used),
            *(values[one] for one in series),
            sum(values.values()),
        )
        for day, values in sorted(days.items())
    ]
    columns = ("day", *used, *(name for name, _ in summed), "all")
    return joined(
        element("h3", "Messages per day"),
        legend(summed),
        day_chart("Messages per day and journey", days, series, "days"),
        folded("Every day as a table", table("Messages per day, by channel and by journey", columns, rows)),
    )


def _totals(counts: ReportCounts) -> Counter[str]:
    """Messages by contact."""
    totals: Counter[str] = Counter()
    for (contact, _), number in counts.receivers.items():
        totals[contact] += number
    return totals


def _receivers(counts: ReportCounts) -> Html:
    totals = _totals(counts)
    most = sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:RECEIVERS_MAX]
    note = f"On average {sum(totals.values()) / len(totals):.1f} for each contact that got any."
    rows = [(contact, number, meter(number, most[0][1])) for contact, number in most]
    return table("Contacts with most messages", ("contact", "messages", ""), rows, note)


def _spread(counts: ReportCounts, contacts: int) -> Html:
    """How many contacts got how many: each number up to nine, then by tens."""
    totals = _totals(counts)
    groups = Counter(number if number < 10 else number // 10 * 10 for number in totals.values())
    groups[0] = contacts - len(totals)
    most = max(groups.values())
    rows = [
        (f"{least}" if least < 10 else f"{least} to {least + 9}", number, meter(number, most))
        for least, number in sorted(groups.items())
    ]
    return table("Messages for one contact", ("messages", "contacts", ""), rows)


# --- the end ---------------------------------------------------------------------------------------------------------


def _parameters(found: Simulation, given: Given) -> Html:
    pairs: list[tuple[str, str | int]] = [
        ("flows", given.flows),
        ("events", ", ".join(given.events) or "none"),
        ("contacts", ", ".join(given.contacts) or "none; events make contacts"),
        ("journeys", ", ".join(given.journeys) or "all of the folder"),
        ("clock from", f"{iso(found.start)}, {'as asked' if given.start else 'the first event'}"),
        ("clock to", f"{iso(found.end)}, {'as asked' if given.until else 'the last thing that happened'}"),
        ("handled", f"{found.events:,} events of {found.contacts:,} contacts"),
        ("seed", given.seed),
        ("journeyflow", version("journeyflow")),
    ]
    listed = (piece for name, value in pairs for piece in (element("dt", name), element("dd", value)))
    return joined(
        element("h2", "How this was made", id="parameters"),
        element("dl", *listed),
        element(
            "p",
            "The same files and seed give the same numbers. Sent means queued: a simulation delivers at once. "
            "Who opens or buys because of a message is not in past events, so conversions are what happened anyway.",
            class_="faint",
        ),
    )
