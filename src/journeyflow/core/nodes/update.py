"""``update``: change the contact's attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, StrictFloat, StrictInt, model_validator

from journeyflow.core.nodes.base import ActionNode, Go, Visit
from journeyflow.core.values import JSON, Missing, Path, PathKeys, Ref, Value, look_up, number_or_none, parse_path

Step = Annotated[StrictInt | StrictFloat, Field(ge=-1e15, le=1e15)]
INTEGER_MAX: Final = 2**63 - 1
"""The largest whole number that every store of JSON keeps exactly."""


class UpdateNode(ActionNode):
    """Sets, takes away and increments attributes; a text that is set is Liquid."""

    type: Literal["update"]
    set: dict[Path, Value] = Field(default_factory=dict)
    unset: tuple[Path, ...] = ()
    increment: dict[Path, Step | Ref] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something_to_do(self) -> UpdateNode:
        if not self.set and not self.unset and not self.increment:
            raise ValueError("expected set, unset or increment")
        return self

    def act(self, visit: Visit) -> Go:
        changes: list[tuple[PathKeys, JSON]] = []
        shown: dict[str, JSON] = {}
        for path, wanted in self.set.items():
            value = visit.value(wanted)
            if not isinstance(value, Missing) and value is not None:
                changes.append((parse_path(path), value))
                shown[path] = value
        for path, by in self.increment.items():
            step = number_or_none(visit.view.find(by.ref)) if isinstance(by, Ref) else by
            if step is None:  # what the reference names is no number: nothing to count on by
                continue
            value = self._incremented(visit, parse_path(path), step)
            changes.append((parse_path(path), value))
            shown[path] = value
        changes.extend((parse_path(path), None) for path in self.unset)
        visit.decision.set_attributes(changes)
        visit.record("ran", {"set": shown, "unset": [*self.unset]})
        return Go(self.next)

    @staticmethod
    def _incremented(visit: Visit, keys: PathKeys, by: float) -> float:
        before = number_or_none(look_up(visit.decision.contact.attributes, keys))
        total = (0 if before is None else before) + by
        return total if abs(total) <= INTEGER_MAX else float(total)

    def liquid(self) -> Iterator[tuple[str, str]]:
        yield from ((f"set.{path}", text) for path, text in self.set.items() if isinstance(text, str))
