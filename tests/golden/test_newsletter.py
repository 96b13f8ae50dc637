"""The newsletter starter, told as stories. 12 January 2027 is a Tuesday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeyflow.testing import JourneyTest


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(message.template, f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """The day before; Ann lives in Tokyo."""
    run = journey("flows/", only="newsletter", at="2027-01-11T10:00Z")
    run.contact("ann", email="ann@example.com", timezone="Asia/Tokyo", tags=["likes-green"])
    run.contact("bob", email="bob@example.com")
    run.contact("cat", email="cat@example.com", mail_frequency="rarely")
    run.contact("dan", email="dan@example.com")
    run.track("dan", "Unsubscribed", topic="offers")
    return run


def test_everybody_gets_it_at_ten_where_they_are(run: JourneyTest) -> None:
    run.advance("30d")

    assert sent(run) == [("newsletter-1", "Tue 12 Jan 01:00")]
    assert [f"{message.at:%a %d %b %H:%M}" for message in run.messages("bob")] == ["Tue 12 Jan 10:00"]


def test_who_likes_green_tea_reads_of_green_tea(run: JourneyTest) -> None:
    run.advance("30d")

    assert "you like green tea" in run.messages("ann")[0].text
    assert "you like green tea" not in run.messages("bob")[0].text


def test_who_wants_it_rarely_or_not_at_all_does_not_get_it(run: JourneyTest) -> None:
    run.advance("30d")

    assert run.messages("cat") == run.messages("dan") == []
