"""The birthday starter, told as stories. 2 March 2026 is a Monday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeyflow.testing import JourneyTest


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(message.template, f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """Ann was born on 17 May."""
    run = journey("flows/", only="birthday", at="2026-03-02T10:00Z")
    run.contact("ann", email="ann@example.com", first_name="Ann", birthday="1990-05-17")
    return run


def test_a_greeting_on_the_morning_of_every_birthday(run: JourneyTest) -> None:
    run.advance("800d")

    assert sent(run) == [
        ("birthday-1", "Sun 17 May 08:00"),  # nine o'clock in London, in summer time
        ("birthday-1", "Mon 17 May 08:00"),
    ]
    assert run.messages("ann")[0].subject == "Happy birthday, Ann"


def test_the_code_is_good_for_three_weeks(run: JourneyTest) -> None:
    run.advance("100d")

    (coupon,) = run.coupons("ann")
    assert coupon.expires_at == "2026-06-07T23:59:59+01:00"
    assert coupon.code in run.messages("ann")[0].text


def test_who_was_born_on_29_february_is_greeted_on_the_28th_in_other_years(
    journey: Callable[..., JourneyTest],
) -> None:
    run = journey("flows/", only="birthday", at="2027-01-01T10:00Z")
    run.contact("ann", email="ann@example.com", birthday="1996-02-29")
    run.advance("450d")

    assert sent(run) == [("birthday-1", "Sun 28 Feb 09:00"), ("birthday-1", "Tue 29 Feb 09:00")]


def test_who_corrects_the_date_gets_no_second_present(run: JourneyTest) -> None:
    run.advance("100d")
    run.identify("ann", birthday="1990-07-01")
    run.advance("60d")

    assert len(sent(run)) == 1


def test_who_wants_no_offers_gets_none(run: JourneyTest) -> None:
    run.track("ann", "Unsubscribed", topic="offers")
    run.advance("100d")

    assert run.messages("ann") == []
