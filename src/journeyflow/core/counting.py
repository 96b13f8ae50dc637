"""What is counted of a contact's events as they come, so that conditions need not read its history."""

from __future__ import annotations

from journeyflow.core.contact import Aggregate
from journeyflow.core.decision import Decision
from journeyflow.core.flows import Flows
from journeyflow.core.inputs import Event


def store(decision: Decision, flows: Flows, event: Event) -> None:
    """Rule 2.1: history, and the aggregates of every condition that asks for such events."""
    contact = decision.contact
    known = event.name in contact.counts
    decision.store(event)
    for silence in flows.silenced.get(event.name, ()):
        contact.reckoned.pop(silence, None)
    leaves = contact.leaves
    if leaves and not leaves.keys() <= flows.kept:  # what nobody asks any more is not counted on either
        contact.leaves = {key: kept for key, kept in leaves.items() if key in flows.kept}
    if event.name not in flows.counted:
        return
    probe = decision.view.of(None, None, None)
    for leaf in flows.counted[event.name]:
        key = leaf.aggregate_key
        if key is None or event.name not in contact.counts:
            continue
        kept = contact.leaves.get(key)
        if kept is None and known:
            contact.leaves[key] = leaf.collect(probe, None)
            continue
        if kept is None:
            kept = contact.leaves[key] = Aggregate()
        if leaf.takes(event.properties, probe):
            kept.add(event.occurred_at, leaf.number(event.properties))


def count_all(decision: Decision, flows: Flows) -> None:
    """Before a merge: count all that conditions ask for, also what nobody has asked yet, so that both are whole."""
    contact = decision.contact
    probe = decision.view.of(None, None, None)
    found: dict[str, Aggregate] = {}
    for name in contact.counts.keys() & flows.counted.keys():
        for leaf in flows.counted[name]:
            key = leaf.aggregate_key
            if key is not None:
                kept = contact.leaves.get(key)
                found[key] = leaf.collect(probe, None) if kept is None else kept
    contact.leaves = found
