"""Where the runs of older versions of a journey go in its newest one (rule 8.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from journeyflow.core.errors import InvalidMap
from journeyflow.core.instructions import EXIT, Migration


class Crowd(NamedTuple):
    """So many runs stand at a node of an older version, and go to that node of the newest; ``None``: they leave."""

    version: int
    node: str
    to: str | None
    runs: int


@dataclass(frozen=True, slots=True)
class OlderVersions:
    """The older versions of a journey beside its newest: the nodes of all of them, and where runs stand.

    ``pending`` are the migrations, in order, that not all runs have followed: these follow them first. ``drafts`` are
    the nodes of later versions that are not published.
    """

    nodes: Mapping[int, Collection[str]]
    newest: int
    standing: Mapping[tuple[int, str], int]
    pending: Sequence[Migration] = ()
    drafts: Mapping[int, Collection[str]] = field(default_factory=dict)

    def left(self) -> list[int]:
        """The older versions that runs are on once they have followed what is pending."""
        found = {version for version, _ in self._arriving()} | {one.version for one in self.pending}
        return sorted(version for version in found if version < self.newest)

    def _arriving(self) -> dict[tuple[int, str], int]:
        """So many runs will stand at these nodes of these versions once they have followed what is pending."""
        found: dict[tuple[int, str], int] = {}
        for (version, node), count in self.standing.items():
            place = self._arrival(version, node)
            if count and place is not None:
                found[place] = found.get(place, 0) + count
        return found

    def _arrival(self, version: int, node: str) -> tuple[int, str] | None:
        for one in self.pending:
            if version < one.version:
                place = one.place(node)
                if place is None:
                    return None
                version, node = one.version, place
        return version, node

    def places(self, given: Mapping[str, str]) -> dict[str, str | None]:
        """By node of an older version where runs go that stand there, if it is not the node of the same name.

        Where a run will stand when its turn comes nobody knows yet, so each node needs a place at which one can.

        :param given: by node a node of the newest version, or ``exit``.
        :raises InvalidMap: when an entry is wrong, or one is missing.
        """
        wrong = dict(self._wrong(given))
        wrong.update((f"map.{node}", message) for node, message in self._missing(given))
        if wrong:
            raise InvalidMap(wrong)
        return {node: None if to == EXIT else to for node, to in given.items()}

    def crowds(self, places: Mapping[str, str | None]) -> list[Crowd]:
        """Who would go where now, by version and node."""
        return [
            Crowd(version, node, self._place(self._arrival(version, node), places), count)
            for (version, node), count in sorted(self.standing.items())
            if version < self.newest and count
        ]

    def _place(self, arrival: tuple[int, str] | None, places: Mapping[str, str | None]) -> str | None:
        if arrival is None:
            return None
        version, node = arrival
        return places.get(node, node) if version < self.newest else node

    def _wrong(self, given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        older = {node for version, nodes in self.nodes.items() if version < self.newest for node in nodes}
        newest = self.nodes[self.newest]
        for node, to in given.items():
            if node not in older:
                yield f"map.{node}", "no older version has such a node"
            elif to == EXIT and EXIT in newest:
                named = f"version {self.newest} has a node that is called {EXIT}"
                yield f"map.{node}", f"{named}, so it is not clear which is meant; give that node another name"
            elif to != EXIT and to not in newest:
                draft = next((version for version, nodes in self.drafts.items() if to in nodes), None)
                hint = "" if draft is None else f"; version {draft}, which has it, is not published"
                yield f"map.{node}", f"expected a node of version {self.newest}, or {EXIT}, found {to!r}{hint}"

    def _missing(self, given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        newest = self.nodes[self.newest]
        lacking: dict[str, int] = {}
        arriving = self._arriving()
        for version in self.left():
            for node in self.nodes[version]:
                if node not in newest and node not in given:
                    lacking[node] = lacking.get(node, 0) + arriving.get((version, node), 0)
        for node, count in lacking.items():
            stand = "1 run stands" if count == 1 else f"{count:,} runs stand"
            yield node, f"version {self.newest} has no such node; say where it goes, or {EXIT} ({stand} there now)"
