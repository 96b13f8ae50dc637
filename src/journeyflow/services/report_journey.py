"""A journey's chapter of the report: its graph, its funnel, who was not let in, who left, what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from journeyflow.core.documents import Documents
from journeyflow.core.journey import Journey
from journeyflow.services.html_text import Html, element, joined
from journeyflow.services.proportions import difference_interval
from journeyflow.services.report_counts import ReportCounts
from journeyflow.services.report_graph import MESSAGES, draw, rows_of, stops_of, ways_of
from journeyflow.services.report_parts import figures, folded, meter, percent, table, wide
from journeyflow.services.simulate_summary import JourneyNumbers

MILESTONES = MESSAGES | {"coupon", "stage", "webhook"}


class Chapter(NamedTuple):
    """What a chapter is made from; ``anchor`` is its id on the page."""

    journey: Journey
    numbers: JourneyNumbers
    documents: Documents
    counts: ReportCounts
    anchor: str

    @property
    def id(self) -> str:
        return self.journey.journey


def is_quiet(numbers: JourneyNumbers) -> bool:
    """Whether nobody entered, and nobody was held out."""
    return not numbers.entered and not numbers.holdout


def write_chapter(chapter: Chapter) -> Html:
    """The whole chapter; of a journey that let nobody in little is shown, and its graph on demand."""
    journey, numbers = chapter.journey, chapter.numbers
    words = [element("code", chapter.id), " "] if journey.name not in (None, chapter.id) else []
    heading = joined(
        element("h2", journey.name or chapter.id, id=chapter.anchor),
        element("p", *words, journey.description or "", class_="faint"),
    )
    if is_quiet(numbers):
        nobody = element("p", "Nobody entered." if numbers.refused else "Nobody entered, and nobody was refused.")
        drawn = folded("The graph", _graph(chapter))
        pieces = (heading, nobody, _refusals(numbers), drawn)
        return element("section", *pieces, class_="quiet", aria_labelledby=chapter.anchor)
    return element(
        "section",
        heading,
        _first_numbers(numbers),
        element("h3", "Where runs went"),
        _graph(chapter),
        element("h3", "From entry to goal"),
        _funnel(chapter),
        _messages(chapter),
        element("div", _refusals(numbers), _endings(chapter), _skips(chapter), class_="pair"),
        _goal(chapter),
        aria_labelledby=chapter.anchor,
    )


def _graph(chapter: Chapter) -> Html:
    journey, numbers, counts = chapter.journey, chapter.numbers, chapter.counts
    ways, stops = ways_of(journey, counts), stops_of(journey, numbers, counts)
    nodes = [(stop.name, stop.type, stop.visits, stop.waiting, stop.left) for stop in stops]
    tables = (
        table("Ways", ("from", "exit", "to", "runs"), rows_of(ways)),
        table("Nodes", ("node", "type", "visits", "waiting", "exited here"), nodes),
    )
    return joined(
        wide(draw(journey, ways, stops, numbers.entered, chapter.anchor), f"Graph of {chapter.id}"),
        folded("The numbers of the graph as tables", element("div", *tables, class_="pair")),
    )


def _first_numbers(numbers: JourneyNumbers) -> Html:
    exited, refused = sum(numbers.exited.values()), sum(numbers.refused.values())
    pairs: list[tuple[int, str]] = [
        (numbers.entered, "entered"),
        (numbers.completed, "completed"),
        (exited, "exited"),
        (numbers.active, "still active"),
        (numbers.converted, "converted"),
        (refused, "refused"),
    ]
    return figures([*pairs, (numbers.holdout, "held out")] if numbers.holdout else pairs)


# --- the funnel ------------------------------------------------------------------------------------------------------


def _funnel(chapter: Chapter) -> Html:
    """Runs, each counted once: how many of those that entered came so far."""
    entered = chapter.numbers.entered
    rows = [(step, runs, percent(runs, entered), meter(runs, entered)) for step, runs in _steps(chapter)]
    note = "Runs, each counted once; the share is of those that entered. Who takes another branch misses a step."
    return table("Funnel", ("step", "runs", "share", ""), rows, note)


def _steps(chapter: Chapter) -> Iterator[tuple[str, int]]:
    numbers, id_ = chapter.numbers, chapter.id
    yield "entered", numbers.entered
    for name in _in_order(chapter):
        node = chapter.journey.nodes[name]
        if node.type in MESSAGES:
            yield f"{name}: {node.type} sent", len(chapter.counts.got[id_, name])
        elif node.type in MILESTONES:
            yield f"{name}: {node.type} reached", chapter.counts.passages.reached[id_, name]
    yield "completed", numbers.completed
    if chapter.journey.goal is not None:
        yield "converted", numbers.converted


def _in_order(chapter: Chapter) -> list[str]:
    """The nodes as a run comes to them, breadth first."""
    nodes = chapter.journey.nodes
    found = [chapter.journey.start]
    seen = {*found}
    for name in found:
        for _, target in nodes[name].exits():
            if target is not None and target in nodes and target not in seen:
                seen.add(target)
                found.append(target)
    return found


# --- messages and codes ----------------------------------------------------------------------------------------------


def _messages(chapter: Chapter) -> Html:
    counts, id_ = chapter.counts, chapter.id
    skipped: Counter[tuple[str, str, str]] = Counter()
    for (place, _), number in counts.unsent.items():
        if place.journey == id_:
            skipped[place[1:]] += number
    sent = {place[1:]: number for place, number in counts.queued.items() if place.journey == id_}
    order = {name: index for index, name in enumerate(_in_order(chapter))}
    places = sorted({*sent, *skipped}, key=lambda place: (order.get(place[0], len(order)), place))
    rows = [
        (node, channel, template, sent.get((node, channel, template), 0), skipped[node, channel, template])
        for node, channel, template in places
    ]
    tables = [table("Messages", ("node", "channel", "template", "sent", "skipped"), rows)] if rows else []
    codes = [(node, pool, number) for (journey, node, pool), number in sorted(counts.codes.items()) if journey == id_]
    if codes:
        note = "A contact may get the same code again where the pool says so; the codes used are in the overview."
        tables.append(table("Coupon codes given", ("node", "pool", "times"), codes, note))
    return joined(*tables)


# --- reasons ---------------------------------------------------------------------------------------------------------


def _refusals(numbers: JourneyNumbers) -> Html:
    if not numbers.refused:
        return Html()
    most = max(numbers.refused.values())
    rows = [(reason, number, meter(number, most)) for reason, number in _largest(numbers.refused)]
    return table("Not let in, by reason", ("reason", "times", ""), rows)


def _endings(chapter: Chapter) -> Html:
    ended: dict[str, int] = {"completed": chapter.numbers.completed, **chapter.numbers.exited}
    ended = {reason: number for reason, number in ended.items() if number}
    if not ended:
        return Html()
    most = max(ended.values())
    rows = [(reason, number, meter(number, most)) for reason, number in _largest(ended)]
    return table("How runs ended", ("reason", "runs", ""), rows)


def _skips(chapter: Chapter) -> Html:
    counts, id_ = chapter.counts, chapter.id
    rows: list[tuple[str, str, int]] = [
        (place.node, reason, number) for (place, reason), number in counts.unsent.items() if place.journey == id_
    ]
    rows += [(node, reason, number) for (journey, node, reason), number in counts.skipped.items() if journey == id_]
    rows += [(node, "failed", number) for (journey, node), number in counts.failed.items() if journey == id_]
    if not rows:
        return Html()
    rows.sort(key=lambda row: (-row[2], row[0], row[1]))
    return table("Skipped or failed, by reason", ("node", "reason", "times"), rows)


def _largest(numbers: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(numbers.items(), key=lambda item: (-item[1], item[0]))


# --- the goal --------------------------------------------------------------------------------------------------------


def _goal(chapter: Chapter) -> Html:
    goal, numbers, counts = chapter.journey.goal, chapter.numbers, chapter.counts
    if goal is None:
        return Html()
    within = "" if goal.within is None else f" within {_lasting(goal.within)} of the entry"
    wanted = element("p", "The goal is ", element("code", goal.event), f"{within}.")
    rows = [_goal_row("acted on", numbers.converted, numbers.entered, counts.worth[chapter.id].total)]
    if numbers.holdout:
        held = counts.worth_held_out[chapter.id].total
        rows.append(_goal_row("held out", numbers.holdout_converted, numbers.holdout, held))
    columns = ("runs", "number", "converted", "share", "value", "value a run")
    note = None if goal.value is not None else "The document names no value of the goal."
    return joined(
        element("h3", "The goal"),
        wanted,
        table("Conversions", columns, rows, note),
        _difference(numbers) if numbers.holdout and numbers.entered else "",
    )


def _lasting(time: timedelta) -> str:
    """``14 days``, ``1 hour 30 minutes``."""
    minutes, seconds = divmod(round(time.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second"))
    return " ".join(f"{number} {word if number == 1 else f'{word}s'}" for number, word in parts if number)


def _goal_row(words: str, converted: int, of: int, worth: float) -> tuple[str, int, int, str, float, float]:
    return words, of, converted, percent(converted, of), float(worth), worth / of if of else 0.0


def _difference(numbers: JourneyNumbers) -> Html:
    low, high = difference_interval(numbers.converted, numbers.entered, numbers.holdout_converted, numbers.holdout)
    here = 100 * (numbers.converted / numbers.entered - numbers.holdout_converted / numbers.holdout)
    return element(
        "p",
        f"Difference: {here:+.1f} percentage points (95% interval {100 * low:+.1f} to {100 * high:+.1f}). ",
        "In a simulation nobody read a message, so that this is what chance alone does: "
        "a difference that you want to see live has to be larger.",
    )
