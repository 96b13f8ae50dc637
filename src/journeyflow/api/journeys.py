"""Journeys: how they stand, what they did, who is in them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from journeyflow.api import shapes
from journeyflow.api.bodies import StrictRoute
from journeyflow.api.changes import change
from journeyflow.api.contacts import ACCEPTED, describe
from journeyflow.api.context import ADMIN, READ, Context, Here
from journeyflow.api.errors import NeedsChoice, problems
from journeyflow.api.matching import IfMatch, demand_match, etag_of, newest_of
from journeyflow.api.once import Once, do_once
from journeyflow.api.paging import Cursor, Limit, page_of, read_cursor
from journeyflow.api.segment_events import key_text
from journeyflow.core.errors import Conflict, InvalidEvent
from journeyflow.core.inputs import Enroll
from journeyflow.core.instructions import EXIT, ResumeMode
from journeyflow.core.overview import overview
from journeyflow.core.values import JSON, iso
from journeyflow.db import aliases, documents, history, runs, statistics
from journeyflow.db.documents import JourneyRow
from journeyflow.db.store import read, write
from journeyflow.services import contacts, operate
from journeyflow.services.contacts import Shape, run_shape
from journeyflow.services.operate import row_of

router = APIRouter(tags=["journeys"], route_class=StrictRoute)

Id = Annotated[str, Path(max_length=64, description="the journey's id")]
REFUSALS_MAX: Final = 100

# --- reading ---------------------------------------------------------------------------------------------------------


def _document(connection: Connection, id_: str) -> dict[str, JSON]:
    found = documents.versions(connection, "journey", id_, limit=1)
    return found[0].document if found else {}


def _shape(row: JourneyRow, document: dict[str, JSON]) -> Shape:
    name = document.get("name")
    return {
        "id": row.id,
        "name": name if isinstance(name, str) else None,
        "status": row.state,
        "version": row.version,
        "published_at": _text(row.published_at),
        "paused_at": _text(row.paused_at),
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else iso(instant)


@router.get("/v1/journeys", response_model=shapes.JourneyPage, responses=problems(), dependencies=[READ])
def list_journeys(
    here: Here,
    status: Annotated[shapes.JourneyStatus | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Shape:
    """Journeys by id."""
    place = read_cursor(cursor, (str,))
    with read(here.installation.engine) as connection:
        rows = [
            row
            for row in documents.journey_rows(connection).values()
            if (place is None or row.id > str(place[0])) and status in (None, row.state)
        ]
        texts = {one.id: one.document for one in documents.newest(connection, "journey")}
    items, following = page_of(rows, limit, lambda row: (row.id,))
    return {"items": [_shape(row, texts.get(row.id, {})) for row in items], "next_cursor": following}


@router.get("/v1/journeys/{id}", response_model=shapes.JourneyDetail, responses=problems(404), dependencies=[READ])
def show_journey(here: Here, id: Id) -> Shape:
    """A journey with the newest text of its document."""
    with read(here.installation.engine) as connection:
        row, document = row_of(connection, id), _document(connection, id)
    return {**_shape(row, document), "document": document}


@router.get("/v1/journeys/{id}/stats", response_model=shapes.JourneyStats, responses=problems(404), dependencies=[READ])
def journey_stats(here: Here, id: Id) -> Shape:
    """A journey in numbers, over all its versions."""
    with read(here.installation.engine) as connection:
        row_of(connection, id)
        nodes = _document(connection, id).get("nodes")
        totals = statistics.totals(connection, id).items()
        counts = {(one.journey, one.version, one.node, one.kind): count for one, count in totals}
        return overview(counts, nodes if isinstance(nodes, dict) else ())


@router.get(
    "/v1/journeys/{id}/versions", response_model=shapes.VersionPage, responses=problems(404), dependencies=[READ]
)
def journey_versions(here: Here, id: Id, limit: Limit = 50, cursor: Cursor = None) -> Shape:
    """The versions of a journey's document, newest first."""
    place = read_cursor(cursor, (int,))
    with read(here.installation.engine) as connection:
        row_of(connection, id)
        found = [
            one for one in documents.versions(connection, "journey", id) if place is None or one.version < int(place[0])
        ]
    items, following = page_of(found, limit, lambda one: (one.version,))
    return {
        "items": [{"version": one.version, "status": one.status, "at": iso(one.at)} for one in items],
        "next_cursor": following,
    }


