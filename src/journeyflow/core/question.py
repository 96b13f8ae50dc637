"""A definition as a question that also says what its answer rests on, so that it is asked again only when that changes.

"All of A, B and C" that fails by B alone goes on failing as long as nothing that B reads has changed: so a contact who
has had no message is not judged by every order it makes.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from journeyflow.core.conditions import Condition
from journeyflow.core.sight import Sight


class Verdict(NamedTuple):
    """An answer, when time alone can next change it, and the changes of the contact that can."""

    held: bool
    edge: datetime | None
    rests_on: frozenset[str]


class Question(NamedTuple):
    """A condition, taken apart: ``rests_on`` are all changes that can make a difference to it.

    ``deciding`` is the answer of a part that decides alone, false of ``all`` and true of ``any``; ``None`` where there
    is one part, of ``not``, or none.
    """

    condition: Condition
    rests_on: frozenset[str]
    parts: tuple[Question, ...]
    deciding: bool | None

    def ask(self, view: Sight) -> Verdict:
        """Judge the contact now."""
        if self.deciding is not None:
            return self._ask_parts(view, self.deciding)
        if self.parts:
            held, edge, rests_on = self.parts[0].ask(view)
            return Verdict(not held, edge, rests_on)
        held, edge = self.condition.answer(view)
        return Verdict(held, edge, self.rests_on)

    def _ask_parts(self, view: Sight, deciding: bool) -> Verdict:
        """One part that decides is enough; where there is none, any change of any part can be one."""
        earliest: datetime | None = None
        decided: Verdict | None = None
        for part in self.parts:
            verdict = part.ask(view)
            held, edge, _ = verdict
            if held == deciding:
                if edge is None:
                    return verdict
                if decided is None or decided.edge is None or edge > decided.edge:
                    decided = verdict
            elif edge is not None and (earliest is None or edge < earliest):
                earliest = edge
        return Verdict(not deciding, earliest, self.rests_on) if decided is None else decided
