"""Inputs of several contacts, some of whom turn out to be one person (rules 10.1 to 10.4).

A merge is two turns. In the first both contacts handle what came before it, and all that is written. Then the store
puts what it keeps of the one under the key of the other. The second turn begins with what the one was, as an input of
the other; what comes later for the one follows. So each turn finds in the store what it looks for under one key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from journeyflow.core.actor import Actor
from journeyflow.core.contact import Contact
from journeyflow.core.counting import count_all
from journeyflow.core.inputs import Absorb, Input, Merge

MICROSECOND = timedelta(microseconds=1)
Item = Input | Absorb


class Joining(NamedTuple):
    """A merge that takes place; both contacts as they are just before it."""

    source: Contact
    into: Contact
    at: datetime


class Stage(Protocol):
    """Where contacts are kept while their inputs are handled."""

    def resolve(self, key: str) -> str:
        """The key a contact goes by: its own, or that of the contact that it was merged into."""
        ...

    def open(self, inputs: Mapping[str, Sequence[Item]]) -> Callable[[str], Actor]:
        """Begin a turn that takes these inputs; the answer gives the actor of each contact, one for a turn."""
        ...

    def close(self) -> None:
        """Write what the turn decided."""
        ...

    def join(self, moves: Sequence[Joining]) -> None:
        """Leave aliases, and put what is kept of each source under the key of the other, numbered behind its own."""
        ...


class _Waiting(NamedTuple):
    """An input, its place in the order of arrival of all, and the key that it came for."""

    place: int
    item: Item
    key: str


class _Pair(NamedTuple):
    source: str
    into: str
    place: int
    at: datetime
    guarded: bool


def meet(stage: Stage, arrivals: Iterable[tuple[str, Input]], woken: Collection[str], until: datetime) -> None:
    """Handle inputs of contacts, in order of arrival, and the due timers of these contacts and of those ``woken``.

    Timers after ``until`` wait.
    """
    waiting: dict[str, list[_Waiting]] = {}
    for place, (key, item) in enumerate(arrivals):
        waiting.setdefault(stage.resolve(key), []).append(_Waiting(place, item, key))
    concerned = {*waiting, *(stage.resolve(key) for key in woken)}
    while pairs := _pairs(waiting, stage):
        concerned.update(pair.into for pair in pairs)
        moves = _first_turn(stage, waiting, pairs, until)
        stage.join([Joining(source, into, pair.at) for source, into, pair in moves])
        for source, into, pair in moves:
            concerned.discard(source.key)
            rest = waiting.pop(source.key, [])
            behind = sorted([*rest, *waiting.get(into.key, [])], key=lambda one: one.place)
            waiting[into.key] = [_Waiting(pair.place, Absorb(pair.at, source, pair.guarded), into.key), *behind]
    inputs = {key: [one.item for one in waiting.get(key, ())] for key in sorted(concerned)}
    actor = stage.open(inputs)
    for key, items in inputs.items():
        actor(key).handle(items, until)
        actor(key).effects.alerts.extend(_refused(key, waiting.get(key, ()), stage))
    stage.close()


def _refused(key: str, waiting: Iterable[_Waiting], stage: Stage) -> Iterator[str]:
    """Merges of an alias into somebody else."""
    for one in waiting:
        if isinstance(one.item, Merge) and one.key != key and stage.resolve(one.item.into) != key:
            yield f"contact {one.key} was not merged into {one.item.into}: it is {key}, and stays so"


def _pairs(waiting: Mapping[str, Sequence[_Waiting]], stage: Stage) -> list[_Pair]:
    """The merges that come next: of those that share a contact only the earliest.

    One that comes for an alias is none: an alias is never pointed elsewhere (rule 10.4).
    """
    merges = sorted(
        _Pair(key, into, one.place, one.item.at, one.item.guarded)
        for key, items in waiting.items()
        for one in items
        if isinstance(one.item, Merge) and one.key == key and (into := stage.resolve(one.item.into)) != key
    )
    busy: set[str] = set()
    chosen: list[_Pair] = []
    for pair in sorted(merges, key=lambda one: one.place):
        if pair.source not in busy and pair.into not in busy:
            chosen.append(pair)
        busy.update((pair.source, pair.into))
    return chosen


def _first_turn(
    stage: Stage, waiting: dict[str, list[_Waiting]], pairs: Sequence[_Pair], until: datetime
) -> list[tuple[Contact, Contact, _Pair]]:
    """Both sides of each merge handle what came before it; which of the merges take place."""
    before: dict[str, list[Item]] = {}
    for pair in pairs:
        for key in (pair.source, pair.into):
            items = waiting.get(key, [])
            before[key] = [one.item for one in items if one.place < pair.place]
            waiting[key] = [one for one in items if one.place > pair.place]
    actor = stage.open(before)
    agreed = []
    for pair in pairs:
        source, into = actor(pair.source), actor(pair.into)
        for one in (source, into):
            one.take(before[one.contact.key], min(until, pair.at - MICROSECOND))
        if source.contact.known:
            source.effects.alerts.append(
                f"contact {pair.source} was not merged into {pair.into}: it is known, and two known contacts stay two"
            )
            continue
        for one in (source, into):
            count_all(one.decision, one.flows)
        agreed.append((source.contact, into.contact, pair))
    stage.close()
    return agreed
