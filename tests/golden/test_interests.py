"""The interests starter, told as stories."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeyflow.testing import JourneyTest


@pytest.fixture
def run(journey: Callable[..., JourneyTest]) -> JourneyTest:
    """Ann has looked at two green teas and a black one."""
    run = journey("flows/", only="interests", at="2026-03-02T10:00Z")
    run.contact("ann", email="ann@example.com")
    for category in ("Green tea", "Black tea", "Green tea"):
        run.track("ann", "Product Viewed", category=category)
        run.advance("1d")
    return run


def test_three_looks_at_one_category_make_an_interest(run: JourneyTest) -> None:
    assert run.tags("ann") == []

    run.track("ann", "Product Viewed", category="Green tea")
    assert run.tags("ann") == ["interest-green-tea"]


def test_looks_older_than_a_month_do_not_count(run: JourneyTest) -> None:
    run.advance("30d")
    run.track("ann", "Product Viewed", category="Green tea")

    assert run.tags("ann") == []


def test_it_sends_nothing(run: JourneyTest) -> None:
    run.track("ann", "Product Viewed", category="Green tea")
    run.advance("30d")

    assert run.messages("ann") == run.skipped("ann") == []
