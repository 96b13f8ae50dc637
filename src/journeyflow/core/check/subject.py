"""What a lint rule looks at: one journey, or one template, and what is around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from journeyflow.core.check.broken import Broken
from journeyflow.core.check.finding import Finding
from journeyflow.core.check.graph import Graph
from journeyflow.core.documents import Documents
from journeyflow.core.errors import TemplateError
from journeyflow.core.journey import Journey
from journeyflow.core.nodes.base import Node
from journeyflow.core.nodes.gates import is_transactional
from journeyflow.core.nodes.message import MessageNode
from journeyflow.core.view import CompiledMessage, Renderer
from journeyflow.core.workspace import DEFAULT, Workspace


@dataclass(frozen=True)
class Around:
    """All documents that are right, those that are not, and the template language."""

    documents: Documents
    broken: Broken
    renderer: Renderer

    @property
    def workspace(self) -> Workspace | None:
        """The settings that hold; ``None`` where they can't be read."""
        return None if self.broken.workspace else self.documents.workspace or DEFAULT

    @cached_property
    def compiled(self) -> dict[str, CompiledMessage]:
        """The templates that compile."""
        found = {}
        for name, template in self.documents.templates.items():
            with suppress(TemplateError):
                found[name] = self.renderer.message(template, self.documents.parts)
        return found


@dataclass(frozen=True)
class Subject:
    """One journey."""

    journey: Journey
    around: Around

    @cached_property
    def graph(self) -> Graph:
        return Graph(self.journey)

    @cached_property
    def messages(self) -> dict[str, MessageNode]:
        """The nodes that send something, by name, as far as a run can come to them."""
        return {
            name: node
            for name, node in self.journey.nodes.items()
            if isinstance(node, MessageNode) and name in self.graph.from_start
        }

    @cached_property
    def provided(self) -> Mapping[str, Set[str]]:
        """The names under which something is kept in ``vars``, with the nodes that a run can come to afterwards."""
        found: dict[str, set[str]] = {}
        for node in self.journey.nodes.values():
            saved = saves(node)
            if saved is not None:
                # Along on_empty there is no code, and nothing was kept.
                ways = [target for path, target in node.exits() if target is not None and path != "on_empty"]
                found.setdefault(saved, set()).update(*(self.graph.times_from(target) for target in ways))
        return found

    def marketing(self) -> Iterator[tuple[str, MessageNode]]:
        """Those of the messages that are not transactional; none where nobody can tell."""
        workspace = self.around.workspace
        if workspace is not None:
            for name, node in self.messages.items():
                if not is_transactional(workspace, node.topic, node.transactional):
                    yield name, node

    def reads(self, node: MessageNode) -> tuple[tuple[str, ...], ...]:
        """The paths that the template of a message reads, where there is one that compiles."""
        compiled = self.around.compiled.get(node.template or "")
        return () if compiled is None else compiled.reads

    def finding(self, code: str, path: str, message: str, value: object = "") -> Finding:
        """Something doubtful at a place of the journey."""
        return Finding("journey", self.journey.journey, path, code, message, str(value))


def saves(node: Node) -> str | None:
    """The name under which a node keeps something in ``vars``: coupons, replies of webhooks."""
    saved = getattr(node, "save_as", None)
    return saved if isinstance(saved, str) else None
