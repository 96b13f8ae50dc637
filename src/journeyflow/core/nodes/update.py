"""``update``: change the contact's attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, StrictFloat, StrictInt

from journeyflow.core.leaf import shown
from journeyflow.core.nodes.base import ActionNode, Go, Visit
from journeyflow.core.values import (
    JSON,
    Missing,
    Nested,
    Path,
    PathKeys,
    Ref,
    look_up,
    number_or_none,
    of_the_whole,
    parse_path,
    texts_inside,
)

Step = Annotated[StrictInt | StrictFloat, Field(ge=-1e15, le=1e15)]
INTEGER_MAX: Final = 2**63 - 1
"""The largest whole number that every store of JSON keeps exactly."""


class UpdateNode(ActionNode):
    """Sets, takes away and increments attributes; a text that is set is Liquid.

    What is no number is not counted on: it stays as it is, and the trail says so.
    """

    type: Literal["update"]
    set: dict[Path, Nested] = Field(default_factory=dict)
    unset: tuple[Path, ...] = ()
    increment: dict[Path, Step | Ref] = Field(default_factory=dict)

    @of_the_whole
    def _something_to_do(self) -> UpdateNode:
        if not self.set and not self.unset and not self.increment:
            raise ValueError("expected set, unset or increment")
        return self

    def act(self, visit: Visit) -> Go:
        changes: list[tuple[PathKeys, JSON]] = []
        set_: dict[str, JSON] = {}
        unchanged: dict[str, JSON] = {}
        for path, wanted in self.set.items():
            value = visit.filled(wanted)
            if not isinstance(value, Missing) and value is not None:
                changes.append((parse_path(path), value))
                set_[path] = value
        for path, by in self.increment.items():
            step = visit.view.find(by.ref) if isinstance(by, Ref) else by
            before = _present(visit.decision.contact.attributes, parse_path(path))
            total = _sum(0 if isinstance(before, Missing) else before, step)
            if total is None:
                # Neither what is there is overwritten, nor is anything made of what is no number.
                wrong = step if number_or_none(step) is None else before
                unchanged[path] = shown(wrong, mismatch=True)
                continue
            changes.append((parse_path(path), total))
            set_[path] = total
        changes.extend((parse_path(path), None) for path in self.unset)
        visit.decision.set_attributes(changes)
        detail: dict[str, JSON] = {"set": set_, "unset": [*self.unset]}
        if unchanged:
            detail["unchanged"] = unchanged
        visit.record("ran", detail)
        return Go(self.next)

    def liquid(self) -> Iterator[tuple[str, str]]:
        for path, value in self.set.items():
            yield from texts_inside(f"set.{path}", value)


def _present(attributes: dict[str, JSON], keys: PathKeys) -> JSON | Missing:
    """What stands at the path, or in its way: a text where the path goes on as if it were a mapping."""
    for length in range(1, len(keys)):
        inner = look_up(attributes, keys[:length])
        if not isinstance(inner, Missing | (list if isinstance(keys[length], int) else dict)):
            return inner
    return look_up(attributes, keys)


def _sum(before: JSON, step: JSON | Missing) -> float | None:
    one, two = number_or_none(before), number_or_none(step)
    if one is None or two is None:
        return None
    total = one + two
    return total if abs(total) <= INTEGER_MAX else float(total)
