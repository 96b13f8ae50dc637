"""Coupon pools: how many codes are given and left, who has which, and codes that are uploaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal, NamedTuple

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from journeyflow.api import shapes
from journeyflow.api.bodies import FileRoute
from journeyflow.api.context import ADMIN, READ, Context, Here
from journeyflow.api.errors import UnknownFormat, problems
from journeyflow.api.once import do_once, token_of
from journeyflow.api.paging import Cursor, Limit, Page, page_of, read_cursor
from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.errors import Conflict, InvalidEvent, InvalidInput, NotFound
from journeyflow.core.values import iso
from journeyflow.db import codes, coupons
from journeyflow.db.coupons import GivenCode
from journeyflow.db.idempotency import Token
from journeyflow.db.store import read, write
from journeyflow.services.code_files import CODES_MAX, judge, parse_codes

REJECTED_MAX: Final = 10_000
"""So many codes that were not taken are told; the others are counted."""

router = APIRouter(tags=["coupons"], route_class=FileRoute)

PoolId = Annotated[str, Path(max_length=64, description="the pool's id")]
State = Literal["given", "redeemed", "left"]


class Code(BaseModel):
    """One code; while it is left, all but ``code`` and ``state`` is null. An erased contact is null as well."""

    code: str
    state: State
    contact: str | None = None
    journey: str | None = None
    run: str | None = None
    given_at: shapes.Instant | None = None
    expires_at: shapes.Instant | None = None
    redeemed_at: shapes.Instant | None = None


class Pool(Page[Code]):
    """A pool and a page of its codes."""

    pool: str
    codes: Literal["generated", "uploaded", "listed"]
    given: int = Field(description="codes that contacts got, redeemed ones included")
    redeemed: int
    left: int | None = Field(description="codes that nobody got yet; null where they are generated")


class Sent(NamedTuple):
    """Codes with the places by which they are told of, from 1; ``wrong`` are rows of a CSV that hold none."""

    codes: list[tuple[int, str]]
    wrong: list[RejectedCode]
    unit: Literal["code", "line"]


class Upload(BaseModel):
    """Codes to put into a pool."""

    codes: list[str] = Field(max_length=CODES_MAX)


class RejectedCode(BaseModel):
    """One code that was not taken."""

    line: int = Field(description="its place among those sent, or its line in the CSV, from 1")
    code: str
    detail: str


class Uploaded(BaseModel):
    """What became of the codes: those that could be taken are on disk, together."""

    imported: int
    duplicates: int = Field(description="codes that the pool has or had, or that were sent twice; they are rejected")
    rejected: int
    rejected_lines: list[RejectedCode]
    left: int


def _pool(connection: Connection, here: Context, id_: str) -> CouponPool:
    found = here.flows.at(connection).library.pools.get(id_)
    if found is None:
        raise NotFound(f"there is no coupon pool {id_}")
    return found


@router.get("/v1/coupons/{pool}", response_model=Pool, responses=problems(404), dependencies=[READ])
def show_pool(
    here: Here,
    pool: PoolId,
    state: Annotated[State, Query(description="which codes: `given` includes those that are redeemed")] = "given",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Pool:
    """How many codes of a pool are given and left, and who has which."""
    place = read_cursor(cursor, (int, str))
    after = None if place is None else (int(place[0]), str(place[1]))
    with read(here.installation.engine) as connection:
        document = _pool(connection, here, pool)
        counts = codes.counts(connection, pool)
        items, following = _page(connection, pool, state, after, limit)
    kind = document.codes if isinstance(document.codes, str) else "listed"
    left = counts["left"] if document.stocked else None
    return Pool(
        pool=pool, codes=kind, given=counts["given"], redeemed=counts["redeemed"], left=left, items=items,
        next_cursor=following,
    )  # fmt: skip


def _page(
    connection: Connection, pool: str, state: State, after: tuple[int, str] | None, limit: int
) -> tuple[list[Code], str | None]:
    if state == "left":
        free = codes.left(connection, pool, after or (-1, ""), limit + 1)
        rest, following = page_of(free, limit, lambda place: place)
        return [Code(code=code, state="left") for _, code in rest], following
    found = coupons.given(connection, pool, after, limit + 1, redeemed=state == "redeemed")
    some, following = page_of(found, limit, lambda one: one.place)
    return [_code(one) for one in some], following


def _code(one: GivenCode) -> Code:
    return Code(
        code=one.code,
        state="given" if one.redeemed_at is None else "redeemed",
        contact=one.contact or None,
        journey=one.journey,
        run=one.run or None,
        given_at=iso(one.given_at),
        expires_at=one.expires_at,
        redeemed_at=None if one.redeemed_at is None else iso(one.redeemed_at),
    )


@router.post(
    "/v1/coupons/{pool}",
    response_model=Uploaded,
    responses=problems(404, 409, 413, 415),
    dependencies=[ADMIN],
    openapi_extra={
        "requestBody": {
            "content": {
                "application/json": {"schema": Upload.model_json_schema()},
                "text/csv": {"schema": {"type": "string", "description": "as `coupons import` takes it"}},
            },
            "required": True,
        }
    },
)
async def upload_codes(request: Request, here: Here, pool: PoolId) -> Uploaded:
    """Put codes into a pool with ``codes: uploaded``.

    Each code is judged on its own; those that can be taken are stored together. What the pool has, or had, is not
    taken again, so that an upload can be repeated.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    read_codes = _READERS.get(media_type)
    if read_codes is None:
        raise UnknownFormat(f"expected JSON or CSV, and Content-Type: {' or '.join(_READERS)}")
    body = await request.body()
    once = await token_of(request)
    return await run_in_threadpool(lambda: _store(here, pool, read_codes(body), once))


