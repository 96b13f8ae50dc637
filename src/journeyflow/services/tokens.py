"""Signed tokens for links in messages: who it is for cannot be changed, and one kind of link is no other."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from typing import Final, Literal

import orjson

from journeyflow.core.errors import NotFound
from journeyflow.core.values import JSON

Purpose = Literal["click", "open", "preferences", "survey", "unsubscribe"]
SIGNATURE_BYTES: Final = 16
TOKEN_LENGTH_MAX: Final = 8_000


class Signer:
    """Makes and reads tokens with HMAC-SHA256; ``secret`` stays the same for the life of an installation."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, purpose: Purpose, data: dict[str, JSON]) -> str:
        """A token that is safe in a URL."""
        body = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
        return urlsafe_b64encode(self._signature(purpose, body) + body).rstrip(b"=").decode()

    def read(self, purpose: Purpose, token: str) -> dict[str, JSON]:
        """What was signed.

        :raises NotFound: when the token is not one of ours, or is for something else.
        """
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4)) if len(token) <= TOKEN_LENGTH_MAX else b""
        except (Base64Error, ValueError):
            raw = b""
        signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(purpose, body)):
            raise NotFound("this link is not valid; it may have been cut off")
        data: dict[str, JSON] = orjson.loads(body)
        return data

    def _signature(self, purpose: Purpose, body: bytes) -> bytes:
        return hmac.new(self._secret, purpose.encode() + b"\x1f" + body, sha256).digest()[:SIGNATURE_BYTES]
