"""A message's text: subject, preheader and body, all Liquid."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from journeyflow.core.values import Model, Name, Slug

Source = Annotated[str, StringConstraints(max_length=500_000)]


class Template(Model):
    """An e-mail's template; ``text`` is made from the HTML where it is not given."""

    template: Slug
    name: Name | None = None
    description: str | None = None
    channel: Literal["email"] = "email"
    subject: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    preheader: Annotated[str, StringConstraints(max_length=2_000)] | None = None
    format: Literal["mjml", "html", "markdown"] = "html"
    body: Source
    text: Source | None = None
