"""Where coupon codes come from, and how long they are good."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints

from journeyflow.core.local_time import end_of_local_day
from journeyflow.core.values import JSON, Model, Name, PositiveDuration, Slug

ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 characters without look-alikes (no I, O, 0, 1)."""


class CouponPool(Model):
    """A source of unguessable codes; each is ``prefix`` and ``length`` characters of :data:`ALPHABET`."""

    coupon_pool: Slug
    name: Name | None = None
    description: str | None = None
    codes: Literal["generated"]
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,32}$")] = ""
    length: Annotated[int, Field(strict=True, ge=8, le=64)] = 10
    discount: dict[str, JSON] | None = None
    valid_for: PositiveDuration = timedelta(days=30)
    reuse: Literal["while_valid", "never"] = "while_valid"

    def expires_at(self, now: datetime, zone: ZoneInfo) -> str:
        """The end of the local day on which the validity ends, ISO 8601 with the local offset."""
        return end_of_local_day(now + self.valid_for, zone).isoformat()
