"""Conditions about what happened: counts, sums and windows (format.md, "Conditions")."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.asking import NOW, Asked, condition
from tests.core.world import RENDERER, World, flow

from journeyflow.core.contact import EVENT_NAMES_MAX, PastEvent
from journeyflow.core.documents import Documents
from journeyflow.core.flows import Flows
from journeyflow.core.journey import Journey
from journeyflow.core.values import JSON, number_or_none, parse_duration
from journeyflow.core.workspace import Workspace

# --- what the questions mean -----------------------------------------------------------------------------------------


def asked_after(*totals: JSON) -> Asked:
    """A contact that bought, a minute apart, for these totals, the last time just now."""
    contact = Asked()
    for number, total in enumerate(totals):
        at = NOW - timedelta(minutes=len(totals) - 1 - number)
        contact.happen("Bought", at, {} if total is None else {"total": total}, at)
    return contact


@pytest.mark.parametrize(
    ("question", "seen"),
    [
        ({}, 5),
        ({"count": {"gte": 1}}, 5),
        ({"sum": "total", "gte": 0}, 12.5),
        ({"avg": "total", "gte": 0}, 4.166667),
        ({"min": "total", "gte": 0}, -2.5),
        ({"max": "total", "gte": 0}, 10),
        ({"where": {"property": "total", "gt": 0}, "count": {"gte": 0}}, 2),
        ({"where": {"property": "total", "exists": False}, "count": {"gte": 0}}, 1),
        ({"within": "2m", "sum": "total", "gte": 0}, 10),
    ],
)
def test_what_is_not_a_number_is_left_out(question: dict[str, JSON], seen: JSON) -> None:
    contact = asked_after(5, -2.5, "7", None, 10)

    assert contact.sees(condition({"event": "Bought", **question})) == seen


@pytest.mark.parametrize("total", ["7", True, [1], {"a": 1}, None])
@pytest.mark.parametrize(("measure", "seen"), [("sum", 0), ("avg", "missing"), ("min", "missing"), ("max", "missing")])
def test_over_no_number_a_sum_is_zero_and_the_rest_missing(total: JSON, measure: str, seen: JSON) -> None:
    for contact in (asked_after(), asked_after(total)):
        assert contact.sees(condition({"event": "Bought", measure: "total", "gte": 0})) == seen


@pytest.mark.parametrize(("operator", "held"), [("lt", False), ("ne", True), ("eq", False)])
def test_an_average_of_nothing_never_matches(operator: str, held: bool) -> None:
    assert asked_after().holds(condition({"event": "Bought", "avg": "total", operator: 5})) is held


@pytest.mark.parametrize(
    ("count", "held"), [({"eq": 0}, True), ({"gte": 1}, False), ({"lt": 1}, True), ({"ne": 0}, False)]
)
def test_a_count_of_none_is_has_not(count: dict[str, JSON], held: bool) -> None:
    assert asked_after().holds(condition({"event": "Bought", "count": count})) is held


def test_sums_of_prices_are_not_off_by_a_hair() -> None:
    contact = asked_after(*[0.1] * 10)

    assert contact.holds(condition({"event": "Bought", "sum": "total", "eq": 1}))
    assert contact.holds(condition({"event": "Bought", "within": "1d", "sum": "total", "eq": 1}))


def test_a_where_may_ask_for_the_contact_and_the_trigger() -> None:
    contact = asked_after(5, 7)
    contact.contact.attributes["best"] = 7
    contact.enter(NOW, {"total": 5})

    for root, where in (("contact.best", 7), ("trigger.total", 5)):
        question = condition({"event": "Bought", "where": {"property": "total", "eq": {"ref": root}}})
        assert contact.sees(question) == 1, where


def test_since_entry_leaves_out_the_trigger_itself() -> None:
    contact = asked_after(5)
    contact.enter(NOW, {})
    question = condition({"event": "Bought", "since": "entry", "sum": "total", "gte": 0})
    assert contact.sees(question) == 0

    contact.happen("Bought", NOW, {"total": 3}, NOW)

    assert contact.sees(question) == 3


@pytest.mark.parametrize("question", [{"since": "entry"}, {"where": {"property": "n", "eq": {"ref": "contact.n"}}}])
def test_history_is_read_only_as_far_as_it_is_kept(question: dict[str, JSON]) -> None:
    contact = Asked({"n": 1}, workspace=Workspace.model_validate({"workspace": "shop", "retention": {"events": "10d"}}))
    contact.enter(NOW - timedelta(days=30), {})

    for age in (11, 10, 9):
        occurred = NOW - timedelta(days=age)
        contact.happen("Seen", occurred, {"n": 1}, occurred)

    assert contact.sees(condition({"event": "Seen", **question})) == 1


def test_an_aggregate_is_kept_for_ever() -> None:
    contact = Asked(workspace=Workspace.model_validate({"workspace": "shop", "retention": {"events": "10d"}}))
    contact.happen("Seen", NOW, {"n": 1}, NOW)
    question = condition({"event": "Seen", "sum": "n", "gte": 1})
    assert contact.holds(question)

    assert contact.holds(question, NOW + timedelta(days=4000))


def test_the_same_question_shares_its_aggregate_however_it_is_compared() -> None:
    contact = Asked(flows=listening([{"event": "Seen", "sum": "n", "gte": 1}, {"event": "Seen", "avg": "n", "lt": 9}]))

    contact.happen("Seen", NOW, {"n": 1}, NOW)

    assert len(contact.contact.leaves) == 1


def test_names_beyond_the_thousandth_are_not_counted_but_remembered() -> None:
    contact = Asked()
    for number in range(EVENT_NAMES_MAX + 1):
        contact.happen(f"Event {number}", NOW, {}, NOW)

    last: dict[str, JSON] = {"event": f"Event {EVENT_NAMES_MAX}"}
    assert len(contact.contact.counts) == EVENT_NAMES_MAX
    assert not contact.holds(condition(last))
    assert contact.holds(condition({**last, "within": "1d"}))


# --- the kept aggregate and the history agree with a recount ---------------------------------------------------------


class Happening(NamedTuple):
    name: str
    after: timedelta
    late: timedelta
    properties: dict[str, JSON]
    imported: bool


seconds = st.builds(timedelta, seconds=st.integers(0, 3600 * 30))
totals = st.one_of(
    st.integers(-20, 20), st.decimals(-20, 20, places=2).map(float), st.sampled_from(["5", True, None, [1]])
)
happenings = st.builds(
    Happening,
    name=st.sampled_from(["A", "B"]),
    after=st.sampled_from([timedelta(0), timedelta(minutes=1)]) | seconds,
    late=st.just(timedelta(0)) | seconds | st.sampled_from([timedelta(minutes=-5), timedelta(minutes=-3)]),
    properties=st.fixed_dictionaries({}, optional={"n": totals, "kind": st.sampled_from(["x", "y"])}),
    imported=st.booleans(),
)

WHERES: list[JSON] = [
    None,
    {"property": "kind", "eq": "x"},
    {"all": [{"property": "n", "gte": 0}, {"not": {"property": "kind", "eq": "y"}}]},
    {"property": "n", "lt": {"ref": "contact.limit"}},
    {"all": [{"property": "kind", "eq": {"ref": "trigger.kind"}}]},
]
MEASURES: list[dict[str, JSON]] = [{"count": {"gte": 1}}]
MEASURES.extend({measure: "n", "gte": 0} for measure in ("sum", "avg", "min", "max"))
questions = st.builds(
    lambda name, where, within, since, measure: {
        "event": name,
        **({} if where is None else {"where": where}),
        **({} if within is None else {"within": within}),
        **({"since": "entry"} if since else {}),
        **measure,
    },
    st.sampled_from(["A", "B"]),
    st.sampled_from(WHERES),
    st.sampled_from([None, "1m", "6h", "1d"]),
    st.booleans(),
    st.sampled_from(MEASURES),
)
LIMIT = 3
TRIGGER_KIND = "x"


def listening(documents: list[dict[str, JSON]]) -> Flows:
    """A journey with these conditions, so that their aggregates are kept from the first event on."""
    cases: list[JSON] = [{"when": document} for document in documents]
    nodes: JSON = {"ask": {"type": "branch", "cases": cases}}
    journey = Journey.model_validate({"journey": "asks", "start": "ask", "nodes": nodes})
    return Documents(journeys={"asks": journey}).published(RENDERER, NOW)


def recount(asked: dict[str, JSON], contact: Asked, history: list[tuple[str, PastEvent]], now: datetime) -> JSON:
    """The answer by the words of format.md, event by event."""
    within = asked.get("within")
    since = now - (parse_duration(str(within)) if within else timedelta(days=800))
    windowed = within is not None or "since" in asked or asked.get("where") in WHERES[3:]
    taken: list[dict[str, JSON]] = []
    for name, past in history:
        if name != asked["event"] or (windowed and not since < past.occurred_at <= now):
            continue
        assert contact.run is not None
        # History that is imported after the entry, and was before it, stays before it.
        run = contact.run
        if "since" in asked and (past.handled_at, past.number) <= (run.entered_at, run.entered_event):
            continue
        if matches(asked.get("where"), past.properties):
            taken.append(past.properties)
    if "count" in asked:
        return len(taken)
    numbers = [number for one in taken if (number := number_or_none(one.get("n"))) is not None]
    if "sum" in asked:
        return round(sum(numbers), 6)
    if not numbers:
        return "missing"
    if "avg" in asked:
        return round(sum(numbers) / len(numbers), 6)
    return min(numbers) if "min" in asked else max(numbers)


def matches(where: JSON, properties: dict[str, JSON]) -> bool:
    number, kind = number_or_none(properties.get("n")), properties.get("kind")
    return [
        True,
        kind == "x",
        number is not None and number >= 0 and kind != "y",
        number is not None and number < LIMIT,
        kind == TRIGGER_KIND,
    ][WHERES.index(where)]


@given(
    st.lists(questions, min_size=1, max_size=4), st.lists(happenings, max_size=12), st.integers(0, 12), st.booleans()
)
def test_aggregates_and_history_agree_with_a_recount(
    documents: list[dict[str, JSON]], events: list[Happening], entered_after: int, published_before: bool
) -> None:
    """Whether the aggregate is kept from the first event on, or filled from history when it is first asked for."""
    asked = [condition(document) for document in documents]
    contact = Asked({"limit": LIMIT}, flows=listening(documents) if published_before else None)
    history: list[tuple[str, PastEvent]] = []
    now = NOW
    contact.enter(now, {"kind": TRIGGER_KIND})
    for place, event in enumerate(events):
        now += event.after
        contact.happen(event.name, now, event.properties, now - event.late, imported=event.imported)
        history.append((event.name, contact.past[-1]))
        if place == entered_after:
            contact.enter(now, {"kind": TRIGGER_KIND})
        if place % 4 == 3:
            assert [contact.sees(one, now) for one in asked] == [
                recount(one, contact, history, now) for one in documents
            ]

    for later in (timedelta(0), timedelta(hours=6), timedelta(days=2)):
        expected = [pytest.approx(recount(one, contact, history, now + later)) for one in documents]
        assert [contact.sees(one, now + later) for one in asked] == expected


def test_an_aggregate_that_nobody_asked_for_meanwhile_is_counted_anew() -> None:
    document: dict[str, JSON] = {"event": "Seen", "sum": "n", "gte": 1}
    contact = Asked(flows=listening([document]))
    contact.happen("Seen", NOW, {"n": 1}, NOW)
    published, contact.flows = contact.flows, Documents().published(RENDERER, NOW)
    contact.happen("Seen", NOW, {"n": 2}, NOW)

    contact.flows = published
    contact.happen("Seen", NOW, {"n": 4}, NOW)

    assert contact.sees(condition(document)) == 7


def test_a_where_at_the_entry_compares_past_events_with_the_one_that_lets_the_contact_in() -> None:
    often = "enter_if: {event: Go, where: {property: kind, eq: {ref: trigger.kind}}, count: {gte: 2}}"
    world = World(flow("mark: {type: tag, add: [seen]}", often, "reentry: {policy: always}"))

    world.track("ann", "Go", kind="tea").track("ann", "Go", kind="coffee")
    assert world.times("entered") == []

    world.track("ann", "Go", kind="tea")
    assert len(world.times("entered")) == 1
