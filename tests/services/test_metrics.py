"""What operators watch."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from journeyflow.db.outbox import Outcome, StoredMessage
from journeyflow.services.metrics import Lag, Metrics
from journeyflow.services.turn import Done

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
NOTHING = Lag(0, 0, 0, 0, 0)


def values(metrics: Metrics, behind: Lag = NOTHING) -> dict[str, float]:
    lines = metrics.text(behind).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def outcome(status: str) -> Outcome:
    message = StoredMessage(
        id="m", contact="ann", journey="welcome", version=1, node="mail", run="r", channel="email", template="hello",
        template_version=1, to="ann@example.com", topic=None, transactional=False, status="sending", reason=None,
        subject=None, queued_at=NOW, expires_at=None, attempts=1, sent_at=None, values={}, overrides={},
    )  # fmt: skip
    return Outcome(message, status, NOW)


def test_turns_are_counted_with_what_they_did_and_idle_ones_are_not() -> None:
    metrics = Metrics()
    metrics.on_turn(Done(contacts=3, inputs=5, timers=2, messages=1), 0.02)
    metrics.on_turn(Done(), 0.001)

    found = values(metrics)
    assert found["journeyflow_turns_total"] == 1
    assert found["journeyflow_turn_seconds_sum"] == 0.02
    assert found["journeyflow_turn_contacts_total"] == 3
    assert found['journeyflow_turn_size_bucket{le="1.0"}'] == 0
    assert found['journeyflow_turn_size_bucket{le="5.0"}'] == 1
    assert found["journeyflow_turn_inputs_total"] == 5
    assert found["journeyflow_turn_timers_total"] == 2
    assert found["journeyflow_messages_queued_total"] == 1


@pytest.mark.parametrize(("status", "label"), [("sent", "sent"), ("failed", "failed"), ("queued", "retried")])
def test_attempts_are_counted_by_how_they_ended(status: str, label: str) -> None:
    metrics = Metrics()
    metrics.on_outcome(outcome(status), False)

    assert values(metrics)[f'journeyflow_messages_total{{outcome="{label}"}}'] == 1


def test_rule_5_4_messages_that_may_have_gone_out_twice_are_counted() -> None:
    metrics = Metrics()
    metrics.on_outcome(outcome("sent"), True)
    metrics.on_outcome(outcome("sent"), False)

    assert values(metrics)["journeyflow_messages_redelivered_total"] == 1


def test_how_far_the_engine_is_behind_is_told_as_it_is() -> None:
    found = values(Metrics(), Lag(1.5, 2.5, 3.5, 5.5, 4, {"email": 7}, {"runs": 9}))

    assert found['journeyflow_lag_seconds{what="inbox"}'] == 1.5
    assert found['journeyflow_lag_seconds{what="timers"}'] == 2.5
    assert found['journeyflow_lag_seconds{what="outbox"}'] == 3.5
    assert found['journeyflow_lag_seconds{what="webhooks"}'] == 5.5
    assert found["journeyflow_failures"] == 4
    assert found['journeyflow_messages_waiting{channel="email"}'] == 7
    assert found['journeyflow_dead_rows{table="runs"}'] == 9


def test_events_that_there_was_no_room_for_are_counted() -> None:
    metrics = Metrics()
    metrics.overloaded(3)

    assert values(metrics)["journeyflow_events_overload_total"] == 3
