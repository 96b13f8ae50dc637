"""What every condition that asks something has: its document for the trail, and no edge in time unless it says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
from pydantic import PrivateAttr, model_validator

from journeyflow.core.compare import Operators
from journeyflow.core.values import JSON, Missing, Model
from journeyflow.core.view import View

Because = list[JSON]
"""What a decision saw: ``{path, leaf, value, held}`` for each leaf that was looked at (rule 9.3)."""


class Leaf(Model):
    """A condition that asks something, rather than combining others."""

    _document: JSON = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_document(cls, data: Any, handler: Any) -> Any:  # Any: pydantic's protocol for wrap validators
        made = handler(data)
        if isinstance(data, dict):
            made._document = data
        return made

    def note(self, because: Because | None, path: str, value: JSON, held: bool) -> bool:
        """Write down what was seen, where somebody asked for it."""
        if because is not None:
            because.append({"path": path, "leaf": self._document, "value": value, "held": held})
        return held

    def next_change(self, view: View) -> datetime | None:
        return None

    def parts(self) -> Iterator[Any]:  # Any: a Condition, which is made of the leaves of this module
        """The conditions inside this one."""
        return iter(())


class Count(Operators):
    """How often: operators over a number."""

    @model_validator(mode="after")
    def _some_operator(self) -> Count:
        if not self.given:
            raise ValueError("expected an operator such as gte: 1")
        return self


def shown(seen: JSON | Missing, mismatch: bool) -> JSON:
    """How the trail tells a value that was seen."""
    if isinstance(seen, Missing):
        return "missing"
    if not mismatch:
        return seen
    try:
        text = orjson.dumps(seen).decode()
    except TypeError:  # what JSON can't hold: half a surrogate pair, a number of more than 64 bits
        text = ascii(seen)
    return f"type mismatch: {text if len(text) <= 200 else text[:200] + '…'}"
