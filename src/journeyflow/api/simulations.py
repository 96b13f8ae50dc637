"""Simulations on the server: journeys over events that are given, or over those that are stored."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from journeyflow.api.bodies import StrictRoute
from journeyflow.api.context import READ, Context, Here
from journeyflow.api.errors import problems
from journeyflow.api.pages import PRIVATE
from journeyflow.api.paging import Cursor, Limit, Page, page_of, read_cursor
from journeyflow.api.shapes import Body, Instant
from journeyflow.core.errors import Conflict, InvalidEvent, NotFound
from journeyflow.core.local_time import zone
from journeyflow.core.values import JSON, iso, parse_instant
from journeyflow.core.workspace import DEFAULT
from journeyflow.db import documents
from journeyflow.db.store import read
from journeyflow.services.check import check_data
from journeyflow.services.contacts import Shape
from journeyflow.services.report import POLICY
from journeyflow.services.simulate_errors import TOLD_MAX
from journeyflow.services.simulate_input import wrong_lines
from journeyflow.services.simulation_files import CONTACTS_MAX, EVENTS_MAX, Order
from journeyflow.services.simulations import Simulated

router = APIRouter(tags=["simulations"], route_class=StrictRoute)

Id = Annotated[str, Path(max_length=64, description="the simulation's id")]
DOCUMENTS_MAX: Final = 1_000
Lines = Annotated[list[dict[str, JSON]], Field(max_length=100_000)]


class SimulationOrder(Body):
    """What to simulate; empty: all published journeys over everything that is stored."""

    journeys: Annotated[list[str], Field(max_length=DOCUMENTS_MAX)] = Field(
        default=[], description="only these; else those among `documents`, else all that are published"
    )
    documents: Annotated[list[dict[str, JSON]], Field(max_length=DOCUMENTS_MAX)] = Field(
        default=[], description="in place of the published documents of the same kind and id, or beside them"
    )
    events: Lines | None = Field(
        default=None,
        description="as lines of `simulate --events`; without them the stored events of the installation's contacts, "
        f"at most {EVENTS_MAX:,} of {CONTACTS_MAX:,} contacts",
    )
    contacts: Lines = Field(
        default=[], description="beside `events`: `{contact, attributes, tags, created_at}`, as an import takes them"
    )
    from_: str | None = Field(default=None, alias="from", description="the clock's start; earlier events are history")
    until: str | None = Field(default=None, description="the clock's end, itself included")
    seed: int = Field(default=0, ge=0, lt=2**63, description="makes the coupon codes, nothing else")
    sample: int = Field(
        default=100, ge=1, le=100, description="per cent of the stored contacts, the same ones each time"
    )


class SimulationStatus(BaseModel):
    """How a simulation stands, and what came of it."""

    id: str
    status: Literal["running", "done", "failed"]
    journeys: list[str] = Field(description="those that run")
    created_at: Instant
    ended_at: Instant | None
    result: dict[str, Any] | None = Field(description="the object of `simulate --json`")  # Any: JSON
    error: str | None = Field(description="why it failed")
    report: str | None = Field(description="where its page is")


@router.post(
    "/v1/simulations",
    status_code=202,
    response_model=SimulationStatus,
    responses=problems(404, 409, 429),
    dependencies=[READ],
)
def start_simulation(here: Here, body: SimulationOrder, response: Response) -> Shape:
    """Begin a simulation; it changes nothing and sends nothing. One runs at a time, in a process of its own."""
    made = here.simulations.start(_order(here, body))
    response.headers["Location"] = f"/v1/simulations/{made.id}"
    return _shape(made)


@router.get("/v1/simulations", response_model=Page[SimulationStatus], responses=problems(), dependencies=[READ])
def list_simulations(here: Here, limit: Limit = 50, cursor: Cursor = None) -> Shape:
    """The simulations that this server remembers, newest first."""
    place = read_cursor(cursor, (int,))
    found = [one for one in here.simulations.all() if place is None or one.number < int(place[0])]
    items, following = page_of(found, limit, lambda one: (one.number,))
    return {"items": [_shape(one) for one in items], "next_cursor": following}


@router.get("/v1/simulations/{id}", response_model=SimulationStatus, responses=problems(404), dependencies=[READ])
def show_simulation(here: Here, id: Id) -> Shape:
    """How a simulation stands."""
    return _shape(here.simulations.find(id))


@router.get(
    "/v1/simulations/{id}/report",
    response_class=HTMLResponse,
    responses={**problems(404, 409), 200: {"description": "the page of `simulate --report`"}},
    dependencies=[READ],
)
def show_report(here: Here, id: Id) -> Response:
    """The report, one page that needs nothing else."""
    found = here.simulations.find(id)
    if found.report is None:
        raise Conflict(f"simulation {id} is {found.status}; there is a report when it is done")
    return HTMLResponse(
        found.report, headers={**PRIVATE, "Content-Security-Policy": f"{POLICY}; frame-ancestors 'self'"}
    )


@router.delete("/v1/simulations/{id}", status_code=204, responses=problems(404), dependencies=[READ])
def forget_simulation(here: Here, id: Id) -> None:
    """Forget a simulation; one that is running ends."""
    here.simulations.forget(id)


def _order(here: Context, body: SimulationOrder) -> Order:
    if body.events is None and body.contacts:
        raise InvalidEvent("contacts", "expected only beside events; without these the stored contacts are taken")
    with read(here.installation.engine) as connection:
        stored = [(one.kind, one.document) for one in documents.in_force(connection)]
    checked = check_data(body.documents, stored, here.installation.renderer).demand()
    given = {(source.kind, source.id): source.data for source in checked.sources}
    kept = [document for kind, document in stored if (kind, str(document[kind])) not in given]
    known = checked.documents.journeys
    for name in body.journeys:
        if name not in known:
            raise NotFound(f"there is no journey {name}, neither published nor among the documents of the request")
    timezone = (checked.documents.workspace or DEFAULT).timezone
    _demand_lines(body, timezone)
    local = zone(timezone)
    edited = [id_ for kind, id_ in given if kind == "journey"]
    times = []
    for field, text in (("from", body.from_), ("until", body.until)):
        at = None if text is None else parse_instant(text, local)
        if text is not None and at is None:
            raise InvalidEvent(field, "expected an instant in ISO 8601 such as 2026-03-02T10:00:00Z")
        times.append(at)
    start, until = times
    if start is not None and until is not None and until < start:
        raise InvalidEvent("until", "expected an end of the clock that is not before its start")
    return Order(
        documents=[*given.values(), *kept],
        journeys=body.journeys or edited or sorted(known),
        events=body.events,
        contacts=body.contacts,
        start=start,
        until=until,
        seed=body.seed,
        sample=body.sample,
    )


def _demand_lines(body: SimulationOrder, timezone: str) -> None:
    """See that the lines of the request can be simulated, which is cheap, before a process is started for them."""
    wrong = [*wrong_lines(body.events or (), body.contacts, timezone)]
    told: list[tuple[tuple[str | int, ...], str]] = [
        (("body", which, place), str(error)) for which, place, error in wrong[:TOLD_MAX]
    ]
    if len(wrong) > TOLD_MAX:
        told.append((("body",), f"{len(wrong) - TOLD_MAX:,} more lines can't be taken"))
    if told:
        raise RequestValidationError(
            [{"type": "value_error", "loc": place, "input": None, "ctx": {"error": why}} for place, why in told]
        )


def _shape(one: Simulated) -> Shape:
    status = one.status  # before what it tells of
    return {
        "id": one.id,
        "status": status,
        "journeys": [*one.journeys],
        "created_at": iso(one.created_at),
        "ended_at": None if one.ended_at is None else iso(one.ended_at),
        "result": one.result,
        "error": one.error,
        "report": None if one.report is None else f"/v1/simulations/{one.id}/report",
    }
