"""Inputs of several contacts, some of whom turn out to be one person (rules 10.1 to 10.4).

A merge is two turns. In the first both contacts handle what came before it, and all that is written. Then the store
puts what it keeps of the one under the key of the other. The second turn begins with what the one was, as an input of
the other; what comes later for the one follows. So each turn finds in the store what it looks for under one key.

Where both are worked on in one place, one after the other is done at once. Where they are not, the first turn takes the
one out and sends what it was to the other, as an input like any other; the second turn begins when that arrives. Until
then the other is **held**: it handles what came before the merge, and nothing behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from journeyflow.core.actor import Actor
from journeyflow.core.contact import Contact
from journeyflow.core.counting import count_all
from journeyflow.core.inputs import Absorb, Input, Merge

MICROSECOND = timedelta(microseconds=1)
Item = Input | Absorb
Held = Mapping[str, datetime]
"""Contacts that something is awaited for, which has its place at that instant."""
NOBODY: Final[Held] = {}


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

    def here(self, key: str) -> bool:
        """Whether the contact is worked on here; others get what is for them sent."""
        ...

    def send(self, key: str, items: Sequence[tuple[int, Item]]) -> None:
        """Hand inputs on to a contact that is worked on elsewhere, each with its place in the order of arrival."""
        ...

    def leave(self, source: Contact, into: str, at: datetime, guarded: bool, place: int) -> bool:
        """Take a contact out, leave an alias, and send what it was to a contact elsewhere, to the place of the merge.

        False, and nothing is done, where that one has become this very contact in the meantime.
        """
        ...

    def receive(self, moves: Sequence[Joining]) -> None:
        """Put what is kept of sources that left elsewhere under the keys of the others, numbered behind their own."""
        ...


class OnePlace:
    """What a stage is that has all contacts (:class:`Stage`)."""

    def here(self, key: str) -> bool:
        return True

    def send(self, key: str, items: Sequence[tuple[int, Item]]) -> None:
        raise AssertionError(f"there is no other place to send {len(items)} inputs for {key} to")

    def leave(self, source: Contact, into: str, at: datetime, guarded: bool, place: int) -> bool:
        raise AssertionError(f"there is no other place for {source.key} to leave to as {into}, as number {place}")

    def receive(self, moves: Sequence[Joining]) -> None:
        raise AssertionError(f"there is no other place that {len(moves)} contacts could come from")


class _Waiting(NamedTuple):
    """An input, its place in the order of arrival of all, and the key that it came for.

    ``joined``: what is kept of the contact that is absorbed has been put in order already.
    """

    place: int
    item: Item
    key: str
    joined: bool = False


class _Pair(NamedTuple):
    """A merge; ``left`` is the source where it has left elsewhere, ``away``: the other contact is elsewhere."""

    source: str
    into: str
    place: int
    at: datetime
    guarded: bool
    left: Contact | None = None
    away: bool = False

    def sides(self) -> tuple[str, ...]:
        """Which of both are here."""
        if self.left is not None:
            return (self.into,)
        return (self.source,) if self.away else (self.source, self.into)


_Moves = Sequence[tuple[Contact, Contact, _Pair]]


def meet(
    stage: Stage,
    arrivals: Iterable[tuple[str, Item]],
    woken: Collection[str],
    until: datetime,
    held: Held = NOBODY,
) -> None:
    """Handle inputs of contacts, in order of arrival, and the due timers of these contacts and of those ``woken``.

    Timers after ``until`` wait; so do those of ``held`` contacts from that instant on.
    """
    waiting: dict[str, list[_Waiting]] = {}
    for place, (key, item) in enumerate(arrivals):
        waiting.setdefault(stage.resolve(key), []).append(_Waiting(place, item, key))
    concerned = {*waiting, *(stage.resolve(key) for key in woken)}
    for key in [one for one in concerned if not stage.here(one)]:
        _send(stage, waiting, key, key)
        concerned.discard(key)
    while pairs := _pairs(waiting, stage):
        concerned.update(pair.into for pair in pairs if not pair.away)
        moves, leaving = _first_turn(stage, waiting, pairs, until)
        _join(stage, waiting, concerned, moves)
        for source, pair in leaving:
            if stage.leave(source, pair.into, pair.at, pair.guarded, pair.place):
                concerned.discard(source.key)
                _send(stage, waiting, source.key, pair.into)
    inputs = {key: [one.item for one in waiting.get(key, ())] for key in sorted(concerned)}
    actor = stage.open(inputs)
    for key, items in inputs.items():
        actor(key).handle(items, horizon(key, until, held))
        actor(key).effects.alerts.extend(_refused(key, waiting.get(key, ()), stage))
    stage.close()


def horizon(key: str, until: datetime, held: Held) -> datetime:
    """Up to which instant the contact's timers are due."""
    return min(until, held[key] - MICROSECOND) if key in held else until


