"""Lists page by page: a cursor is where the last page ended, opaque to who gets it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Generic, TypeVar

import orjson
from fastapi import Query
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.requests import Request

from journeyflow.core.errors import InvalidEvent

T = TypeVar("T")
Place = tuple[int | str, ...]
"""The key of the last thing on a page."""

LIMIT_MAX: Final = 500
CURSOR_LENGTH_MAX: Final = 1_000

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="how many at the most")]
Cursor = Annotated[
    str | None,
    Query(max_length=CURSOR_LENGTH_MAX, description="`next_cursor` of the page before; absent: the first page"),
]


async def demand_known_parameters(request: Request) -> None:
    """Refuse what a list does not ask for: a filter that was passed over would answer with everybody.

    :raises RequestValidationError: names the parameters.
    """
    route = request.scope.get("route")
    if request.method != "GET" or not isinstance(route, APIRoute) or not request.query_params:
        return
    known = {one.alias for one in route.dependant.query_params}
    unknown = sorted(request.query_params.keys() - known)
    if "cursor" in known and unknown:
        detail = f"expected one of {', '.join(sorted(known))}"
        raise RequestValidationError(
            [{"type": "extra_forbidden", "loc": ("query", one), "msg": detail} for one in unknown]
        )


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one")


def write_cursor(place: Place) -> str:
    """A place as text for a URL."""
    return urlsafe_b64encode(orjson.dumps([*place])).rstrip(b"=").decode()


def read_cursor(cursor: str | None, shape: tuple[type[int] | type[str], ...]) -> Place | None:
    """The place that ``write_cursor`` made text of; ``None`` for the first page.

    :param shape: the types of its parts.
    :raises InvalidEvent: when it is none of this kind of list.
    """
    if cursor is None:
        return None
    try:
        place = orjson.loads(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (Base64Error, ValueError):
        place = None
    if not isinstance(place, list) or [type(part) for part in place] != [*shape] or not _in_range(place):
        raise InvalidEvent("cursor", "expected the next_cursor of a page of this list")
    return tuple(place)


def _in_range(place: list[int | str]) -> bool:
    """Whether a database can compare it."""
    return all(abs(part) < 2**63 if isinstance(part, int) else "\x00" not in part for part in place)


def page_of(found: Sequence[T], limit: int, place: Callable[[T], Place]) -> tuple[Sequence[T], str | None]:
    """The first ``limit`` of what was found with ``limit + 1``, and the cursor to what follows."""
    if len(found) <= limit:
        return found, None
    return found[:limit], write_cursor(place(found[limit - 1]))
