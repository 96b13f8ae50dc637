"""API keys: made, listed and revoked; a key itself is shown once and kept as a hash."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from journeyflow.api import shapes
from journeyflow.api.bodies import StrictRoute
from journeyflow.api.context import ADMIN, Here
from journeyflow.api.errors import problems
from journeyflow.api.once import SHOWN_ONCE, Once, do_once, repeated
from journeyflow.api.paging import Cursor, Limit, page_of, read_cursor
from journeyflow.core.errors import Conflict, InvalidEvent
from journeyflow.core.values import iso, to_micros
from journeyflow.db.store import read, write
from journeyflow.services import keys
from journeyflow.services.contacts import Shape
from journeyflow.services.keys import Key

router = APIRouter(tags=["keys"], route_class=StrictRoute)


def _shape(key: Key) -> Shape:
    return {
        "id": key.id,
        "scope": key.scope,
        "name": key.name,
        "created_at": iso(key.created_at),
        "revoked_at": None if key.revoked_at is None else iso(key.revoked_at),
    }


def _place(key: Key) -> tuple[int, str]:
    return (to_micros(key.created_at), key.id)


@router.get("/v1/keys", response_model=shapes.KeyPage, responses=problems(), dependencies=[ADMIN])
def list_keys(here: Here, limit: Limit = 50, cursor: Cursor = None) -> Shape:
    """Keys, oldest first, revoked ones too."""
    place = read_cursor(cursor, (int, str))
    with read(here.installation.engine) as connection:
        found = [one for one in keys.listed(connection) if place is None or _place(one) > place]
    items, following = page_of(found, limit, _place)
    return {"items": [_shape(one) for one in items], "next_cursor": following}


@router.post("/v1/keys", response_model=shapes.MadeKey, status_code=201, responses=problems(409), dependencies=[ADMIN])
def create_key(here: Here, body: shapes.NewKey, once: Once, response: Response) -> Shape:
    """Make a key; this answer is the only one that shows it: a request that is repeated under its name gets 409."""
    response.headers.update(SHOWN_ONCE)
    if body.name == keys.FROM_SETTINGS:
        raise InvalidEvent("name", f"expected another name than {body.name!r}, which keys of the settings have")
    now = here.installation.clock()
    with write(here.installation.engine) as connection:
        if repeated(connection, once, now):  # only the hash of the key is kept, so that it can't be shown again
            raise Conflict("this request made a key already, which was shown once; revoke that one and make another")
        secret = keys.create(connection, body.scope, body.name, now)
        made = keys.find(connection, secret)
    assert made is not None, "it was made in this transaction"
    return {**_shape(made), "key": secret}


@router.delete("/v1/keys/{id}", status_code=204, responses=problems(404, 409), dependencies=[ADMIN])
def revoke_key(here: Here, id: Annotated[str, Path(max_length=64)], once: Once) -> None:
    """Revoke a key; other processes obey within two seconds."""
    now = here.installation.clock()
    with write(here.installation.engine) as connection:
        do_once(connection, once, now)
        admins = [one.id for one in keys.listed(connection) if one.scope == "admin" and one.revoked_at is None]
        if admins == [id]:
            raise Conflict("this is the last admin key; make another one first")
        keys.revoke(connection, id, now)
    here.keyring.forget()
