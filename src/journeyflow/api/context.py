"""What handlers work with, and the keys that open them."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Final

from fastapi import Depends, params
from sqlalchemy import Connection, Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from journeyflow.api.errors import Unauthorized
from journeyflow.api.once import Answers
from journeyflow.bootstrap import Installation
from journeyflow.clock import stopwatch
from journeyflow.core.errors import NotAllowed
from journeyflow.core.flows import Flows
from journeyflow.db.documents import FlowsCache
from journeyflow.db.store import read
from journeyflow.services import keys
from journeyflow.services.ingest import Ingest
from journeyflow.services.keys import Key, Scope
from journeyflow.services.metrics import Metrics
from journeyflow.services.pressure import Pressure
from journeyflow.services.simulations import Simulations
from journeyflow.services.stream import Stream

TRUST_SECONDS: Final = 2.0
"""A key that was revoked by another process works for so long at the most."""
KEYS_KEPT_MAX: Final = 1_000
SECRET_LENGTH_MAX: Final = 500


class Keyring:
    """Finds keys; those in use are remembered for a moment, since every event comes with one."""

    def __init__(self, engine: Engine, watch: Callable[[], float] = stopwatch) -> None:
        self._engine = engine
        self._watch = watch
        self._kept: dict[str, tuple[Key, float]] = {}

    async def find(self, secret: str) -> Key | None:
        """The key in force that was given."""
        kept = self._kept.get(secret)
        if kept is not None and self._watch() - kept[1] < TRUST_SECONDS:
            return kept[0]
        return await run_in_threadpool(self._look_up, secret)

    def _look_up(self, secret: str) -> Key | None:
        if len(secret) > SECRET_LENGTH_MAX:
            return None
        with read(self._engine) as connection:
            found = keys.find(connection, secret)
        if found is None:
            self._kept.pop(secret, None)
        else:
            if len(self._kept) >= KEYS_KEPT_MAX:
                self._kept.clear()
            self._kept[secret] = (found, self._watch())
        return found

    def forget(self) -> None:
        """Ask the database again: a key was revoked."""
        self._kept.clear()


class CurrentFlows:
    """What is published, for many threads at once; read when it is first asked for."""

    def __init__(self, make_cache: Callable[[], FlowsCache]) -> None:
        self._make_cache = make_cache
        self._cache: FlowsCache | None = None
        self._lock = Lock()

    def at(self, connection: Connection) -> Flows:
        """The flows as the connection's transaction sees them."""
        with self._lock:
            if self._cache is None:
                self._cache = self._make_cache()
            return self._cache.current(connection)


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that handlers share. ``trusted``: every request comes from this very process, as admin."""

    installation: Installation
    ingest: Ingest
    wake: Callable[[], None]
    metrics: Metrics
    pressure: Pressure
    keyring: Keyring
    answers: Answers
    flows: CurrentFlows
    simulations: Simulations
    stream: Stream
    trusted: bool


async def context(request: Request) -> Context:
    """The context of the app that the request came to."""
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context)]

# --- keys ------------------------------------------------------------------------------------------------------------

_IN_PROCESS: Final = "in-process"


def secret_of(request: Request) -> str | None:
    """The key in ``Authorization``: the user name of Basic, or Bearer."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip() or None
    if scheme.lower() == "basic":
        try:
            return b64decode(rest.strip(), validate=True).decode().partition(":")[0] or None
        except (Base64Error, ValueError):
            return None
    return None


async def authorize(here: Context, secret: str | None, scopes: tuple[Scope, ...]) -> Scope:
    """The scope of a key, if it is one of these.

    :raises Unauthorized: when there is no key, or it is not in force.
    :raises NotAllowed: when it is for something else.
    """
    if here.trusted:
        return "admin"
    if secret is None:
        raise Unauthorized("expected a key: Authorization: Bearer KEY, or the user name of Basic")
    found = await here.keyring.find(secret)
    if found is None:
        raise Unauthorized("the key is not known, or was revoked")
    if found.scope not in scopes:
        raise NotAllowed(f"a key of scope {found.scope} does not permit this; it takes {' or '.join(scopes)}")
    return found.scope


async def _may_read(request: Request, here: Here) -> None:
    await authorize(here, secret_of(request), ("read", "admin"))


async def _may_do_all(request: Request, here: Here) -> None:
    await authorize(here, secret_of(request), ("admin",))


READ: Final[params.Depends] = Depends(_may_read)
ADMIN: Final[params.Depends] = Depends(_may_do_all)
SCOPES: Final[Mapping[params.Depends, tuple[Scope, ...]]] = {READ: ("read", "admin"), ADMIN: ("admin",)}
"""Which keys open what, by the dependency that asks for one."""
