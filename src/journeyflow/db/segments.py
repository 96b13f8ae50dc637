"""Who may be in a segment, by what was judged last; the core decides about the rest.

A contact's state remembers for each definition whether it is inside. That is so until its timer is due: time alone
changes nothing before (rule 3.7). Who has not been judged by the definition yet, or whose timer is due, may be inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, not_, or_, select, true, tuple_

from journeyflow.core.values import to_micros
from journeyflow.db import holders
from journeyflow.db.claims import WHOLE, Group, Place
from journeyflow.db.json_part import json_lists, json_part
from journeyflow.db.tables import contacts


class Wish(NamedTuple):
    """What contacts are chosen by besides a segment; ``None`` chooses everybody."""

    email: str | None = None
    tag: str | None = None
    stage: str | None = None


ANYBODY: Final = Wish()


def possible_members(
    connection: Connection,
    segment: str | None,
    now: datetime,
    after: Place,
    limit: int,
    scanned: int,
    wish: Wish = ANYBODY,
    group: Group = WHOLE,
) -> tuple[list[Place], Place, bool]:
    """The next contacts that may be in the segment, and are what is wished for, behind a place.

    :param segment: the key of its definition; ``None`` where there is none, and everybody may be.
    :param scanned: how many contacts are passed at most; those with another address are not passed at all.
    :returns: the places of those found, the place up to which all have been passed, and whether there may be more.
    """
    key = (contacts.c.shard, contacts.c.contact)
    behind = group.behind(contacts, after)
    if wish.email is not None:
        behind = and_(behind, tuple_(*key).in_(holders.of(connection, "email", wish.email)))
    end = connection.execute(select(*key).where(behind).order_by(*key).limit(1).offset(scanned - 1)).first()
    passed = behind if end is None else and_(behind, tuple_(*key) <= tuple_(*end))
    maybe = true() if segment is None else or_(_inside(segment), uncertain(segment, now))
    rows = connection.execute(select(*key).where(passed, maybe, *_wished(wish)).order_by(*key).limit(limit)).all()
    found = [(row.shard, row.contact) for row in rows]
    if len(found) == limit:
        return found, found[-1], True
    if end is None:
        return found, found[-1] if found else after, False
    return found, (end.shard, end.contact), True


def _wished(wish: Wish) -> Iterator[ColumnElement[bool]]:
    if wish.tag is not None:
        yield json_lists(contacts.c.state, wish.tag, "tags")
    if wish.stage is not None:  # [the definition's key, the stage, when it can change]
        yield json_part(contacts.c.state, "stage", 1) == wish.stage


def count_certain(connection: Connection, segment: str, now: datetime) -> int:
    """How many contacts are in the segment for certain."""
    certain = and_(_inside(segment), not_(uncertain(segment, now)))
    return connection.scalar(select(func.count()).select_from(contacts).where(certain)) or 0


def uncertain_members(connection: Connection, segment: str, now: datetime, after: Place, limit: int) -> list[Place]:
    """The next contacts of which only the core knows."""
    key = (contacts.c.shard, contacts.c.contact)
    query = select(*key).where(tuple_(*key) > tuple_(*after), uncertain(segment, now)).order_by(*key).limit(limit)
    return [(shard, contact) for shard, contact in connection.execute(query)]


def uncertain(segment: str, now: datetime) -> ColumnElement[bool]:
    """Not judged by this definition, or time may have changed the judgement."""
    due = and_(contacts.c.timer_at.is_not(None), contacts.c.timer_at <= to_micros(now))
    return or_(_judged(segment).is_(None), due)


def _inside(segment: str) -> ColumnElement[bool]:
    # 1, or [1, when it can change]
    return or_(_judged(segment) == "1", json_part(contacts.c.state, "segments", segment, 0) == "1")


def _judged(segment: str) -> ColumnElement[str]:
    return json_part(contacts.c.state, "segments", segment)
