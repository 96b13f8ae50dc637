"""A database of PostgreSQL at the other end of a network that a test can take away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.proxy import Proxy
from sqlalchemy import make_url
from tests import postgres


@dataclass(frozen=True, slots=True)
class Far:
    """The same database by both ways."""

    url: str
    near_url: str
    proxy: Proxy


@contextmanager
def database() -> Iterator[Far]:
    """One with the newest schema."""
    with postgres.database() as near:
        server = make_url(near)
        directory = server.query.get("host")
        port = server.port or 5432
        there = f"{directory}/.s.PGSQL.{port}" if directory else (str(server.host), port)
        with Proxy(there) as proxy:
            far = server.set(host="127.0.0.1", port=proxy.port, query={})
            yield Far(far.render_as_string(hide_password=False), near, proxy)
