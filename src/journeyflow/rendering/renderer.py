"""The template language as the core asks for it (:class:`journeyflow.core.view.Renderer`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Final

from journeyflow.core.errors import TemplateError
from journeyflow.core.template import Layout, Partial, Parts, Template
from journeyflow.core.view import Alone, Mention
from journeyflow.rendering.compose import NamedPart, check_content, partials_in
from journeyflow.rendering.liquid import CompiledText, Kind, Liquid
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
            for path, source, _ in _texts(waiting.pop()):
                for named in _named(path, source):
                    found = parts.partials.get(named.id)
                    if found is not None and named.id not in used:
                        used[named.id] = found
                        waiting.append(found)
        return tuple(used.values())

    def alone(self, document: Template | Layout | Partial) -> Alone:
        """What the texts of a document say by themselves, whatever goes into them and whatever they are put into."""
        found = Alone([], [], [])
        for path, source, kind in _texts(document):
            try:
                if kind is not Kind.ACTION:
                    found.partials.extend(_once(path, partials_in(source)))
                surveys = _liquid().surveys(source, kind)
                found.surveys.extend(Mention(path, line, id_) for id_, line in surveys.items())
                _liquid().check(source, kind)
                if isinstance(document, Layout):
                    check_content(document)
            except TemplateError as error:
                found.errors.append(error.within(path))
        return found


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


def _once(path: str, named: Iterable[NamedPart]) -> Iterator[Mention]:
    seen: set[str] = set()
    for one in named:
        if one.id not in seen:
            seen.add(one.id)
            yield Mention(path, one.line, one.id)


def _texts(document: Template | Layout | Partial) -> Iterator[tuple[str, str, Kind]]:
    """The texts of a document: the field, what stands there, and what it is part of."""
    kind = Kind.HTML
    if isinstance(document, Template):
        if document.subject is not None:
            yield "subject", document.subject, Kind.LINE
        if document.preheader is not None:
            yield "preheader", document.preheader, Kind.LINE
        if document.text is not None:
            yield "text", document.text, Kind.PLAIN
        kind = Kind.HTML if document.channel == "email" else Kind.ACTION
    yield "body", document.body, kind
