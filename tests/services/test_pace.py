"""Sending rates: never more in any stretch, never less than can be."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from journeyflow.core.workspace import Rate, Workspace
from journeyflow.db.departures import Departure
from journeyflow.services import pace

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Paced:
    """A channel with a rate, and what went out on it."""

    def __init__(self, count: int, seconds: int = 1) -> None:
        self.rate = Rate(count, seconds)
        self._sent: Counter[datetime] = Counter()

    def sent(self, at: datetime) -> None:
        self._sent[pace.counts_until(self.rate, at)] += 1

    def counted(self, now: datetime) -> list[Departure]:
        return [Departure(until, count) for until, count in sorted(self._sent.items()) if until > now]

    def room(self, now: datetime) -> int:
        return pace.room(self.rate, self.counted(now))

    def free_at(self, now: datetime) -> datetime:
        return pace.free_at(self.rate, self.counted(now), now)


def test_a_channel_with_a_rate_has_room_for_as_many_as_it_says() -> None:
    paced = Paced(3)
    assert paced.room(NOON) == 3
    paced.sent(NOON)
    paced.sent(NOON)

    assert paced.room(NOON) == 1
    assert paced.room(NOON + timedelta(seconds=0.9)) == 1
    assert paced.room(NOON + timedelta(seconds=1)) == 3


def test_it_is_worth_waiting_for_a_tenth_of_the_rate() -> None:
    paced = Paced(20)
    for number in range(20):
        paced.sent(NOON + timedelta(milliseconds=10 * number))
    now = NOON + timedelta(milliseconds=200)

    assert paced.free_at(now) == NOON + timedelta(milliseconds=1010)
    assert paced.room(NOON + timedelta(milliseconds=1010)) == 2


def test_of_a_rate_that_was_lowered_as_much_has_to_be_over_as_is_too_much() -> None:
    before = Paced(20)
    for number in range(20):
        before.sent(NOON + timedelta(milliseconds=10 * number))
    now = NOON + timedelta(milliseconds=200)

    assert pace.free_at(Rate(10, 1), before.counted(now), now) == NOON + timedelta(milliseconds=1100)


@given(st.integers(1, 40), st.lists(st.integers(0, 300), min_size=1, max_size=200))
def test_in_no_second_more_are_sent_than_the_rate_says(count: int, pauses: list[int]) -> None:
    paced = Paced(count)
    now = NOON
    sent: list[datetime] = []
    for pause in pauses:
        now += timedelta(milliseconds=pause)
        for _ in range(paced.room(now)):
            paced.sent(now)
            sent.append(now)
    for index, at in enumerate(sent):
        assert sum(at - timedelta(seconds=1) < other <= at for other in sent[: index + 1]) <= count


def test_whoever_looks_when_it_is_worth_it_comes_close_to_the_rate() -> None:
    paced = Paced(50)
    now, sent = NOON, 0
    while now < NOON + timedelta(seconds=10):
        for _ in range(paced.room(now)):
            paced.sent(now)
            sent += 1
        now = max(now + timedelta(milliseconds=1), paced.free_at(now))
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
