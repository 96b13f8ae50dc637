"""``tag``: put tags on the contact and take tags off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from journeyflow.core.nodes.base import ActionNode, Go, Visit
from journeyflow.core.values import Name, of_the_whole


class TagNode(ActionNode):
    """Adds and removes tags; the names are Liquid."""

    type: Literal["tag"]
    add: tuple[Name, ...] = ()
    remove: tuple[Name, ...] = ()

    @of_the_whole
    def _something_to_do(self) -> TagNode:
        if not self.add and not self.remove:
            raise ValueError("expected add or remove, with at least one tag")
        return self

    def act(self, visit: Visit) -> Go:
        add = [tag for tag in map(visit.fill, self.add) if tag.strip()]
        remove = [tag for tag in map(visit.fill, self.remove) if tag.strip()]
        added, removed = visit.decision.change_tags(add, remove)
        visit.record("ran", {"added": [*added], "removed": [*removed]})
        return Go(self.next)

    def liquid(self) -> Iterator[tuple[str, str]]:
        yield from ((f"add[{index}]", tag) for index, tag in enumerate(self.add))
        yield from ((f"remove[{index}]", tag) for index, tag in enumerate(self.remove))
