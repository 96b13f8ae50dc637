"""For operators: alive, ready, metrics; and a first page."""

from __future__ import annotations

from html import escape
from weakref import WeakSet

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Engine
from starlette.responses import HTMLResponse, JSONResponse, Response

from journeyflow.api.context import Context, Here
from journeyflow.api.errors import open_problems
from journeyflow.api.pages import page
from journeyflow.core.errors import JourneyflowError
from journeyflow.db.schema_version import is_current
from journeyflow.db.sqlite import read
from journeyflow.services import metrics

router = APIRouter(tags=["operations"])

BEHIND_SECONDS_MAX = 60.0
"""Behind by more than this the engine is not ready."""

_migrated: WeakSet[Engine] = WeakSet()
"""Databases that were found to have the newest schema, which takes long to find out and does not change back."""


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"


class Readiness(BaseModel):
    """Whether the process can do its work; ``reasons`` say why not."""

    ready: bool
    reasons: list[str]


@router.get("/healthz", response_model=Alive)
async def healthz() -> Alive:
    """Whether the process is alive."""
    return Alive()


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "not ready"}})
def readyz(here: Here) -> Response:
    """Whether the database is there and of the newest schema, and the engine not behind."""
    reasons = _reasons(here)
    return JSONResponse(Readiness(ready=not reasons, reasons=reasons).model_dump(), 503 if reasons else 200)


def _reasons(here: Context) -> list[str]:
    engine = here.installation.engine
    try:
        if engine not in _migrated:
            if not is_current(engine):
                return ["the database has an older schema; run journeyflow migrate"]
            _migrated.add(engine)
        with read(engine) as connection:
            behind = metrics.lag(connection, here.installation.clock())
    except JourneyflowError as error:
        return [str(error)]
    waits = {"input": behind.inbox_seconds, "timer": behind.timer_seconds}
    return [
        f"the oldest {what} has waited for {seconds:.0f} s; is an engine running?"
        for what, seconds in waits.items()
        if seconds > BEHIND_SECONDS_MAX
    ]


@router.get(
    "/metrics",
    responses={
        **open_problems(),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "metrics"},
    },
    response_class=Response,
)
def prometheus(here: Here) -> Response:
    """Counters of this process and the lag of the engine, for Prometheus."""
    with read(here.installation.engine) as connection:
        behind = metrics.lag(connection, here.installation.clock())
    return Response(here.metrics.text(behind), media_type=metrics.MEDIA_TYPE)


_LINKS = (
    ("docs", "API reference"),
    ("openapi.json", "OpenAPI document"),
    ("v1/journeys", "journeys"),
    ("v1/messages", "messages"),
    ("v1/contacts", "contacts"),
    ("healthz", "alive?"),
    ("readyz", "ready?"),
    ("metrics", "metrics"),
)


@router.get("/", include_in_schema=False)
async def first_page() -> HTMLResponse:
    """Where to go from here."""
    links = "\n".join(f'<li><a href="{escape(path)}">{escape(name)}</a></li>' for path, name in _LINKS)
    return page("journeyflow", f"<p>Customer journeys as plain files.</p>\n<ul>\n{links}\n</ul>")
