"""Coupon pools: how many codes are given and left, who has which, and codes that are uploaded."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from journeyflow.api import shapes
from journeyflow.api.bodies import read_body
from journeyflow.api.context import ADMIN, READ, Context, Here
from journeyflow.api.errors import UnknownFormat, problems
from journeyflow.api.paging import Cursor, Limit, Page, page_of, read_cursor
from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.errors import Conflict, InvalidEvent, NotFound
from journeyflow.core.values import iso
from journeyflow.db import codes, coupons
from journeyflow.db.coupons import GivenCode
from journeyflow.db.sqlite import read, write
from journeyflow.services.code_files import CODES_MAX, judge

BYTES_MAX: Final = 200_000_000
REJECTED_MAX: Final = 10_000
"""So many codes that were not taken are told; the others are counted."""

router = APIRouter(tags=["coupons"])

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


class Upload(BaseModel):
    """Codes to put into a pool."""

    codes: list[str] = Field(max_length=CODES_MAX)


class RejectedCode(BaseModel):
    """One code that was not taken."""

    line: int = Field(description="its place among those sent, from 1")
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
        "requestBody": {"content": {"application/json": {"schema": Upload.model_json_schema()}}, "required": True}
    },
)
async def upload_codes(request: Request, here: Here, pool: PoolId) -> Uploaded:
    """Put codes into a pool with ``codes: uploaded``.

    Each code is judged on its own; those that can be taken are stored together. What the pool has, or had, is not
    taken again, so that an upload can be repeated.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise UnknownFormat("expected JSON, and Content-Type: application/json")
    body = await read_body(request, BYTES_MAX)
    return await run_in_threadpool(_store, here, pool, _given(body))


def _given(body: bytes) -> list[str]:
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
    return given


def _store(here: Context, pool: str, given: list[str]) -> Uploaded:
    judged = judge(given)
    with write(here.installation.engine) as connection:
        document = _pool(connection, here, pool)
        if document.codes != "uploaded":
            raise Conflict(f"coupon pool {pool} does not say codes: uploaded, so that none can be")
        new = set(codes.add(connection, pool, list(judged.codes), here.installation.clock()))
        left = codes.counts(connection, pool)["left"]
    known = {place: "is in the pool already" for code, place in judged.codes.items() if code not in new}
    rejected = sorted({**judged.wrong, **judged.doubled, **known}.items())
    lines = [
        RejectedCode(line=place, code=given[place - 1][:200], detail=detail)
        for place, detail in rejected[:REJECTED_MAX]
    ]
    return Uploaded(
        imported=len(new), duplicates=len(judged.doubled) + len(known), rejected=len(rejected), rejected_lines=lines,
        left=left,
    )  # fmt: skip
