"""The template language as the core asks for it (:class:`journeyflow.core.view.Renderer`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Final

from journeyflow.core.errors import TemplateError
from journeyflow.core.template import Layout, Partial, Parts, Template
from journeyflow.core.view import Mention
from journeyflow.rendering.compose import NamedPart, check_content, partials_in
from journeyflow.rendering.liquid import CompiledText, Liquid
from journeyflow.rendering.message import CompiledEmail, compile_email
from journeyflow.rendering.short_message import CompiledShortMessage

MESSAGES_KEPT_MAX: Final = 512


@cache
def _liquid() -> Liquid:
    return Liquid()


class LiquidRenderer:
    """Compiles the texts of actions and whole templates; a process remembers the latest of them."""

    def text(self, source: str) -> CompiledText:
        """A text field of an action, ready to be filled in.

        :raises TemplateError: on a syntax error; names the line and the cause.
        """
        return _liquid().compile(source)

    def message(self, template: Template, parts: Parts) -> CompiledEmail | CompiledShortMessage:
        """A whole template, ready to be filled in, the layout and the partials that it names included.

        :raises TemplateError: on an error, or a part that is not there; names the part, the line and the cause.
        """
        layout = parts.layouts.get(template.layout) if template.layout is not None else None
        return _compiled(template, layout, self._used(template, layout, parts))

    def _used(self, template: Template, layout: Layout | None, parts: Parts) -> tuple[Partial, ...]:
        """The partials that go into a template, so that a change of any other does not make it compile again."""
        used: dict[str, Partial] = {}
        waiting: list[Template | Layout | Partial] = [template, *([] if layout is None else [layout])]
        while waiting:
            for mention in self.partials(waiting.pop()):
                found = parts.partials.get(mention.id)
                if found is not None and mention.id not in used:
                    used[mention.id] = found
                    waiting.append(found)
        return tuple(used.values())

    def part(self, part: Layout | Partial) -> tuple[str, ...]:
        """See that the body of a layout or partial compiles by itself; the ids of the surveys that it shows.

        :raises TemplateError: on an error; names the line and the cause.
        """
        surveys = _liquid().check(part.body)
        if isinstance(part, Layout):
            check_content(part)
        return surveys

    def alone(self, template: Template) -> list[TemplateError]:
        """What is wrong with the texts of a template, each by itself, whatever they are put into."""
        found: list[TemplateError] = []
        for path, source in _texts(template):
            try:
                _liquid().check(source)
            except TemplateError as error:
                found.append(error.within(path))
        return found

    def partials(self, document: Template | Layout | Partial) -> Sequence[Mention]:
        """The partials that the texts of a document itself name, once each for every text.

        :raises TemplateError: where that can't be told, because a tag is not closed or names none; names the part.
        """
        return [
            Mention(path, found.line, found.id)
            for path, source in _texts(document)
            for found in {one.id: one for one in reversed(_named(path, source))}.values()
        ]


@lru_cache(maxsize=MESSAGES_KEPT_MAX)
def _compiled(
    template: Template, layout: Layout | None, partials: tuple[Partial, ...]
) -> CompiledEmail | CompiledShortMessage:
    if template.channel != "email":
        return CompiledShortMessage(_liquid(), template.body)
    assert template.subject is not None
    known = Parts({} if layout is None else {layout.layout: layout}, {partial.partial: partial for partial in partials})
    return compile_email(
        _liquid(),
        subject=template.subject,
        preheader=template.preheader,
        body=template.body,
        format=template.format,
        text=template.text,
        layout=template.layout,
        parts=known,
    )


def _named(path: str, source: str) -> list[NamedPart]:
    try:
        return list(partials_in(source))
    except TemplateError as error:
        raise error.within(path) from error


def _texts(document: Template | Layout | Partial) -> Iterator[tuple[str, str]]:
    if isinstance(document, Template):
        if document.subject is not None:
            yield "subject", document.subject
        if document.preheader is not None:
            yield "preheader", document.preheader
        if document.text is not None:
            yield "text", document.text
    yield "body", document.body
