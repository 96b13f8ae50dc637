"""Who is held out, and which way a split sends whom (semantics, rule 3.4)."""

from __future__ import annotations

from hashlib import sha256

import pytest
from pydantic import ValidationError
from tests.core.world import World, flow, read

from journeyflow.core.check.graph import Graph
from journeyflow.core.journey import Journey
from journeyflow.core.values import JSON

ALWAYS = "reentry: {policy: always}"
PEOPLE = [f"c{number}" for number in range(400)]
ARMS = "split: {type: split, arms: [{weight: 1, next: a, name: left}, {weight: 3, next: b}]}\n"
ENDS = "a: {type: end, reason: left}\nb: {type: end, reason: right}"


def lot(*parts: str) -> float:
    """The lot as the semantics describe it, without the engine's own code."""
    return int.from_bytes(sha256("\x1f".join(parts).encode()).digest()[:8], "big") / 2**64


def arms(world: World) -> dict[str, list[JSON]]:
    """The arms that each contact got, in order."""
    found: dict[str, list[JSON]] = {}
    for record in world.trail():
        if record.kind == "ran":
            found.setdefault(record.contact, []).append(record.detail["arm"])
    return found


# --- split -----------------------------------------------------------------------------------------------------------


def test_rule_3_4_anyone_can_compute_the_arms_again() -> None:
    world = World(flow(ARMS + ENDS))

    for person in PEOPLE:
        world.track(person, "Go")

    expected = ["left" if lot("default", "walk", "split", person) * 4 < 1 else "1" for person in PEOPLE]
    assert arms(world) == {person: [arm] for person, arm in zip(PEOPLE, expected, strict=True)}
    assert 60 < expected.count("left") < 140


def test_rule_3_4_the_run_goes_along_its_arm() -> None:
    world = World(flow(ARMS + ENDS))

    for person in PEOPLE[:50]:
        world.track(person, "Go")

    reasons = {record.contact: record.detail["reason"] for record in world.trail() if record.kind == "exited"}
    assert set(reasons.values()) == {"end:left", "end:right"}
    assert arms(world) == {one: ["left" if reason == "end:left" else "1"] for one, reason in reasons.items()}


def test_rule_3_4_a_contact_gets_the_same_arm_each_time_and_each_run_its_own() -> None:
    per_run = "split: {type: split, per: run, arms: [{weight: 1}, {weight: 1}]}"
    world = World(flow(ARMS + ENDS, ALWAYS), flow(per_run, ALWAYS, name="anew"))

    for _ in range(20):
        world.track("ann", "Go").after("1m")

    told: dict[str, list[JSON]] = {"walk": [], "anew": []}
    for record in world.trail("ann"):
        if record.kind == "ran":
            told[record.journey].append(record.detail["arm"])
    ids = [run.id for run in world.runs("ann", "anew")]
    assert len(set(map(str, told["walk"]))) == 1
    assert told["anew"] == ["0" if lot("default", "anew", "split", "ann", id_) < 0.5 else "1" for id_ in ids]
    assert set(map(str, told["anew"])) == {"0", "1"}


def test_rule_3_4_arms_of_weight_zero_get_nobody() -> None:
    world = World(flow("split: {type: split, arms: [{weight: 0}, {weight: 0.5}, {weight: 0}]}"))

    for person in PEOPLE[:50]:
        world.track(person, "Go")

    assert list(arms(world).values()) == [["1"]] * 50


