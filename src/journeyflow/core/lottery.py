"""Draws that anyone can compute again: holdouts and the arms of a split (rule 3.4). There is no chance in them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

_SEPARATOR: Final = "\x1f"
_SPAN: Final = 2**64


def draw(workspace: str, journey: str, node: str, contact: str, run: str | None = None) -> float:
    """The lot of a contact (of a run, where one is given) at a node: evenly spread over 0 to 1.

    ``node`` is ``holdout`` for the holdout. The first 8 bytes of the sha256 of the parts, joined with 0x1F, divided
    by 2^64; the division rounds to the nearest float, so that the highest of all lots is 1.0.
    """
    parts = (workspace, journey, node, contact) if run is None else (workspace, journey, node, contact, run)
    # A key may hold half a surrogate pair, which plain UTF-8 refuses.
    digest = sha256(_SEPARATOR.join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / _SPAN


def pick(u: float, weights: Sequence[float]) -> int:
    """The index of the arm that the lot ``u`` falls on; arms take their share of the total weight in order.

    :raises ValueError: when no weight is above zero.
    """
    target = u * sum(weights)
    reached = 0.0
    chosen = None
    for index, weight in enumerate(weights):
        if weight > 0:
            chosen = index
            reached += weight
            if target < reached:
                break
    if chosen is None:
        raise ValueError("expected at least one weight above zero")
    return chosen


def held_out(u: float, percent: float) -> bool:
    """Whether the lot falls into the holdout."""
    return u * 100 < percent
