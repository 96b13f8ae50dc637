"""Runs: one passage of one contact through one version of a journey."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from journeyflow.api import shapes
from journeyflow.api.bodies import StrictRoute
from journeyflow.api.changes import change
from journeyflow.api.contacts import ACCEPTED
from journeyflow.api.context import ADMIN, READ, Context, Here
from journeyflow.api.errors import problems
from journeyflow.api.once import Once
from journeyflow.api.paging import Cursor, Limit, page_of, read_cursor
from journeyflow.core.errors import Conflict, InvalidEvent, NotFound
from journeyflow.core.inputs import Move, Remove
from journeyflow.db import documents, runs, trail
from journeyflow.db.history import RunRow
from journeyflow.db.store import read
from journeyflow.services.contacts import Shape, run_shape
from journeyflow.services.explain import record_json

router = APIRouter(tags=["runs"], route_class=StrictRoute)

Id = Annotated[str, Path(max_length=64, description="the run's id")]


def _find(connection: Connection, id_: str) -> tuple[str, RunRow]:
    found = runs.by_id(connection, id_)
    if found is None:
        raise NotFound(f"there is no run {id_}")
    return found


def _read(here: Context, id_: str) -> tuple[str, RunRow]:
    with read(here.installation.engine) as connection:
        return _find(connection, id_)


@router.get("/v1/runs/{id}", response_model=shapes.Run, responses=problems(404), dependencies=[READ])
def show_run(here: Here, id: Id) -> Shape:
    """How a run stands."""
    return run_shape(*_read(here, id))


@router.get("/v1/runs/{id}/trail", response_model=shapes.TrailPage, responses=problems(404), dependencies=[READ])
def run_trail(here: Here, id: Id, limit: Limit = 50, cursor: Cursor = None) -> Shape:
    """The steps of a run in order, with the values that each decision saw (chapter 9 of the semantics)."""
    place = read_cursor(cursor, (int,))
    with read(here.installation.engine) as connection:
        contact, _ = _find(connection, id)
        found = [
            record
            for record in trail.of_run(connection, contact, id)
            if place is None or (record.seq is not None and record.seq > int(place[0]))
        ]
    items, following = page_of(found, limit, lambda record: (record.seq or 0,))
    return {"items": [record_json(record) for record in items], "next_cursor": following}


@router.post(
    "/v1/runs/{id}/remove",
    response_model=shapes.Run,
    responses={**problems(404, 409), **ACCEPTED},
    dependencies=[ADMIN],
)
async def remove_run(here: Here, id: Id, once: Once) -> Shape | JSONResponse:
    """Take a contact out of a run: it exits (`removed`), what it queued and is not yet sent is withdrawn."""
    contact, run = await run_in_threadpool(_read, here, id)
    if run.status != "active":
        raise Conflict(f"run {id} has ended: {run.status}")
    changed = await change(here, contact, [Remove(here.installation.clock(), id)], once)
    if changed.waiting is not None:
        return changed.waiting
    return run_shape(*await run_in_threadpool(_read, here, id))


@router.post(
    "/v1/runs/{id}/move",
    response_model=shapes.Run,
    responses={**problems(404, 409), **ACCEPTED},
    dependencies=[ADMIN],
)
async def move_run(here: Here, id: Id, body: shapes.RunMove, once: Once) -> Shape | JSONResponse:
    """Send a run to a node, in another version of its journey where one is given; it goes on from there at once.

    What it queued stays queued. In a paused journey the run stands before the node until the journey goes on.
    """
    contact, run = await run_in_threadpool(_read, here, id)
    if run.status != "active":
        raise Conflict(f"run {id} has ended: {run.status}")
    await run_in_threadpool(_demand_node, here, run, body)
    changed = await change(here, contact, [Move(here.installation.clock(), id, body.node, body.version)], once)
    if changed.waiting is not None:
        return changed.waiting
    return run_shape(*await run_in_threadpool(_read, here, id))


def _demand_node(here: Context, run: RunRow, body: shapes.RunMove) -> None:
    version = run.version if body.version is None else body.version
    with read(here.installation.engine) as connection:
        document = documents.version(connection, "journey", run.journey, version)
    if document is None or document.status != "published":
        raise InvalidEvent("version", f"expected a published version of {run.journey}, found {version}")
    nodes = document.document["nodes"]
    if not isinstance(nodes, dict) or body.node not in nodes:
        raise InvalidEvent("node", f"expected a node of {run.journey} in version {version}, found {body.node}")
