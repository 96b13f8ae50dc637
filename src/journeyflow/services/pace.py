"""Keeping to a channel's sending rate: never more than so many in any stretch of its length, over all dispatchers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from journeyflow.core.values import from_micros, to_micros
from journeyflow.core.workspace import Rate
from journeyflow.db.departures import Departure

GRAINS: Final = 100
"""Into so many parts a rate's stretch is cut; what was sent in one part is counted together, up to its end."""
WORTH_WAKING: Final = 0.1
"""It is waited until this part of the rate is free again, so as not to wake for each single message."""


def room(rate: Rate, counted: Sequence[Departure]) -> int:
    """How many messages may go out now."""
    return max(0, rate.count - sum(one.messages for one in counted))


def counts_until(rate: Rate, at: datetime) -> datetime:
    """Until when a message that was handed over, or tried, at an instant counts."""
    grain = rate.seconds * 1_000_000 // GRAINS
    return from_micros(-(-to_micros(at) // grain) * grain) + timedelta(seconds=rate.seconds)


def free_at(rate: Rate, counted: Sequence[Departure], now: datetime) -> datetime:
    """When it is worth looking again whether more may go out; ``counted`` in order of how long it counts."""
    if room(rate, counted):
        return now
    wanted = max(1.0, rate.count * WORTH_WAKING)
    freed = rate.count - sum(one.messages for one in counted)
    for one in counted:
        freed += one.messages
        if freed >= wanted:
            return one.counts_until
    return now
