"""A run that is sent to another node by hand (``/v1/runs/{id}/move``)."""

from __future__ import annotations

from tests.core.test_chapter_8 import ANN
from tests.core.world import World, flow

NODES = """
pause: {type: wait, for: 1h, next: mark}
mark: {type: tag, add: [done], next: rest}
rest: {type: wait, for: 2h, next: mail}
mail: {type: email, template: letter}
"""


def test_a_run_that_is_moved_goes_on_from_the_node_at_once() -> None:
    world = World(flow(NODES)).track("ann", "Go").after("1m")

    world.move("ann", world.run().id, "mark").after("1m")

    assert world.story()[2:] == [("moved", "mark"), ("ran", "mark"), ("waiting", "rest", "2026-03-02T11:01Z")]
    assert world.details("moved") == [{"from": "pause", "to": "mark", "from_version": 1}]
    assert world.numbers("walk")["nodes"] == {
        "pause": {"visits": 1, "waiting": 0},
        "mark": {"visits": 1, "waiting": 0},
        "rest": {"visits": 1, "waiting": 1},
        "mail": {"visits": 0, "waiting": 0},
    }


def test_a_run_can_be_moved_to_where_it_stands_and_waits_anew() -> None:
    world = World(flow(NODES)).track("ann", "Go").after("30m")

    world.move("ann", world.run().id, "pause").after("2h")

    assert world.times("resumed") == ["2026-03-02T10:30Z"]
    assert world.run().visits["pause"] == 2


def test_a_run_can_be_moved_into_another_version() -> None:
    world = World(flow(NODES)).track("ann", "Go").after("1m")
    world.publish(flow(NODES + "thanks: {type: tag, add: [thanked]}\n")).after("1m")

    world.move("ann", world.run().id, "thanks", 2)

    assert [(record.kind, record.version) for record in world.trail()[2:]] == [
        ("moved", 2),
        ("ran", 2),
        ("completed", 2),
    ]
    assert world.details("moved") == [{"from": "pause", "to": "thanks", "from_version": 1}]
    assert world.numbers("walk")["active"] == 0


def test_a_message_that_was_queued_in_the_version_before_can_be_withdrawn() -> None:
    first = "mail: {type: email, template: letter, next: pause}\npause: {type: wait, for: 1h}"
    world = World(flow(first, "exit_on: [{event: Bought}]")).appear("ann", email=ANN).track("ann", "Go").after("1m")
    world.publish(flow("rest: {type: wait, for: 1h}", "exit_on: [{event: Bought}]"))

    world.move("ann", world.run().id, "rest", 2).track("ann", "Bought")

    assert world.settle().memory.outbox == set()
    assert world.run().reason == "exit_on"


def test_a_run_of_a_paused_journey_stands_before_the_node() -> None:
    world = World(flow(NODES)).track("ann", "Go").pause("walk").after("1m")

    world.move("ann", world.run().id, "mark").after("1m")

    assert world.story()[2:] == [("moved", "mark"), ("waiting", "mark", "for ever", "paused")]
    assert world.resume("walk").contact().tags == ["done"]


def test_where_there_is_no_such_node_any_more_or_the_run_has_ended_nothing_happens() -> None:
    world = World(flow(NODES)).track("ann", "Go").after("1m")
    run = world.run().id

    world.move("ann", run, "elsewhere").move("ann", run, "mark", 7).after("9h").move("ann", run, "mark")

    assert "moved" not in {kind for kind, *_ in world.story()}
