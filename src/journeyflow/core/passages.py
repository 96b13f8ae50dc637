"""Which ways runs took: how often they passed from one node to another, for whoever draws a journey."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from journeyflow.core.contact import Run

ENTRY = ""
"""Where a run comes from that has just entered."""
END = "end"
"""Where a run goes that completes along an edge."""


@dataclass(slots=True)
class Passages:
    """Counters: ``edges`` by journey, node left and node reached; ``reached`` by journey and node, each run once.

    Whoever is held before a node has come along the edge and has not visited the node. Nobody is released while these
    are counted: a simulation resumes nothing.
    """

    edges: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    reached: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, run: Run, to: str, held: bool) -> None:
        """A run is about to go from where it stands to a node, or to its end; ``held``: it has to stop before it."""
        self.edges[run.journey, run.node or ENTRY, to] += 1
        if not held and to not in run.visits:
            self.reached[run.journey, to] += 1
