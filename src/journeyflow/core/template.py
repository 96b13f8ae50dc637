"""A message's text, all Liquid: of an e-mail subject, preheader and body, of an SMS or a push message the body.

And the parts that templates of e-mails share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from journeyflow.core.values import Model, Name, Slug
from journeyflow.core.workspace import Channel, Tracking

_PARTS_OF_EMAIL: Final = ("subject", "preheader", "layout", "format", "text")
Source = Annotated[str, StringConstraints(max_length=500_000)]


class Template(Model):
    """A message's template; the ``text`` of an e-mail is made from its HTML where it is not given."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"channel": {"enum": ["sms", "push"]}}, "required": ["channel"]},
            "then": {"properties": dict.fromkeys(_PARTS_OF_EMAIL, False)},
            "else": {"required": ["subject"]},
        }
    )

    template: Slug
    name: Name | None = None
    description: str | None = None
    channel: Channel = "email"
    subject: Annotated[str, StringConstraints(min_length=1, max_length=2_000)] | None = Field(
        default=None, validate_default=True
    )
    preheader: Annotated[str, StringConstraints(max_length=2_000)] | None = None
    layout: Slug | None = None
    format: Literal["mjml", "html", "markdown"] = "html"
    body: Source
    text: Source | None = None
    tracking: Tracking | None = None

    @field_validator("subject")
    @classmethod
    def _subject_of_email(cls, subject: str | None, info: ValidationInfo) -> str | None:
        channel = info.data.get("channel")
        if channel == "email" and subject is None:
            raise PydanticCustomError("missing", "Field required")
        if subject is not None:
            _of_email(channel)
        return subject

    @field_validator(*_PARTS_OF_EMAIL[1:])
    @classmethod
    def _parts_of_email(cls, part: str | None, info: ValidationInfo) -> str | None:
        if part is not None:
            _of_email(info.data.get("channel"))
        return part


def _of_email(channel: str | None) -> None:
    if channel in ("sms", "push"):
        raise ValueError("expected only body on an SMS or a push message, this is for channel: email")


class Layout(Model):
    """What stands around the bodies of templates; ``{{ content }}`` is where they stand."""

    layout: Slug
    name: Name | None = None
    description: str | None = None
    format: Literal["mjml", "html"] = "html"
    body: Source


class Partial(Model):
    """A piece that templates, layouts and other partials show with ``{% render "id" %}``."""

    partial: Slug
    name: Name | None = None
    description: str | None = None
    body: Source


@dataclass(frozen=True, slots=True)
class Parts:
    """The layouts and partials that a template may name, by id."""

    layouts: Mapping[str, Layout] = field(default_factory=dict)
    partials: Mapping[str, Partial] = field(default_factory=dict)


NO_PARTS = Parts()
