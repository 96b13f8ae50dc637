"""Requests that their client named: who was asked for what, and what was answered; kept as long as ids of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, Row, select, update

from journeyflow.core.errors import Conflict
from journeyflow.core.identity import shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import aliases, bulk
from journeyflow.db.store import one_at_a_time
from journeyflow.db.tables import requests

INSTALLATION: Final = ""
"""Whose requests are those that concern no one contact; no contact has this key."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a client named its request (``Idempotency-Key``), and what it asked for; both as hashes."""

    name: str
    asked: str

    @classmethod
    def of(cls, name: str, target: str, body: bytes) -> Token:
        """:param target: the method and the path, with what is asked of it."""
        asked = sha256(f"{target}\n".encode(errors="surrogatepass"))
        asked.update(body)
        return cls(hashed(name), asked.hexdigest())

    def demand_same(self, asked: str) -> None:
        """Refuse another request than the one that had the name first.

        :raises Conflict: when it is another one.
        """
        if self.asked != asked:
            raise Conflict("this Idempotency-Key came before with another request; each request needs one of its own")


class Answer(NamedTuple):
    """What was answered to a request; the body is UTF-8."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Known(NamedTuple):
    """What was asked for under a name, and the answer."""

    asked: str
    answer: Answer


def hashed(name: str) -> str:
    """A name as it is kept: a client may have put anything into it."""
    return sha256(name.encode(errors="surrogatepass")).hexdigest()


def claim(connection: Connection, contact: str, token: Token, now: datetime) -> datetime | None:
    """``None`` for a request that is new, which it is no more from now on; else when it came first.

    :param contact: whose request it is: it is erased with that contact; or :data:`INSTALLATION`.
    :raises Conflict: when its name came before with another request.
    """
    one_at_a_time(connection, f"request {token.name}")
    known = _find(connection, token.name)
    if known is None:
        contact = aliases.resolve(connection, contact)  # one that was merged took its requests along
        row = (shard_of(contact), contact, token.name, token.asked, to_micros(now), None, None, None)
        bulk.insert(connection, requests, [row])
        return None
    token.demand_same(known.asked)
    return from_micros(known.at)


def find(connection: Connection, name: str) -> Known | None:
    """The request that had a name, if its answer is kept.

    :param name: as its client wrote it.
    """
    row = _find(connection, hashed(name))
    return None if row is None or row.status is None else Known(row.asked, _answer(row))


def is_claimed(connection: Connection, token: Token) -> bool:
    """Whether a request changed something under its name."""
    return _find(connection, token.name) is not None


def keep(connection: Connection, token: Token, answer: Answer) -> Answer:
    """Keep what is answered to a request that was claimed, unless its contact was erased meanwhile.

    :returns: the answer that is kept, which is another one where somebody was first.
    """
    row = _find(connection, token.name)
    if row is None:
        return answer
    if row.status is not None:
        return _answer(row)
    mine = (requests.c.shard == row.shard) & (requests.c.contact == row.contact) & (requests.c.name == row.name)
    headers, body = orjson.dumps(answer.headers).decode(), answer.body.decode()
    connection.execute(update(requests).where(mine).values(status=answer.status, headers=headers, body=body))
    return answer


def _find(connection: Connection, name: str) -> Row[Any] | None:  # Any: a row of the table
    return connection.execute(select(requests).where(requests.c.name == name)).first()


def _answer(row: Row[Any]) -> Answer:  # Any: as above
    return Answer(row.status, orjson.loads(row.headers), row.body.encode())
