"""A journey's graph as a drawing with its numbers: visits on the nodes, passages on the edges."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from journeyflow.core.journey import Journey
from journeyflow.core.nodes.base import Node
from journeyflow.core.passages import END, ENTRY
from journeyflow.services.html_text import Html, element, shorten, void
from journeyflow.services.layered_layout import Layout, Sizes, lay_out
from journeyflow.services.report_counts import ReportCounts
from journeyflow.services.simulate_summary import JourneyNumbers

# --- what there is to draw -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Way:
    """An edge: the words of the exits that lead along it, and how often runs took it."""

    source: str
    target: str
    words: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def label(self) -> str:
        """``else 1,234``; only the number where the exit has no name."""
        return " ".join([" / ".join(self.words), f"{self.count:,}"]).strip()


@dataclass(slots=True)
class Stop:
    """A node with its numbers; ``left`` are the runs whose exit found them here, ``ended`` those that ended by it."""

    name: str
    type: str
    visits: int
    waiting: int
    left: int
    sent: int | None
    skipped: int


def ways_of(journey: Journey, counts: ReportCounts) -> list[Way]:
    """Every edge of the document, from the entry on, in its order; those to the end name ``end``."""
    taken = counts.passages.edges
    ways: dict[tuple[str, str], Way] = {}

    def way(source: str, target: str) -> Way:
        made = Way(source, target, [], taken[journey.journey, source, target])
        return ways.setdefault((source, target), made)

    way(ENTRY, journey.start)
    for name, node in journey.nodes.items():
        exits = list(node.exits())
        for path, target in exits:
            found = way(name, target or END)
            word = _word(node, path, len(exits))
            if word and word not in found.words:
                found.words.append(word)
    return list(ways.values())


_OUTCOMES: Final = {"on_skip": "skipped", "on_empty": "no code", "on_failure": "failed"}
_INDEXED: Final = re.compile(r"(\w+)\[(\d+)\]")


def _word(node: Node, path: str, exits: int) -> str:
    """What the page calls an exit: the name of a case or arm, ``timeout``, ``else``."""
    indexed = _INDEXED.match(path)
    if indexed is not None:
        group, index = indexed[1], int(indexed[2])
        choice = getattr(node, group)[index]
        named = getattr(choice, "name", None) or getattr(choice, "event", None)
        return str(named) if named else f"{group.removesuffix('s')} {index + 1}"
    if path == "next":
        otherwise = {"branch": "else", "wait_for": "timeout"}
        return otherwise.get(node.type, "") if exits > 1 else ""
    return _OUTCOMES.get(path, path.removeprefix("on_"))


def stops_of(journey: Journey, numbers: JourneyNumbers, counts: ReportCounts) -> list[Stop]:
    """Every node of the document with what happened there."""
    left: defaultdict[str, int] = defaultdict(int)
    for (id_, node, reason), number in counts.ended.items():
        if id_ == journey.journey and reason:
            left[node] += number
    sent: defaultdict[str, int] = defaultdict(int)
    unsent: defaultdict[str, int] = defaultdict(int)
    for place, number in counts.queued.items():
        if place.journey == journey.journey:
            sent[place.node] += number
    for (place, _), number in counts.unsent.items():
        if place.journey == journey.journey:
            unsent[place.node] += number
    return [
        Stop(
            name,
            node.type,
            numbers.nodes[name].visits,
            numbers.nodes[name].waiting,
            left[name],
            sent[name] if node.type in MESSAGES else None,
            unsent[name],
        )
        for name, node in journey.nodes.items()
    ]


MESSAGES: Final = frozenset({"email", "sms", "push"})

# --- drawing ---------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, SPACE, GAP, MARGIN = 208.0, 66.0, 28.0, 66.0, 16.0
PILL: Final = 30.0
_Box = tuple[str, str]
"""A node by its name, or the end of the runs that complete after a node: (that node's name, ``end``)."""


def draw(journey: Journey, ways: Iterable[Way], stops: Iterable[Stop], entered: int, id_: str) -> Html:
    """The graph as SVG; each node from which runs complete has an end of its own, so that no edge crosses the page."""
    edges = [((way.source, ""), (way.source, END) if way.target == END else (way.target, "")) for way in ways]
    boxes: list[_Box] = [(ENTRY, ""), *((name, "") for name in journey.nodes)]
    boxes += [target for _, target in edges if target[1]]
    layout = lay_out(boxes, edges, Sizes(WIDTH, SPACE, 20.0))
    by_name = {stop.name: stop for stop in stops}
    width, height = layout.width + 2 * MARGIN, layout.layers * (HEIGHT + GAP) - GAP + 2 * MARGIN
    title, words = f"{id_}-title", f"{id_}-words"
    lines = [_edge(layout, edge, way) for edge, way in zip(edges, ways, strict=True)]
    return element(
        "svg",
        element("title", f"The journey {journey.name or journey.journey} as a graph", id=title),
        element("desc", "Every number of this drawing is also in the table below it.", id=words),
        *(line for line, _ in lines),
        *(_box(layout, box, by_name, entered, journey) for box in boxes),
        *(label for _, label in lines),
        class_="graph",
        role="img",
        aria_labelledby=f"{title} {words}",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
    )


def _y(layer: int) -> float:
    return MARGIN + layer * (HEIGHT + GAP)


def _half(box: _Box) -> float:
    """Half of a box's height; small ones are in the middle of their layer's upper edge."""
    return PILL / 2 if box[1] or box[0] == ENTRY else HEIGHT / 2


def _middle(layout: Layout[_Box], box: _Box) -> tuple[float, float]:
    layer, x = layout.places[box]
    y = _y(layer)
    if box[0] == ENTRY:
        return MARGIN + x, y + HEIGHT - PILL / 2
    return MARGIN + x, y + (PILL / 2 if box[1] else HEIGHT / 2)


def _box(layout: Layout[_Box], box: _Box, stops: dict[str, Stop], entered: int, journey: Journey) -> Html:
    x, y = _middle(layout, box)
    if box[0] == ENTRY:
        return _pill(x, y, f"entered {entered:,}", "pill entry")
    if box[1]:
        return _pill(x, y, "completed", "pill")
    stop = stops[box[0]]
    note = journey.nodes[box[0]].note
    top = y - HEIGHT / 2
    kind = "node message" if stop.sent is not None else "node"
    return element(
        "g",
        element("title", f"{stop.name} ({stop.type})" + (f": {note}" if note else "")),
        void("rect", x=x - WIDTH / 2, y=top, width=WIDTH, height=HEIGHT, rx=8),
        element("text", shorten(stop.name, 22), x=x - WIDTH / 2 + 12, y=top + 22, class_="name"),
        element("text", stop.type, x=x + WIDTH / 2 - 12, y=top + 22, class_="type"),
        element("text", f"{stop.visits:,} visits" if stop.visits != 1 else "1 visit", x=x - WIDTH / 2 + 12, y=top + 40),
        element("text", _happened(stop), x=x - WIDTH / 2 + 12, y=top + 57, class_="faint"),
        class_=kind if stop.visits else f"{kind} unused",
        data_node=stop.name,
        data_visits=stop.visits,
        data_waiting=stop.waiting,
    )


def _happened(stop: Stop) -> str:
    parts = [
        f"{stop.sent:,} sent" if stop.sent is not None else "",
        f"{stop.skipped:,} skipped" if stop.skipped else "",
        f"{stop.waiting:,} waiting" if stop.waiting else "",
        f"{stop.left:,} exited" if stop.left else "",
    ]
    return " · ".join(part for part in parts if part)


def _pill(x: float, y: float, words: str, kind: str) -> Html:
    half = 16 + 3.8 * len(words)
    return element(
        "g",
        void("rect", x=x - half, y=y - PILL / 2, width=half * 2, height=PILL, rx=PILL / 2),
        element("text", words, x=x, y=y + 5, class_="middle"),
        class_=kind,
    )


def _edge(layout: Layout[_Box], edge: tuple[_Box, _Box], way: Way) -> tuple[Html, Html]:
    """The line with its arrow, and the label that lies above all lines."""
    source, target = edge
    if source == target:
        path, tip, at = _loop(layout, source)
    elif edge in layout.back:
        path, tip, at = _upwards(layout, edge)
    else:
        path, tip, at = _downwards(layout, edge)
    kind = "back" if edge in layout.back or source == target else "way"
    line = element(
        "g",
        element("title", f"{way.source or 'entered'} → {way.target}: {way.label}"),
        void("path", d=path),
        void("polygon", points=tip),
        class_=kind if way.count else f"{kind} unused",
        data_from=way.source,
        data_to=way.target,
        data_count=way.count,
    )
    if way.source == ENTRY:
        return line, Html()
    return line, element("text", shorten(way.label, 30), x=at[0], y=at[1], class_="middle label")


def _downwards(layout: Layout[_Box], edge: tuple[_Box, _Box]) -> tuple[str, str, tuple[float, float]]:
    (x, y), (to_x, to_y) = _middle(layout, edge[0]), _middle(layout, edge[1])
    y, to_y = y + _half(edge[0]), to_y - _half(edge[1])
    path = [f"M{x:.1f} {y:.1f}"]
    reached, points = (x, y), []
    for layer, bend in layout.bends[edge]:
        points += [(MARGIN + bend, _y(layer)), (MARGIN + bend, _y(layer) + HEIGHT)]
    for place in [*points, (to_x, to_y - 7)]:
        path.append(_curve(reached, place))
        reached = place
    first = points[0] if points else (to_x, to_y)
    fork = sum(one[0] == edge[0] for one in layout.bends) > 1
    share = 0.68 if fork else 0.42
    label = (x + (first[0] - x) * _eased(share), y + (first[1] - y) * share + 4)
    return "".join(path), _arrow(to_x, to_y, 0, 1), label


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    middle = (start[1] + end[1]) / 2
    return f"C{start[0]:.1f} {middle:.1f} {end[0]:.1f} {middle:.1f} {end[0]:.1f} {end[1]:.1f}"


def _eased(share: float) -> float:
    """How far to the side such a curve is at a share of its height."""
    return share * share * (3 - 2 * share)


def _upwards(layout: Layout[_Box], edge: tuple[_Box, _Box]) -> tuple[str, str, tuple[float, float]]:
    """From the side of the lower node, past the layers between, to the side of the upper one."""
    (x, y), (to_x, to_y) = _middle(layout, edge[0]), _middle(layout, edge[1])
    bends = [(MARGIN + bend, layer) for layer, bend in layout.bends[edge]]
    begin, end = x + WIDTH / 2, to_x + WIDTH / 2
    path = [f"M{begin:.1f} {y:.1f}", f"Q{bends[0][0]:.1f} {y:.1f} {bends[0][0]:.1f} {_y(bends[0][1]):.1f}"]
    reached = (bends[0][0], _y(bends[0][1]))
    for bend, layer in bends[1:-1]:
        path.append(_curve(reached, (bend, _y(layer) + HEIGHT)))
        reached = (bend, _y(layer))
        path.append(f"L{bend:.1f} {reached[1]:.1f}")
    last, layer = bends[-1]
    path.append(_curve(reached, (last, _y(layer) + HEIGHT)))
    path.append(f"Q{last:.1f} {to_y:.1f} {end + 7:.1f} {to_y:.1f}")
    return "".join(path), _arrow(end, to_y, -1, 0), (bends[0][0], _y(bends[0][1]) - GAP / 2 + 4)


def _loop(layout: Layout[_Box], box: _Box) -> tuple[str, str, tuple[float, float]]:
    x, y = _middle(layout, box)
    side = x + WIDTH / 2
    far = f"{side + 34:.1f}"
    path = f"M{side:.1f} {y + 18:.1f}C{far} {y + 26:.1f} {far} {y - 26:.1f} {side + 7:.1f} {y - 16:.1f}"
    return path, _arrow(side, y - 14, -1, 0), (side + 14, y + 38)


def _arrow(x: float, y: float, dx: int, dy: int) -> str:
    """A triangle whose tip is at (x, y), pointing along (dx, dy)."""
    corners = [(x, y), (x - 8 * dx - 4 * dy, y - 8 * dy - 4 * dx), (x - 8 * dx + 4 * dy, y - 8 * dy + 4 * dx)]
    return " ".join(f"{left:.1f},{top:.1f}" for left, top in corners)


# --- the same as tables ----------------------------------------------------------------------------------------------


def rows_of(ways: Iterable[Way]) -> list[tuple[str, str, str, int]]:
    """From, exit, to, runs."""
    return [(way.source or "entry", " / ".join(way.words), way.target, way.count) for way in ways]
