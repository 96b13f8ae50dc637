"""A journey's graph: who can be reached from where, and how soon at the earliest."""

from __future__ import annotations

from collections.abc import Iterator, Set
from datetime import timedelta
from heapq import heapify, heappop, heappush

from journeyflow.core.journey import Journey

AT_ONCE = timedelta()


class Graph:
    """The nodes of a journey and the ways between them; edges that name no node are left out."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._edges = {name: tuple(self._leaving(name)) for name in journey.nodes}
        self._afters: dict[str, dict[str, timedelta]] = {}
        self.from_start = self.times_from(journey.start)
        """Each node that a run can come to, with the least time from the entry to it."""

    def _leaving(self, name: str) -> Iterator[tuple[str, timedelta]]:
        node = self._journey.nodes[name]
        for path, target in node.exits():
            stay = node.shortest_stay(path)
            if target is not None and stay is not None and target in self._journey.nodes:
                yield target, stay

    def times_from(self, start: str, without: Set[str] = frozenset()) -> dict[str, timedelta]:
        """Each node that a run which is at ``start`` can come to, itself included, with the least time to it.

        ``without``: by no way that leads through one of these.
        """
        return self._search([(AT_ONCE, start)] if start in self._edges and start not in without else [], without)

    def _search(self, waiting: list[tuple[timedelta, str]], without: Set[str]) -> dict[str, timedelta]:
        """Dijkstra's algorithm, from one or several nodes on."""
        found: dict[str, timedelta] = {}
        heapify(waiting)
        while waiting:
            time, name = heappop(waiting)
            if name not in found:
                found[name] = time
                for target, stay in self._edges[name]:
                    if target not in without:
                        heappush(waiting, (time + stay, target))
        return found

    def after(self, name: str, without: Set[str] = frozenset()) -> dict[str, timedelta]:
        """The same without the node itself, unless it can be come back to."""
        if without:
            return self._after(name, without)
        if name not in self._afters:
            self._afters[name] = self._after(name, without)
        return self._afters[name]

    def _after(self, name: str, without: Set[str]) -> dict[str, timedelta]:
        begun = [(stay, target) for target, stay in self._edges[name] if target not in without]
        return self._search(begun, without)

    def at_once_after(self, name: str) -> Set[str]:
        """The nodes that a run comes to from there before it waits again."""
        nodes = self._journey.nodes
        found: dict[str, None] = {}
        waiting = [target for target, _ in self._edges[name]]
        while waiting:
            target = waiting.pop(0)
            if target not in found:
                found[target] = None
                waiting.extend([] if nodes[target].takes_time else [one for one, _ in self._edges[target]])
        return found.keys()
