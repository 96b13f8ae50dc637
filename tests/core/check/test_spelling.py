"""What is written so that it matches nothing is told of (JF113, JF114)."""

from __future__ import annotations

import pytest
from tests.core.check.doubts import journey, told


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("triggers: [{type: event, event: 'Signed Up '}]", "triggers[0].event"),
        ("triggers: [{type: inactivity, event: [Visited, ' Bought'], for: 3d}]", "triggers[0].event"),
        ("triggers: [{type: tag, removed: 'vip '}]", "triggers[0].removed"),
        ("exit_on: [{event: ' Bought'}]", "exit_on[0].event"),
        ("goal: {event: 'Bought '}\nexit_on: [{event: 'Bought'}]", "goal.event"),
        ("enter_if: {event: 'Bought '}", "enter_if.event"),
        ("stay_if: {not: {tag: 'vip '}}", "stay_if.not.tag"),
        ("enter_if: {any: [{attribute: city, eq: 'York '}]}", "enter_if.any[0].eq"),
        ("enter_if: {attribute: city, in: [York, ' Leeds']}", "enter_if.in"),
        ("enter_if: {attribute: city, starts_with: 'New '}", None),
        ("enter_if: {attribute: city, matches: ' York'}", None),
        ("triggers: [{type: event, event: 'Signed Up'}]\nenter_if: {event: Bought}", None),
    ],
)
def test_jf113_blanks_around_names_and_values(lines: str, path: str | None) -> None:
    assert told(journey("a: {type: end}", *lines.splitlines())) == ([] if path is None else [("JF113", path)])


def test_jf113_blanks_around_what_a_wait_looks_for_and_in_segments() -> None:
    nodes = "a: {type: wait_for, cases: [{event: 'Bought ', next: end}], timeout: 1d}"

    assert told(journey(nodes)) == [("JF113", "nodes.a.cases[0].event")]
    assert told("{segment: buyers, when: {event: 'Bought '}}") == [("JF113", "when.event")]


@pytest.mark.parametrize(
    ("comparison", "doubtful"),
    [
        ("gte: '50'", True),
        ("lt: '1,50'", True),
        ("gt: abc", True),
        ("lte: 50", False),
        ("gte: '2026-03-02'", False),
        ("lt: '2026-03-02T10:00:00Z'", False),
        ("eq: '50'", False),
        ("gte: {ref: contact.limit}", False),
    ],
)
def test_jf114_text_that_is_compared_as_a_number(comparison: str, doubtful: bool) -> None:
    condition = f"enter_if: {{event: Bought, where: {{property: total, {comparison}}}}}"
    path = f"enter_if.where.{comparison.partition(':')[0]}"

    assert told(journey("a: {type: end}", condition)) == ([("JF114", path)] if doubtful else [])


def test_archived_journeys_are_not_told_of_doubtful_values() -> None:
    assert told(journey("a: {type: end}", "status: archived", "enter_if: {event: 'Bought '}")) == []
