"""Reading ahead: contacts ask one after the other, and a few statements answer them all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
Rows = Sequence[Any]  # Any: rows of a statement, whose first column is the contact
Reading = Callable[[Sequence[str], int | None], Rows]
"""Rows of these contacts, those of each together, at most so many: ``(contacts, limit)``."""

FIRST: Final = 8
"""Who asks first is read together with so many of those that may ask next."""
GROWTH: Final = 8
"""Each time that somebody asks who was not read, so many times as many are read as the time before."""
CONTACTS_MAX: Final = 4_096
ROWS_MAX: Final = 20_000
"""So many rows are read at once, and about so many kept; only the rows of one contact alone may be more."""


class Ahead(Generic[T]):
    """The answers to one question for the contacts of a turn.

    Where all ask, the number of statements grows with the logarithm of how many they are; where one asks, few are read
    for nothing. ``make`` turns a contact's rows into its answer, when it is asked for.
    """

    __slots__ = ("_answers", "_coming", "_kept", "_make", "_read", "_rows", "_size")

    def __init__(self, contacts: Iterable[str], read: Reading, make: Callable[[Rows], T]) -> None:
        self._coming = deque(contacts)
        self._read = read
        self._make = make
        self._size = FIRST
        self._rows: dict[str, Rows] = {}
        self._answers: dict[str, T] = {}
        self._kept = 0

    def of(self, contact: str) -> T:
        """The answer for one contact."""
        if contact not in self._answers:
            if contact not in self._rows:
                self._fill(contact)
            self._answers[contact] = self._make(self._rows.pop(contact))
        return self._answers[contact]

    def _fill(self, contact: str) -> None:
        if self._kept >= ROWS_MAX:  # who was read before has had its turn; if not, it is read again
            self._rows, self._answers, self._kept = {}, {}, 0
        found = self._complete([contact, *self._others(contact)])
        if contact not in found:
            found[contact] = self._read([contact], None)
        self._rows |= found
        self._kept += sum(map(len, found.values()))

    def _others(self, contact: str) -> Iterator[str]:
        """Those who are read along with somebody."""
        left = self._size - 1
        while left and self._coming:
            other = self._coming.popleft()
            if other != contact and other not in self._rows and other not in self._answers:
                left -= 1
                yield other

    def _complete(self, contacts: Sequence[str]) -> dict[str, Rows]:
        """The rows of contacts; where they are too many, those of some of them."""
        rows = self._read(contacts, ROWS_MAX)
        found: dict[str, Rows] = {key: [*mine] for key, mine in groupby(rows, itemgetter(0))}
        if len(rows) < ROWS_MAX:
            self._size = min(self._size * GROWTH, CONTACTS_MAX)
            return dict.fromkeys(contacts, ()) | found
        del found[rows[-1][0]]
        self._size = max(1, len(found))
        self._coming.extendleft(one for one in contacts[1:] if one not in found)
        return found
