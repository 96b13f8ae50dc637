"""Reading what comes in: bounded, compressed or not, and as JSON that every store can keep."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from journeyflow.api.context import SCOPES, Context, authorize, secret_of
from journeyflow.api.errors import TooLarge, UnknownFormat, problems
from journeyflow.api.once import NAMED, READING
from journeyflow.core.errors import InvalidEvent
from journeyflow.core.values import DEPTH_MAX, JSON, too_deep

BODY_BYTES_MAX: Final = 5_000_000
"""Of a request that is not in the Segment protocol, nor a file."""
FILE_BYTES_MAX: Final = 200_000_000

_LEAST, _GREATEST = -(2**63), 2**64 - 1
_DIGITS_MAX: Final = 20
_NUL: Final = b"\\u0000"


async def read_body(request: Request, limit: int) -> bytes:
    """The body, decompressed where it is compressed with gzip.

    :param limit: in bytes, before and after.
    :raises TooLarge: when it is longer, or says so.
    :raises UnknownFormat: when it is compressed otherwise.
    :raises InvalidEvent: when it is not what it says.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:19]) > limit:
        _refuse(limit)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            _refuse(limit)
        parts.append(part)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    return _decompressed(b"".join(parts), encoding, limit)


def _refuse(limit: int) -> NoReturn:
    raise TooLarge("body", f"expected at most {limit // 1000:,} kB")


def _decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    if encoding in ("identity", ""):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise UnknownFormat("expected Content-Encoding: gzip, or none")
    reader = zlib.decompressobj(wbits=31)
    try:
        plain = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidEvent("body", f"expected gzip, as Content-Encoding says: {error}") from None
    if len(plain) > limit:
        _refuse(limit)
    if not reader.eof or reader.unused_data:
        raise InvalidEvent("body", "expected gzip, as Content-Encoding says: it is cut off, or something follows it")
    return plain


# --- JSON ------------------------------------------------------------------------------------------------------------


def parse_json(body: bytes) -> tuple[JSON, bool]:
    """The value, and whether it has to be looked through (``unfit``) before it is kept.

    What a strict reader refuses as a whole, for one number or one broken character somewhere, is read leniently and is
    to be looked through, so that the rest need not suffer. Of a key that comes twice the last one counts.

    :raises InvalidEvent: when it is no JSON at all.
    """
    try:
        return orjson.loads(body), _NUL in body
    except orjson.JSONDecodeError as error:
        reason = str(error)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent("body", f"expected UTF-8; byte {error.start} (counted from 0) is none") from None
    try:
        return json.loads(text, parse_int=_integer), True
    except (ValueError, RecursionError):
        raise InvalidEvent("body", f"expected JSON: {reason}") from None


def _integer(digits: str) -> int | float:
    """As the strict reader does: what needs more than 64 bits becomes a float."""
    number = int(digits) if len(digits) <= _DIGITS_MAX else float(digits)
    return number if _LEAST <= number <= _GREATEST else float(number)


def unfit(value: JSON, place: str) -> InvalidEvent | None:
    """What of a value, that is not too deep, can't be kept: halves of characters, NUL, numbers that are none.

    :param place: the value's own, empty for the body.
    """
    if isinstance(value, str):
        return _unfit_text(value, place)
    if isinstance(value, float) and not math.isfinite(value):
        return InvalidEvent(_readable(place), "expected a finite number")
    if isinstance(value, dict):
        for key, inner in value.items():
            found = _unfit_text(key, place) or unfit(inner, f"{place}.{key}")
            if found is not None:
                return found
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found = unfit(inner, f"{place}[{index}]")
            if found is not None:
                return found
    return None


def _unfit_text(text: str, place: str) -> InvalidEvent | None:
    if "\x00" in text:
        return InvalidEvent(_readable(place), "expected text without the character U+0000")
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        return InvalidEvent(_readable(place), "expected whole characters, not half of a surrogate pair")
    return None


def _readable(place: str) -> str:
    return place.removeprefix(".").encode("utf-8", "replace").decode()


# --- requests of the API ---------------------------------------------------------------------------------------------


class StrictRequest(Request):
    """A request whose body is bounded, and whose JSON is fit to be kept."""

    bytes_max = BODY_BYTES_MAX

    async def body(self) -> bytes:
        """The body.

        :raises TooLarge: when it is longer than ``bytes_max``.
        """
        if not hasattr(self, "_body"):
            self._body = await read_body(self, self.bytes_max)
        return self._body

    async def json(self) -> JSON:
        """The body as JSON.

        :raises InvalidEvent: when it is none, too deep, or has parts that can't be kept; names the field.
        """
        return self._data

    async def prepare(self, needs_json: bool) -> None:
        """Read and judge the body before FastAPI does, which would hide what was wrong with it.

        :raises UnknownFormat: when it should be JSON and says that it is something else.
        """
        body = await self.body()
        self._data: JSON = None
        if body and needs_json:
            media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json" and not media_type.endswith("+json"):
                raise UnknownFormat("expected JSON, and Content-Type: application/json")
            self._data, careful = parse_json(body)
            if too_deep(self._data):
                raise InvalidEvent("body", f"expected at most {DEPTH_MAX} lists and mappings inside each other")
            found = unfit(self._data, "") if careful else None
            if found is not None:
                raise found


class FileRequest(StrictRequest):
    """A request whose body is a file, which the handler reads when it is ready for it."""

    bytes_max = FILE_BYTES_MAX

    async def prepare(self, needs_json: bool) -> None:
        """Nothing is read ahead."""


class StrictRoute(APIRoute):
    """A route whose handler gets a :class:`StrictRequest`, and reads no body of somebody without a key.

    Where it writes, it takes ``Idempotency-Key`` and says so (:mod:`journeyflow.api.once`).
    """

    request_class: type[StrictRequest] = StrictRequest

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # Any: as in FastAPI
        if not READING.issuperset(options.get("methods") or {"GET"}):
            options["dependencies"] = [*(options.get("dependencies") or ()), NAMED]
            options["responses"] = {**problems(409), **(options.get("responses") or {})}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # Any: as in FastAPI
        """The handler, behind the judgement of the key and of the body."""
        handle = super().get_route_handler()
        needs_json = self.body_field is not None
        scopes = next((SCOPES[one] for one in self.dependencies if one in SCOPES), None)

        async def strict(request: Request) -> Response:
            if scopes is not None:  # FastAPI asks again, but only after it has read the body
                await authorize(request.app.state.context, secret_of(request), scopes)
            judged = self.request_class(request.scope, request.receive)
            await judged.prepare(needs_json)
            here: Context = request.app.state.context
            return await here.answers.repeat(judged, lambda: handle(judged))

        return strict


class FileRoute(StrictRoute):
    """A route that takes whole files."""

    request_class = FileRequest
