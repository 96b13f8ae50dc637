"""What happens in one process, told to those who listen in others (PostgreSQL): short notices, of which most only name
rows of the trail, which whoever hears of them reads.

A notice that is lost is not told again, and of very much at once only a part is told: it is for looking on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson
from sqlalchemy import Connection

from journeyflow.core.effects import TrailRecord
from journeyflow.core.values import JSON, to_micros
from journeyflow.db import trail
from journeyflow.db.notices import PAYLOAD_BYTES_MAX
from journeyflow.db.trail import Place
from journeyflow.services.stream import Notice, as_notice

if TYPE_CHECKING:
    from journeyflow.services.turn import Done

PLACES_MAX: Final = 1_000
"""Of one turn so many rows of the trail are told at most."""
_FRAME_BYTES: Final = 200
"""What is around the parts of a notice."""


class Heard(NamedTuple):
    """What a notice of another process told: steps, other happenings, and how many more there were."""

    records: list[TrailRecord]
    notices: list[Notice]
    dropped: int


def of_turn(sender: str, done: Done) -> Iterator[str]:
    """What a turn decided, as notices."""
    places, refused = _rows(done)
    told = [*refused, *(Notice("coupon_pool_low", {**one._asdict()}) for one in done.pools_low)]
    told += [Notice("alert", {"text": alert}) for alert in done.alerts]
    yield from _packed(sender, "places", places[:PLACES_MAX])
    yield from of_notices(sender, told[:PLACES_MAX], len(places[PLACES_MAX:]) + len(told[PLACES_MAX:]))


def of_notices(sender: str, told: Iterable[Notice], dropped: int = 0) -> Iterator[str]:
    """Other happenings, as notices; ``dropped`` is how many are not told."""
    yield from _packed(sender, "notices", [[*one] for one in told])
    if dropped:
        yield orjson.dumps({"from": sender, "dropped": dropped}).decode()


def _rows(done: Done) -> tuple[list[Place], list[Notice]]:
    """The rows of the trail that a turn wrote; and refusals, which are in none (rule 9.4)."""
    places: list[Place] = []
    refused: list[Notice] = []
    for contact, group in groupby(done.trail, key=lambda one: one[1].contact):
        records = list(group)
        kept = [(number, record) for number, record in records if record.run is not None]
        if kept:
            places.append((contact, kept[0][0], to_micros(kept[0][1].at)))
        refused += [as_notice(record) for _, record in records if record.run is None]
    return places, refused


def _packed(sender: str, what: str, parts: Iterable[object]) -> Iterator[str]:
    """As many parts in a notice as it takes; one that is too long for any is counted as dropped."""
    packed: list[bytes] = []
    size = dropped = 0
    for part in map(orjson.dumps, parts):
        if len(part) > PAYLOAD_BYTES_MAX - _FRAME_BYTES:
            dropped += 1
            continue
        if size + len(part) + 1 > PAYLOAD_BYTES_MAX - _FRAME_BYTES:
            yield _payload(sender, what, packed)
            packed, size = [], 0
        packed.append(part)
        size += len(part) + 1
    if packed:
        yield _payload(sender, what, packed)
    if dropped:
        yield orjson.dumps({"from": sender, "dropped": dropped}).decode()


def _payload(sender: str, what: str, parts: list[bytes]) -> str:
    return (b'{"from":%s,"%s":[%s]}' % (orjson.dumps(sender), what.encode(), b",".join(parts))).decode()


def sender_of(payload: str) -> str:
    """Which process a notice is from."""
    return str(orjson.loads(payload)["from"])


def heard(connection: Connection, payload: str) -> Heard:
    """What a notice tells; rows that are gone by now are left out."""
    data: dict[str, JSON] = orjson.loads(payload)
    places, notices, dropped = data.get("places"), data.get("notices"), data.get("dropped")
    records = trail.of_places(connection, [_place(one) for one in places]) if isinstance(places, list) else []
    return Heard(
        records,
        [_notice(one) for one in notices] if isinstance(notices, list) else [],
        dropped if isinstance(dropped, int) else 0,
    )


def _place(data: JSON) -> Place:
    assert isinstance(data, list)
    contact, number, at = data
    assert isinstance(contact, str)
    assert isinstance(number, int)
    assert isinstance(at, int)
    return (contact, number, at)


def _notice(data: JSON) -> Notice:
    assert isinstance(data, list)
    name, told_ = data
    assert isinstance(name, str)
    assert isinstance(told_, dict)
    return Notice(name, told_)
