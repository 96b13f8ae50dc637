"""Ways through a journey that nobody goes, or that go nowhere (JF101 to JF103)."""

from __future__ import annotations

from collections.abc import Iterator

from journeyflow.core.check.finding import Finding
from journeyflow.core.check.references import loops
from journeyflow.core.check.subject import Subject
from journeyflow.core.nodes.wait_for import WaitForNode


def unreachable(subject: Subject) -> Iterator[Finding]:
    """JF101."""
    if subject.journey.start not in subject.journey.nodes:  # which is an error already
        return
    for name in subject.journey.nodes:
        if name not in subject.graph.from_start:
            yield subject.finding("JF101", f"nodes.{name}", "no way from the start leads to this node", name)


def idle_loops(subject: Subject) -> Iterator[Finding]:
    """JF102: a run goes round a hundred times at one instant, and exits (rule 4.9)."""
    nodes = subject.journey.nodes
    for loop in loops(subject.journey, {name for name, node in nodes.items() if not node.takes_time}):
        waits = [name for name in loop if nodes[name].type == "wait"]
        if waits:
            way = " → ".join([*loop, loop[0]])
            message = f"no time passes in the loop {way}: runs leave it after 100 visits (end:loop)"
            yield subject.finding("JF102", f"nodes.{waits[0]}.for", message, "0s")


def endless_waits(subject: Subject) -> Iterator[Finding]:
    """JF103."""
    for name, node in subject.journey.nodes.items():
        if isinstance(node, WaitForNode) and node.timeout == "never":
            message = "whoever none of the cases happens to stands here for ever"
            yield subject.finding("JF103", f"nodes.{name}.timeout", message, "never")