def test_an_arm_without_next_goes_the_way_of_the_node() -> None:
    world = World(flow("split: {type: split, arms: [{weight: 1}], next: after}\nafter: {type: end, reason: there}"))

    assert world.track("ann", "Go").story()[-1] == ("exited", "end:there")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("[{weight: 0}]", "expected at least one arm with a weight above zero"),
        ("[{weight: 1, name: a}, {weight: 1, name: a}]", "expected a different name for each arm"),
        ('[{weight: 1, name: "1"}, {weight: 1}]', "expected a different name for each arm"),
    ],
)
def test_arms_that_cant_be_told_apart_are_refused(given: str, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        read(flow(f"split: {{type: split, arms: {given}}}"))


# --- holdout ---------------------------------------------------------------------------------------------------------

BOUGHT = "goal: {event: Bought, within: 2d, value: total}"
LABEL = "label: {type: tag, add: [treated]}"


def held_out(person: str, percent: float, journey: str = "walk") -> bool:
    return lot("default", journey, "holdout", person) * 100 < percent


def one(held: bool, percent: float = 30) -> str:
    return next(person for person in PEOPLE if held_out(person, percent) is held)


def test_rule_3_4_anyone_can_compute_the_holdout_again() -> None:
    world = World(flow(LABEL, "holdout: 30"))

    for person in PEOPLE:
        world.track(person, "Go")

    found = [record.contact for record in world.trail() if record.kind == "holdout"]
    assert sorted(found) == sorted(person for person in PEOPLE if held_out(person, 30))
    assert all("treated" not in world.contact(person).tags for person in found)
    numbers = world.numbers("walk")
    assert (numbers["holdout"], numbers["entered"]) == (len(found), len(PEOPLE) - len(found))
    assert numbers["active"] == 0


def test_rule_3_4_a_held_out_run_is_recorded_and_never_active() -> None:
    person = one(held=True)
    world = World(flow("pause: {type: wait, for: 1d}", "holdout: 30", "exit_on: [{event: Left}]"))

    world.track(person, "Go").track(person, "Left")

    (record,) = world.trail(person)
    run = world.run(person)
    assert (record.kind, record.node, record.type, record.detail, record.seq) == ("holdout", None, None, {}, 0)
    assert (run.status, run.node, run.ended_at, run.active) == ("holdout", None, world.now, False)
    assert record.run == run.id


def test_rule_3_4_it_counts_as_an_entry() -> None:
    person = one(held=True)
    world = World(
        flow(LABEL, "holdout: 30"),
        flow(LABEL, "holdout: 100", "reentry: {policy: after, gap: 1h}", name="again"),
    )

    world.track(person, "Go").after("59m").track(person, "Go").after("1m").track(person, "Go")

    assert world.story(person, "walk") == [("holdout",), ("refused", "reentry"), ("refused", "reentry")]
    assert world.story(person, "again") == [("holdout",), ("refused", "reentry"), ("holdout",)]
    first, second = world.runs(person, "again")
    assert (first.number, second.number) == (0, 1)


def test_rule_3_4_its_goals_are_counted_apart() -> None:
    held, treated = one(held=True), one(held=False)
    world = World(flow("pause: {type: wait, for: 1d}", "holdout: 30", BOUGHT))

    for person in (held, treated):
        world.track(person, "Go")
    world.after("47h")
    for person in (held, treated):
        world.track(person, "Bought", total=5).track(person, "Bought", total=7)

    assert world.story(held) == [("holdout",), ("converted",)]
    assert world.details("converted", held) == [{"value": 5, "since_message": None}]
    numbers = world.numbers("walk")
    assert (numbers["converted"], numbers["holdout_converted"]) == (1, 1)


def test_rule_7_3_a_held_out_run_converts_within_the_same_window() -> None:
    held = one(held=True)
    world = World(flow(LABEL, "holdout: 30", BOUGHT)).track(held, "Go")

    world.after("48h").after("1s").track(held, "Bought")

    assert world.story(held) == [("holdout",)]


def test_rule_3_1_the_holdout_decides_last() -> None:
    held = one(held=True)
    world = World(flow(LABEL, "holdout: 30", "enter_if: {tag: vip}", "key: trigger.n"))

    world.track(held, "Go").track(held, "Go", n=1).tag(held, "vip").track(held, "Go", n=1)

    assert world.story(held) == [("refused", "no_key"), ("refused", "enter_if"), ("holdout",)]


def test_rule_3_1_who_is_being_treated_is_restarted_though_a_new_version_holds_it_out() -> None:
    treated = one(held=False)
    lines = ("on_duplicate: restart", ALWAYS)
    world = World(flow("pause: {type: wait, for: 1d}", "holdout: 30", *lines)).track(treated, "Go")

    world.publish(flow("pause: {type: wait, for: 1d}", "holdout: 100", *lines)).track(treated, "Go")

    assert [step[0] for step in world.story(treated)] == ["entered", "waiting", "exited", "entered", "waiting"]


@pytest.mark.parametrize("percent", ["-1", "101", "ten", "true"])
def test_a_holdout_is_per_cent(percent: str) -> None:
    with pytest.raises(ValidationError, match="holdout"):
        read(flow(LABEL, f"holdout: {percent}"))


def test_an_arm_that_gets_nobody_leads_nowhere() -> None:
    (journey,) = read(flow("split: {type: split, arms: [{weight: 0, next: a}, {weight: 1}], next: b}\n" + ENDS))
    assert isinstance(journey, Journey)

    assert sorted(Graph(journey).from_start) == ["b", "split"]
