"""One question with answers to click in a message (format.md, "The other documents")."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, model_validator

from journeyflow.core.values import Model, Name, Path, Slug


class Choice(Model):
    """An answer: what it is called, the tag that it puts on, the attributes that it sets."""

    id: Slug
    label: Name
    tag: Name | None = None
    set: dict[Path, JsonValue] = Field(default_factory=dict)


class Survey(Model):
    """A question and what each answer makes of the contact."""

    survey: Slug
    name: Name | None = None
    description: str | None = None
    question: Annotated[str, Field(min_length=1, max_length=1_000)]
    choices: Annotated[tuple[Choice, ...], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _ids_once(self) -> Survey:
        ids = [choice.id for choice in self.choices]
        doubled = next((id_ for id_ in ids if ids.count(id_) > 1), None)
        if doubled is not None:
            raise ValueError(f"expected each choice once; {doubled} comes twice")
        return self

    def choice(self, id_: object) -> Choice | None:
        """The answer of that id."""
        return next((one for one in self.choices if one.id == id_), None)
