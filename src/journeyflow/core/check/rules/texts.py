"""Values that texts show and nothing provides (JF108); a missing one is empty text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from journeyflow.core.check.finding import Finding, closest
from journeyflow.core.check.subject import Around, Subject
from journeyflow.core.errors import TemplateError
from journeyflow.core.nodes.base import LIQUID_ROOTS
from journeyflow.core.template import Template
from journeyflow.core.view import Renderer

OF_MESSAGES: Final = ("postal_address", "preferences_url", "unsubscribe_url")
"""What a template can show besides what every text can."""
PARTS: Final = ("subject", "preheader", "body", "text")
Paths = Iterable[tuple[str, ...]]


def unknown_variables(subject: Subject) -> Iterator[Finding]:
    """JF108 in a journey: what is not saved before it is shown, and names that mean nothing."""
    for name, sent in subject.messages.items():
        for variable in _variables(subject.reads(sent)):
            if name not in subject.provided.get(variable, ()):
                message = f"shows vars.{variable}, which no node saves on the way to it"
                yield subject.finding("JF108", f"nodes.{name}.template", f"the template {message}", sent.template or "")
    for name, node in subject.journey.nodes.items():
        for path, text in node.liquid():
            reads = _reads(subject.around.renderer, text)
            for variable in _variables(reads):
                if name not in subject.provided.get(variable, ()):
                    message = f"shows vars.{variable}, which no node saves on the way to it"
                    yield subject.finding("JF108", f"nodes.{name}.{path}", message, text[:80])
            known = (*LIQUID_ROOTS, *OF_MESSAGES) if path == "text" else LIQUID_ROOTS
            for root in _unknown(reads, known):
                yield subject.finding("JF108", f"nodes.{name}.{path}", _hint(root, known), root)


def unknown_roots(template: Template, around: Around) -> Iterator[Finding]:
    """JF108 in a template, its layout and partials included: names that mean nothing."""
    compiled = around.compiled.get(template.template)
    known = (*LIQUID_ROOTS, *OF_MESSAGES)
    for root in _unknown(() if compiled is None else compiled.reads, known):
        lines = {part: _line(getattr(template, part) or "", root) for part in PARTS}
        for part in [part for part, line in lines.items() if line is not None] or ["body"]:
            yield Finding("template", template.template, part, "JF108", _hint(root, known), root, lines[part])


def _reads(renderer: Renderer, text: str) -> Paths:
    with suppress(TemplateError):
        return renderer.text(text).reads
    return ()


def _variables(reads: Paths) -> list[str]:
    return sorted({path[1] for path in reads if path[0] == "vars" and len(path) > 1})


def _unknown(reads: Paths, known: Iterable[str]) -> list[str]:
    return sorted({path[0] for path in reads} - {*known})


def _hint(root: str, known: Iterable[str]) -> str:
    meant = closest(root, known) or f"contact.{root}"
    return f"there is no {root}, it is always empty; did you mean {meant}?"


def _line(text: str, root: str) -> int | None:
    """The first line, from 1, on which Liquid reads that name; the text itself may have the word as well."""
    read = re.compile(rf"(?:\{{\{{|\{{%).*?(?<![\w.\"'-]){re.escape(root)}\b")
    return next((number for number, line in enumerate(text.splitlines(), 1) if read.search(line)), None)
