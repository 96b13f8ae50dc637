"""Where to draw the nodes of a directed graph: in layers from top to bottom, after Sugiyama, Tagawa and Toda (1981).

Edges that close a loop are turned round for the layering and drawn at the side. An edge over several layers gets a
bend in each, which takes part in the ordering like a node, so that edges do not run through nodes.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)
Edge = tuple[Name, Name]

SWEEPS_MAX: Final = 12
SWEEPS_MIN: Final = 2
WORK_MAX: Final = 60_000
"""So many nodes and bends are gone through for the order of the rows; of a larger graph it is less good."""
STRAIGHT: Final = 4.0
"""How much more a bend wants to be in line with its neighbours than a node does."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """In units of the drawing: a node's width, the space between neighbours, the width that a bend takes."""

    node: float
    space: float
    bend: float


@dataclass(slots=True)
class Layout(Generic[Name]):
    """What was found: for each node its layer and the x of its middle; for each edge its bends as (layer, x).

    Bends are in the order in which the edge is walked; ``back`` are the edges that lead upwards, whose first and last
    bend lie beside the nodes that they join. Edges from a node to itself have no bends.
    """

    layers: int
    width: float
    places: dict[Name, tuple[int, float]]
    bends: dict[Edge[Name], list[tuple[int, float]]]
    back: set[Edge[Name]]


def lay_out(nodes: Sequence[Name], edges: Iterable[Edge[Name]], sizes: Sizes) -> Layout[Name]:
    """Layers, order and x of everything; the first node is where the graph begins, the order of edges is kept in mind.

    The same graph is always laid out alike.
    """
    graph = _Graph(nodes, list(dict.fromkeys(edges)))
    rows = _Rows(graph)
    rows.sort()
    x = rows.positions(sizes)
    left = min((x[part] - rows.width(part, sizes) / 2 for part in x), default=0.0)
    right = max((x[part] + rows.width(part, sizes) / 2 for part in x), default=0.0)
    places = {name: (graph.layer[name], x[name] - left) for name in nodes}
    bends = {
        edge: [(bend.layer, x[bend] - left) for bend in (reversed(chain) if edge in graph.back else chain)]
        for edge, chain in rows.chains.items()
    }
    return Layout(max(graph.layer.values(), default=-1) + 1, right - left, places, bends, graph.back)


class _Graph(Generic[Name]):
    """The graph without its loops, and each node's layer: the longest way there."""

    def __init__(self, nodes: Sequence[Name], edges: Sequence[Edge[Name]]) -> None:
        self.nodes = nodes
        self.edges = edges
        self.following: dict[Name, list[Name]] = {name: [] for name in nodes}
        for source, target in edges:
            self.following[source].append(target)
        self.found: list[Name] = []
        self.back: set[Edge[Name]] = set()
        self._search()
        self.down = [
            (target, source) if (source, target) in self.back else (source, target)
            for source, target in edges
            if source != target
        ]
        self.layer = self._layers()

    def _search(self) -> None:
        """Depth first, in the order of the edges; what leads back to a node on the way there closes a loop."""
        entered: set[Name] = set()
        left: set[Name] = set()
        for root in self.nodes:
            if root in entered:
                continue
            entered.add(root)
            self.found.append(root)
            way = [(root, iter(self.following[root]))]
            while way:
                name, rest = way[-1]
                target = next(rest, None)
                if target is None:
                    left.add(name)
                    way.pop()
                elif target not in entered:
                    entered.add(target)
                    self.found.append(target)
                    way.append((target, iter(self.following[target])))
                elif target not in left and target != name:
                    self.back.add((name, target))

    def _layers(self) -> dict[Name, int]:
        before: dict[Name, int] = dict.fromkeys(self.nodes, 0)
        after: dict[Name, list[Name]] = {name: [] for name in self.nodes}
        for upper, lower in self.down:
            before[lower] += 1
            after[upper].append(lower)
        layer = dict.fromkeys(self.nodes, 0)
        ready = [name for name in self.found if before[name] == 0]
        for name in ready:
            for lower in after[name]:
                layer[lower] = max(layer[lower], layer[name] + 1)
                before[lower] -= 1
                if before[lower] == 0:
                    ready.append(lower)
        return layer


@dataclass(frozen=True, slots=True)
class _Bend(Generic[Name]):
    """Where an edge crosses a layer; ``beside`` is the node that it has to stay next to."""

    edge: Edge[Name]
    layer: int
    beside: Name | None = None


_Part = Hashable
"""What stands in a layer: a node's name or a bend."""


def _owner(part: _Part) -> _Part:
    """The node that a bend has to stay next to; ``None`` for everything else."""
    return part.beside if isinstance(part, _Bend) else None


@dataclass(slots=True)
class _Neighbours:
    up: defaultdict[_Part, list[_Part]] = field(default_factory=lambda: defaultdict(list))
    down: defaultdict[_Part, list[_Part]] = field(default_factory=lambda: defaultdict(list))

    def join(self, upper: _Part, lower: _Part) -> None:
        self.down[upper].append(lower)
        self.up[lower].append(upper)


