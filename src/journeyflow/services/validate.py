"""Checking each document by itself against the model of its kind, with every error told at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from journeyflow.core.check.problem import Problem, shortened
from journeyflow.core.check.source import Source
from journeyflow.core.values import JSON, PathKeys
from journeyflow.services.folder import Folder, text_problems
from journeyflow.services.places import description, known_keys, last_of, of_key, real_path
from journeyflow.services.plain_words import plain_words, similar, unknown_key
from journeyflow.services.positions import DEPTH_MAX, PROBLEMS_MAX, TOO_DEEP, TOO_MANY, VALUES_MAX
from journeyflow.services.prune import Pruned, prune

Kinds = Mapping[str, type[BaseModel]]


@dataclass(frozen=True, slots=True)
class ValidDocument:
    """A document that is right by itself."""

    source: Source
    model: BaseModel


@dataclass(slots=True)
class Validated:
    """The documents that are right, the problems of all others in order of file and line, and those others.

    ``broken`` has none that comes after another of its name: nothing refers to it. ``pruned`` is what remains of what
    is wrong or doubled, as far as it can be judged.
    """

    documents: list[ValidDocument] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    broken: list[Source] = field(default_factory=list)
    pruned: list[Pruned] = field(default_factory=list)


def validate(folder: Folder, kinds: Kinds) -> Validated:
    """Every document of a folder; the folder's own problems are among the result's.

    Of documents of one name the first is taken, the others are problems.
    """
    result = Validated([], list(folder.problems))
    told = _told(folder.problems)
    first: dict[tuple[str, str], Source] = {}
    for source in folder.sources:
        known = first.setdefault(source.name, source) if source.name else source
        if known is not source:
            result.problems.append(doubled(source, known))
        found = _validated(source, kinds, told, result.problems)
        if known is source and not isinstance(found, ValidDocument):
            result.broken.append(source)
        _keep(found if known is source or found is None else judged_alone(found), result)
    result.problems.sort(key=lambda problem: problem.order)
    return result


def validate_document(data: JSON, kinds: Kinds, file: str = "(request)") -> Validated:
    """One document that came as data; its problems have no lines.

    Keys that come twice are no longer seen in data: where the text is at hand, ``read_content`` sees them.
    """
    result = Validated()
    if not isinstance(data, dict) or not data:
        message = "expected a mapping whose first key says what the document is, such as journey"
        result.problems.append(Problem("JF003", message, file))
    elif (excess := _excess(data)) is not None:
        result.problems.append(Problem("JF008", excess, file))
    else:
        kind = next(iter(data))
        value = data[kind]
        source = Source(file, kind, value if isinstance(value, str) else "", data)
        result.problems.extend(text_problems(source))
        found = _validated(source, kinds, _told(result.problems), result.problems)
        if isinstance(found, ValidDocument) and result.problems:
            found = None
        if not isinstance(found, ValidDocument):
            result.broken.append(source)
        _keep(found, result)
        result.problems.sort(key=lambda problem: problem.order)
    return result


def _keep(found: ValidDocument | Pruned | None, result: Validated) -> None:
    if isinstance(found, ValidDocument):
        result.documents.append(found)
    elif found is not None:
        result.pruned.append(found)


def judged_alone(found: ValidDocument | Pruned) -> Pruned:
    """A document that comes after another of its name: nothing refers to it, what it refers to is judged."""
    remains = Pruned(found.source, model=found.model) if isinstance(found, ValidDocument) else found
    return remains.without_id()


def _excess(data: JSON) -> str | None:
    """Why the data is too large to be looked into."""
    values = 0
    level: list[JSON] = [data]
    for _ in range(DEPTH_MAX + 1):
        values += len(level)
        if values > VALUES_MAX:
            return TOO_MANY
        level = [
            part
            for value in level
            if isinstance(value, dict | list)
            for part in (value.values() if isinstance(value, dict) else value)
        ]
    return TOO_DEEP if level else None


def doubled(source: Source, known: Source) -> Problem:
    """A document comes after another of its name."""
    line = known.line_of((known.kind,))
    other = f"{known.file}:{line}" if line else known.file
    if source.id != known.id:
        message = f"one installation is one workspace, and there is one in {other}"
    else:
        message = f"the {source.kind} {source.id!r} is also in {other}"
    return source.problem("JF007", (source.kind,), message)


Places = Set[tuple[str, int, str]]


def _told(problems: list[Problem]) -> Places:
    return {(problem.file, problem.line, problem.path) for problem in problems}


def _validated(source: Source, kinds: Kinds, told: Places, problems: list[Problem]) -> ValidDocument | Pruned | None:
    model = kinds.get(source.kind)
    if model is None:
        problems.append(_unknown_kind(source, kinds))
        return None
    try:
        return ValidDocument(source, model.model_validate(source.data))
    except ValidationError as error:
        found = _problems(source, model, error)
        # What could not be read stands there as null, which need not be told of once more.
        problems.extend(problem for problem in found if (problem.file, problem.line, problem.path) not in told)
        return prune(source, model)


def _unknown_kind(source: Source, kinds: Kinds) -> Problem:
    later = next((key for key in source.data if key in kinds), None)
    if later is not None:
        message = f"expected {later!r} as the first key: a document says what it is by its first key"
    else:
        message = f"unknown kind of document {source.kind!r}{similar(source.kind, kinds)}"
    return source.problem("JF003", (source.kind,), message)


# --- errors of Pydantic ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Located:
    """An error with its place; ``union`` is the place at which several forms were tried, if it lies inside one."""

    error: ErrorDetails
    path: PathKeys
    union: PathKeys | None


def _problems(source: Source, model: type[BaseModel], error: ValidationError) -> Iterator[Problem]:
    found = _without_echoes(list(_located(source, error)))
    if len(found) > PROBLEMS_MAX:
        yield source.problem("JF006", (), f"{len(found):,} problems; the first {PROBLEMS_MAX:,} are listed")
    for union, group in groupby(islice(found, PROBLEMS_MAX), key=lambda one: one.union):
        if union is None:
            yield from (_problem(source, model, one) for one in group)
        else:
            yield _of_one_form(source, model, union, list(group))


def _without_echoes(found: list[_Located]) -> list[_Located]:
    """Without the lists that seem too short only because what is in them is wrong."""
    parents = {one.path[:length] for one in found for length in range(len(one.path))}
    return [one for one in found if one.error["type"] != "too_short" or one.path not in parents]


def _located(source: Source, error: ValidationError) -> Iterator[_Located]:
    for one in error.errors(include_url=False):
        # Half surrogates were told of when the text was read.
        if one["type"] != "string_unicode":
            location = one["loc"][:-1] if of_key(one) else one["loc"]
            path, union = real_path(location, source.data, last_of(one))
            if one["type"] in ("union_tag_invalid", "union_tag_not_found") and isinstance(one["input"], dict):
                path = (*path, str(one.get("ctx", {}).get("discriminator")).strip("'"))
            yield _Located(one, path, None if union is None else path[:union])


def _of_one_form(source: Source, model: type[BaseModel], union: PathKeys, group: list[_Located]) -> Problem:
    """One problem for a value that fits none of several forms: of the form it was meant to have, if that shows."""
    inside = [one for one in group if len(one.path) > len(union)]
    if inside:
        return _problem(source, model, inside[0])
    messages = [_message(source, model, one).removeprefix("expected ").partition(";")[0] for one in group]
    return source.problem("JF006", union, f"expected {' or '.join(dict.fromkeys(messages))}")


_CODES: Final = {"extra_forbidden": "JF004", "missing": "JF005", "union_tag_not_found": "JF005"}


def _problem(source: Source, model: type[BaseModel], one: _Located) -> Problem:
    code = _CODES.get(one.error["type"], "JF006")
    problem = source.problem(code, one.path, _message(source, model, one))
    return replace(problem, value=shortened(one.path[-1])) if of_key(one.error) else problem


def _message(source: Source, model: type[BaseModel], one: _Located) -> str:
    if one.error["type"] == "extra_forbidden":
        return unknown_key(str(one.path[-1]), known_keys(model, one.path[:-1], source.data))
    if one.error["type"] == "missing":
        return f"missing key {str(one.path[-1])!r}"
    if of_key(one.error):
        return f"the key {str(one.path[-1])!r} can't be one: {plain_words(one.error, None)}"
    return plain_words(one.error, description(model, one.path, source.data))
