"""The re-permission starter, told as stories. 2 March 2026 is a Monday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeyflow.testing import JourneyTest


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(message.template, f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """Ann consented three years ago."""
    run = journey("flows/", only="re-permission", at="2026-03-02T08:00Z")
    run.contact("ann", email="ann@example.com", consented_at="2023-03-01")
    return run


def test_who_is_there_when_it_is_published_is_asked_and_reminded(run: JourneyTest) -> None:
    run.advance("20d")

    assert sent(run) == [("permission-1", "Mon 02 Mar 10:00"), ("permission-2", "Mon 16 Mar 10:00")]
    assert "Yes, please" in run.messages("ann")[0].text


def test_who_says_yes_stays_and_the_date_is_kept(run: JourneyTest) -> None:
    run.advance("3d")
    run.track("ann", "Survey Answered", survey="stay", answer="yes")
    run.advance("60d")

    assert len(sent(run)) == 1
    assert run.attributes("ann")["consented_at"] == "2026-03-05T08:00:00.000000Z"


@pytest.mark.parametrize("answers", [True, False])
def test_who_says_no_or_nothing_gets_no_more_offers(run: JourneyTest, answers: bool) -> None:
    run.advance("3d")
    if answers:
        run.track("ann", "Survey Answered", survey="stay", answer="no")
    run.advance("30d")

    assert len(sent(run)) == (1 if answers else 2)
    (last,) = [record for record in run.trail("ann") if record["type"] == "topic" and record["kind"] == "ran"]
    assert last["detail"]["unsubscribed"] == ["offers"]


def test_whose_consent_is_recent_is_not_asked_until_it_is_old(run: JourneyTest) -> None:
    run.contact("bob", email="bob@example.com", consented_at="2024-04-01")
    run.advance("28d")
    assert run.messages("bob") == []

    run.advance("10d")
    assert [message.template for message in run.messages("bob")] == ["permission-1"]


def test_who_can_not_be_asked_keeps_the_offers(run: JourneyTest) -> None:
    run.track("ann", "Email Bounced", type="hard")
    run.contact("bob", consented_at="2023-03-01")
    run.advance("60d")

    assert [message.reason for message in run.skipped("ann")] == ["suppressed", "suppressed"]
    assert [record["kind"] for record in run.trail("bob")] == ["refused"]
    assert not any(record["type"] == "topic" for record in run.trail("ann"))
