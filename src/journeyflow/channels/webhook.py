"""Calling other systems over HTTP: one request, and what came back, or whether to try again (rules 4.8, 4.10).

Redirects are not followed, because they would carry a contact's data to somebody whom no document names. A host that
was filled in from data must be public, unless the operator says otherwise: who writes an attribute must not choose
which machine of the operator's own network is called (SSRF). Such a name is resolved once, and the address that was
judged is the one that is connected to.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal

import httpx
import orjson

from journeyflow.core.errors import InvalidValue, Refused, Unavailable
from journeyflow.core.values import JSON, too_deep

PrivateHosts = Literal["written", "always", "never"]
REPLY_BYTES_MAX: Final = 65_536
"""A reply that is kept is kept with the run."""
ATTEMPT_SECONDS_MAX: Final = 30.0
CONNECTIONS_MAX: Final = 100
TRY_AGAIN: Final = frozenset({408, 425, 429})
SHOWN_MAX: Final = 200
_PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Request:
    """One call.

    :param id: the effect's identity, a UUID as text; the same at each attempt.
    :param body: JSON text.
    :param host_written: whether the host stands in the document, instead of being filled in.
    :param wants_reply: whether somebody reads what comes back.
    """

    id: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    host_written: bool = True
    wants_reply: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: JSON as it is, any other text as ``{"text": ...}``, nothing as ``{}``."""

    status: int
    body: JSON


class WebhookChannel:
    """Calls over kept-alive connections; one is used by many calls at once, all of them in one event loop."""

    def __init__(self, secret: bytes | None = None, private_hosts: PrivateHosts = "written") -> None:
        """Nothing is connected yet.

        :param secret: signs calls as Standard Webhooks does.
        :param private_hosts: which hosts may have an address that is not public.
        """
        self._secret = secret
        self._private_hosts = private_hosts
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(ATTEMPT_SECONDS_MAX),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
        )

    async def call(self, request: Request, now: datetime, seconds: float = ATTEMPT_SECONDS_MAX) -> Response:
        """Make one call.

        :param now: when it is made; part of the signature.
        :param seconds: how long the whole of it may take.
        :raises Refused: for good: a status from 300 on that is none of the below, a reply that is too large.
        :raises Unavailable: not now: no connection, a time-out, 408, 425, 429, 500 and above.
        """
        try:
            async with asyncio.timeout(min(seconds, ATTEMPT_SECONDS_MAX)):
                return await self._call(request, now)
        except TimeoutError:
            raise Unavailable("no answer in time") from None
        except httpx.InvalidURL as error:
            raise Refused(f"url: {error}") from None
        except httpx.HTTPError as error:
            raise Unavailable(str(error) or type(error).__name__) from None

    async def _call(self, request: Request, now: datetime) -> Response:
        url = httpx.URL(request.url)
        headers = self._headers(request, now)
        extensions: dict[str, str] = {}
        if not self._may_be_private(request):
            address = await _public_address(url.host, url.port or (443 if url.scheme == "https" else 80))
            headers["Host"] = url.netloc.decode("ascii")
            extensions["sni_hostname"] = url.host
            url = url.copy_with(host=address)
        content = None if request.body is None else request.body.encode()
        async with self._client.stream(
            request.method, url, headers=headers, content=content, extensions=extensions
        ) as response:
            return await _judged(response, request.wants_reply)

    def _may_be_private(self, request: Request) -> bool:
        if self._private_hosts == "written":
            return request.host_written
        return self._private_hosts == "always"

    def _headers(self, request: Request, now: datetime) -> dict[str, str]:
        headers = {"user-agent": "journeyflow"}
        if request.body is not None:
            headers["content-type"] = "application/json"
        headers.update((name.lower(), value) for name, value in request.headers.items())
        headers["idempotency-key"] = request.id
        if self._secret is not None:
            headers.update(signature(self._secret, request.id, int(now.timestamp()), request.body or ""))
        return headers

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()


async def _judged(response: httpx.Response, wanted: bool) -> Response:
    status = response.status_code
    if response.is_success and not wanted:
        return Response(status, {})
    body = await _read(response)
    if response.is_success:
        if len(body) > REPLY_BYTES_MAX:
            raise Refused(f"expected a reply of at most {REPLY_BYTES_MAX:,} bytes")
        return Response(status, _value(body))
    if response.is_redirect:
        raise Refused(f"HTTP {status}: redirects are not followed")
    text = " ".join(body[: 4 * SHOWN_MAX].decode("utf-8", "replace").split())[:SHOWN_MAX]
    said = f"HTTP {status}{f': {text}' if text else ''}"
    if status in TRY_AGAIN or response.is_server_error:
        raise Unavailable(said)
    raise Refused(said)


async def _read(response: httpx.Response) -> bytes:
    """The body, or its beginning, which is longer than is kept."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > REPLY_BYTES_MAX:
            break
    return b"".join(parts)


def _value(body: bytes) -> JSON:
    if not body.strip():
        return {}
    try:
        found: JSON = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _text(body)
    return _text(body) if too_deep(found) else found


def _text(body: bytes) -> JSON:
    return {"text": body.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")}


async def _public_address(host: str, port: int) -> str:
    """The address that a host's name stands for, if all that it stands for are public.

    :raises Refused: when one of them is not.
    :raises Unavailable: when the name is not known.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, proto=6)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"{host}: {error}") from None
    addresses = [str(place[0]) for *_, place in found]
    for address in addresses:
        if not _is_public(address):
            raise Refused(f"{host}: a host that is filled in must have a public address, and {address} is none")
    return addresses[0]


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is not None:
            return inner.is_global
    return found.is_global and not found.is_multicast


# --- signatures (https://www.standardwebhooks.com) -------------------------------------------------------------------


def read_secret(text: str) -> bytes:
    """The key of a secret as Standard Webhooks writes it: ``whsec_`` and base64, of 24 to 64 bytes.

    :raises InvalidValue: when it is none; does not show it.
    """
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (Base64Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise InvalidValue("expected whsec_ and 24 to 64 bytes in base64")
    return key


def signature(secret: bytes, id_: str, timestamp: int, body: str) -> dict[str, str]:
    """The three headers by which a receiver knows who called, and when."""
    signed = hmac.new(secret, f"{id_}.{timestamp}.{body}".encode(), sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
