"""A stage of the customer's life with the shop, and what the customer journey map says of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from journeyflow.core.conditions import Condition
from journeyflow.core.values import Model, Name, Slug

Words = str | Annotated[tuple[str, ...], Field(max_length=100)]
"""What the map says: one text, or a list of them."""


class Stage(Model):
    """One stage; without ``when`` only a ``stage`` node brings a contact into it."""

    id: Slug
    name: Name | None = None
    description: str | None = None
    when: Condition | None = None
    contact_wants: Words | None = None
    thoughts: Words | None = None
    feelings: Words | None = None
    barriers: Words | None = None
    opportunities: Words | None = None
