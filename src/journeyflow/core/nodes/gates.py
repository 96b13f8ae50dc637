"""Whether a message may go out now (rules 5.1, 5.9); the first gate that holds decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from journeyflow.core.errors import TemplateError
from journeyflow.core.local_time import in_window, quiet_end
from journeyflow.core.nodes.base import MAPPINGS, Node, Visit
from journeyflow.core.nodes.coupon import CouponNode
from journeyflow.core.values import JSON, Missing
from journeyflow.core.view import CompiledMessage
from journeyflow.core.workspace import Channel, FrequencyCap, Workspace

Reason = Literal["no_address", "suppressed", "unsubscribed", "frequency_cap", "template_error", "no_coupon"]

DEFERRED_MAX: Final = timedelta(days=7)
"""So long a message waits for room under a cap; then it is skipped."""


class Pass(NamedTuple):
    """The message may be queued; ``values`` is what its template reads."""

    values: dict[str, JSON]


class Skip(NamedTuple):
    """The message is skipped."""

    reason: Reason


class Later(NamedTuple):
    """The message waits."""

    until: datetime
    reason: Literal["quiet_hours", "frequency_cap"]


Answer = Pass | Skip | Later


class Envelope(NamedTuple):
    """What the gates need to know of a message."""

    channel: Channel
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
        if known.unsubscribed or (envelope.topic is not None and not visit.view.consents(envelope.topic)):
            return Skip("unsubscribed")
        capped = _capped(visit, envelope.channel)
        if capped is not None:
            return capped
        quiet = _quiet_until(visit)
        if quiet is not None:
            return Later(quiet, "quiet_hours")
    return _fill(visit, template)


def _capped(visit: Visit, channel: Channel) -> Skip | Later | None:
    """One cap that skips is enough; those that defer are waited for together."""
    caps = [cap for cap in visit.decision.library.workspace.frequency_caps if cap.channel == channel]
    if not caps:
        return None
    since = visit.now - max(cap.per for cap in caps)
    counted = [
        one.queued_at
        for one in visit.view.correspondence.since(since)
        if one.channel == channel and not one.transactional
    ]
    reached = [(cap, free_at) for cap in caps if (free_at := _free_at(cap, counted, visit.now)) is not None]
    if not reached:
        return None
    deferred_at = visit.run.deferred_at
    give_up_at = (visit.now if deferred_at is None else deferred_at) + DEFERRED_MAX
    if visit.now >= give_up_at or any(cap.when_reached == "skip" for cap, _ in reached):
        return Skip("frequency_cap")
    return Later(min(give_up_at, max(free_at for _, free_at in reached)), "frequency_cap")


def _free_at(cap: FrequencyCap, counted: list[datetime], now: datetime) -> datetime | None:
    """When so many of the messages have left the cap's window that there is room again; ``None`` where there is."""
    inside = [at for at in counted if at > now - cap.per]
    return None if len(inside) < cap.max else inside[-cap.max] + cap.per


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
    picked: dict[str, JSON] = {}
    for name, *keys in reads:
        if not keys or name not in MAPPINGS:
            root = visit.root(name)
            if root is not None:
                picked[name] = root
            continue
        value = visit.member(name, keys[0])
        if not isinstance(value, Missing):
            holder = picked.setdefault(name, {})
            if isinstance(holder, dict):
                holder[keys[0]] = value
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
