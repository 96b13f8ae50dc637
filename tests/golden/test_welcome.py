"""The welcome starter, told as stories. 2 March 2026 is a Monday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeyflow.testing import JourneyTest


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """Monday ten o'clock, and nobody there."""
    return journey("flows/", only="welcome", at="2026-03-02T10:00Z")


def sign_up(run: JourneyTest) -> None:
    run.identify("ann", email="ann@example.com", first_name="Ann")
    run.track("ann", "Signed Up")


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(str(message.template), f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


def test_who_signs_up_is_welcomed_at_once_and_hears_twice_more_within_ten_days(run: JourneyTest) -> None:
    sign_up(run)
    assert sent(run) == [("welcome-1", "Mon 02 Mar 10:00")]

    run.advance("60d")
    assert sent(run) == [
        ("welcome-1", "Mon 02 Mar 10:00"),
        ("welcome-2", "Thu 05 Mar 10:00"),
        ("welcome-3", "Thu 12 Mar 10:00"),
    ]
    assert run.trail("ann")[-1]["kind"] == "completed"


def test_the_first_mail_speaks_to_the_person_and_sells_nothing(run: JourneyTest) -> None:
    sign_up(run)

    (message,) = run.messages("ann")
    assert (message.subject, message.topic) == ("Welcome to The Tea Shop, Ann", "account")
    assert "Hi Ann," in message.text
    assert "Unsubscribe" not in message.text


def test_the_first_mail_does_without_a_name(run: JourneyTest) -> None:
    run.identify("bob", email="bob@example.com")
    run.track("bob", "Signed Up")

    (message,) = run.messages("bob")
    assert message.subject == "Welcome to The Tea Shop"
    assert "Hi there," in message.text


def test_who_signs_up_at_night_is_welcomed_at_night_and_hears_the_rest_by_day(run: JourneyTest) -> None:
    run.advance_to("2026-03-02T23:30Z")
    sign_up(run)
    run.advance("60d")

    assert [when for _, when in sent(run)] == ["Mon 02 Mar 23:30", "Thu 05 Mar 10:00", "Thu 12 Mar 10:00"]


def test_the_later_mails_come_at_ten_where_the_customer_is(run: JourneyTest) -> None:
    run.identify("joe", email="joe@example.com", timezone="America/New_York")
    run.track("joe", "Signed Up")
    run.advance("60d")

    # Ten in New York; on 8 March the clocks there go forward.
    assert [f"{message.at:%d %b %H:%M}" for message in run.messages("joe")] == [
        "02 Mar 10:00",
        "05 Mar 15:00",
        "12 Mar 14:00",
    ]


def test_who_buys_hears_no_more_of_it(run: JourneyTest) -> None:
    sign_up(run)
    run.advance("4d")
    run.track("ann", "Order Completed", total=30)
    run.advance("60d")

    assert [template for template, _ in sent(run)] == ["welcome-1", "welcome-2"]
    assert run.exits("ann") == ["exit_on"]
    assert [record["kind"] for record in run.trail("ann")].count("converted") == 1


def test_who_was_a_customer_before_gets_the_first_mail_only(run: JourneyTest) -> None:
    run.identify("ann", email="ann@example.com")
    run.track("ann", "Order Completed", total=30)
    run.advance("1d")
    run.track("ann", "Signed Up")
    run.advance("60d")

    assert [template for template, _ in sent(run)] == ["welcome-1"]
    assert "took case 1 of 1 (has bought before)" in run.explain("ann")


def test_who_did_not_subscribe_to_offers_gets_the_first_mail_only(run: JourneyTest) -> None:
    run.identify("ann", email="ann@example.com")
    run.track("ann", "Unsubscribed", topic="offers")
    run.track("ann", "Signed Up")
    run.advance("60d")

    assert [template for template, _ in sent(run)] == ["welcome-1"]
    assert [(message.template, message.reason) for message in run.skipped("ann")] == [
        ("welcome-2", "unsubscribed"),
        ("welcome-3", "unsubscribed"),
    ]


def test_signing_up_a_second_time_begins_nothing(run: JourneyTest) -> None:
    sign_up(run)
    run.advance("60d")
    run.track("ann", "Signed Up")
    run.advance("60d")

    assert len(run.messages("ann")) == 3
    assert run.trail("ann")[-1]["detail"] == {"reason": "reentry"}
