"""A simulation publishes everything at its clock's start: what was before it is history, and moves nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from journeyflow.core.documents import KINDS, Documents
from journeyflow.core.effects import TrailRecord
from journeyflow.core.inputs import Appear, Event, Input
from journeyflow.core.values import JSON, iso
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.simulate import simulate_inputs

START = datetime(2026, 6, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
LAPSED: JSON = {"event": "Order Completed", "within": "90d", "count": {"eq": 0}}
STAGES: JSON = [
    {"id": "old", "when": {"all": []}},
    {"id": "fresh", "when": {"event": "Order Completed", "within": "90d"}},
]


def entered(trigger: JSON, inputs: list[tuple[str, Input]]) -> list[tuple[str, str]]:
    """Whom the trigger let in, and when."""
    documents: list[dict[str, JSON]] = [
        {"workspace": "shop", "stages": STAGES},
        {"segment": "lapsed", "when": {"all": [{"event": "Order Completed"}, LAPSED]}},
        {"journey": "back", "triggers": [trigger], "start": "end_", "nodes": {"end_": {"type": "end"}}},
    ]
    models = [KINDS[next(iter(one))].model_validate(one) for one in documents]
    records: list[TrailRecord] = []
    until = START + 200 * DAY
    simulate_inputs(Documents.of(models), LiquidRenderer(), inputs, start=START, until=until, on_trail=records.append)
    return [(one.contact, iso(one.at)[:10]) for one in records if one.kind == "entered"]


def ordered(contact: str, days_before: int) -> tuple[str, Input]:
    at = START - days_before * DAY
    return contact, Event(at, "Order Completed", at, imported=at < START)


HISTORY = [ordered("ann", 150), ordered("bob", 31), ordered("cid", 0)]


def test_what_time_changed_before_the_start_lets_nobody_in() -> None:
    trigger: JSON = {"type": "segment", "entered": "lapsed"}

    assert entered(trigger, HISTORY) == [("bob", "2026-07-30"), ("cid", "2026-08-30")]


def test_members_at_the_start_are_let_in_at_the_start() -> None:
    trigger: JSON = {"type": "segment", "entered": "lapsed", "include_members": True}

    assert entered(trigger, HISTORY) == [("ann", "2026-06-01"), ("bob", "2026-07-30"), ("cid", "2026-08-30")]


def test_who_was_silent_at_the_start_is_let_in_only_when_that_is_wanted() -> None:
    trigger: dict[str, JSON] = {"type": "inactivity", "event": "Order Completed", "for": "90d"}

    assert entered(trigger, HISTORY) == [("bob", "2026-07-30"), ("cid", "2026-08-30")]
    assert entered({**trigger, "include_silent": True}, HISTORY)[0] == ("ann", "2026-06-01")


def test_stages_begin_at_the_start_too() -> None:
    trigger: JSON = {"type": "event", "event": "Stage Changed", "where": {"property": "from", "eq": "fresh"}}

    assert entered(trigger, HISTORY) == [("bob", "2026-07-30"), ("cid", "2026-08-30")]


def test_a_contact_of_the_file_is_there_before_anything_happens() -> None:
    """One that is in the file is a member when everything is published; one that an event makes is not."""
    inputs: list[tuple[str, Input]] = [
        ("ann", Appear(START, START - DAY, {}, ("x",))),
        ("ann", Event(START, "Seen", START)),
        ("bob", Event(START, "Seen", START)),
    ]
    documents: list[dict[str, JSON]] = [
        {"segment": "all", "when": {"all": []}},
        {
            "journey": "back",
            "triggers": [{"type": "segment", "entered": "all", "include_members": True}],
            "start": "end_",
            "nodes": {"end_": {"type": "end"}},
        },
    ]
    models = [KINDS[next(iter(one))].model_validate(one) for one in documents]
    records: list[TrailRecord] = []
    simulate_inputs(Documents.of(models), LiquidRenderer(), inputs, start=START, on_trail=records.append)

    assert [one.contact for one in records if one.kind == "entered"] == ["ann", "bob"], "each once"
