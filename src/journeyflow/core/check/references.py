"""What one document says of another, or of itself, and is not so: ids, nodes, loops, Liquid."""

from __future__ import annotations

from collections.abc import Iterator

from journeyflow.core.check.conditions import condition_findings
from journeyflow.core.check.finding import Finding, similar, unknown_id
from journeyflow.core.documents import Documents
from journeyflow.core.errors import TemplateError
from journeyflow.core.journey import Journey
from journeyflow.core.nodes.email import EmailNode
from journeyflow.core.nodes.gates import is_transactional
from journeyflow.core.view import Renderer
from journeyflow.core.workspace import DEFAULT, Workspace


def findings(documents: Documents, renderer: Renderer) -> Iterator[Finding]:
    """Every wrong reference, loop without a wait and Liquid error of a set of documents."""
    for journey in documents.journeys.values():
        yield from _edges(journey)
        yield from _loops(journey)
        yield from _mentions(journey, documents)
        yield from _own_addresses(journey, documents.workspace or DEFAULT)
        yield from _texts(journey, renderer)
    yield from condition_findings(documents)
    for name, template in documents.templates.items():
        try:
            renderer.message(template)
        except TemplateError as error:
            yield Finding("template", name, "body", "JF013", f"expected Liquid that compiles: {error}", name)


def _edges(journey: Journey) -> Iterator[Finding]:
    targets = [("start", journey.start)]
    for name, node in journey.nodes.items():
        targets.extend((f"nodes.{name}.{path}", target) for path, target in node.exits() if target is not None)
    for path, target in targets:
        if target not in journey.nodes and (target != "end" or path == "start"):
            expected = f"expected the name of a node{'' if path == 'start' else ', or end'}"
            yield Finding("journey", journey.journey, path, "JF010", expected + similar(target, journey.nodes), target)


def _loops(journey: Journey) -> Iterator[Finding]:
    """Every cycle of nodes that no wait interrupts, once."""
    moving = {name for name, node in journey.nodes.items() if node.type not in ("wait", "wait_for")}
    follows = {name: [target for _, target in journey.nodes[name].exits() if target in moving] for name in moving}
    done: set[str] = set()
    for begin in sorted(moving):
        loop = _loop_from(begin, follows, done)
        if loop:
            message = f"expected a wait in the loop {' → '.join([*loop, loop[0]])}"
            yield Finding("journey", journey.journey, f"nodes.{loop[0]}", "JF011", message, loop[0])


def _loop_from(begin: str, follows: dict[str, list[str]], done: set[str]) -> list[str]:
    """Depth-first, without recursion; the nodes of the first loop found."""
    way: list[str] = []
    stack: list[tuple[str, Iterator[str]]] = []

    def visit(name: str) -> None:
        way.append(name)
        stack.append((name, iter(follows[name])))

    if begin not in done:
        visit(begin)
    found: list[str] = []
    while stack:
        _, rest = stack[-1]
        target = next(rest, None)
        if target is None:
            done.add(way.pop())
            stack.pop()
        elif target in way:
            found = found or way[way.index(target) :]
        elif target not in done:
            visit(target)
    return found


def _mentions(journey: Journey, documents: Documents) -> Iterator[Finding]:
    workspace = documents.workspace or DEFAULT
    known = {
        "template": set(documents.templates),
        "coupon_pool": set(documents.pools),
        "topic": {topic.id for topic in workspace.topics},
        "segment": set(documents.segments),
        "stage": {stage.id for stage in workspace.stages},
    }
    named = [
        (f"nodes.{name}.{path}", kind, target)
        for name, node in journey.nodes.items()
        for path, kind, target in node.mentions()
    ]
    for index, trigger in enumerate(journey.triggers):
        named.extend((f"triggers[{index}].{path}", kind, target) for path, kind, target in trigger.mentions())
    if journey.stage is not None and workspace.stages:
        named.append(("stage", "stage", journey.stage))
    for path, kind, target in named:
        if target not in known[kind]:
            yield unknown_id("journey", journey.journey, path, kind, target, known[kind])


def _own_addresses(journey: Journey, workspace: Workspace) -> Iterator[Finding]:
    for name, node in journey.nodes.items():
        if not isinstance(node, EmailNode) or node.to is None:
            continue
        if not is_transactional(workspace, node.topic, node.transactional):
            message = "expected to only on a transactional message: its own transactional: true, or its topic's"
            yield Finding("journey", journey.journey, f"nodes.{name}.to", "JF006", message, node.to)


def _texts(journey: Journey, renderer: Renderer) -> Iterator[Finding]:
    for name, node in journey.nodes.items():
        for path, text in node.liquid():
            try:
                renderer.text(text)
            except TemplateError as error:
                message = f"expected Liquid that compiles: {error}"
                yield Finding("journey", journey.journey, f"nodes.{name}.{path}", "JF013", message, text[:80])
