"""``next_change()`` may be early, never late: until then the answer stays what it is (rule 3.7)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.asking import Asked, condition
from tests.core.world import instant

from journeyflow.core.conditions import Condition
from journeyflow.core.values import JSON, iso

ZONES = ["UTC", "Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
MICROSECOND = timedelta(microseconds=1)
NOWS = [
    instant("2026-03-02T09:00Z"),
    instant("2026-03-28T23:30:00.5Z"),  # the night in which Europe's clocks go forward
    instant("2026-10-24T22:00Z"),  # and back
    instant("2028-02-28T12:00Z"),
]

minutes = st.integers(-60 * 50, 60 * 50)
durations = st.sampled_from(["1m", "90m", "6h", "1d", "2d"])
relative = st.sampled_from(["-2d", "-1d", "-90m", "0s", "1h", "1d", "PT36H"])
times = st.sampled_from(["00:00", "02:30", "03:00", "09:00", "12:30", "23:59"])
names = st.sampled_from(["due", "born", "word", "none"])

moments: st.SearchStrategy[dict[str, JSON]] = st.one_of(
    st.builds(lambda value: {"before": value}, relative),
    st.builds(lambda value: {"after": value}, relative),
    st.builds(
        lambda value: {"after": {"ref": value}}, st.sampled_from(["contact.offset", "contact.due", "contact.none"])
    ),
    st.builds(lambda value: {"before": value, "after": "-2d"}, relative),
    st.builds(lambda value: {"anniversary_in": value}, durations),
    st.just({"before": "2026-03-03T00:00:00Z"}),
    st.just({"exists": True}),
    st.just({"gt": "2026-03-01"}),
)
local_hours: st.SearchStrategy[dict[str, JSON]] = st.fixed_dictionaries(
    {},
    optional={
        "from": times,
        "to": times,
        "weekdays": st.lists(st.sampled_from(["mon", "wed", "sat", "sun"]), min_size=1, max_size=3, unique=True),
    },
)
wheres: st.SearchStrategy[JSON] = st.one_of(
    st.builds(lambda operators: {"property": "when", **operators}, moments),
    st.builds(lambda hours: {"local_time": hours}, local_hours),
    st.just({"property": "n", "gte": 2}),
    st.just({"any": [{"property": "n", "gte": 3}, {"event": "B", "within": "6h"}]}),
)
measures: st.SearchStrategy[dict[str, JSON]] = st.one_of(
    st.just({}),
    st.builds(lambda number: {"count": {"eq": number}}, st.integers(0, 3)),
    st.builds(lambda number: {"sum": "n", "gte": number}, st.integers(0, 6)),
    st.just({"avg": "n", "lt": 2}),
    st.just({"max": "n", "gte": 3}),
)
event_leaves: st.SearchStrategy[dict[str, JSON]] = st.builds(
    lambda base, measure: {**base, **measure},
    st.fixed_dictionaries(
        {"event": st.sampled_from(["A", "B"])},
        optional={"within": durations, "since": st.just("entry"), "where": wheres},
    ),
    measures,
)
leaves: st.SearchStrategy[JSON] = st.one_of(
    st.builds(lambda name, operators: {"attribute": name, **operators}, names, moments),
    st.builds(lambda hours: {"local_time": hours}, local_hours),
    event_leaves,
    event_leaves,
)
documents: st.SearchStrategy[JSON] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=4,
)
events = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.integers(0, 60 * 30),
        st.sampled_from([-5, -2, 0, 0, 0, 30, 600]),
        st.integers(0, 3),
        minutes,
    ),
    max_size=6,
)


def known(now: datetime, zone: str, due: int, history: list[tuple[str, int, int, int, int]]) -> Asked:
    """A contact with dates around now and a history that ends now."""
    attributes: dict[str, JSON] = {
        "due": iso(now + timedelta(minutes=due)),
        "born": f"1980-{now.month:02}-{now.day:02}",
        "word": "soon",
        "offset": "1d",
        "timezone": zone,
    }
    contact = Asked(attributes)
    handled = now - timedelta(minutes=sum(step[1] for step in history))
    contact.enter(handled, {})
    for place, (name, after, late, number, when) in enumerate(history):
        handled += timedelta(minutes=after)
        properties: dict[str, JSON] = {"n": number, "when": iso(now + timedelta(minutes=when))}
        contact.happen(name, handled, properties, handled - timedelta(minutes=late))
        if place == 1:
            contact.enter(handled, {})
    return contact


def stays_the_same(contact: Asked, asked: Condition, now: datetime, parts: list[float]) -> datetime | None:
    """Check that nothing changes before the next change, and return that instant."""
    change = asked.next_change(contact.view(now))
    answer = contact.holds(asked, now)
    assert asked.answer(contact.view(now)) == (answer, change)
    assert change is None or change > now
    end = now + timedelta(days=12) if change is None else change - MICROSECOND
    span = min(end, now + timedelta(days=40)) - now
    for later in {now + span * part for part in (*parts, 1)}:
        assert contact.holds(asked, later) is answer, f"changed by {later}, though only {change} was announced"
    return change


@given(
    documents,
    st.sampled_from(NOWS),
    st.sampled_from(ZONES),
    minutes,
    events,
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
)
@example({"event": "A", "where": {"property": "when", "before": "1h"}}, NOWS[0], "UTC", 0, [("A", 0, 0, 0, 120)], [0.5])
@example({"event": "A", "within": "6h"}, NOWS[0], "UTC", 0, [("A", 0, -5, 0, 0)], [0.001])
def test_until_the_next_change_the_answer_stays_what_it_is(
    document: JSON,
    now: datetime,
    zone: str,
    due: int,
    history: list[tuple[str, int, int, int, int]],
    parts: list[float],
) -> None:
    contact, asked = known(now, zone, due, history), condition(document)

    for _ in range(4):
        change = stays_the_same(contact, asked, now, parts)
        if change is None:
            return
        now = change


@pytest.mark.parametrize(
    ("document", "edges"),
    [
        ({"event": "A", "within": "1h"}, ["2026-03-02T10:00:00.000000Z", None]),
        (
            {"local_time": {"from": "12:00", "to": "13:00"}},
            ["2026-03-02T12:00:00.000000Z", "2026-03-02T13:00:00.000000Z"],
        ),
        ({"attribute": "born", "anniversary_in": "1d"}, ["2026-03-03T00:00:00.000000Z", "2026-03-04T00:00:00.000000Z"]),
        ({"attribute": "due", "before": "0s"}, ["2026-03-02T10:00:00.000000Z", "2026-03-02T10:00:00.000001Z", None]),
        ({"attribute": "due", "before": "2026-03-03"}, [None]),
        ({"attribute": "none", "before": "-1d"}, [None]),
        ({"event": "A"}, [None]),
        ({"event": "A", "where": {"property": "n", "gte": 1}, "sum": "n", "gte": 5}, [None]),
        ({"tag": "vip"}, [None]),
        ({"all": []}, [None]),
    ],
)
def test_the_instants_at_which_answers_can_change(document: JSON, edges: list[str | None]) -> None:
    contact = known(NOWS[0], "UTC", 60, [("A", 0, 0, 1, 0)])
    asked = condition(document)

    now: datetime | None = NOWS[0]
    found: list[str | None] = []
    while now is not None and len(found) < len(edges):
        now = asked.next_change(contact.view(now))
        found.append(None if now is None else iso(now))

    assert found == edges


def test_the_change_of_a_window_is_announced_and_nothing_before_it() -> None:
    """Three events in a window of an hour, two wanted: it is looked at when the second leaves, and never again."""
    contact = known(NOWS[0], "UTC", 0, [("A", 0, 0, 0, 0), ("A", 10, 0, 0, 0), ("A", 20, 0, 0, 0)])
    asked = condition({"event": "A", "within": "1h", "count": {"gte": 2}})

    now: datetime | None = NOWS[0]
    changes = []
    while now is not None:
        now = asked.next_change(contact.view(now))
        changes.append(now)

    (change, nothing) = changes
    assert nothing is None
    assert change is not None
    assert not asked.holds(contact.view(change))
    assert asked.holds(contact.view(change - timedelta(microseconds=1)))
