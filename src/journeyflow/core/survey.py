"""One question with answers to click in a message (format.md, "The other documents")."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, field_validator

from journeyflow.core.values import Model, Name, Path, Slug, each_once


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

    @field_validator("choices")
    @classmethod
    def _ids_once(cls, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
        each_once("choice", (((index, "id"), choice.id) for index, choice in enumerate(choices)))
        return choices

    def choice(self, id_: object) -> Choice | None:
        """The answer of that id."""
        return next((one for one in self.choices if one.id == id_), None)
