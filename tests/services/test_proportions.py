"""How sure a difference between two shares is: examples of the papers."""

from __future__ import annotations

import pytest

from journeyflow.services.proportions import difference_interval, share_interval


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
)
def test_an_interval_of_one_share_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert share_interval(hits, of) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("hits", "of", "other_hits", "other_of", "low", "high"),
    [(56, 70, 48, 80, 0.0524, 0.3339), (9, 10, 3, 10, 0.1705, 0.8090), (10, 10, 0, 10, 0.6075, 1.0)],
)
def test_an_interval_of_a_difference_is_newcombes(
    hits: int, of: int, other_hits: int, other_of: int, low: float, high: float
) -> None:
    assert difference_interval(hits, of, other_hits, other_of) == pytest.approx((low, high), abs=1e-4)
