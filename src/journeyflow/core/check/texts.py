"""What templates, layouts and partials say of each other, and of surveys, and is not so; and their Liquid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set

from journeyflow.core.check.broken import Broken
from journeyflow.core.check.finding import Finding, similar
from journeyflow.core.documents import Documents, id_of, kind_of
from journeyflow.core.errors import TemplateError
from journeyflow.core.template import Layout, Partial, Template
from journeyflow.core.view import Alone, Mention, Renderer

Document = Template | Layout | Partial


def text_findings(documents: Documents, renderer: Renderer, broken: Broken) -> Iterator[Finding]:
    """Every wrong reference and Liquid error of templates and their parts, each told where it stands."""
    reader = _Reader(documents, renderer, broken)
    parts: list[Layout | Partial] = [*documents.layouts.values(), *documents.partials.values()]
    for part in parts:
        yield from reader.part(part)
    for template in documents.templates.values():
        yield from reader.template(template)


class _Reader:
    """Looks at parts first, then at templates; ``wrong`` are the parts that something was found in."""

    def __init__(self, documents: Documents, renderer: Renderer, broken: Broken) -> None:
        self._documents = documents
        self._renderer = renderer
        self._layouts = {*documents.layouts, *broken.ids("layout")}
        self._partials = {*documents.partials, *broken.ids("partial")}
        self._surveys = {*documents.surveys, *broken.ids("survey")}
        self._told: dict[tuple[str, str], Alone] = {}
        self._wrong: set[str] = set()

    def part(self, part: Layout | Partial) -> list[Finding]:
        """What is wrong with a layout or partial itself."""
        found = [*self._references(part), *(_liquid(part, error) for error in self._alone(part).errors)]
        if isinstance(part, Partial) and not found:
            found.extend(self._circle(part))
        if found:
            self._wrong.add(f"{kind_of(part)}:{id_of(part)}")
        return [*found, *self._unknown(part, "survey", self._alone(part).surveys, self._surveys)]

    def template(self, template: Template) -> list[Finding]:
        """What is wrong with a template; where it is with a part of it, that part has said so.

        A template that can't be put together is looked at text by text alone.
        """
        errors = {error.part: error for error in self._alone(template).errors}
        if self._is_whole(template):
            for error in self._errors_together(template):
                errors.setdefault(error.part, error)
        surveys = self._unknown(template, "survey", self._alone(template).surveys, self._surveys)
        return [*self._references(template), *surveys, *(_liquid(template, error) for error in errors.values())]

    def _alone(self, document: Document) -> Alone:
        of = (kind_of(document), id_of(document))
        if of not in self._told:
            self._told[of] = self._renderer.alone(document)
        return self._told[of]

    def _errors_together(self, template: Template) -> Sequence[TemplateError]:
        try:
            self._renderer.message(template, self._documents.parts)
        except TemplateError as first:
            return (first, *first.others)
        return ()

    def _references(self, document: Document) -> Iterator[Finding]:
        if isinstance(document, Template) and document.layout is not None and document.layout not in self._layouts:
            message = f"expected the id of a layout{similar(document.layout, self._layouts)}"
            yield Finding("template", document.template, "layout", "JF012", message, document.layout)
        yield from self._unknown(document, "partial", self._alone(document).partials, self._partials)

    def _unknown(self, document: Document, kind: str, named: Iterable[Mention], known: Set[str]) -> Iterator[Finding]:
        for path, line, id_ in named:
            if id_ not in known:
                message = f"line {line}: expected the id of a {kind}{similar(id_, known)}"
                yield Finding(kind_of(document), id_of(document), path, "JF012", message, id_, line)

    def _is_whole(self, template: Template) -> bool:
        """Whether every part that goes into the template is there, and right by itself."""
        waiting: list[Document] = [template]
        seen: set[str] = set()
        while waiting:
            document = waiting.pop()
            if isinstance(document, Template) and document.layout is not None:
                layout = self._documents.layouts.get(document.layout)
                if layout is None or f"layout:{document.layout}" in self._wrong:
                    return False
                waiting.append(layout)
            for id_ in self._shown_by(document):
                partial = self._documents.partials.get(id_)
                if partial is None or f"partial:{id_}" in self._wrong:
                    return False
                if id_ not in seen:
                    seen.add(id_)
                    waiting.append(partial)
        return True

    def _circle(self, partial: Partial) -> Iterator[Finding]:
        """The shortest way on which a partial shows itself."""
        ways: list[tuple[str, ...]] = [(partial.partial,)]
        seen: set[str] = set()
        for way in ways:  # grows while it is gone through
            for id_ in self._shown_by(self._documents.partials.get(way[-1])):
                if id_ == partial.partial:
                    message = f"expected a partial that does not show itself: {' → '.join([*way, id_])}"
                    yield Finding("partial", id_, "body", "JF013", message, id_)
                    return
                if id_ not in seen:
                    seen.add(id_)
                    ways.append((*way, id_))

    def _shown_by(self, document: Document | None) -> list[str]:
        return [] if document is None else [mention.id for mention in self._alone(document).partials]


def _liquid(document: Document, error: TemplateError) -> Finding:
    """A Liquid error, with the line that is wrong as the offending value."""
    part = error.part or "body"
    text = str(getattr(document, part, None) or document.body)
    lines = text.splitlines()
    shown = lines[error.line - 1].strip() if error.line is not None and error.line <= len(lines) else text
    message = f"expected Liquid that compiles: {error.located}"
    return Finding(kind_of(document), id_of(document), part, "JF013", message, shown[:80], error.line)