@router.get("/v1/journeys/{id}/runs", response_model=shapes.RunPage, responses=problems(404), dependencies=[READ])
def journey_runs(
    here: Here,
    id: Id,
    status: Annotated[shapes.RunStatus | None, Query()] = None,
    node: Annotated[str | None, Query(max_length=64, description="where active runs stand")] = None,
    contact: Annotated[str | None, Query(max_length=255, description="whose; also by an id that it had")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Shape:
    """A journey's runs, in a fixed order that means nothing."""
    place = read_cursor(cursor, (int, str, str))
    after = None if place is None else (int(place[0]), str(place[1]), str(place[2]))
    with read(here.installation.engine) as connection:
        row_of(connection, id)
        whose = None if contact is None else aliases.resolve(connection, contact)
        found = runs.page(connection, id, status, node, after, limit + 1, whose)
    items, following = page_of(found, limit, lambda one: one[0])
    return {"items": [run_shape(key[1], run) for key, run in items], "next_cursor": following}


# --- changing --------------------------------------------------------------------------------------------------------


@router.post(
    "/v1/journeys/{id}/publish", response_model=shapes.Journey, responses=problems(404, 409, 412), dependencies=[ADMIN]
)
def publish_journey(here: Here, id: Id, once: Once, response: Response, if_match: IfMatch = None) -> Shape:
    """Publish the text of a draft; where the newest text is published already, nothing is new (rule 8.1).

    `If-Match` and the `ETag` of the answer are those of `/v1/documents/journey/{id}`.
    """
    from journeyflow.services.publish import publish_draft  # noqa: PLC0415  # only this needs what checks documents

    installation = here.installation
    now = installation.clock()
    with write(installation.engine) as connection:
        do_once(connection, once, now)
        demand_match(newest_of(connection, "journey", id), if_match)
        publish_draft(connection, id, now, installation.renderer)
        row, newest = row_of(connection, id), documents.versions(connection, "journey", id, limit=1)[0]
    here.wake()
    response.headers["ETag"] = etag_of(newest)
    return _shape(row, newest.document)


@router.post(
    "/v1/journeys/{id}/pause", response_model=shapes.Journey, responses=problems(404, 409), dependencies=[ADMIN]
)
def pause_journey(here: Here, id: Id, once: Once, body: shapes.Pause | None = None) -> Shape:
    """Let runs stand still and nobody in; or only the latter (rule 8.2)."""
    now = here.installation.clock()
    with write(here.installation.engine) as connection:
        do_once(connection, once, now)
        row = operate.pause(connection, id, now, body is not None and body.entries)
        document = _document(connection, id)
    here.wake()
    return _shape(row, document)


@router.post(
    "/v1/journeys/{id}/resume", response_model=shapes.Resumed, responses=problems(404, 409), dependencies=[ADMIN]
)
def resume_journey(here: Here, id: Id, once: Once, body: shapes.Resume | None = None) -> Shape:
    """Let a paused journey go on. Where runs are overdue by more than a day, a `mode` has to be chosen (rule 8.2)."""
    mode, over = _choice(shapes.Resume() if body is None else body)
    now = here.installation.clock()
    with read(here.installation.engine) as connection:  # counting takes long, and events should not wait for it
        row = row_of(connection, id)
        overdue = runs.overdue(connection, id, now - operate.OVERDUE_AFTER) if row.paused_at is not None else 0
    if overdue and mode is None:
        raise NeedsChoice(
            f"{overdue} runs of {id} are overdue by more than a day; choose how they go on: "
            "now, over (a time, such as 2h), shift or skip",
            overdue,
        )
    with write(here.installation.engine) as connection:
        do_once(connection, once, now)
        row = operate.resume(connection, id, now, mode or "now", over)
        document = _document(connection, id)
    here.wake()
    return {**_shape(row, document), "overdue": overdue}


def _choice(body: shapes.Resume) -> tuple[ResumeMode | None, timedelta]:
    """The one way that was chosen, if any, and over which time.

    :raises InvalidEvent: when it is more than one, or the time is missing.
    """
    named: dict[ResumeMode, bool] = {"now": body.now, "over": body.over is not None, "shift": body.shift}
    chosen = {mode for mode, given in {**named, "skip": body.skip}.items() if given}
    if body.mode is not None:
        chosen.add(body.mode)
    if len(chosen) > 1:
        raise InvalidEvent("mode", f"expected one of now, over, shift and skip, found {', '.join(sorted(chosen))}")
    if "over" in chosen and body.over is None:
        raise InvalidEvent("over", "expected the time over which runs are spread, such as 2h")
    return next(iter(chosen), None), body.over or timedelta()


@router.post(
    "/v1/journeys/{id}/archive", response_model=shapes.Journey, responses=problems(404, 409), dependencies=[ADMIN]
)
def archive_journey(here: Here, id: Id, once: Once) -> Shape:
    """End a journey for good: nobody enters any more, and all its runs exit (`archived`, rule 8.3)."""
    now = here.installation.clock()
    with write(here.installation.engine) as connection:
        do_once(connection, once, now)
        row = operate.archive(connection, id, now)
        document = _document(connection, id)
    here.wake()
    return _shape(row, document)


@router.post(
    "/v1/journeys/{id}/migrate", response_model=shapes.Migrated, responses=problems(404, 409), dependencies=[ADMIN]
)
def migrate_journey(here: Here, id: Id, once: Once, body: shapes.Migrate | None = None) -> Shape:
    """Let the runs of older versions go to the newest, keeping the time that they have waited (rule 8.4).

    Each node of a version that runs are on needs a place: the node of the same name, or an entry of `map`.
    """
    wanted = shapes.Migrate() if body is None else body
    now = here.installation.clock()
    with write(here.installation.engine) as connection:
        do_once(connection, once, now)
        row, crowds = operate.migrate(connection, id, now, wanted.map, dry_run=wanted.dry_run)
        document = _document(connection, id)
    here.wake()
    nodes: list[JSON] = [{**one._asdict(), "to": EXIT if one.to is None else one.to} for one in crowds]
    return {**_shape(row, document), "dry_run": wanted.dry_run, "nodes": nodes}


@router.post(
    "/v1/journeys/{id}/enroll",
    response_model=shapes.Enrolled,
    responses={**problems(404, 409), **ACCEPTED},
    dependencies=[ADMIN],
)
async def enroll(here: Here, id: Id, body: shapes.Enroll, once: Once) -> Shape | JSONResponse:
    """Let a contact in by hand; key, `enter_if` and re-entry decide as always (rule 3.1)."""
    key = key_text(body.contact, "contact")
    await run_in_threadpool(_demand_both, here, id, key)
    changed = await change(here, key, [Enroll(here.installation.clock(), id, body.properties)], once)
    if changed.waiting is not None:
        return changed.waiting
    return await run_in_threadpool(_enrolled, here, id, key, changed.since)


def _demand_both(here: Context, id_: str, key: str) -> None:
    with read(here.installation.engine) as connection:
        row = row_of(connection, id_)
        if row.state != "live":
            raise Conflict(f"journey {id_} is {row.state}; only a live one lets contacts in")
        contacts.demand(connection, key, here.installation.clock())


def _enrolled(here: Context, id_: str, key: str, since: datetime) -> Shape:
    with read(here.installation.engine) as connection:
        person = aliases.resolve(connection, key)
        run = runs.latest(connection, person, id_, since)
        refusals = history.refusals_of(connection, person, id_, REFUSALS_MAX)
    reason = next((one.detail.get("reason") for one in refusals if one.trigger is None and one.at >= since), None)
    return {**describe(here, key), "run": run.id if run else None, "refused": None if run else reason}
