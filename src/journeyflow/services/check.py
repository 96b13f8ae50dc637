"""Checking documents as a whole: each by itself, and what they say of each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from journeyflow.core.check.broken import Broken
from journeyflow.core.check.finding import Finding
from journeyflow.core.check.lint import warnings
from journeyflow.core.check.problem import CODES, InvalidDocuments, Problem, printable
from journeyflow.core.check.references import findings
from journeyflow.core.check.source import Source
from journeyflow.core.check.subject import Around
from journeyflow.core.documents import KINDS, Documents, id_of
from journeyflow.core.values import JSON, Model
from journeyflow.core.view import Renderer
from journeyflow.services.folder import nothing_in, read_folder
from journeyflow.services.prune import Pruned
from journeyflow.services.validate import ValidDocument, doubled, judged_alone, validate, validate_document

PARTIAL: Final = "only these files were looked at; where what they name is in others, give the whole folder"


@dataclass(slots=True)
class Checked:
    """A set of documents that was checked: models to work with, sources as they were written, and the problems.

    ``read`` is how many there are, those that are wrong by themselves included. ``advice`` is what there is to say of
    the errors together.
    """

    documents: Documents = field(default_factory=Documents)
    sources: list[Source] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    read: int = 0
    advice: str | None = None

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]

    def demand(self) -> Checked:
        """Itself, where nothing is wrong.

        :raises InvalidDocuments: with all problems, where something is.
        """
        if self.errors:
            raise InvalidDocuments(self.problems, self.advice)
        return self


def check_folder(paths: Sequence[Path], renderer: Renderer) -> Checked:
    """Everything wrong with the documents of files and folders, at once.

    What refers to a document that is wrong by itself, or could not be read, is not wrong for that.
    """
    folder = read_folder(paths)
    if not folder.sources and not folder.problems:
        folder.problems.extend(nothing_in(paths))
    validated = validate(folder, KINDS)
    broken = Broken.of(validated.broken, folder.lost - {(source.kind, source.id) for source in folder.sources})
    checked = _together(validated.documents, validated.pruned, validated.problems, [], broken, renderer)
    checked.read = len(folder.sources)
    if not any(path.is_dir() for path in paths) and any(one.code == "JF012" for one in checked.errors):
        checked.advice = PARTIAL
    return checked


def check_data(
    data: Iterable[JSON],
    known: Iterable[tuple[str, dict[str, JSON]]],
    renderer: Renderer,
    *,
    errors_only: bool = False,
) -> Checked:
    """The same for documents that came as data; ``known`` are (kind, document) of the installation around them."""
    documents: list[ValidDocument] = []
    broken: list[Source] = []
    pruned: list[Pruned] = []
    problems: list[Problem] = []
    given: dict[tuple[str, str], Source] = {}
    names: set[tuple[str, str]] = set()
    given_documents = [*data]
    for index, one in enumerate(given_documents):
        validated = validate_document(one, KINDS, f"documents[{index}]")
        problems.extend(validated.problems)
        for source in [*validated.broken, *(found.source for found in validated.documents)]:
            names.add((source.kind, source.id))
            first = given.setdefault(source.name, source) if source.name else source
            if first is source:
                documents.extend(validated.documents)
                broken.extend(validated.broken)
                pruned.extend(validated.pruned)
            else:
                problems.append(doubled(source, first))
                pruned.extend([*map(judged_alone, validated.documents), *map(judged_alone, validated.pruned)])
    around: list[Model] = []
    for kind, document in known:
        id_ = str(document[kind])
        if (kind, id_) not in names:
            try:
                around.append(KINDS[kind].model_validate(document))
            except ValidationError:  # an earlier release took it
                validated = validate_document(document, KINDS, _installed(kind, id_))
                problems.extend(validated.problems)
                broken.extend(validated.broken)
    checked = _together(documents, pruned, problems, around, Broken.of(broken), renderer, errors_only=errors_only)
    checked.read = len(given_documents)
    return checked


def _installed(kind: str, id_: str) -> str:
    return f"(installation) {kind} {id_}"


def _problem(found: Finding, sources: Mapping[tuple[str, str], Source]) -> Problem:
    source = sources.get((found.kind, found.id), Source(_installed(found.kind, found.id), found.kind, found.id, {}))
    line, severity = source.line_in(found.path, found.line), CODES[found.code].severity
    value = printable(found.value) or None
    return Problem(found.code, printable(found.message), source.file, line, found.path, value, severity)


def _together(
    documents: Sequence[ValidDocument],
    pruned: Sequence[Pruned],
    problems: list[Problem],
    around: Sequence[Model],
    broken: Broken,
    renderer: Renderer,
    *,
    errors_only: bool = False,
) -> Checked:
    models = [one.model for one in documents if isinstance(one.model, Model)]
    together = Documents.of([*models, *around])
    sources = {(one.source.kind, one.source.id): one.source for one in documents}
    wrong = [*findings(together, renderer, broken)]
    right = set() if errors_only else sources.keys() - {(found.kind, found.id) for found in wrong}
    doubtful = warnings(Around(together, broken, renderer), right)
    problems.extend(_problem(found, sources) for found in (*wrong, *doubtful))
    if pruned:
        problems.extend(_of_broken(pruned, [*models, *around], broken, renderer))
    problems.sort(key=lambda problem: problem.order)
    return Checked(together, [one.source for one in documents], problems)


def _of_broken(
    pruned: Sequence[Pruned], others: Sequence[Model], broken: Broken, renderer: Renderer
) -> Iterator[Problem]:
    """What is wrong with the rest of documents that are wrong by themselves; nothing is doubtful there."""
    by_id: dict[tuple[str, str], Pruned] = {}
    remains: list[Model] = []
    for number, one in enumerate(pruned):
        # Nothing can refer to what is no id, and no message offers what can't be printed.
        model = one.called(f"\0{number}")
        if isinstance(model, Model):
            remains.append(model)
            by_id[one.source.kind, id_of(model)] = one
    together = Documents.of([*others, *remains])
    for found in findings(together, renderer, broken):
        of = by_id.get((found.kind, found.id))
        if of is not None and of.tells(found):
            written = replace(found, path=of.as_written(found.path))
            yield _problem(written, {(found.kind, found.id): of.source})
