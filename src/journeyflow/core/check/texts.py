"""What templates, layouts and partials say of each other, and of surveys, and is not so; and their Liquid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from journeyflow.core.check.finding import Finding, similar
from journeyflow.core.documents import Documents, id_of, kind_of
from journeyflow.core.errors import TemplateError
from journeyflow.core.template import Layout, Partial, Template
from journeyflow.core.view import Renderer

Document = Template | Layout | Partial


def text_findings(documents: Documents, renderer: Renderer) -> Iterator[Finding]:
    """Every wrong reference and Liquid error of templates and their parts, each told where it stands."""
    broken: set[str] = set()
    parts: list[Layout | Partial] = [*documents.layouts.values(), *documents.partials.values()]
    for part in parts:
        found = [*_own(part, documents, renderer), *_compiled_alone(part, documents, renderer)]
        if isinstance(part, Partial) and not found:
            found.extend(_circle(part, documents, renderer))
        if found:
            broken.add(f"{kind_of(part)}:{id_of(part)}")
        yield from found
    for template in documents.templates.values():
        found = list(_own(template, documents, renderer))
        yield from found
        if not found:
            yield from _compiled(template, documents, renderer, broken)


def _own(document: Document, documents: Documents, renderer: Renderer) -> Iterator[Finding]:
    """Layouts and partials that are not there."""
    kind, id_ = kind_of(document), id_of(document)
    if isinstance(document, Template) and document.layout is not None and document.layout not in documents.layouts:
        message = f"expected the id of a layout{similar(document.layout, documents.layouts)}"
        yield Finding(kind, id_, "layout", "JF012", message, document.layout)
    try:
        mentions = renderer.partials(document)
    except TemplateError as error:
        yield Finding(kind, id_, "body", "JF013", f"expected Liquid that compiles: {error}", id_)
        return
    for path, line, partial in mentions:
        if partial not in documents.partials:
            message = f"line {line}: expected the id of a partial{similar(partial, documents.partials)}"
            yield Finding(kind, id_, path, "JF012", message, partial)


def _compiled_alone(part: Layout | Partial, documents: Documents, renderer: Renderer) -> Iterator[Finding]:
    kind, id_ = kind_of(part), id_of(part)
    try:
        surveys = renderer.part(part)
    except TemplateError as error:
        yield Finding(kind, id_, "body", "JF013", f"expected Liquid that compiles: {error}", id_)
        return
    yield from _surveys(kind, id_, surveys, documents)


def _circle(partial: Partial, documents: Documents, renderer: Renderer) -> Iterator[Finding]:
    """The shortest way on which a partial shows itself."""
    ways: list[tuple[str, ...]] = [(partial.partial,)]
    seen: set[str] = set()
    for way in ways:  # grows while it is gone through
        for id_ in _shown_by(documents.partials.get(way[-1]), renderer):
            if id_ == partial.partial:
                message = f"expected a partial that does not show itself: {' → '.join([*way, id_])}"
                yield Finding("partial", id_, "body", "JF013", message, id_)
                return
            if id_ not in seen:
                seen.add(id_)
                ways.append((*way, id_))


def _shown_by(partial: Partial | None, renderer: Renderer) -> list[str]:
    if partial is None:
        return []
    try:
        return [mention.id for mention in renderer.partials(partial)]
    except TemplateError:  # told of where it stands
        return []


def _surveys(kind: str, id_: str, surveys: Iterable[str], documents: Documents) -> Iterator[Finding]:
    for survey in surveys:
        if survey not in documents.surveys:
            message = f"expected the id of a survey{similar(survey, documents.surveys)}"
            yield Finding(kind, id_, "body", "JF012", message, survey)


def _compiled(template: Template, documents: Documents, renderer: Renderer, broken: set[str]) -> Iterator[Finding]:
    """The template as a whole; where a part of it is broken, that part says so alone."""
    id_ = template.template
    if f"layout:{template.layout}" in broken or any(
        f"partial:{one.id}" in broken for one in renderer.partials(template)
    ):
        return
    try:
        needs = renderer.message(template, documents.parts).needs
    except TemplateError as error:
        yield Finding("template", id_, "body", "JF013", f"expected Liquid that compiles: {error}", id_)
        return
    surveys = [need.removeprefix("survey:") for need in needs if need.startswith("survey:")]
    yield from _surveys("template", id_, surveys, documents)
