"""Answers to surveys: what they make of a contact (rule 2.1), and the events that follow from it (rule 2.7)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.core.world import World, flow

from journeyflow.core.survey import Survey
from journeyflow.core.values import JSON

TASTE = """
survey: taste
question: What do you drink?
choices:
  - {id: tea, label: Tea, tag: likes-tea}
  - {id: coffee, label: Coffee, tag: likes-coffee, set: {favourite: coffee, taste.strong: true}}
  - {id: brew, label: Anything brewed, tag: likes-tea}
  - {id: none, label: Nothing}
---
"""


@pytest.fixture
def world() -> World:
    world = World(TASTE, flow("stop: {type: wait, for: 1d}", trigger="{type: tag, added: likes-tea}"))
    world.appear("ann")
    return world


def answer(world: World, choice: JSON, survey: JSON = "taste", **options: Any) -> None:  # Any: those of World.track
    world.track("ann", "Survey Answered", {"survey": survey, "answer": choice}, **options)
    world.settle()


def made(world: World) -> list[tuple[str, object]]:
    """The engine's own events."""
    return [
        (name, given) for name, given in world.made("ann") if name in ("Contact Updated", "Tag Added", "Tag Removed")
    ]


def test_rule_2_1_an_answer_puts_its_tag_on_and_sets_its_attributes(world: World) -> None:
    answer(world, "coffee")

    ann = world.contacts["ann"]
    assert ann.tags == ["likes-coffee"]
    assert (ann.attributes["favourite"], ann.attributes["taste"]) == ("coffee", {"strong": True})


def test_rule_2_7_what_an_answer_changes_makes_the_engines_own_events_in_order(world: World) -> None:
    answer(world, "coffee")

    assert made(world) == [
        ("Contact Updated", {"attribute": "favourite", "from": None, "to": "coffee"}),
        ("Contact Updated", {"attribute": "taste.strong", "from": None, "to": True}),
        ("Tag Added", {"tag": "likes-coffee"}),
    ]


def test_rule_2_5_a_tag_that_an_answer_puts_on_lets_in(world: World) -> None:
    answer(world, "tea")

    assert [run.journey for run in world.contacts["ann"].runs] == ["walk"]


def test_another_answer_takes_the_tag_of_the_former_one_off_and_nothing_else(world: World) -> None:
    world.tag("ann", "likes-juice")
    answer(world, "tea")
    answer(world, "coffee")
    answer(world, "none")

    ann = world.contacts["ann"]
    assert ann.tags == ["likes-juice"]
    assert ann.attributes["favourite"] == "coffee"
    assert [given for name, given in made(world) if name == "Tag Removed"] == [
        {"tag": "likes-tea"},
        {"tag": "likes-coffee"},
    ]


def test_the_tag_of_an_answer_that_was_not_given_stays(world: World) -> None:
    world.tag("ann", "likes-tea")
    answer(world, "coffee")

    assert world.contacts["ann"].tags == ["likes-tea", "likes-coffee"]


def test_the_same_answer_again_and_one_with_the_same_tag_change_nothing(world: World) -> None:
    answer(world, "tea")
    before = made(world)
    answer(world, "tea")
    answer(world, "brew")

    assert made(world) == before
    assert world.contacts["ann"].answers == {"taste": "brew"}


@pytest.mark.parametrize(
    ("survey", "choice"),
    [("unknown", "tea"), ("taste", "water"), ("taste", None), (None, "tea"), ("taste", ["tea"]), (["taste"], "tea")],
)
def test_an_unknown_survey_or_answer_is_stored_and_nothing_else(world: World, survey: JSON, choice: JSON) -> None:
    answer(world, choice, survey)

    assert [name for name, _ in world.made("ann")] == ["Survey Answered"]
    assert (world.contacts["ann"].tags, world.contacts["ann"].answers) == ([], {})


def test_rule_1_11_an_imported_answer_moves_nothing(world: World) -> None:
    answer(world, "tea", imported=True)

    assert (world.contacts["ann"].tags, world.contacts["ann"].answers) == ([], {})


def test_rule_1_11_an_answer_that_comes_late_still_counts(world: World) -> None:
    answer(world, "coffee", occurred="2026-02-20T09:00Z")

    assert world.contacts["ann"].tags == ["likes-coffee"]


def test_rule_2_7_a_star_matches_an_answer() -> None:
    world = World(TASTE, flow("stop: {type: wait, for: 1d}", trigger="{type: event, event: 'Survey *'}"))
    world.appear("ann")
    answer(world, "none")

    assert [run.journey for run in world.contacts["ann"].runs] == ["walk"]


def test_a_choice_comes_once() -> None:
    choice = {"id": "tea", "label": "Tea"}
    with pytest.raises(ValidationError, match="tea comes twice"):
        Survey.model_validate({"survey": "taste", "question": "?", "choices": [choice, choice]})
