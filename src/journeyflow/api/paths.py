"""Paths that keep apart a slash of a contact's key, which is written ``%2F``, and one between two parts of the path.

Servers hand over a path that is decoded already, in which both look alike: of contact ``k1/tags`` one would be told the
tags of contact ``k1``.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

_WRITTEN: Final = (("%", "%25"), ("/", "%2F"))
"""What stays as it is written in each part of a path, so that a part can be read."""


class KeyConvertor(Convertor[str]):
    """``{key:key}``: the key of a contact, whatever it holds."""

    regex = ".*"

    def convert(self, value: str) -> str:
        """The key that was written."""
        for sign, written in reversed(_WRITTEN):
            value = value.replace(written, sign)
        return value

    def to_string(self, value: str) -> str:
        """The key, as one part of a path."""
        for sign, written in _WRITTEN:
            value = value.replace(sign, written)
        return value


_KEY: Final = KeyConvertor()
register_url_convertor("key", _KEY)


class WrittenSlashes:
    """In front of the routes: decodes each part of the path by itself, for :class:`KeyConvertor` to read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or b""
        if b"%" in raw:
            parts = (unquote_to_bytes(part).decode(errors="replace") for part in raw.split(b"/"))
            scope = {**scope, "path": "/".join(map(_KEY.to_string, parts))}
        await self._app(scope, receive, send)
