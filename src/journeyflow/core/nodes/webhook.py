"""``webhook``: call somebody else's system, and wait for the reply where something is made of it (rules 4.8, 4.10)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import Field, StringConstraints, field_validator

from journeyflow.core.effects import Call
from journeyflow.core.errors import InvalidValue
from journeyflow.core.identity import message_id
from journeyflow.core.inputs import Reply
from journeyflow.core.nodes.base import ActionNode, Go, Move, Stand, Stay, Visit
from journeyflow.core.values import JSON, Missing, Nested, NodeName, PositiveDuration, VariableName, texts_inside

Url = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
HeaderText = Annotated[str, StringConstraints(max_length=2_000)]
GIVE_UP_AFTER: Final = timedelta(hours=24)
"""So long a call that no run waits for is tried."""
BODY_BYTES_MAX: Final = 256_000
RESERVED: Final = frozenset({"content-length", "connection", "host", "idempotency-key", "transfer-encoding"})
_WRITTEN_HOST: Final = re.compile(r"https?://[^/?#{\\]+([/?#].*)?", re.IGNORECASE | re.DOTALL)
_LIQUID: Final = re.compile(r"\{\{|\{%")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")


class WebhookNode(ActionNode):
    """Makes an HTTP request; with ``save_as`` or ``on_failure`` the run waits for what becomes of it."""

    woken_by: ClassVar[Literal["timer", "timeout"]] = "timeout"
    acts_when_woken: ClassVar[bool] = False

    type: Literal["webhook"]
    url: Url
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[HeaderName, HeaderText] = Field(default_factory=dict)
    json_: Nested = Field(default=None, alias="json")
    save_as: VariableName | None = None
    on_failure: NodeName | None = None
    timeout: PositiveDuration = timedelta(minutes=10)
    sample: Annotated[JSON, Field(description="what a simulation answers")] = None

    @field_validator("headers")
    @classmethod
    def _headers_of_its_own(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if name.lower() in RESERVED:
                raise ValueError(f"expected headers other than {name}, which is made for each call")
        return headers

    @property
    def url_is_wrong(self) -> bool:
        """Whether the address can be no good, as far as that shows before anything is filled in."""
        begin = _LIQUID.split(self.url, maxsplit=1)[0].strip()
        if begin != self.url.strip():
            return "://" in begin and not begin.lower().startswith(("http://", "https://"))
        return not _is_sound(begin)

    @property
    def awaits(self) -> bool:
        """Whether the run waits for the reply."""
        return self.save_as is not None or self.on_failure is not None

    def act(self, visit: Visit) -> Move:
        try:
            call = self._call(visit)
        except InvalidValue as error:
            return self.failed(visit, str(error))
        visit.decision.effects.calls.append(call)
        if self.awaits:
            return Stand(call.expires_at)
        visit.record("ran", {"status": None})
        return Go(self.next)

    def take_over(self, visit: Visit, stay: Stay) -> Move:
        """The call is made, and ends when it was to end at the latest; its reply comes under the name that it had."""
        if not self.awaits:
            visit.record("ran", {"status": None})
            return Go(self.next)
        if visit.run.called_as is None and (stay.node, stay.visit) != (visit.name, visit.number):
            visit.run.called_as = (stay.node, stay.visit)
        ends_at = stay.since + self.timeout
        return Stand(ends_at if stay.until is None else min(ends_at, stay.until))

    def _call(self, visit: Visit) -> Call:
        run, now = visit.run, visit.now
        headers = {name: _header(name, visit.fill(text)) for name, text in self.headers.items()}
        return Call(
            id=message_id(run.id, visit.name, visit.number),
            contact=visit.decision.contact.key,
            journey=run.journey,
            version=run.version,
            run=run.id,
            node=visit.name,
            visit=visit.number,
            method=self.method,
            url=_url(visit.fill(self.url)),
            headers=headers,
            body=self._body(visit),
            awaited=self.awaits,
            host_written=_WRITTEN_HOST.fullmatch(self.url) is not None,
            queued_at=now,
            expires_at=now + (self.timeout if self.awaits else GIVE_UP_AFTER),
            sample={} if self.sample is None else self.sample,
        )

    def _body(self, visit: Visit) -> str | None:
        if "json_" not in self.model_fields_set:
            return None
        value = visit.filled(self.json_)
        try:
            body = orjson.dumps(None if isinstance(value, Missing) else value).decode()
        except orjson.JSONEncodeError as error:
            raise InvalidValue(f"json: {error}") from None
        if len(body) > BODY_BYTES_MAX:
            raise InvalidValue(f"json: expected at most {BODY_BYTES_MAX:,} characters")
        return body

    def answered(self, visit: Visit, reply: Reply) -> Move:
        if reply.error is not None:
            return self.failed(visit, reply.error)
        if self.save_as is not None:
            visit.run.vars[self.save_as] = reply.body
        visit.record("ran", {"status": reply.status})
        return Go(self.next)

    def wake(self, visit: Visit) -> Move:
        return self.failed(visit, "timeout")

    def failed(self, visit: Visit, error: str) -> Go:
        visit.record("failed", {"error": error})
        return Go(self.next if self.on_failure is None else self.on_failure)

    def exits(self) -> Iterator[tuple[str, str | None]]:
        yield "next", self.next
        if self.on_failure is not None:
            yield "on_failure", self.on_failure

    def liquid(self) -> Iterator[tuple[str, str]]:
        yield "url", self.url
        yield from _texts(self.headers)
        yield from texts_inside("json", self.json_)


def _texts(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from ((f"headers.{name}", text) for name, text in headers.items())


def _is_sound(url: str) -> bool:
    try:
        parts = urlsplit(url)
        sound = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return sound and len(url) <= 8_000 and not _UNPRINTABLE.search(url)


def _url(text: str) -> str:
    url = text.strip()
    if not _is_sound(url):
        raise InvalidValue(f"url: expected http://... or https://..., found {url[:200]!r}")
    return url


def _header(name: str, text: str) -> str:
    value = text.strip()
    if not value.isascii() or any(sign < " " and sign != "\t" for sign in value):
        raise InvalidValue(f"headers.{name}: expected printable ASCII characters on one line")
    return value
