"""The review starter, told as stories. 2 March 2026 is a Monday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeyflow.testing import JourneyTest


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(message.template, f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """Ann orders on Monday at three in the afternoon."""
    run = journey("flows/", only="review-request", at="2026-03-02T15:00Z")
    run.contact("ann", email="ann@example.com", first_name="Ann")
    run.track("ann", "Order Completed", order_id="o1", total=30, items=[{"sku": "A1", "name": "Assam"}])
    return run


def test_two_weeks_after_an_order_it_asks_once(run: JourneyTest) -> None:
    run.advance("90d")

    assert sent(run) == [("review-1", "Mon 16 Mar 10:00")]
    assert "- Assam" in run.messages("ann")[0].text


def test_who_writes_a_review_gets_a_code_for_something_new(run: JourneyTest) -> None:
    run.advance("15d")
    run.track("ann", "Product Reviewed", rating=5)

    assert [template for template, _ in sent(run)] == ["review-1", "review-2"]
    (coupon,) = run.coupons("ann")
    assert coupon.code.startswith("THANKS-")
    assert coupon.code in run.messages("ann")[1].text
    assert run.tags("ann") == ["reviewer"]


def test_a_review_before_the_question_is_not_waited_for(run: JourneyTest) -> None:
    run.advance("5d")
    run.track("ann", "Product Reviewed", rating=5)
    run.advance("60d")

    assert [template for template, _ in sent(run)] == ["review-1"]


def test_a_cancelled_order_is_not_asked_about(run: JourneyTest) -> None:
    run.advance("3d")
    run.track("ann", "Order Cancelled", order_id="o1")
    run.advance("60d")

    assert run.messages("ann") == []


def test_who_orders_every_week_is_asked_every_two_months_at_most(run: JourneyTest) -> None:
    for _ in range(10):
        run.advance("7d")
        run.track("ann", "Order Completed", total=20)
    run.advance("30d")

    assert [template for template, _ in sent(run)] == ["review-1", "review-1"]
