"""Errors as RFC 9457 problem documents: one table says which error has which status.

JourneyflowError (journeyflow.core.errors)
├── InvalidInput
│   ├── TooLarge            a request, or one event, is larger than is taken
│   └── UnknownFormat       the body is of a type, or compressed in a way, that is not read
├── NotAllowed
│   └── Unauthorized        no key, or one that is not in force
└── Conflict
    ├── PreconditionFailed  If-Match, and the document is another one by now
    └── NeedsChoice         resume, and many runs are overdue
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from journeyflow.api.pages import is_page, sorry
from journeyflow.core.check.problem import InvalidDocuments, first_of, path_text
from journeyflow.core.check.problem import Problem as DocumentProblem
from journeyflow.core.errors import (
    Behind,
    Busy,
    Conflict,
    DeliveryError,
    InvalidEvent,
    InvalidInput,
    InvalidMap,
    JourneyflowError,
    NotAllowed,
    NotFound,
    Overloaded,
    SystemFailure,
    TemplateError,
    UnknownForm,
)
from journeyflow.services.plain_words import plain_words

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"
SUMMED_UP_MAX: Final = 3
"""So many of the parts that are wrong are named in `detail`; all are in `errors`."""


class TooLarge(InvalidInput):
    """A request, or a part of it, is larger than is taken.

    :param field: the part, such as ``body`` or ``batch[3]``.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class UnknownFormat(InvalidInput):
    """The body is of a type, or compressed in a way, that is not read."""


class Unauthorized(NotAllowed):
    """There is no key in the request, or it is not in force."""


class PreconditionFailed(Conflict):
    """The document is not the one that its author saw."""


class NeedsChoice(Conflict):
    """Many runs are overdue; how they go on has to be chosen.

    :param overdue: how many are overdue by more than a day.
    """

    def __init__(self, message: str, overdue: int) -> None:
        super().__init__(message)
        self.overdue = overdue


