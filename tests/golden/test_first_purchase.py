"""The first-purchase starter, told as stories. 2 March 2026 is a Monday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeyflow.testing import JourneyTest


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(message.template, f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """Ann orders for the first time, on Monday at three in the afternoon."""
    run = journey("flows/", only="first-purchase", at="2026-03-02T15:00Z")
    run.contact("ann", email="ann@example.com", first_name="Ann")
    run.track("ann", "Order Completed", order_id="o1", total=30)
    return run


def test_who_orders_for_the_first_time_is_thanked_the_next_morning_and_is_a_customer(run: JourneyTest) -> None:
    run.advance("30d")

    assert sent(run) == [("first-order", "Tue 03 Mar 10:00")]
    assert run.tags("ann") == ["customer"]


def test_a_second_order_is_not_a_first_one(run: JourneyTest) -> None:
    run.advance("20d")
    run.track("ann", "Order Completed", order_id="o2", total=40)
    run.advance("30d")

    assert len(sent(run)) == 1
    assert "reached the goal, value 40" in run.explain("ann")


@pytest.mark.parametrize("event", ["Order Cancelled", "Order Refunded"])
def test_nobody_is_thanked_for_an_order_that_is_no_more(run: JourneyTest, event: str) -> None:
    run.track("ann", event, order_id="o1")
    run.advance("30d")

    assert run.messages("ann") == []
    assert run.exits("ann") == ["exit_on"]