class _Rows(Generic[Name]):
    """The layers as rows from left to right."""

    def __init__(self, graph: _Graph[Name]) -> None:
        self._near = _Neighbours()
        self.chains: dict[Edge[Name], list[_Bend[Name]]] = {}
        self._beside: dict[_Part, list[_Bend[Name]]] = defaultdict(list)
        rows: defaultdict[int, list[_Part]] = defaultdict(list)
        for name in graph.found:
            rows[graph.layer[name]].append(name)
        for edge in graph.edges:
            if edge[0] != edge[1]:
                for bend in self._bend(edge, graph):
                    rows[bend.layer].append(bend)
        self._rows = [rows[number] for number in sorted(rows)]
        parts = sum(map(len, self._rows))
        self._sweeps = max(SWEEPS_MIN, min(SWEEPS_MAX, WORK_MAX // max(parts, 1)))

    def _bend(self, edge: Edge[Name], graph: _Graph[Name]) -> list[_Bend[Name]]:
        """Chain the edge from layer to layer; the bends beside its nodes are placed with these, not by themselves."""
        upper, lower = edge[::-1] if edge in graph.back else edge
        top, bottom = graph.layer[upper], graph.layer[lower]
        inner = [_Bend(edge, layer) for layer in range(top + 1, bottom)]
        if edge in graph.back:
            first, last = _Bend(edge, top, upper), _Bend(edge, bottom, lower)
            self._beside[upper].append(first)
            self._beside[lower].append(last)
            self.chains[edge] = [first, *inner, last]
            chain: list[_Part] = [*self.chains[edge]]
        else:
            self.chains[edge] = inner
            chain = [upper, *inner, lower]
        for one, other in pairwise(chain):
            self._near.join(one, other)
        return inner

    # --- order --------------------------------------------------------------------------------------------------------

    def sort(self) -> None:
        """Bring each row into the order of its neighbours' middles, downwards and upwards; the best try is kept."""
        self._rows = [self._with_bends_beside(row) for row in self._rows]
        best, fewest = self._rows, self._crossings(self._rows)
        for sweep in range(self._sweeps):
            if fewest == 0:
                break
            self._rows = self._sweep(downwards=sweep % 2 == 0)
            crossings = self._crossings(self._rows)
            if crossings < fewest:
                best, fewest = self._rows, crossings
        self._rows = best

    def _sweep(self, downwards: bool) -> list[list[_Part]]:
        near = self._near.up if downwards else self._near.down
        rows: list[list[_Part]] = []
        place: dict[_Part, int] = {}
        for row in self._rows if downwards else reversed(self._rows):
            middles = {
                part: sum(found) / len(found) if (found := [place[one] for one in near[part]]) else float(index)
                for index, part in enumerate(row)
            }
            free = [part for part in row if _owner(part) is None]
            rows.append(self._with_bends_beside(sorted(free, key=middles.__getitem__)))
            place.update((part, index) for index, part in enumerate(rows[-1]))
        return rows if downwards else rows[::-1]

    def _with_bends_beside(self, row: list[_Part]) -> list[_Part]:
        return [part for owner in row for part in (owner, *self._beside.get(owner, ()))]

    def _crossings(self, rows: list[list[_Part]]) -> int:
        crossings = 0
        for upper, lower in pairwise(rows):
            place = {part: index for index, part in enumerate(lower)}
            ends: list[int] = []
            for part in upper:
                mine = sorted(place[one] for one in self._near.down[part])
                crossings += sum(len(ends) - bisect_right(ends, end) for end in mine)
                for end in mine:
                    insort(ends, end)
        return crossings

    # --- positions ----------------------------------------------------------------------------------------------------

    def width(self, part: _Part, sizes: Sizes) -> float:
        """How much room a part takes."""
        return sizes.bend if isinstance(part, _Bend) else sizes.node

    def positions(self, sizes: Sizes) -> dict[_Part, float]:
        """The x of every part's middle: in the middle of its neighbours, as far as the row's order and room permit."""
        x: dict[_Part, float] = {}
        for row in self._rows:
            edge = 0.0
            for part in row:
                width = self.width(part, sizes)
                x[part] = edge + width / 2
                edge += width + sizes.space
        for sweep in range(self._sweeps * 2):
            downwards = sweep % 2 == 0
            for row in self._rows if downwards else reversed(self._rows):
                near = self._near.up if downwards else self._near.down
                x.update(self._settle(row, x, near, sizes))
        return x

    def _settle(
        self, row: list[_Part], x: dict[_Part, float], near: defaultdict[_Part, list[_Part]], sizes: Sizes
    ) -> dict[_Part, float]:
        """The least squares of distances from the wished places that keep order and room (pool adjacent violators)."""
        offsets, offset = [], 0.0
        for index, part in enumerate(row):
            if index:
                offset += (self.width(row[index - 1], sizes) + self.width(part, sizes)) / 2 + sizes.space
            offsets.append(offset)
        pools: list[tuple[float, float, int]] = []
        for part, shift in zip(row, offsets, strict=True):
            owner = _owner(part)
            beside = (sizes.node + sizes.bend) / 2 + sizes.space
            found = [x[one] for one in near[part]] if owner is None else [x[owner] + beside]
            wish = (sum(found) / len(found) if found else x[part]) - shift
            weight, count = (STRAIGHT if isinstance(part, _Bend) else 1.0) if found else 0.2, 1
            while pools and pools[-1][0] > wish:
                other, other_weight, other_count = pools.pop()
                wish = (wish * weight + other * other_weight) / (weight + other_weight)
                weight, count = weight + other_weight, count + other_count
            pools.append((wish, weight, count))
        flat = [wish for wish, _, count in pools for _ in range(count)]
        return {part: place + shift for part, place, shift in zip(row, flat, offsets, strict=True)}
