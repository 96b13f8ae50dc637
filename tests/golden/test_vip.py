"""The VIP starter, told as stories. 2 March 2026 is a Monday; the shop is in London."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeyflow.testing import JourneyTest


def sent(run: JourneyTest) -> list[tuple[str | None, str]]:
    return [(message.template, f"{message.at:%a %d %b %H:%M}") for message in run.messages("ann")]


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """Ann has ordered for 450."""
    run = journey("flows/", only="vip", at="2026-03-02T10:00Z")
    run.contact("ann", email="ann@example.com", first_name="Ann")
    run.track("ann", "Order Completed", total=450)
    return run


def test_five_hundred_within_a_year_make_a_vip_at_once(run: JourneyTest) -> None:
    run.advance("30d")
    assert run.tags("ann") == []

    run.track("ann", "Order Completed", total=50)
    assert run.tags("ann") == ["vip"]
    assert [template for template, _ in sent(run)] == ["vip-1"]


def test_a_year_later_it_is_over_to_the_second(run: JourneyTest) -> None:
    run.advance("30d")
    run.track("ann", "Order Completed", total=50)
    run.advance_to("2027-03-02T09:59:59Z")
    assert run.tags("ann") == ["vip"]

    run.advance("1s")
    assert run.tags("ann") == []


def test_who_becomes_a_vip_again_is_not_told_again(run: JourneyTest) -> None:
    run.track("ann", "Order Completed", total=50)
    run.advance("400d")
    assert run.tags("ann") == []

    run.track("ann", "Order Completed", total=600)
    assert run.tags("ann") == ["vip"]
    assert len(sent(run)) == 1
