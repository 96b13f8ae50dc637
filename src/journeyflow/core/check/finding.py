"""What is wrong in one place of one document of a set."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Finding:
    """An error in the document ``kind`` ``id`` at ``path``."""

    kind: str
    id: str
    path: str
    code: str
    message: str
    value: str
    line: int | None = None
    """Of the text at ``path``, from 1, where it is not about all of it."""


def similar(wanted: str, known: object) -> str:
    """What may have been meant instead of a name that is not known."""
    names = [str(name) for name in known] if hasattr(known, "__iter__") else []
    close = get_close_matches(wanted, names, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there are {', '.join(sorted(names)[:8])}" if names else "; there are none"
