"""A message's text: subject, preheader and body, all Liquid; and the parts that templates share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import StringConstraints

from journeyflow.core.values import Model, Name, Slug
from journeyflow.core.workspace import Tracking

Source = Annotated[str, StringConstraints(max_length=500_000)]


class Template(Model):
    """An e-mail's template; ``text`` is made from the HTML where it is not given."""

    template: Slug
    name: Name | None = None
    description: str | None = None
    channel: Literal["email"] = "email"
    subject: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    preheader: Annotated[str, StringConstraints(max_length=2_000)] | None = None
    layout: Slug | None = None
    format: Literal["mjml", "html", "markdown"] = "html"
    body: Source
    text: Source | None = None
    tracking: Tracking | None = None


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
