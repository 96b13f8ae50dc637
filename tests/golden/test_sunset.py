"""The sunset starter, told as stories. 2 March 2026 is a Monday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from journeyflow.testing import JourneyTest


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(message.template, f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


MAILS = """
journey: letters
triggers: [{type: event, event: Letter}]
reentry: {policy: always}
start: mail
nodes: {mail: {type: email, template: newsletter-1, topic: offers}}
"""


@pytest.fixture
def run(journey: Callable[..., JourneyTest], tmp_path: Path) -> JourneyTest:
    """Ann gets a letter a week; she has had four, and opened none."""
    flows = tmp_path / "flows"
    copytree("flows", flows)
    (flows / "journeys" / "letters.yaml").write_text(MAILS)
    run = journey(flows, only=["sunset", "letters"], at="2026-03-02T10:00Z")
    run.contact("ann", email="ann@example.com", first_name="Ann")
    for _ in range(4):
        run.track("ann", "Letter")
        run.advance("7d")
    return run


def asked(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [one for one in sent(run) if one[0] == "sunset-1"]


def test_who_opened_none_of_five_mails_is_asked_two_days_after_the_fifth_at_the_earliest(run: JourneyTest) -> None:
    run.track("ann", "Letter")  # Monday 30 March
    run.advance("1d")
    assert asked(run) == []

    run.advance("3d")
    assert asked(run) == [("sunset-1", "Thu 02 Apr 09:00")]  # ten o'clock in London, in summer time


def test_who_does_not_answer_gets_no_more_offers(run: JourneyTest) -> None:
    run.track("ann", "Letter")
    run.advance("30d")
    run.track("ann", "Letter")

    assert run.tags("ann") == ["sunset"]
    assert [message.reason for message in run.skipped("ann")] == ["unsubscribed"]


def test_a_click_or_an_order_and_everything_stays_as_it_is(run: JourneyTest) -> None:
    run.track("ann", "Letter")
    run.advance("5d")
    run.track("ann", "Email Link Clicked", url="https://shop.example/stay")
    run.advance("30d")

    assert run.exits("ann") == ["exit_on"]
    assert run.tags("ann") == []


def test_one_that_was_opened_is_enough(run: JourneyTest) -> None:
    run.track("ann", "Letter")
    run.track("ann", "Email Opened")
    run.advance("30d")

    assert asked(run) == []


def test_what_a_machine_opened_is_no_sign_of_life(run: JourneyTest) -> None:
    run.track("ann", "Letter")
    run.track("ann", "Email Opened", machine=True)
    run.advance("30d")

    assert run.tags("ann") == ["sunset"]


def test_whose_question_could_not_go_out_is_asked_once_more_and_loses_nothing_before(run: JourneyTest) -> None:
    run.track("ann", "Letter")  # Monday 30 March
    run.advance("1d")
    run.track("ann", "Letter")
    run.track("ann", "Letter")  # the third within a week, so that on Thursday the cap is full
    run.advance("3d")
    assert asked(run) == []
    assert [message.reason for message in run.skipped("ann")] == ["frequency_cap"]

    run.advance("13d")

    assert asked(run) == [("sunset-1", "Tue 14 Apr 09:00")]
    assert run.tags("ann") == []


def test_who_could_not_be_asked_at_all_keeps_the_offers(run: JourneyTest) -> None:
    run.track("ann", "Letter")
    run.track("ann", "Email Bounced", type="hard")
    run.advance("60d")

    assert [message.reason for message in run.skipped("ann")] == ["suppressed", "suppressed"]
    assert run.tags("ann") == []
