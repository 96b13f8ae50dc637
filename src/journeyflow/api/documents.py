"""Documents: the very texts of a flows folder, one by one with ETags, or many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from journeyflow.api import shapes
from journeyflow.api.bodies import StrictRoute
from journeyflow.api.context import ADMIN, READ, Context, Here
from journeyflow.api.errors import problems
from journeyflow.api.matching import IfMatch, demand_match, etag_of, newest_of
from journeyflow.api.once import Once, do_once
from journeyflow.api.paging import Cursor, Limit, page_of, read_cursor
from journeyflow.core.check.problem import InvalidDocuments, Problem
from journeyflow.core.check.source import Source
from journeyflow.core.errors import InvalidEvent, NotFound
from journeyflow.core.values import JSON, iso
from journeyflow.db import documents
from journeyflow.db.documents import StoredDocument
from journeyflow.db.store import read, write
from journeyflow.services import publish
from journeyflow.services.check import Checked, check_data
from journeyflow.services.contacts import Shape
from journeyflow.services.folder import read_content
from journeyflow.services.json_text import read_json
from journeyflow.services.publish import Change
from journeyflow.services.yaml_text import read_yaml

router = APIRouter(tags=["documents"], route_class=StrictRoute)

KindName = Literal["workspace", "journey", "segment", "template", "layout", "partial", "coupon_pool", "survey"]
Kind = Annotated[KindName, Path(description="the first key")]
Id = Annotated[str, Path(max_length=64, description="the value of the first key")]
IfNoneMatch = Annotated[str | None, Header(max_length=200, description="`*`: only where there is none yet")]
REQUEST: Final = "(request)"
_YAML: Final = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})

_TEXT: Final[dict[str, Any]] = {  # Any: JSON Schema
    "type": "object",
    "description": "a document; its first key says what it is (`journeyflow schema`)",
}

_DOCUMENT: Final[dict[str, Any]] = {"content": {"application/json": {"schema": _TEXT}}}  # Any: JSON Schema


class RawText(NamedTuple):
    """The body as it came: what a file of it would be called, and its bytes."""

    file: str
    content: bytes


async def _raw(request: Request) -> RawText:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    yaml = media_type in _YAML or media_type.endswith("+yaml")
    return RawText(f"{REQUEST}.yaml" if yaml else f"{REQUEST}.json", await request.body())


Raw = Annotated[RawText, Depends(_raw)]


def _body(schema: dict[str, Any]) -> dict[str, Any]:  # Any: JSON Schema
    content = {media_type: {"schema": schema} for media_type in ("application/json", "application/yaml")}
    return {"requestBody": {"required": True, "content": content}}


# --- one document ----------------------------------------------------------------------------------------------------


def _answer(document: StoredDocument, status: int = 200) -> Response:
    return JSONResponse(document.document, status, {"ETag": etag_of(document)})


@router.get("/v1/documents", response_model=shapes.DocumentPage, responses=problems(), dependencies=[READ])
def list_documents(
    here: Here,
    kind: Annotated[KindName | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Shape:
    """Documents by kind and id, without their texts."""
    place = read_cursor(cursor, (str, str))
    with read(here.installation.engine) as connection:
        found = [one for one in documents.newest(connection, kind) if place is None or (one.kind, one.id) > place]
    items, following = page_of(found, limit, lambda one: (one.kind, one.id))
    return {"items": [_info(one) for one in items], "next_cursor": following}


def _info(document: StoredDocument) -> Shape:
    name = document.document.get("name")
    return {
        "kind": document.kind,
        "id": document.id,
        "version": document.version,
        "status": document.status,
        "name": name if isinstance(name, str) else None,
        "at": iso(document.at),
    }


@router.get(
    "/v1/documents/{kind}/{id}",
    responses={
        **problems(404),
        200: {**_DOCUMENT, "description": "the document"},
    },
    dependencies=[READ],
)
def show_document(
    here: Here, kind: Kind, id: Id, version: Annotated[int | None, Query(ge=1, le=2**31)] = None
) -> Response:
    """A document as its author wrote it: the newest text, or that of a version."""
    with read(here.installation.engine) as connection:
        found = newest_of(connection, kind, id)
        if version is not None:
            found = next((one for one in documents.versions(connection, kind, id) if one.version == version), None)
    if found is None:
        raise NotFound(f"there is no {kind} {id}" + ("" if version is None else f" of version {version}"))
    return _answer(found)


@router.put(
    "/v1/documents/{kind}/{id}",
    responses={
        **problems(409, 412),
        200: {**_DOCUMENT, "description": "published, or nothing was new"},
        201: {**_DOCUMENT, "description": "there was none before"},
    },
    openapi_extra=_body(_TEXT),
    dependencies=[ADMIN],
)
def put_document(
    here: Here, kind: Kind, id: Id, raw: Raw, once: Once, if_match: IfMatch = None, if_none_match: IfNoneMatch = None
) -> Response:
    """Publish a version of a document; of a journey whose `status` is `draft` only the text is stored.

    The body is the text of a file: JSON, or YAML where `Content-Type` says so.
    """
    source = _document(raw, kind, id)
    data = source.data
    installation = here.installation
    with read(installation.engine) as connection:  # compiling takes long, and events should not wait for it
        _checked(connection, here, Given([data], prune=False, dry_run=False, problems=[], lines=source)).demand()
    now = installation.clock()
    with write(installation.engine) as connection:
        do_once(connection, once, now)
        before = newest_of(connection, kind, id)
        demand_match(before, if_match, if_none_match)
        stored = publish.put(connection, data, now, installation.renderer)
    here.wake()
    return _answer(stored, 201 if before is None else 200)


def _document(raw: RawText, kind: str, id_: str) -> Source:
    folder = read_content(*raw)
    if folder.problems:
        raise InvalidDocuments(folder.problems)
    source, *others = folder.sources
    if others:
        message = f"expected one document, the {kind} {id_} of the URL; many go to /v1/documents:apply"
        raise InvalidDocuments([others[0].problem("JF003", (others[0].kind,), message)])
    if (source.kind, source.id) != (kind, id_):
        message = f"expected the {kind} {id_} of the URL, as the first key and its value"
        raise InvalidDocuments([source.problem("JF006", (source.kind,), message)])
    return source


@router.delete("/v1/documents/{kind}/{id}", status_code=204, responses=problems(404, 409, 412), dependencies=[ADMIN])
def delete_document(here: Here, kind: Kind, id: Id, once: Once, if_match: IfMatch = None) -> None:
    """Take a document away that no other needs (rule 8.5)."""
    installation = here.installation
    now = installation.clock()
    with write(installation.engine) as connection:
        do_once(connection, once, now)
        before = newest_of(connection, kind, id)
        if before is not None:
            demand_match(before, if_match)
        publish.remove(connection, kind, id, now, installation.renderer)
    here.wake()


# --- many documents --------------------------------------------------------------------------------------------------


class Given(NamedTuple):
    """The documents of a request, and what was found to be wrong with them when they were read.

    ``lines`` is the text that they stood in, one document or the whole set.
    """

    documents: list[dict[str, JSON]]
    prune: bool
    dry_run: bool
    problems: list[Problem]
    lines: Source

    def placed(self, problem: Problem) -> Problem:
        """A problem with the line of the request that it is in."""
        if problem.line or not problem.file.startswith("documents["):
            return problem
        whole = problem.path if self.lines.kind else f"{problem.file}.{problem.path}"
        return replace(problem, line=self.lines.line_of(whole.rstrip(".")))


def _set(raw: Raw) -> Given:
    """Read with the readers of folders, which tell of keys that come twice."""
    try:
        text = raw.content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InvalidEvent("body", f"expected UTF-8; byte {error.start} (counted from 0) is none") from None
    language = read_yaml if raw.file.endswith(".yaml") else read_json
    documents_read, found = language(text, REQUEST)
    if len(documents_read) > 1:
        raise InvalidEvent("body", "expected one mapping with documents, not several parts between ---")
    if not documents_read and not found:
        raise InvalidEvent("body", "expected a mapping with documents")
    problems_found = [_placed(one) for one in found]
    if not documents_read or any(not one.file.startswith("documents[") for one in problems_found):
        raise InvalidDocuments(problems_found)
    try:
        given = shapes.DocumentSet.model_validate(documents_read[0].data)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from None
    data = documents_read[0].data
    lines = Source(REQUEST, "", "", data if isinstance(data, dict) else {}, documents_read[0].positions)
    return Given(given.documents, given.prune, given.dry_run, problems_found, lines)


def _placed(problem: Problem) -> Problem:
    """A path inside the request as one inside a document of it, where it is."""
    head, found, rest = problem.path.partition("].")
    if not (found and head.startswith("documents[")):
        return problem
    return replace(problem, file=f"{head}]", path=rest)


Set = Annotated[Given, Depends(_set)]
_SET: Final = _body(shapes.DocumentSet.model_json_schema())


def _checked(connection: Connection, here: Context, given: Given, *, errors_only: bool = True) -> Checked:
    names = {(next(iter(one), ""), str(next(iter(one.values()), ""))) for one in given.documents}
    around = [
        (one.kind, one.document)
        for one in documents.newest(connection)
        if not given.prune or (one.kind, one.id) in names
    ]
    checked = check_data(given.documents, around, here.installation.renderer, errors_only=errors_only)
    found = (given.placed(problem) for problem in (*given.problems, *checked.problems))
    checked.problems[:] = sorted(found, key=lambda problem: problem.order)
    return checked


@router.post(
    "/v1/documents:check",
    response_model=shapes.Checked,
    responses=problems(),
    openapi_extra=_SET,
    dependencies=[ADMIN],
)
def check_documents(here: Here, given: Set) -> Shape:
    """What is wrong with documents, each by itself and together with those of the installation."""
    with read(here.installation.engine) as connection:
        checked = _checked(connection, here, given, errors_only=False)
    return {"valid": not checked.errors, "problems": [_problem(one) for one in checked.problems]}


def _problem(problem: Problem) -> Shape:
    return {
        "document": problem.file,
        "line": problem.line or None,
        "path": problem.path,
        "detail": problem.message,
        "code": problem.code,
        "value": problem.value,
        "severity": problem.severity,
    }


@router.post(
    "/v1/documents:plan",
    response_model=shapes.Changes,
    responses=problems(409),
    openapi_extra=_SET,
    dependencies=[ADMIN],
)
def plan_documents(here: Here, given: Set) -> Shape:
    """What applying documents would change."""
    with read(here.installation.engine) as connection:
        sources = _checked(connection, here, given).demand().sources
        planned = publish.plan(connection, sources, given.prune)
        return _changes(planned, publish.notes(connection, sources, given.prune), applied=False)


@router.post(
    "/v1/documents:apply",
    response_model=shapes.Changes,
    responses=problems(409),
    openapi_extra=_SET,
    dependencies=[ADMIN],
)
def apply_documents(here: Here, given: Set, once: Once) -> Shape:
    """Make the installation what the documents say, all of it or nothing."""
    installation = here.installation
    if given.dry_run:
        return plan_documents(here, given)
    with read(installation.engine) as connection:  # compiling takes long, and events should not wait for it
        sources = _checked(connection, here, given).demand().sources
    with write(installation.engine) as connection:
        now = installation.clock()
        do_once(connection, once, now)
        made = publish.apply(connection, sources, given.prune, now, installation.renderer)
        notes = publish.notes(connection, sources, given.prune)
    here.wake()
    return _changes(made, notes, applied=True)


def _changes(changes: Sequence[Change], notes: list[str], *, applied: bool) -> Shape:
    return {"changes": [_change(one) for one in changes], "applied": applied, "notes": [*notes]}


def _change(change: Change) -> Shape:
    return {
        "kind": change.kind,
        "id": change.id,
        "what": change.what,
        "differences": [*change.differences],
        "in_flight": {**change.in_flight},
        "blocked": change.blocked,
        "exiting": change.exiting,
    }