STATUS: Final[Mapping[type[JourneyflowError], HTTPStatus]] = {
    InvalidDocuments: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnknownFormat: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidInput: HTTPStatus.BAD_REQUEST,
    Unauthorized: HTTPStatus.UNAUTHORIZED,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    Conflict: HTTPStatus.CONFLICT,
    TemplateError: HTTPStatus.UNPROCESSABLE_ENTITY,
    DeliveryError: HTTPStatus.BAD_GATEWAY,
    Busy: HTTPStatus.TOO_MANY_REQUESTS,
    Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    SystemFailure: HTTPStatus.SERVICE_UNAVAILABLE,
    UnknownForm: HTTPStatus.SERVICE_UNAVAILABLE,
    JourneyflowError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Class → status; the nearest class up the tree counts."""

HEADERS: Final[Mapping[type[JourneyflowError], Mapping[str, str]]] = {
    Unauthorized: {"WWW-Authenticate": 'Basic realm="journeyflow", Bearer'},
    Behind: {"Retry-After": "30"},
    Overloaded: {"Retry-After": "1"},
    SystemFailure: {"Retry-After": "5"},
}


class ProblemPart(BaseModel):
    """One thing that is wrong. ``field`` is its place: in a document ``path``, or ``document`` where it has none."""

    detail: str = Field(description="what is wrong, and what was expected")
    field: str | None = Field(default=None, description="the place, such as `batch[3].timestamp`")
    document: str | None = Field(default=None, description="the document, such as `documents[0]`")
    line: int | None = Field(default=None, description="the line of the text that was sent, from 1")
    path: str | None = Field(default=None, description="the place in the document, such as `nodes.first.template`")
    code: str | None = Field(default=None, description="`JF001`, ...: the class of problem")
    value: str | None = Field(default=None, description="the offending value, shortened")


class Problem(BaseModel):
    """RFC 9457."""

    type: str = Field(default="about:blank", description="always `about:blank`: the status says what it is")
    title: str = Field(description="the status in words")
    status: int = Field(description="the HTTP status", ge=400, le=599)
    detail: str | None = Field(default=None, description="what was wrong in this very request")
    instance: str | None = Field(default=None, description="of an error of the server: its id in the log")
    errors: list[ProblemPart] = Field(default=[], description="everything that is wrong, each with its place")
    overdue: int | None = Field(default=None, description="of `resume`: runs overdue by more than a day")


ProblemResponses = dict[int | str, dict[str, Any]]  # Any: FastAPI's own type


def problems(*statuses: int) -> ProblemResponses:
    """For the OpenAPI document: the problems that an endpoint can answer, besides those that each can."""
    return _described((400, 401, 403, 413, 415, 422, 500, 503, *statuses), MEDIA_TYPE)


def open_problems(*statuses: int, media_type: str = MEDIA_TYPE) -> ProblemResponses:
    """The same for an endpoint that asks for no key."""
    return _described((*statuses, 500, 503), media_type)


def _described(statuses: Sequence[int], media_type: str) -> ProblemResponses:
    """By reference and not by model, of which FastAPI would make a new validator for each answer of each endpoint."""
    schema = _REFERENCE if media_type == MEDIA_TYPE else {"type": "string"}
    content = {media_type: {"schema": schema}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}


def schemas() -> dict[str, Any]:  # Any: JSON Schema
    """What ``problems`` refers to, by name."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    return {**schema.pop("$defs"), "Problem": schema}


# --- errors as problems ----------------------------------------------------------------------------------------------


def _nearest(error: JourneyflowError, table: Mapping[type[JourneyflowError], Any]) -> Any:  # Any: what the table holds
    return next((table[one] for one in type(error).__mro__ if one in table), None)


def status_of(error: JourneyflowError) -> HTTPStatus:
    """The HTTP status of an error."""
    found: HTTPStatus = _nearest(error, STATUS)
    return found


def problem_of(error: JourneyflowError) -> Problem:
    """An error as its problem document."""
    status = status_of(error)
    return Problem(
        title=status.phrase,
        status=status,
        detail=str(error).partition("\n")[0],
        errors=list(parts_of(error)),
        overdue=error.overdue if isinstance(error, NeedsChoice) else None,
    )


def parts_of(error: JourneyflowError) -> Sequence[ProblemPart]:
    """What an error says of single places."""
    if isinstance(error, NeedsChoice):
        return [ProblemPart(field="mode", detail="expected one of now, over, shift and skip")]
    if isinstance(error, InvalidEvent | TooLarge):
        return [ProblemPart(field=error.field, detail=error.message)]
    if isinstance(error, InvalidMap):
        return [ProblemPart(field=place, detail=message) for place, message in error.parts.items()]
    if isinstance(error, InvalidDocuments):
        return [document_part(problem) for problem in error.problems if problem.severity == "error"]
    return []


def document_part(problem: DocumentProblem) -> ProblemPart:
    """A problem of a document."""
    return ProblemPart(
        field=problem.path or problem.file,
        document=problem.file,
        line=problem.line or None,
        path=problem.path,
        detail=problem.message,
        code=problem.code,
        value=problem.value,
    )


def answer(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The response: a problem document, or for people, on the pages for contacts, a page."""
    if is_page(request.url.path):
        return sorry(problem.status, headers)
    content = problem.model_dump_json(exclude_none=True, exclude_defaults=False)
    return Response(content, problem.status, headers, MEDIA_TYPE)


# --- handlers --------------------------------------------------------------------------------------------------------


def refuse(request: Request, error: JourneyflowError) -> Response:
    """The answer to a request that ended with an error."""
    problem = problem_of(error)
    # Whoever asks in this very process is told, and has no log to look into.
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not request.app.state.context.trusted:
        log.warning("request failed", path=request.url.path, status=problem.status, error=str(error))
    return answer(request, problem, _nearest(error, HEADERS))


async def _on_own(request: Request, error: Exception) -> Response:
    assert isinstance(error, JourneyflowError)
    return refuse(request, error)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = None if error.detail == status.phrase else str(error.detail)
    return answer(request, Problem(title=status.phrase, status=status, detail=detail), error.headers)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    parts = [ProblemPart(field=_field(one["loc"]), detail=plain_words(one, None)) for one in error.errors()]
    detail = "; ".join(first_of([f"{part.field}: {part.detail}" for part in parts], SUMMED_UP_MAX))
    return answer(request, Problem(title=status.phrase, status=status, detail=detail, errors=parts))


def _field(location: Sequence[str | int]) -> str:
    """``("body", "attributes", "x")`` → ``attributes.x``; ``("query", "limit")`` → ``limit``."""
    inner = tuple(location[1:]) if len(location) > 1 else tuple(location)
    return path_text(inner) or "body"


def install(app: FastAPI) -> None:
    """Let the app answer every error with a problem document."""
    app.add_exception_handler(JourneyflowError, _on_own)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)


class LastResort:
    """Outermost: what nobody expected is logged with an id, and the answer is a problem that names only this id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            log.info("the client went away", path=scope["path"])
        except Exception:
            id_ = str(uuid4())
            log.exception("request failed", path=scope["path"], id=id_)
            if started:
                raise
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            detail = "something went wrong here; the log has more under this id"
            problem = Problem(title=status.phrase, status=status, detail=detail, instance=f"urn:uuid:{id_}")
            await answer(Request(scope), problem)(scope, receive, send)
