"""Making the calls of webhooks: what is claimed, and when a call that failed is made again (rules 4.8, 4.10)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from journeyflow.core.errors import DeliveryError, Refused
from journeyflow.db import calls
from journeyflow.db.calls import CallOutcome, StoredCall

LEASE: Final = timedelta(minutes=2)
"""A caller that has not reported after so long is taken for dead; an attempt takes half a minute at the most."""
GIVE_UP_AFTER: Final = timedelta(hours=24)
BACK_OFF_FIRST: Final = timedelta(seconds=2)
BACK_OFF_MAX: Final = timedelta(hours=1)


def pick_up(connection: Connection, now: datetime, limit: int) -> list[StoredCall]:
    """Claim due calls; those whose time is over are written down as failed and not among them.

    A run that waits for one of these has its own timer, so that nobody is told.
    """
    claimed = calls.claim(connection, now, now + LEASE, limit)
    late = [CallOutcome(call, "failed", now, reason="timeout") for call in claimed if now >= call.expires_at]
    calls.write_down(connection, late)
    return [call for call in claimed if now < call.expires_at]


def after_failure(call: StoredCall, error: DeliveryError, now: datetime, jitter: float) -> CallOutcome:
    """Try again later, or give up; ``jitter`` is in [0, 1)."""
    reason = str(error) or type(error).__name__
    if isinstance(error, Refused):
        return CallOutcome(call, "failed", now, reason=reason)
    pause = min(BACK_OFF_MAX, BACK_OFF_FIRST * 2 ** min(call.attempts, 20)) * (0.5 + jitter)
    again = now + pause
    if again >= min(call.expires_at, call.queued_at + GIVE_UP_AFTER):
        return CallOutcome(call, "failed", now, reason=reason)
    return CallOutcome(call, "queued", now, reason=reason, due_at=again)
