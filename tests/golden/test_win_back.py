"""The win-back starter, told as stories. 2 March 2026 is a Monday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeyflow.testing import JourneyTest


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """Ann orders on Monday at three in the afternoon."""
    run = journey("flows/", only="win-back", at="2026-03-02T15:00Z")
    run.contact("ann", email="ann@example.com", first_name="Ann")
    run.track("ann", "Order Completed", total=30)
    return run


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(str(message.template), f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


def test_nobody_is_written_to_before_thirty_days_have_passed(run: JourneyTest) -> None:
    run.advance("30d")
    assert run.messages("ann") == []

    run.advance("1d")
    assert sent(run) == [("win-back-1", "Thu 02 Apr 09:00")]  # ten o'clock in London, in summer time


def test_who_stays_silent_is_written_to_after_30_60_and_90_days(run: JourneyTest) -> None:
    run.advance("365d")

    assert sent(run) == [
        ("win-back-1", "Thu 02 Apr 09:00"),
        ("win-back-2", "Sat 02 May 09:00"),
        ("win-back-3", "Mon 01 Jun 09:00"),
    ]
    assert run.trail("ann")[-1]["kind"] == "completed"


def test_the_discount_grows_and_each_mail_shows_its_own_code(run: JourneyTest) -> None:
    run.advance("365d")

    assert [coupon.pool for coupon in run.coupons("ann")] == ["win-back-5", "win-back-10", "win-back-15"]
    for message, coupon, discount in zip(run.messages("ann"), run.coupons("ann"), ("5%", "10%", "15%"), strict=True):
        assert coupon.code in message.html
        assert coupon.code in message.text
        assert f"{discount} off" in message.text


def test_a_code_is_good_for_fourteen_days_to_the_end_of_the_day_and_the_mail_says_so(run: JourneyTest) -> None:
    run.advance("40d")

    (coupon,) = run.coupons("ann")
    assert coupon.expires_at == "2026-04-16T23:59:59+01:00"
    assert "It is good until 16 April 2026." in run.messages("ann")[0].text


def test_the_last_day_of_a_code_is_that_of_the_customer(run: JourneyTest) -> None:
    run.contact("kim", email="kim@example.com", timezone="Pacific/Auckland")
    run.track("kim", "Order Completed", total=30)
    run.advance("40d")

    (coupon,) = run.coupons("kim")
    assert coupon.expires_at == "2026-04-16T23:59:59+12:00"
    assert "It is good until 16 April 2026." in run.messages("kim")[0].text


def test_an_order_ends_it_and_counts_as_won(run: JourneyTest) -> None:
    run.advance("40d")
    run.track("ann", "Order Completed", total=55)
    run.advance("29d")

    assert [template for template, _ in sent(run)] == ["win-back-1"]
    assert run.exits("ann") == ["exit_on"]
    assert "reached the goal, value 55" in run.explain("ann")


def test_an_order_on_the_thirtieth_day_comes_before_the_silence(run: JourneyTest) -> None:
    run.advance_to("2026-04-01T14:59:59Z")
    run.track("ann", "Order Completed", total=55)
    run.advance("29d")

    assert run.trail("ann") == []


def test_a_code_that_was_used_is_known_to_be_used(run: JourneyTest) -> None:
    run.advance("40d")
    (coupon,) = run.coupons("ann")
    run.track("ann", "Coupon Redeemed", code=coupon.code)

    assert run.coupons("ann")[0].redeemed


def test_a_second_silence_within_half_a_year_is_left_alone(run: JourneyTest) -> None:
    run.advance("40d")
    run.track("ann", "Order Completed", total=55)
    run.advance("60d")

    assert [template for template, _ in sent(run)] == ["win-back-1"]
    assert run.trail("ann")[-1]["detail"] == {"reason": "reentry"}


def test_a_second_silence_after_half_a_year_begins_again_with_a_new_code(run: JourneyTest) -> None:
    run.advance("40d")
    run.track("ann", "Order Completed", total=55)
    run.advance("150d")
    run.track("ann", "Order Completed", total=20)
    run.advance("32d")

    assert [template for template, _ in sent(run)] == ["win-back-1", "win-back-1"]
    first, second = run.coupons("ann")
    assert (first.pool, second.pool) == ("win-back-5", "win-back-5")
    assert first.code != second.code


def test_who_did_not_subscribe_to_offers_is_not_let_in_and_costs_no_code(run: JourneyTest) -> None:
    run.track("ann", "Unsubscribed", topic="offers")
    run.advance("365d")

    assert run.messages("ann") == []
    assert run.coupons("ann") == []


def test_who_unsubscribes_leaves_before_the_next_code(run: JourneyTest) -> None:
    run.advance("40d")
    run.track("ann", "Unsubscribed")
    run.advance("365d")

    assert [coupon.pool for coupon in run.coupons("ann")] == ["win-back-5"]
    assert run.exits("ann") == ["stay_if"]


def test_two_customers_never_get_the_same_code(run: JourneyTest) -> None:
    run.contact("bob", email="bob@example.com")
    run.track("bob", "Order Completed", total=30)
    run.advance("365d")

    codes = [coupon.code for key in ("ann", "bob") for coupon in run.coupons(key)]
    assert len(set(codes)) == len(codes) == 6
