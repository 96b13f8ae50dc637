"""What one document says of another, or of itself, and is not so: ids, nodes, loops, Liquid."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Final

from journeyflow.core.check.broken import Broken
from journeyflow.core.check.conditions import condition_findings, too_long
from journeyflow.core.check.finding import Finding, similar, unknown_id
from journeyflow.core.check.texts import text_findings
from journeyflow.core.documents import Documents
from journeyflow.core.errors import TemplateError
from journeyflow.core.journey import Journey
from journeyflow.core.nodes.gates import is_transactional
from journeyflow.core.nodes.message import MessageNode
from journeyflow.core.nodes.webhook import WebhookNode
from journeyflow.core.view import Renderer
from journeyflow.core.workspace import DEFAULT, Workspace

NOTHING_BROKEN: Final = Broken()


def findings(documents: Documents, renderer: Renderer, broken: Broken = NOTHING_BROKEN) -> Iterator[Finding]:
    """Every wrong reference, loop without a wait and Liquid error of a set of documents.

    ``broken`` are others that belong to it and can't be judged.
    """
    for journey in documents.journeys.values():
        yield from _edges(journey)
        yield from _loops(journey)
        yield from _mentions(journey, documents, broken)
        if not broken.workspace:
            yield from _own_addresses(journey, documents.workspace or DEFAULT)
        yield from _channels(journey, documents)
        yield from _addresses(journey)
        yield from _texts(journey, renderer)
    yield from condition_findings(documents, broken)
    yield from _caps(documents.workspace or DEFAULT)
    yield from text_findings(documents, renderer, broken)


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
    for loop in loops(journey, {name for name, node in journey.nodes.items() if node.type not in ("wait", "wait_for")}):
        message = f"expected a wait in the loop {' → '.join([*loop, loop[0]])}"
        yield Finding("journey", journey.journey, f"nodes.{loop[0]}", "JF011", message, loop[0])


def loops(journey: Journey, names: Set[str]) -> Iterator[list[str]]:
    """Loops that lead through nodes of these names alone."""
    follows = {
        name: [target for _, target in journey.nodes[name].exits() if target is not None and target in names]
        for name in names
    }
    done: set[str] = set()
    for begin in sorted(names):
        loop = _loop_from(begin, follows, done)
        if loop:
            yield loop


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


def _mentions(journey: Journey, documents: Documents, broken: Broken) -> Iterator[Finding]:
    workspace = documents.workspace or DEFAULT
    known = {
        "template": {*documents.templates, *broken.ids("template")},
        "coupon_pool": {*documents.pools, *broken.ids("coupon_pool")},
        "journey": {*documents.journeys, *broken.ids("journey")},
        "segment": {*documents.segments, *broken.ids("segment")},
    }
    if broken.topics is not None:
        known["topic"] = {topic.id for topic in workspace.topics} | broken.topics
    if not broken.workspace:
        known["stage"] = {stage.id for stage in workspace.stages}
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
        if kind in known and target not in known[kind]:
            yield unknown_id("journey", journey.journey, path, kind, target, known[kind])


def _caps(workspace: Workspace) -> Iterator[Finding]:
    kept = workspace.retention.messages
    for index, cap in enumerate(workspace.frequency_caps):
        if cap.per > kept:
            path = f"frequency_caps[{index}].per"
            yield too_long("workspace", workspace.workspace, path, cap.per, kept, "messages")


def _channels(journey: Journey, documents: Documents) -> Iterator[Finding]:
    """Templates that are for another channel than the node that names them."""
    for name, node in journey.nodes.items():
        template = documents.templates.get(node.template or "") if isinstance(node, MessageNode) else None
        if template is not None and template.channel != node.type:
            fitting = [one.template for one in documents.templates.values() if one.channel == node.type]
            message = f"expected a template with channel: {node.type}, this one is for {template.channel}"
            near = similar(template.template, fitting)
            yield Finding(
                "journey", journey.journey, f"nodes.{name}.template", "JF006", message + near, template.template
            )


def _own_addresses(journey: Journey, workspace: Workspace) -> Iterator[Finding]:
    for name, node in journey.nodes.items():
        if not isinstance(node, MessageNode) or node.to is None:
            continue
        if not is_transactional(workspace, node.topic, node.transactional):
            message = "expected to only on a transactional message: its own transactional: true, or its topic's"
            yield Finding("journey", journey.journey, f"nodes.{name}.to", "JF006", message, node.to)


def _addresses(journey: Journey) -> Iterator[Finding]:
    """What webhooks call; what is filled in shows only when it is."""
    for name, node in journey.nodes.items():
        if isinstance(node, WebhookNode) and node.url_is_wrong:
            message = "expected http://... or https://..."
            yield Finding("journey", journey.journey, f"nodes.{name}.url", "JF006", message, node.url)


def _texts(journey: Journey, renderer: Renderer) -> Iterator[Finding]:
    for name, node in journey.nodes.items():
        for path, text in node.liquid():
            try:
                renderer.text(text)
            except TemplateError as error:
                message = f"expected Liquid that compiles: {error}"
                place = f"nodes.{name}.{path}"
                yield Finding("journey", journey.journey, place, "JF013", message, text[:80], error.line)
