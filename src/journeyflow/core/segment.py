"""A named condition over contacts (format.md, "The other documents")."""

from __future__ import annotations

from journeyflow.core.conditions import Condition
from journeyflow.core.values import Model, Name, Slug


class Segment(Model):
    """One segment's document: a contact is in it while ``when`` holds."""

    segment: Slug
    name: Name | None = None
    description: str | None = None
    labels: tuple[Name, ...] = ()
    when: Condition
