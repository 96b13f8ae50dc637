"""``end``: the run leaves; with a reason it is an exit (rule 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import StringConstraints

from journeyflow.core.nodes.base import Leave, Node, Visit


class EndNode(Node):
    """Ends the run."""

    type: Literal["end"]
    next: None = None
    reason: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None

    def enter(self, visit: Visit) -> Leave:
        return Leave(None if self.reason is None else f"end:{self.reason}")

    def exits(self) -> Iterator[tuple[str, str | None]]:
        return iter(())
