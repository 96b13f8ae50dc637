"""Where coupon codes come from, and how long they are good."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StrictStr, StringConstraints, field_validator

from journeyflow.core.local_time import end_of_local_day
from journeyflow.core.values import JSON, Model, Name, PositiveDuration, Slug, each_once, of_the_whole

ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 characters without look-alikes (no I, O, 0, 1)."""


CODES_LISTED_MAX: Final = 10_000
"""So many codes a document lists; more of them are uploaded."""
CODE_LENGTH_MAX: Final = 128


def is_code(text: str) -> bool:
    """Whether a text can be a coupon code: printable, nothing in front or behind, not too long."""
    return 0 < len(text) <= CODE_LENGTH_MAX and text.isprintable() and text == text.strip()


def _code(text: str) -> str:
    if not is_code(text):
        raise ValueError(f"expected a code of 1 to {CODE_LENGTH_MAX} printable characters")
    return text


Code = Annotated[StrictStr, AfterValidator(_code)]


class CouponPool(Model):
    """A source of codes.

    ``generated`` ones are unguessable, each ``prefix`` and ``length`` characters of :data:`ALPHABET`; ``uploaded`` ones
    come through the API; or there is a list of them here.
    """

    coupon_pool: Slug
    name: Name | None = None
    description: str | None = None
    codes: Literal["generated", "uploaded"] | Annotated[tuple[Code, ...], Field(max_length=CODES_LISTED_MAX)]
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,32}$")] = ""
    length: Annotated[int, Field(strict=True, ge=8, le=64)] = 10
    discount: dict[str, JSON] | None = None
    valid_for: PositiveDuration = timedelta(days=30)
    reuse: Literal["while_valid", "never"] = "while_valid"
    low_water: Annotated[int, Field(strict=True, ge=0)] = 100

    @field_validator("codes")
    @classmethod
    def _codes_once(cls, codes: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(codes, tuple):
            each_once("code", (((index,), code) for index, code in enumerate(codes)))
        return codes

    @of_the_whole
    def _fields_of_its_kind(self) -> CouponPool:
        if self.stocked and self.model_fields_set & {"prefix", "length"}:
            raise ValueError("expected prefix and length only beside codes: generated")
        return self

    @property
    def stocked(self) -> bool:
        """Whether there is a stock of codes, which can run out."""
        return self.codes != "generated"

    @property
    def listed(self) -> tuple[str, ...]:
        """The codes that the document lists."""
        return () if isinstance(self.codes, str) else self.codes

    @property
    def low_at(self) -> int:
        """With fewer codes than this somebody should be told; a short list in the document is short on purpose."""
        if not self.stocked or (self.listed and "low_water" not in self.model_fields_set):
            return 0
        return self.low_water

    def expires_at(self, now: datetime, zone: ZoneInfo) -> str:
        """The end of the local day on which the validity ends, ISO 8601 with the local offset."""
        return end_of_local_day(now + self.valid_for, zone).isoformat()
