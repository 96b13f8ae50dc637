"""Something wrong that shows only when documents are looked at together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from journeyflow.core.check.problem import first_of

NAME_LENGTH_MAX: Final = 64
NAMES_MAX: Final = 8
"""So many names are offered where none is like the one that was wanted."""
CLOSENESS_MIN: Final = 0.65
"""Of 1, how alike names are of which one may have been meant: ``tga`` and ``tag``; not ``vip-1`` and ``review-1``."""


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


def closest(wanted: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant."""
    return next(iter(get_close_matches(wanted, [*known], n=1, cutoff=CLOSENESS_MIN)), None)


def similar(wanted: str, known: Iterable[str]) -> str:
    """What may have been meant, or what there is."""
    # What is no id, of a document that is wrong for that, is nothing to offer.
    names = [name for name in known if 0 < len(name) <= NAME_LENGTH_MAX and name.isprintable()]
    meant = closest(wanted, names)
    if meant is not None:
        return f"; did you mean {meant}?"
    return f"; there are {', '.join(first_of(sorted(names), NAMES_MAX))}" if names else "; there are none"


def unknown_id(kind: str, id_: str, path: str, wanted_kind: str, target: str, known: Iterable[str]) -> Finding:
    """An id that no document has."""
    message = f"expected the id of a {wanted_kind.replace('_', ' ')}{similar(target, known)}"
    return Finding(kind, id_, path, "JF012", message, target)
