"""How sure a difference between two shares is."""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

NORMAL_95: Final = 1.959964


class Interval(NamedTuple):
    """From where to where a value lies with 95% confidence."""

    low: float
    high: float


def share_interval(hits: int, of: int) -> Interval:
    """Wilson's interval for a share of ``of`` > 0."""
    share, square = hits / of, NORMAL_95 * NORMAL_95
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = NORMAL_95 / (1 + square / of) * sqrt(share * (1 - share) / of + square / (4 * of * of))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def difference_interval(hits: int, of: int, other_hits: int, other_of: int) -> Interval:
    """The interval for the first share less the second, by Newcombe's method 10 (doi:10.1002/sim.779)."""
    share, other = hits / of, other_hits / other_of
    own, others = share_interval(hits, of), share_interval(other_hits, other_of)
    low = share - other - sqrt((share - own.low) ** 2 + (others.high - other) ** 2)
    high = share - other + sqrt((own.high - share) ** 2 + (other - others.low) ** 2)
    return Interval(low, high)
