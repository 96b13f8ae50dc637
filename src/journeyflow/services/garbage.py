"""Python's cycle collector, in a process that decides for a living."""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (100_000, 50, 50)


def collect_rarely() -> None:
    """What a decision makes dies with it, without the cycle collector; let that look rarely.

    With Python's own thresholds it looks through a batch's live objects over and over, for up to a third of the
    engine's time. What is there when this is called is never looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
