"""What ``sms`` and ``push`` have in common: a text of their own, where there is no template."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from journeyflow.core.nodes.base import Visit
from journeyflow.core.nodes.message import MessageNode, Text
from journeyflow.core.template import NO_PARTS, Template
from journeyflow.core.values import JSON, demand_one, of_the_whole
from journeyflow.core.view import Library, StoredTemplate


class ShortMessageNode(MessageNode):
    """Sends a message that is one plain text."""

    text: Text | None = None

    @of_the_whole
    def _one_source(self) -> ShortMessageNode:
        demand_one({"template": self.template, "text": self.text})
        return self

    @cached_property
    def _own_template(self) -> Template:
        return Template(template="text", channel=self.channel, body=self.text or "")

    def source(self, library: Library) -> StoredTemplate | None:
        if self.text is None:
            return super().source(library)
        return StoredTemplate(0, library.renderer.message(self._own_template, NO_PARTS))

    def overrides(self, visit: Visit) -> dict[str, JSON]:
        return {} if self.text is None else {"text": self.text}

    def liquid(self) -> Iterator[tuple[str, str]]:
        yield from super().liquid()
        if self.text is not None:
            yield "text", self.text
