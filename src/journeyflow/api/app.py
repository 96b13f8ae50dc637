"""The FastAPI app, made from an installation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from journeyflow.api import errors
from journeyflow.api.context import Context, CurrentFlows, Keyring
from journeyflow.api.once import Answers
from journeyflow.api.paging import demand_known_parameters
from journeyflow.api.paths import WrittenSlashes
from journeyflow.bootstrap import Installation
from journeyflow.db.documents import FlowsCache
from journeyflow.services.ingest import Ingest
from journeyflow.services.metrics import Metrics
from journeyflow.services.pressure import Bounds, Pressure
from journeyflow.services.simulation_files import write_files
from journeyflow.services.simulations import Simulations
from journeyflow.services.stream import Stream

ROUTERS: Final = (
    "segment_protocol", "contacts", "imports", "exports", "documents", "journeys", "runs", "segments", "messages",
    "coupons", "simulations", "keys", "preferences", "tracking", "surveys", "templates", "operations", "stream",
    "reference",
)  # fmt: skip
"""The modules with endpoints, in the order of the reference; one under ``/v1/NAME`` is called so."""


def create_app(
    installation: Installation,
    ingest: Ingest,
    wake: Callable[[], None],
    *,
    trusted: bool = False,
    metrics: Metrics | None = None,
    happenings: Stream | None = None,
    pressure: Pressure | None = None,
) -> FastAPI:
    """The API of an installation."""
    context = new_context(
        installation, ingest, wake, trusted=trusted, metrics=metrics, happenings=happenings, pressure=pressure
    )
    return app_of(context, ROUTERS)


def new_context(
    installation: Installation,
    ingest: Ingest,
    wake: Callable[[], None],
    *,
    trusted: bool = False,
    metrics: Metrics | None = None,
    happenings: Stream | None = None,
    pressure: Pressure | None = None,
) -> Context:
    """What the endpoints of an installation share.

    :param ingest: started by the caller, and stopped after the last request.
    :param wake: tells engine and dispatcher of this process, if there are any, that there is work; from any thread.
    :param trusted: takes every request as admin's; only for calls inside this very process.
    :param metrics: what the engine of this process feeds as well.
    :param happenings: where the engine of this process tells what happens.
    :param pressure: whether events can be taken; they always are, where it does not say.
    """
    return Context(
        installation=installation,
        ingest=ingest,
        wake=wake,
        metrics=Metrics() if metrics is None else metrics,
        pressure=Pressure(installation.engine, installation.clock, Bounds()) if pressure is None else pressure,
        keyring=Keyring(installation.engine),
        answers=Answers(installation.engine),
        flows=CurrentFlows(lambda: FlowsCache(installation.renderer)),
        simulations=Simulations(partial(write_files, engine=installation.engine), installation.clock),
        stream=Stream() if happenings is None else happenings,
        trusted=trusted,
    )


def app_of(context: Context, routers: Sequence[str]) -> FastAPI:
    """An app with some of :data:`ROUTERS`; the modules of the others are not loaded."""
    app = FastAPI(
        routes=[*_routes(tuple(routers))],
        title="journeyflow",
        version=version("journeyflow"),
        summary="Customer journeys as plain files",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lambda _: _until_the_end(context.simulations.close),
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.context = context
    errors.install(app)
    app.add_middleware(WrittenSlashes)
    if "segment_protocol" in routers:
        from journeyflow.api.segment_protocol import EventLane

        app.add_middleware(EventLane)
    app.add_middleware(errors.LastResort)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


@cache
def _routes(routers: tuple[str, ...]) -> Sequence[BaseRoute]:
    """The endpoints of some routers, the same in every app of a process: to make them takes longer than to answer."""
    together = APIRouter(generate_unique_id_function=lambda route: route.name)
    for name in routers:
        router: APIRouter = import_module(f"journeyflow.api.{name}").router
        together.include_router(router, dependencies=[Depends(demand_known_parameters)])
    return together.routes


class Parts:
    """The API for a command, which asks for one thing or two: only the endpoints of these are loaded."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._apps: dict[tuple[str, ...], FastAPI] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        routers = routers_of(scope["path"])
        if routers not in self._apps:
            self._apps[routers] = app_of(self._context, routers)
        await self._apps[routers](scope, receive, send)


def routers_of(path: str) -> tuple[str, ...]:
    """What of :data:`ROUTERS` it takes to answer a path."""
    name = path.removeprefix("/v1/").partition("/")[0].partition(":")[0]
    return (name,) if path.startswith("/v1/") and name in ROUTERS else ROUTERS


@asynccontextmanager
async def _until_the_end(close: Callable[[], None]) -> AsyncIterator[None]:
    yield
    await run_in_threadpool(close)


# --- the OpenAPI document --------------------------------------------------------------------------------------------


def _openapi(app: FastAPI) -> dict[str, Any]:  # Any: JSON Schema
    """FastAPI's, with the shape of problems and the keys that each endpoint wants."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        found["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "an API key"},
            "basic": {"type": "http", "scheme": "basic", "description": "an API key as user name, no password"},
        }
        for path, operations_ in found["paths"].items():
            for operation in operations_.values():
                _finish(path, operation)
        for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape, which nothing answers here
            found["components"]["schemas"].pop(name, None)
        found["components"]["schemas"] |= errors.schemas()
        app.openapi_schema = found
    return app.openapi_schema


def _finish(path: str, operation: dict[str, Any]) -> None:  # Any: JSON Schema
    if path.startswith("/v1/"):
        operation["security"] = [{"bearer": []}, {"basic": []}]
    unprocessable = operation["responses"].get("422", {}).get("content", {})
    if "application/json" in unprocessable:
        del operation["responses"]["422"]
