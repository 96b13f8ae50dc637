"""Sending rates: never more in any stretch, never less than can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from journeyflow.core.workspace import Rate, Workspace
from journeyflow.services.pace import Pace

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def paced(count: int, seconds: int = 1) -> Pace:
    return Pace([("email", Rate(count, seconds))])


def test_a_channel_with_a_rate_has_room_for_as_many_as_it_says() -> None:
    pace = paced(3)
    assert pace.room(NOON) == {"email": 3}
    pace.sent("email", NOON)
    pace.sent("email", NOON)

    assert pace.room(NOON) == {"email": 1}
    assert pace.room(NOON + timedelta(seconds=0.9)) == {"email": 1}
    assert pace.room(NOON + timedelta(seconds=1)) == {"email": 3}


def test_other_channels_are_free() -> None:
    pace = paced(1)
    pace.sent("sms", NOON)
    pace.sent("email", NOON)

    assert pace.room(NOON) == {"email": 0}
    assert pace.free_at("sms", NOON) == NOON
    assert pace.free_at("email", NOON) == NOON + timedelta(seconds=1)


def test_it_is_worth_waiting_for_a_tenth_of_the_rate() -> None:
    pace = paced(20)
    for number in range(20):
        pace.sent("email", NOON + timedelta(milliseconds=10 * number))
    now = NOON + timedelta(milliseconds=200)

    assert pace.free_at("email", now) == NOON + timedelta(milliseconds=1010)
    assert pace.room(NOON + timedelta(milliseconds=1010)) == {"email": 2}


@given(st.integers(1, 40), st.lists(st.integers(0, 300), min_size=1, max_size=200))
def test_in_no_second_more_are_sent_than_the_rate_says(count: int, pauses: list[int]) -> None:
    pace = paced(count)
    now = NOON
    sent: list[datetime] = []
    for pause in pauses:
        now += timedelta(milliseconds=pause)
        for _ in range(pace.room(now)["email"]):
            pace.sent("email", now)
            sent.append(now)
    for index, at in enumerate(sent):
        assert sum(at - timedelta(seconds=1) < other <= at for other in sent[: index + 1]) <= count


def test_whoever_looks_when_it_is_worth_it_comes_close_to_the_rate() -> None:
    pace = paced(50)
    now, sent = NOON, 0
    while now < NOON + timedelta(seconds=10):
        for _ in range(pace.room(now)["email"]):
            pace.sent("email", now)
            sent += 1
        now = max(now + timedelta(milliseconds=1), pace.free_at("email", now))
    assert sent >= 490


@pytest.mark.parametrize(
    ("text", "rate"), [("50/s", Rate(50, 1)), ("600/m", Rate(600, 60)), ("10000/h", Rate(10_000, 3_600))]
)
def test_a_rate_is_written_as_so_many_a_time(text: str, rate: Rate) -> None:
    workspace = Workspace.model_validate({"workspace": "shop", "sending_rate": {"email": text}})

    assert workspace.sending_rate == {"email": rate}
    assert workspace.model_dump(mode="json")["sending_rate"] == {"email": text}


@pytest.mark.parametrize("text", ["50", "0/s", "50/d", "-1/s", 50, "50 / s"])
def test_anything_else_is_no_rate(text: object) -> None:
    with pytest.raises(ValidationError, match="expected a rate such as 50/s"):
        Workspace.model_validate({"workspace": "shop", "sending_rate": {"email": text}})
