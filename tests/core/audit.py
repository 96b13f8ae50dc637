"""What must hold of everything the core has ever written, whatever the journeys and inputs were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from journeyflow.core.effects import Statistic, TrailRecord

if TYPE_CHECKING:
    from tests.core.world import World

AFTER_THE_END = {"converted", "message"}
BEGINNINGS = {"entered", "holdout"}
ENDS = {"exited", "completed"}


def audit(world: World) -> None:
    """Fail where the trail, the effects and the contacts do not agree with each other, or with the rules."""
    records = [record for effects in world.effects for _, record in effects.trail]
    runs: dict[str, list[TrailRecord]] = {}
    for record in records:
        if record.run is not None:
            runs.setdefault(record.run, []).append(record)
    for steps in runs.values():
        _run_is_one_passage(world, steps)
    _time_runs_forward(records)
    _refusals_have_no_run(records)
    _statistics_agree(world, records)
    _no_effect_happens_twice(world)
    _contacts_agree(world, runs)
    _numbers_are_gapless(world)


def _run_is_one_passage(world: World, steps: list[TrailRecord]) -> None:
    kinds = [step.kind for step in steps]
    assert [step.seq for step in steps] == list(range(len(steps))), "seq counts from 0 without a gap"
    assert len({(world.resolve(step.contact), step.journey) for step in steps}) == 1
    moves = [contact for contact, _ in groupby(step.contact for step in steps)]
    assert all(world.aliases[one] == other for one, other in pairwise(moves)), "a run moves only by a merge"
    assert kinds[0] in BEGINNINGS
    assert sum(kind in BEGINNINGS for kind in kinds) == 1
    if kinds[0] == "holdout":
        assert set(kinds[1:]) <= {"converted"}, "who is held out walks nothing"
    for before, step in pairwise(steps):
        assert step.version == before.version or step.kind == "moved"
    assert sum(kind in ENDS for kind in kinds) <= 1, "a run ends once"
    assert kinds.count("converted") <= 1, "a goal counts once a run"
    end = next((place for place, kind in enumerate(kinds) if kind in ENDS), len(kinds))
    for step in steps[end + 1 :]:
        assert step.kind in AFTER_THE_END, f"{step.kind} after the run's end"
        assert step.kind != "message" or step.detail["outcome"] == "cancelled", "a message after the run's end"
    for step in steps:
        bare = step.kind in ("entered", "holdout", "converted")
        assert not bare or (step.node is None and step.type is None)


def _time_runs_forward(records: Iterable[TrailRecord]) -> None:
    last: dict[str, datetime] = {}
    for record in records:
        assert last.get(record.contact, record.at) <= record.at
        last[record.contact] = record.at


def _refusals_have_no_run(records: Iterable[TrailRecord]) -> None:
    for record in records:
        assert (record.kind == "refused") == (record.run is None) == (record.seq is None)


def _statistics_agree(world: World, records: Sequence[TrailRecord]) -> None:
    recount: Counter[Statistic] = Counter()
    held_out = {record.run for record in records if record.kind == "holdout"}
    for record in records:
        if record.kind == "converted" and record.run in held_out:
            recount[Statistic(record.journey, record.version, "", "holdout_converted")] += 1
        elif record.kind in ("entered", "holdout", "completed", "converted"):
            recount[Statistic(record.journey, record.version, "", record.kind)] += 1
        elif record.kind in ("exited", "refused"):
            recount[Statistic(record.journey, record.version, "", f"{record.kind}:{record.detail['reason']}")] += 1
    counted = world.statistics()
    assert {one: count for one, count in counted.items() if one.kind not in ("visits", "waiting") and count} == recount
    standing = Counter(
        Statistic(run.journey, run.version, str(run.node), "waiting")
        for contact in world.contacts.values()
        for run in contact.runs
        if run.standing
    )
    assert {one: count for one, count in counted.items() if one.kind == "waiting" and count} == standing
    for journey in world.current:
        numbers = world.numbers(journey)
        active = sum(
            run.active and run.journey == journey for contact in world.contacts.values() for run in contact.runs
        )
        assert numbers["active"] == active, "entered = active + completed + exited"


def _no_effect_happens_twice(world: World) -> None:
    messages = [message.id for effects in world.effects for message in effects.messages]
    assert len(messages) == len(set(messages)), "a message's identity is used once"
    given = [one for effects in world.effects for one in effects.allocations]
    assert len(given) == len({(one.run, one.node, one.visit) for one in given}), "a code is given once a visit"
    assert len(given) == len({(one.coupon.pool, one.coupon.code) for one in given}), "a code is given once"
    calls = [call.id for effects in world.effects for call in effects.calls]
    assert len(calls) == len(set(calls)), "a call's identity is used once"
    withdrawn = [one for effects in world.effects for one in effects.withdrawn]
    assert len(withdrawn) == len(set(withdrawn))


def _contacts_agree(world: World, trails: dict[str, list[TrailRecord]]) -> None:
    for contact in world.contacts.values():
        ids = [run.id for run in contact.runs]
        assert len(ids) == len(set(ids))
        over = ENDS | {"holdout"}
        active = {run.id for run in contact.runs if run.active}
        told = {
            run
            for run, steps in trails.items()
            if world.resolve(steps[-1].contact) == contact.key and not any(step.kind in over for step in steps)
        }
        assert active == told
        keys = [(run.journey, run.key) for run in contact.runs if run.active]
        assert len(keys) == len(set(keys)), "one active run for each key"
        for run in contact.runs:
            assert run.seq == len(trails[run.id])
            assert run.active == (run.ended_at is None)
            assert run.active or (run.due_at is None and run.check_at is None and not run.standing)
            assert not run.active or run.standing, "an active run stands somewhere between two inputs"


def _numbers_are_gapless(world: World) -> None:
    """A merge numbers what it brings behind what is there."""
    numbers: dict[str, list[int]] = {}
    records: dict[str, list[int]] = {}
    for place, effects in enumerate(world.effects):
        for merge in [one for one in world.merges if one.place == place]:
            _move(numbers, merge.source, merge.into, 0)
            _move(records, merge.source, merge.into, -1)
        for event in effects.events:
            numbers.setdefault(event.contact, []).append(event.number)
        for number, record in effects.trail:
            records.setdefault(record.contact, []).append(number)
    for found in numbers.values():
        assert found == list(range(1, len(found) + 1))
    for found in records.values():
        assert found == list(range(len(found)))


def _move(numbers: dict[str, list[int]], source: str, into: str, least: int) -> None:
    mine = numbers.setdefault(into, [])
    last = mine[-1] if mine else least
    mine.extend(number + last - least for number in numbers.pop(source, []))
