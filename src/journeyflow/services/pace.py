"""Keeping to a channel's sending rate: never more than so many in any stretch of its length."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from journeyflow.core.values import from_micros, to_micros
from journeyflow.core.workspace import Rate

GRAINS: Final = 100
"""Into so many parts a rate's stretch is cut; what was sent in one part is counted together, up to its end."""
WORTH_WAKING: Final = 0.1
"""It is waited until this part of the rate is free again, so as not to wake for each single message."""


class Pace:
    """What was handed over on each channel lately. ``rates`` are those in force; a channel without one is free."""

    def __init__(self, rates: Iterable[tuple[str, Rate]] = ()) -> None:
        self.rates = dict(rates)
        self._sent: dict[str, deque[tuple[datetime, int]]] = {}

    def follow(self, rates: Iterable[tuple[str, Rate]]) -> None:
        """Other rates are in force; what was sent before them counts."""
        self.rates = dict(rates)

    def room(self, now: datetime) -> dict[str, int]:
        """How many messages may go out now, for each channel with a rate."""
        return {channel: rate.count - self._counted(channel, now) for channel, rate in self.rates.items()}

    def sent(self, channel: str, at: datetime) -> None:
        """A message was handed over, or it was tried."""
        rate = self.rates.get(channel)
        if rate is None:
            self._sent.pop(channel, None)
            return
        counts_until = _end_of_grain(at, rate) + timedelta(seconds=rate.seconds)
        log = self._sent.setdefault(channel, deque())
        if log and log[-1][0] >= counts_until:
            log[-1] = (log[-1][0], log[-1][1] + 1)
        else:
            log.append((counts_until, 1))

    def free_at(self, channel: str, now: datetime) -> datetime:
        """When it is worth looking again whether more may go out."""
        rate = self.rates.get(channel)
        if rate is None or self._counted(channel, now) < rate.count:
            return now
        wanted = max(1.0, rate.count * WORTH_WAKING)
        freed = 0
        for counts_until, count in self._sent[channel]:
            freed += count
            if freed >= wanted:
                return counts_until
        return now

    def _counted(self, channel: str, now: datetime) -> int:
        log = self._sent.get(channel, deque())
        while log and log[0][0] <= now:
            log.popleft()
        return sum(count for _, count in log)


def _end_of_grain(at: datetime, rate: Rate) -> datetime:
    grain = rate.seconds * 1_000_000 // GRAINS
    return from_micros(-(-to_micros(at) // grain) * grain)
