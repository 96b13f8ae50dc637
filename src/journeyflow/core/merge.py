"""Two contacts that are one person: what is joined, and which side wins (rule 10.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from journeyflow.core import consent
from journeyflow.core.contact import EVENT_NAMES_MAX, Aggregate, Contact, Coupon, Entry, Run
from journeyflow.core.inputs import GUARDED
from journeyflow.core.nodes.coupon import HELD_MAX
from journeyflow.core.walk import Walker


def absorb(walker: Walker, other: Contact, *, guarded: bool = False) -> None:
    """Another contact was this one: who was in a journey as the other goes on here, and nobody is let in (rule 10.3).

    The conditions of ``wait_for`` are for the caller to ask. ``guarded``: a browser says that the two are one.
    """
    decision, flows = walker.decision, walker.flows
    contact = decision.contact
    if guarded and contact.server:  # else an address that it may not set would come in by way of a visitor
        other.attributes = {name: value for name, value in other.attributes.items() if name not in GUARDED}
    consent.join_addresses(decision, other)
    leaving = join(contact, other)
    decision.compare(silently=True)
    for run in other.runs:
        decision.effects.runs[run.id] = (contact.key, run)
    for run in sorted(leaving, key=flows.rank):
        walker.exit(run, "merged")
    standing = [run for run in contact.runs if run.active and run.standing and run.held is None]
    for run in sorted(standing, key=flows.rank):
        walker.ask_to_stay(run)


def join(known: Contact, other: Contact) -> list[Run]:
    """Make ``known`` what it would be had all that happened to ``other`` happened to it.

    The events and trail records of ``other`` are numbered behind those of ``known``; ``other`` is used up.

    :returns: of two active runs of one journey and key the younger, which have to leave.
    """
    for run in other.runs:
        run.entered_event += known.events
    leaving = _duplicates(known.runs, other.runs)
    joined = {name: rule(known, other) for name, rule in RULES.items()}
    for name, value in joined.items():
        setattr(known, name, value)
    return leaving


def join_entries(one: Entry, other: Entry) -> Entry:
    """The entries of both contacts into one journey under one key."""
    return Entry(min(one.first_at, other.first_at), max(one.last_at, other.last_at), one.count + other.count)


def join_aggregates(one: Aggregate, other: Aggregate) -> Aggregate:
    """What is kept of the events of both contacts."""
    return Aggregate(
        count=one.count + other.count,
        first=min(filter(None, (one.first, other.first)), default=None),
        last=max(filter(None, (one.last, other.last)), default=None),
        numbers=one.numbers + other.numbers,
        total=one.total + other.total,
        least=min((one_least for one_least in (one.least, other.least) if one_least is not None), default=None),
        most=max((one_most for one_most in (one.most, other.most) if one_most is not None), default=None),
    )


def _duplicates(known: list[Run], others: list[Run]) -> list[Run]:
    active = {(run.journey, run.key): run for run in known if run.active}
    pairs = [(active[run.journey, run.key], run) for run in others if run.active and (run.journey, run.key) in active]
    return [mine if other.entered_at < mine.entered_at else other for mine, other in pairs]


def _aggregates(known: Mapping[str, Aggregate], other: Mapping[str, Aggregate]) -> dict[str, Aggregate]:
    joined = dict(known)
    for name, aggregate in other.items():
        if name in joined:
            joined[name] = join_aggregates(joined[name], aggregate)
        elif len(joined) < EVENT_NAMES_MAX:
            joined[name] = aggregate
    return joined


def _leaves(known: Contact, other: Contact) -> dict[str, Aggregate]:
    """Both sides have counted all that is counted (``count_all``)."""
    joined = dict(known.leaves)
    for key, aggregate in other.leaves.items():
        joined[key] = join_aggregates(joined[key], aggregate) if key in joined else aggregate
    return joined


def _entries(known: Mapping[str, Entry], other: Mapping[str, Entry]) -> dict[str, Entry]:
    joined = dict(known)
    for journey, entry in other.items():
        joined[journey] = join_entries(joined[journey], entry) if journey in joined else entry
    return joined


def _coupons(known: Contact, other: Contact) -> list[Coupon]:
    for coupon in other.coupons:
        coupon.given_to = coupon.given_to or other.key
    return [*known.coupons, *other.coupons][-HELD_MAX:]


def _runs(known: Contact, other: Contact) -> list[Run]:
    return sorted([*known.runs, *other.runs], key=lambda run: (run.entered_at, run.entered_event, run.journey, run.id))


RULES: Final[Mapping[str, Callable[[Contact, Contact], object]]] = {
    "key": lambda known, other: known.key,
    "created_at": lambda known, other: min(filter(None, (known.created_at, other.created_at)), default=None),
    "attributes": lambda known, other: {**other.attributes, **known.attributes},
    "tags": lambda known, other: list(dict.fromkeys([*known.tags, *other.tags])),
    "topics": lambda known, other: consent.join_topics(known.topics, other.topics),
    "counts": lambda known, other: _aggregates(known.counts, other.counts),
    "leaves": _leaves,
    # The later silence is that of the joined contact; the earlier was broken by it.
    "fired": lambda known, other: {
        key: max(filter(None, (known.fired.get(key), other.fired.get(key)))) for key in known.fired | other.fired
    },
    "entries": lambda known, other: _entries(known.entries, other.entries),
    "coupons": _coupons,
    "answers": lambda known, other: {**other.answers, **known.answers},
    "runs": _runs,
    "events": lambda known, other: known.events + other.events,
    "records": lambda known, other: known.records + other.records,
    "timer_at": lambda known, other: known.timer_at,
    # Where the joined contact stands is judged anew, silently: a merge lets nobody in (rule 10.3).
    "segments": lambda known, other: {},
    "stage": lambda known, other: None,
    "stage_set": lambda known, other: known.stage_set or other.stage_set,
    "seen_at": lambda known, other: max(filter(None, (known.seen_at, other.seen_at)), default=None),
    "known": lambda known, other: known.exists or other.exists,
    "server": lambda known, other: known.server or other.server,
    "reckoned": lambda known, other: {},
    "met": lambda known, other: None,
    "stored": lambda known, other: known.stored,
}
"""For every field of a contact what it is after a merge; each looks at both as they were before."""
