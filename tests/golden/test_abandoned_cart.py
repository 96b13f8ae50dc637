"""The starter for abandoned checkouts, told as stories. 2 March 2026 is a Monday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from journeyflow.testing import JourneyTest

BASKET: dict[str, Any] = {  # Any: what a web shop sends
    "checkout_id": "c-1",
    "currency": "GBP",
    "value": 41.2,
    "products": [
        {"name": "Assam", "quantity": 2, "price": 12.5},
        {"name": "Cup & saucer", "price": "16.2"},
    ],
}


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """Monday ten o'clock; Ann has given her name and address."""
    run = journey("flows/", only="abandoned-cart", at="2026-03-02T10:00Z")
    run.contact("ann", email="ann@example.com", first_name="Ann")
    return run


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(str(message.template), f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


def test_who_does_not_finish_is_reminded_after_an_hour_the_next_morning_and_two_days_later(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("30d")

    assert sent(run) == [("cart-1", "Mon 02 Mar 11:00"), ("cart-2", "Tue 03 Mar 10:00"), ("cart-3", "Thu 05 Mar 10:00")]
    assert run.exits("ann") == []
    assert run.trail("ann")[-1]["kind"] == "completed"


def test_the_first_reminder_shows_the_basket(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("1h")

    (message,) = run.messages("ann")
    assert (message.to, message.subject) == ("ann@example.com", "You left something in your basket")
    assert "Hi Ann," in message.text
    assert "2 × Assam £25.00\nCup & saucer £16.20\n" in message.text
    assert "https://shop.example/cart?checkout=c-1" in message.text
    assert "Cup &amp; saucer" in message.html


def test_prices_without_a_currency_are_in_that_of_the_shop(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", products=[{"name": "Assam", "price": 12.5}])
    run.advance("1h")

    assert "Assam £12.50\n" in run.messages("ann")[0].text


def test_a_long_basket_is_cut_after_five_products(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", products=[{"name": f"Tea {number}"} for number in range(1, 9)])
    run.advance("1h")

    (message,) = run.messages("ann")
    assert "Tea 5" in message.text
    assert "Tea 6" not in message.text
    assert "and 3 more" in message.text


def test_the_reminders_work_without_any_property_and_without_a_name(run: JourneyTest) -> None:
    run.contact("bob", email="bob@example.com")
    run.track("bob", "Checkout Started")
    run.advance("7d")

    assert [message.template for message in run.messages("bob")] == ["cart-1", "cart-2", "cart-3"]
    assert all("Hi there," in message.text for message in run.messages("bob"))
    assert all("https://shop.example/cart>" in message.text for message in run.messages("bob"))


@pytest.mark.parametrize("products", ["tea", 5, {"name": "Tea"}, [None, "tea", 5], [{"price": "dear", "quantity": []}]])
def test_the_reminders_bear_whatever_the_web_shop_sends_as_products(run: JourneyTest, products: object) -> None:
    run.track("ann", "Checkout Started", products=products)
    run.advance("7d")

    assert [message.template for message in run.messages("ann")] == ["cart-1", "cart-2", "cart-3"]


def test_who_buys_within_the_hour_gets_no_reminder(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("59m")
    run.track("ann", "Order Completed", total=41.2)
    run.advance("30d")

    assert run.messages("ann") == []
    assert run.exits("ann") == ["exit_on"]


def test_who_buys_after_a_reminder_gets_no_other_and_counts_as_won(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("2h")
    run.track("ann", "Order Completed", total=41.2)
    run.advance("30d")

    assert sent(run) == [("cart-1", "Mon 02 Mar 11:00")]
    (won,) = [record for record in run.trail("ann") if record["kind"] == "converted"]
    assert won["detail"]["value"] == 41.2


def test_a_purchase_after_the_goal_has_run_out_is_not_counted(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("8d")
    run.track("ann", "Order Completed", total=41.2)

    assert [record["kind"] for record in run.trail("ann")].count("converted") == 0


def test_an_order_that_is_reported_before_its_checkout_leads_to_no_reminder(run: JourneyTest) -> None:
    run.track("ann", "Order Completed", total=41.2)
    run.advance("5s")
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("30d")

    assert run.messages("ann") == []
    assert "count = 1 (wanted: eq 0): did not hold" in run.explain("ann")


def test_a_newer_checkout_starts_the_reminders_afresh_with_the_newer_basket(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("40m")
    run.track("ann", "Checkout Started", checkout_id="c-2", products=[{"name": "Oolong"}])
    run.advance("1h")

    assert run.exits("ann") == ["restarted"]
    assert sent(run) == [("cart-1", "Mon 02 Mar 11:40")]
    (message,) = run.messages("ann")
    assert "Oolong" in message.text
    assert "Assam" not in message.text


def test_a_checkout_after_the_reminders_begins_new_ones(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("14d")
    run.track("ann", "Checkout Started", checkout_id="c-2")
    run.advance("14d")

    assert [template for template, _ in sent(run)] == ["cart-1", "cart-2", "cart-3"] * 2


def test_who_did_not_subscribe_to_offers_is_not_let_in(run: JourneyTest) -> None:
    run.track("ann", "Unsubscribed", topic="offers")
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("30d")

    assert run.messages("ann") == []
    assert [(record["kind"], record["run"]) for record in run.trail("ann")] == [("refused", None)]
    assert "topic offers: not subscribed: did not hold" in run.explain("ann")


def test_who_unsubscribes_between_two_reminders_leaves(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("2h")
    run.track("ann", "Unsubscribed", topic="offers")
    run.advance("30d")

    assert [template for template, _ in sent(run)] == ["cart-1"]
    assert run.exits("ann") == ["stay_if"]


def test_a_reminder_that_falls_into_the_quiet_hours_comes_at_eight_in_the_morning(run: JourneyTest) -> None:
    run.advance_to("2026-03-02T20:30Z")
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("20h")

    assert sent(run) == [("cart-1", "Tue 03 Mar 08:00")]


def test_the_quiet_hours_are_those_of_the_customer(run: JourneyTest) -> None:
    run.contact("joe", email="joe@example.com", timezone="America/New_York")
    run.track("joe", "Checkout Started", **BASKET)  # five in the morning in New York
    run.advance("30d")

    times = [f"{message.at:%a %H:%M}" for message in run.messages("joe")]
    assert times == ["Mon 13:00", "Tue 15:00", "Thu 15:00"]  # 08:00, then 10:00, in New York; UTC is five hours ahead


def test_who_has_no_address_gets_nothing_and_does_not_stand_still(run: JourneyTest) -> None:
    run.contact("eve")
    run.track("eve", "Checkout Started", **BASKET)
    run.advance("30d")

    assert run.messages("eve") == []
    assert [message.reason for message in run.skipped("eve")] == ["no_address"] * 3
    assert run.trail("eve")[-1]["kind"] == "completed"


def test_an_address_that_bounces_is_not_written_to_again(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("2h")
    run.track("ann", "Email Bounced", type="hard")
    run.advance("30d")

    assert [template for template, _ in sent(run)] == ["cart-1"]
    assert [message.reason for message in run.skipped("ann")] == ["suppressed", "suppressed"]


def test_each_reminder_says_who_writes_and_how_to_unsubscribe(run: JourneyTest) -> None:
    run.track("ann", "Checkout Started", **BASKET)
    run.advance("30d")

    for message in run.messages("ann"):
        assert "The Tea Shop, 1 Example Street" in message.text
        assert "Unsubscribe: https://" in message.text
        assert ">Unsubscribe</a>" in message.html
