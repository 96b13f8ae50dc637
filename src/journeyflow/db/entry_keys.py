"""The keys of runs (rule 3.2) as `entries` keeps them: a key can be any text, and what an index takes is bounded."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

BYTES_MAX: Final = 1_000
"""Longer keys are kept as their digest. PostgreSQL's indexes take 2,700 bytes a row, of all its columns together."""
_CHARACTER_BYTES_MAX: Final = 4


def stored(key: str) -> str:
    """The key itself, or where it is long one that stands for it; no two keys share one."""
    if len(key) * _CHARACTER_BYTES_MAX <= BYTES_MAX:
        return key
    text = key.encode("utf-8", "surrogatepass")
    return key if len(text) <= BYTES_MAX else f"sha256\x1f{sha256(text).hexdigest()}"