def _in_json(body: bytes) -> Sent:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidEvent("body", f"expected JSON: {error}") from None
    given = data.get("codes") if isinstance(data, dict) else None
    if not isinstance(given, list) or data.keys() != {"codes"}:
        raise InvalidEvent("codes", "expected an object with a list of codes, and nothing else")
    if len(given) > CODES_MAX:
        raise InvalidEvent("codes", f"expected at most {CODES_MAX:,} codes at once")
    for place, code in enumerate(given):
        if not isinstance(code, str):
            raise InvalidEvent(f"codes[{place}]", "expected text")
    return Sent([*enumerate(given, 1)], [], "code")


def _in_csv(body: bytes) -> Sent:
    try:
        found = parse_codes(body, "body")
    except InvalidInput as error:
        raise InvalidEvent("body", f"expected a CSV of codes: {error}") from None
    wrong = [RejectedCode(line=one.number, code=_shown(one.written), detail=one.reason) for one in found.rejected]
    return Sent([(line.number, line.code) for line in found.lines], wrong, "line")


def _shown(row: str | list[str]) -> str:
    """A row as JSON can tell it: what was no UTF-8 is half characters."""
    text = row if isinstance(row, str) else ",".join(row)
    return text[:200].encode("utf-8", "replace").decode()


_READERS: Final[Mapping[str, Callable[[bytes], Sent]]] = {"application/json": _in_json, "text/csv": _in_csv}


def _store(here: Context, pool: str, sent: Sent, once: Token | None) -> Uploaded:
    given = [code for _, code in sent.codes]
    judged = judge(given)
    now = here.installation.clock()
    with write(here.installation.engine) as connection:
        document = _pool(connection, here, pool)
        if document.codes != "uploaded":
            raise Conflict(f"coupon pool {pool} does not say codes: uploaded, so that none can be")
        do_once(connection, once, now)
        new = set(codes.add(connection, pool, list(judged.codes), now))
        left = codes.counts(connection, pool)["left"]
    detail = {place: "is in the pool already" for code, place in judged.codes.items() if code not in new}
    for place in judged.doubled:
        first = sent.codes[judged.codes[given[place - 1]] - 1][0]
        detail[place] = f"comes twice: it is {'in ' if sent.unit == 'line' else ''}{sent.unit} {first} too"
    duplicates = len(detail)
    refused = [
        RejectedCode(line=sent.codes[place - 1][0], code=given[place - 1][:200], detail=why)
        for place, why in (detail | judged.wrong).items()
    ]
    rejected = sorted([*sent.wrong, *refused], key=lambda one: one.line)
    return Uploaded(
        imported=len(new), duplicates=duplicates, rejected=len(rejected), rejected_lines=rejected[:REJECTED_MAX],
        left=left,
    )  # fmt: skip
