"""What a simulation remembers: duplicates for 30 days, history, addresses, entries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.services.simulate_scenario import event, run

from journeyflow.core.contact import PastEvent
from journeyflow.core.coupon_pool import ALPHABET, CouponPool
from journeyflow.core.effects import Effects, StoredEvent
from journeyflow.services.simulate_memory import SimulationMemory

EACH = """
journey: each
triggers: [{type: event, event: Came}]
reentry: {policy: always}
start: mail
nodes: {mail: {type: email, template: hello}}
---
template: hello
subject: Hello
body: Hello
"""
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def memory(recalled: set[str] | None = None) -> SimulationMemory:
    return SimulationMemory(recalled or set(), 0)


def stored(number: int, handled_at: datetime, name: str = "Came") -> StoredEvent:
    return StoredEvent("ann", number, name, handled_at, handled_at, {"n": number}, None)


@pytest.mark.parametrize(("later", "entered"), [("04-01 10:00", 1), ("04-01 10:00:01", 2)])
def test_rule_1_5_a_message_id_is_known_for_30_days(tmp_path: Path, later: str, entered: int) -> None:
    events = [event("ann", "Came", "03-02 10:00", message_id="m"), event("ann", "Came", later, message_id="m")]

    assert run(tmp_path, EACH, events).summary["journeys"]["each"]["entered"] == entered


def test_rule_1_5_a_message_id_belongs_to_its_contact_and_counts_from_its_first_event(tmp_path: Path) -> None:
    days = ["03-02 10:00", "03-20 10:00", "04-05 10:00"]
    events = [event("ann", "Came", day, message_id="m") for day in days]

    outcome = run(tmp_path, EACH, [*events, event("bob", "Came", "03-02 10:00", message_id="m")])

    assert outcome.entries() == [("03-02 10:00", "ann"), ("03-02 10:00", "bob"), ("04-05 10:00", "ann")]


def test_rule_1_5_events_without_a_message_id_are_never_duplicates(tmp_path: Path) -> None:
    events = [event("ann", "Came", "03-02 10:00") for _ in range(3)]

    assert run(tmp_path, EACH, events).summary["journeys"]["each"]["entered"] == 3


def test_old_message_ids_are_forgotten() -> None:
    kept = memory()
    for day in range(100):
        kept.now = NOON + timedelta(days=day)
        kept.keep(Effects(seen={("ann", f"m{day}"): kept.now}))

    assert not kept.seen("ann", "m68")
    assert kept.seen("ann", "m69")
    assert len(kept._seen) == 31


def test_rule_5_8_a_suppressed_address_is_suppressed_for_everyone_who_has_it(tmp_path: Path) -> None:
    events = [
        event("ann", "Email Bounced", "03-02 10:00", properties={"type": "hard"}),
        event("bob", "Came", "03-02 11:00"),
    ]

    outcome = run(tmp_path, EACH, events, "contact,email\nann,us@example.com\nbob,US@Example.com\n")

    assert outcome.summary["messages"] == {"email": {"queued": 0, "skipped": {"suppressed": 1}}}


def test_history_is_given_oldest_first_and_only_what_came_after_an_instant() -> None:
    kept = memory({"Came"})
    kept.keep(Effects(events=[stored(2, NOON), stored(1, NOON - timedelta(days=1)), stored(3, NOON, "Left")]))
    kept.keep(Effects(events=[stored(4, NOON + timedelta(seconds=1)), stored(5, NOON + timedelta(seconds=1))]))

    def numbers(since: datetime | None) -> list[int]:
        return [past.number for past in kept.events("ann", "Came", since)]

    assert numbers(None) == [1, 2, 4, 5]
    assert numbers(NOON - timedelta(seconds=1)) == [2, 4, 5]
    assert numbers(NOON) == [4, 5]
    assert list(kept.events("bob", "Came", None)) == []


def test_properties_are_kept_as_they_came() -> None:
    kept = memory({"Came"})
    came = stored(1, NOON)
    kept.keep(Effects(events=[came]))

    [past] = kept.events("ann", "Came", None)

    assert past == PastEvent(1, NOON, NOON, came.properties)
    assert past.properties is came.properties


def test_history_that_no_condition_reads_is_not_kept() -> None:
    kept = memory({"Came"})
    kept.keep(Effects(events=[stored(1, NOON, "Left")]))

    with pytest.raises(AssertionError, match="Left"):
        kept.events("ann", "Left", None)


def test_rule_6_1_a_code_that_was_given_out_is_not_given_again() -> None:
    kept = memory()
    back = CouponPool(coupon_pool="back", codes="generated", length=8)

    codes = [kept.coupon_code(back, "ann", "the same effect") for _ in range(50)]

    assert len(set(codes)) == 50
    for code in codes:
        assert code is not None
        assert len(code) == 8
        assert set(code) <= set(ALPHABET)
