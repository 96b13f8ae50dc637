"""The browse-abandonment starter, told as stories. 2 March 2026 is a Monday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeyflow.testing import JourneyTest


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(message.template, f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """Ann looks at a tea at two in the afternoon."""
    run = journey("flows/", only="browse-abandonment", at="2026-03-02T14:00Z")
    run.contact("ann", email="ann@example.com", first_name="Ann")
    run.track("ann", "Product Viewed", name="Assam", sku="A1", price=12.5)
    return run


def look_again(run: JourneyTest) -> None:
    run.advance("10m")
    run.track("ann", "Product Viewed", name="Long Jing", sku="L1", price=18, currency="GBP")


def test_one_look_is_no_interest(run: JourneyTest) -> None:
    run.advance("30d")

    assert run.messages("ann") == []


def test_two_looks_within_an_hour_bring_one_mail_about_the_last_of_them(run: JourneyTest) -> None:
    look_again(run)
    run.advance("30d")

    assert sent(run) == [("browse-1", "Mon 02 Mar 18:10")]
    (message,) = run.messages("ann")
    assert message.subject == "Still looking at Long Jing?"
    assert "£18.00" in message.text
    assert "Assam" not in message.text


def test_who_goes_on_looking_is_written_to_four_hours_after_the_last_look(run: JourneyTest) -> None:
    look_again(run)
    run.advance("30m")
    run.track("ann", "Product Viewed", name="Rooibos")
    run.advance("1d")

    assert sent(run) == [("browse-1", "Mon 02 Mar 18:40")]
    assert run.messages("ann")[0].subject == "Still looking at Rooibos?"


@pytest.mark.parametrize("event", ["Product Added", "Checkout Started", "Order Completed"])
def test_who_goes_on_towards_an_order_is_left_alone(run: JourneyTest, event: str) -> None:
    look_again(run)
    run.track("ann", event)
    run.advance("30d")

    assert run.messages("ann") == []
    assert run.exits("ann") == ["exit_on"]


def test_nobody_is_written_to_twice_within_two_weeks(run: JourneyTest) -> None:
    look_again(run)
    run.advance("3d")
    run.track("ann", "Product Viewed")
    look_again(run)
    run.advance("3d")

    assert len(sent(run)) == 1


def test_late_in_the_evening_the_mail_waits_for_the_morning(journey: Callable[..., JourneyTest]) -> None:
    run = journey("flows/", only="browse-abandonment", at="2026-03-02T19:00Z")
    run.contact("ann", email="ann@example.com")
    run.track("ann", "Product Viewed", name="Assam")
    look_again(run)
    run.advance("1d")

    assert sent(run) == [("browse-1", "Tue 03 Mar 08:00")]
