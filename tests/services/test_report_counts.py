"""The numbers of the report add up with each other and with the summary, whatever the journeys are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.random_flows import CONTACTS, EVENTS, flows, small
from tests.services.simulate_scenario import FakeRenderer, event, write_events
from tests.services.simulate_scenario import documents as read

from journeyflow.core.documents import Documents
from journeyflow.core.effects import TrailRecord
from journeyflow.core.inputs import Appear, Event, Input
from journeyflow.core.journey import Journey
from journeyflow.core.passages import END, ENTRY
from journeyflow.core.values import Model
from journeyflow.services.report_counts import ReportCounts
from journeyflow.services.report_graph import ways_of
from journeyflow.services.simulate import Simulator, simulate
from journeyflow.services.simulate_input import timeline
from journeyflow.services.simulate_summary import Simulation

BEGIN = datetime(2026, 3, 2, 10, tzinfo=UTC)
stories = st.lists(
    st.tuples(st.integers(0, 600), st.sampled_from(CONTACTS), st.sampled_from(EVENTS), small), min_size=3, max_size=25
)


def simulated(models: list[Model], story: list[tuple[int, str, str, int]]) -> tuple[Simulation, ReportCounts]:
    inputs: list[tuple[str, Input]] = [
        (contact, Appear(BEGIN, BEGIN, {"email": f"{contact}@shop.example", "n": 1})) for contact in CONTACTS
    ]
    for minutes, contact, name, number in story:
        at = BEGIN + timedelta(minutes=minutes)
        inputs.append((contact, Event(at, name, at, {"n": number, "day": "2026-03-02T12:00:00Z"})))
    counts = ReportCounts(UTC)
    simulator = Simulator(
        Documents.of(models),
        FakeRenderer(),
        timeline(inputs),
        0,
        counts.record,
        counts.message,
        passages=counts.passages,
    )
    return simulator.run(BEGIN + timedelta(days=3), None), counts


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(flows, stories)
def test_whoever_comes_to_a_node_goes_on_waits_or_ends_there(
    models: list[Model], story: list[tuple[int, str, str, int]]
) -> None:
    found, counts = simulated(models, story)

    for journey in (one for one in models if isinstance(one, Journey)):
        id_, numbers, edges = journey.journey, found.journeys[journey.journey], counts.passages.edges
        for node, one in numbers.nodes.items():
            arrived = sum(number for (name, _, to), number in edges.items() if (name, to) == (id_, node))
            left = sum(number for (name, source, _), number in edges.items() if (name, source) == (id_, node))
            by_end = journey.nodes[node].type == "end"
            ended = sum(
                number
                for (name, place, reason), number in counts.ended.items()
                if (name, place) == (id_, node) and (reason or by_end)
            )
            assert arrived == left + one.waiting + ended
            assert arrived == one.visits or journey.nodes[node].hold
        assert edges[id_, ENTRY, journey.start] <= numbers.entered
        exits = sum(number for (name, _, reason), number in counts.ended.items() if name == id_ and reason)
        assert exits == sum(numbers.exited.values())
        drawn = {(way.source, way.target) for way in ways_of(journey, counts)}
        assert {edge[1:] for edge in edges if edge[0] == id_} <= drawn
    queued = {channel: numbers.queued for channel, numbers in found.messages.items() if numbers.queued}
    assert sum(counts.sent.values()) == sum(queued.values()) == sum(counts.receivers.values())


FLOWS = """
journey: loop
triggers: [{type: event, event: Go}]
goal: {event: Bought, value: total}
exit_on: [{event: Stop}]
start: pause
nodes:
  pause: {type: wait, for: 1h, next: mail}
  mail: {type: email, template: hello, next: again}
  again:
    type: branch
    cases: [{when: {event: Bought}, next: gone}]
    else: pause
  gone: {type: end, reason: bought}
---
template: hello
subject: Hello
body: x
"""


def test_loops_are_counted_as_often_as_they_are_walked_and_runs_once(tmp_path: Path) -> None:
    counts, trail = ReportCounts(UTC), list[TrailRecord]()
    events = [
        event("ann", "Go", "03-02 10:00"),
        event("ann", "$identify", "03-02 10:30", properties={"email": "ann@shop.example"}),
        event("ann", "Bought", "03-02 12:30", properties={"total": 5}),
        event("bob", "Go", "03-02 10:00"),
        event("bob", "Stop", "03-02 11:30"),
    ]

    simulate(read(FLOWS), FakeRenderer(), [write_events(tmp_path, events)], [], on_trail=trail.append, counts=counts)

    edges = {edge[1:]: number for edge, number in counts.passages.edges.items()}
    assert edges == {
        ("", "pause"): 2,
        ("pause", "mail"): 4,
        ("mail", "again"): 4,
        ("again", "pause"): 3,
        ("again", "gone"): 1,
    }
    assert counts.passages.reached["loop", "mail"] == 2
    assert counts.got["loop", "mail"] == {record.run for record in trail if record.contact == "ann"}
    assert counts.ended == {("loop", "gone", "end:bought"): 1, ("loop", "pause", "exit_on"): 1}
    assert {(place.node, reason): number for (place, reason), number in counts.unsent.items()} == {
        ("mail", "no_address"): 1
    }
    assert (counts.worth["loop"].total, counts.worth["loop"].numbers) == (5.0, 1)
    assert {record.kind for record in trail} >= {"entered", "waiting", "converted"}


def test_a_way_to_the_end_is_counted_as_one() -> None:
    models = read(
        "journey: short\ntriggers: [{type: event, event: A}]\nstart: tag\nnodes: {tag: {type: tag, add: [x]}}"
    )

    _, counts = simulated([*models.journeys.values()], [(0, "ann", "A", 1)])

    assert counts.passages.edges["short", "tag", END] == 1
