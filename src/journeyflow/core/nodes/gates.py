"""Whether a message may go out now (rule 5.1); the first gate that holds decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from journeyflow.core.errors import TemplateError
from journeyflow.core.local_time import in_window, quiet_end
from journeyflow.core.nodes.base import Node, Visit
from journeyflow.core.nodes.coupon import CouponNode
from journeyflow.core.values import JSON
from journeyflow.core.view import CompiledMessage
from journeyflow.core.workspace import Workspace

Reason = Literal["no_address", "suppressed", "unsubscribed", "template_error", "no_coupon"]


class Pass(NamedTuple):
    """The message may be queued; ``values`` is what its template reads."""

    values: dict[str, JSON]


class Skip(NamedTuple):
    """The message is skipped."""

    reason: Reason


class Later(NamedTuple):
    """The message waits."""

    until: datetime
    reason: Literal["quiet_hours"]


Answer = Pass | Skip | Later


class Envelope(NamedTuple):
    """What the gates need to know of a message."""

    channel: str
    address: str | None
    topic: str | None
    transactional: bool


def is_transactional(workspace: Workspace, topic: str | None, transactional: bool) -> bool:
    """A message is transactional when its node or its topic says so."""
    found = workspace.topic(topic) if topic is not None else None
    return transactional or (found is not None and found.transactional)


def ask(visit: Visit, envelope: Envelope, template: CompiledMessage) -> Answer:
    """All gates, in order."""
    if envelope.address is None:
        return Skip("no_address")
    known = visit.view.address_of(envelope.channel, envelope.address)
    if known.suppressed:
        return Skip("suppressed")
    if not envelope.transactional:
        if known.unsubscribed or (envelope.topic is not None and not visit.view.subscribed(envelope.topic)):
            return Skip("unsubscribed")
        quiet = _quiet_until(visit)
        if quiet is not None:
            return Later(quiet, "quiet_hours")
    return _fill(visit, template)


def _quiet_until(visit: Visit) -> datetime | None:
    hours = visit.decision.library.workspace.quiet_hours
    if hours is None:
        return None
    zone = visit.view.zone
    if not in_window(visit.now, zone, hours.from_, hours.to, None):
        return None
    return quiet_end(visit.now, zone, hours.from_, hours.to)


def _fill(visit: Visit, template: CompiledMessage) -> Pass | Skip:
    values = chosen(visit, template.reads)
    if template.can_fail:
        try:
            template.attempt(values)
        except TemplateError:
            return Skip("template_error")
    if _lacks_coupon(visit, template):
        return Skip("no_coupon")
    return Pass(values)


def chosen(visit: Visit, reads: tuple[tuple[str, ...], ...]) -> dict[str, JSON]:
    """Of the values that Liquid sees, only what the template reads."""
    roots: dict[str, JSON] = {}
    picked: dict[str, JSON] = {}
    for path in reads:
        name = path[0]
        if name not in roots:
            roots[name] = visit.root(name)
        root = roots[name]
        if root is None:
            continue
        if len(path) == 1 or not isinstance(root, dict):
            picked[name] = root
        elif path[1] in root:
            holder = picked.setdefault(name, {})
            if isinstance(holder, dict):
                holder[path[1]] = root[path[1]]
    return picked


def _lacks_coupon(visit: Visit, template: CompiledMessage) -> bool:
    """Whether the template shows a code that a visited coupon node was to give and did not."""
    kept = visit.run.vars
    return any(
        path[0] == "vars"
        and len(path) > 1
        and path[1] not in kept
        and _promised(visit.nodes, visit.run.visits, path[1])
        for path in template.reads
    )


def _promised(nodes: Mapping[str, Node], visits: Mapping[str, int], name: str) -> bool:
    return any(
        isinstance(node, CouponNode) and node.save_as == name and node.on_empty is None and node_name in visits
        for node_name, node in nodes.items()
    )