def _send(stage: Stage, waiting: dict[str, list[_Waiting]], key: str, into: str) -> None:
    """Hand on what waits for a contact that is elsewhere."""
    items = [(one.place, one.item) for one in waiting.pop(key, ())]
    if items:
        stage.send(into, items)


def _join(stage: Stage, waiting: dict[str, list[_Waiting]], concerned: set[str], moves: _Moves) -> None:
    """Between the two turns: what is kept of the one goes to the other, and so does what waits for it."""
    for step, left in ((stage.join, False), (stage.receive, True)):
        joinings = [Joining(one, two, pair.at) for one, two, pair in moves if (pair.left is not None) == left]
        if joinings:
            step(joinings)
    for source, into, pair in moves:
        concerned.discard(source.key)
        rest = waiting.pop(source.key, [])
        behind = sorted([*rest, *waiting.get(into.key, [])], key=lambda one: one.place)
        absorb = Absorb(pair.at, source, pair.guarded)
        waiting[into.key] = [_Waiting(pair.place, absorb, into.key, joined=True), *behind]


def _refused(key: str, waiting: Iterable[_Waiting], stage: Stage) -> Iterator[str]:
    """Merges of an alias into somebody else."""
    for one in waiting:
        if isinstance(one.item, Merge) and one.key != key and stage.resolve(one.item.into) != key:
            yield f"contact {one.key} was not merged into {one.item.into}: it is {key}, and stays so"


def _pairs(waiting: Mapping[str, Sequence[_Waiting]], stage: Stage) -> list[_Pair]:
    """The merges that come next: of those that share a contact only the earliest.

    One that comes for an alias is none: an alias is never pointed elsewhere (rule 10.4).
    """
    merges: list[_Pair] = []
    for key, items in waiting.items():
        for one in items:
            item = one.item
            if isinstance(item, Merge) and one.key == key and (into := stage.resolve(item.into)) != key:
                away = not stage.here(into)
                merges.append(_Pair(key, into, one.place, item.at, item.guarded, away=away))
            elif isinstance(item, Absorb) and not one.joined:
                merges.append(_Pair(item.other.key, key, one.place, item.at, item.guarded, item.other))
    busy: set[str] = set()
    chosen: list[_Pair] = []
    for pair in sorted(merges, key=lambda one: one.place):
        if pair.source not in busy and pair.into not in busy:
            chosen.append(pair)
        busy.update((pair.source, pair.into))
    return chosen


def _first_turn(
    stage: Stage, waiting: dict[str, list[_Waiting]], pairs: Sequence[_Pair], until: datetime
) -> tuple[_Moves, list[tuple[Contact, _Pair]]]:
    """Both sides of each merge, as far as they are here, handle what came before it.

    Which of the merges take place: those of which the second turn follows here, and the contacts that leave.
    """
    before: dict[str, list[Item]] = {}
    for pair in pairs:
        for key in pair.sides():
            items = waiting.get(key, [])
            before[key] = [one.item for one in items if one.place < pair.place]
            waiting[key] = [one for one in items if one.place > pair.place]
    actor = stage.open(before)
    agreed: list[tuple[Contact, Contact, _Pair]] = []
    leaving: list[tuple[Contact, _Pair]] = []
    for pair in pairs:
        here = [actor(key) for key in pair.sides()]
        for one in here:
            one.take(before[one.contact.key], min(until, pair.at - MICROSECOND))
        source, into = here[0], here[-1]
        if pair.left is None and source.contact.known:
            source.effects.alerts.append(
                f"contact {pair.source} was not merged into {pair.into}: it is known, and two known contacts stay two"
            )
            continue
        for one in here:
            count_all(one.decision, one.flows)
        if pair.away:
            leaving.append((source.contact, pair))
        else:
            agreed.append((pair.left or source.contact, into.contact, pair))
    stage.close()
    return agreed, leaving
