"""For operators: alive, ready, metrics; and a first page."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import HTMLResponse, Response

from journeyflow.api import probes
from journeyflow.api.context import Here
from journeyflow.api.errors import open_problems
from journeyflow.api.pages import page

router = APIRouter(tags=["operations"])


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
    return probes.ready(here.installation)


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
    return probes.measured(here.installation, here.metrics)


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
