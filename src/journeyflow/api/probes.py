"""What a process without the API answers: alive, ready, metrics."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from journeyflow.bootstrap import Installation
from journeyflow.core.errors import JourneyflowError
from journeyflow.db.store import read
from journeyflow.services import metrics
from journeyflow.services.metrics import Metrics
from journeyflow.services.readiness import reasons_against


def ready(installation: Installation) -> Response:
    """Whether the process can do its work; reasons say why not."""
    reasons = reasons_against(installation.engine, installation.clock(), installation.settings.ready_lag_seconds)
    return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)


def measured(installation: Installation, counted: Metrics) -> Response:
    """Counters of this process, and how far the engine is behind, for Prometheus.

    :raises JourneyflowError: when the database can't be read.
    """
    with read(installation.engine) as connection:
        behind = metrics.lag(connection, installation.clock())
    return Response(counted.text(behind), media_type=metrics.MEDIA_TYPE)


def probes(installation: Installation, counted: Metrics) -> Starlette:
    """The app: ``/healthz``, ``/readyz``, ``/metrics``."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        return await run_in_threadpool(ready, installation)

    async def prometheus(_: Request) -> Response:
        try:
            return await run_in_threadpool(measured, installation, counted)
        except JourneyflowError as error:
            return PlainTextResponse(f"{error}\n", 503)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", prometheus)])
