"""Contacts and their runs: rows in, actors out, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, FromClause, and_, or_, select

from journeyflow.core.contact import (
    Aggregate,
    Contact,
    Coupon,
    Entry,
    Membership,
    QueuedMessage,
    Run,
    RunStatus,
    StageReached,
)
from journeyflow.core.identity import shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk
from journeyflow.db.tables import contacts, runs


def dump(value: object) -> str:
    """JSON as it is kept in a column."""
    return orjson.dumps(value).decode()


def micros(instant: datetime | None) -> int | None:
    """An instant as it is kept in a column."""
    return None if instant is None else to_micros(instant)


def instant(value: int | None) -> datetime | None:
    """An instant as it was kept in a column."""
    return None if value is None else from_micros(value)


def load(connection: Connection, keys: Iterable[str], now: datetime) -> dict[str, Contact]:
    """The contacts with those keys that exist, with the runs that decisions can still concern."""
    wanted = bulk.batch(connection, ((shard_of(key), key) for key in keys))
    same = and_(contacts.c.shard == wanted.c.shard, contacts.c.contact == wanted.c.contact)
    columns = (contacts.c.contact, contacts.c.created_at, contacts.c.timer_at, contacts.c.state)
    rows = connection.execute(select(*columns).select_from(wanted.join(contacts, same))).all()
    found = {row[0]: _contact(*row) for row in rows}
    _add_runs(connection, found, wanted, now)
    return found


def load_runs(connection: Connection, people: Iterable[Contact], now: datetime) -> None:
    """Give contacts that have left (:func:`unpacked`) the runs that decisions can still concern."""
    found = {contact.key: contact for contact in people}
    wanted = bulk.batch(connection, ((shard_of(key), key) for key in found))
    _add_runs(connection, found, wanted, now)


def _add_runs(connection: Connection, found: Mapping[str, Contact], wanted: FromClause, now: datetime) -> None:
    for row in connection.execute(_open_runs(wanted, now)).all():
        contact = found.get(row[0])
        if contact is not None:  # who has left for another claim group is gone before its runs are
            contact.runs.append(_run(*row))
    for contact in found.values():
        if len(contact.runs) > 1:
            contact.runs.sort(key=lambda run: (run.entered_at, run.entered_event, run.journey, run.id))


def _open_runs(wanted: FromClause, now: datetime) -> Any:  # Any: a Select of many columns
    same = and_(runs.c.shard == wanted.c.shard, runs.c.contact == wanted.c.contact)
    concerned = or_(runs.c.status == "active", runs.c.open_until >= to_micros(now))
    columns = [column for column in runs.c if column.name != "shard"]
    return select(*columns).select_from(wanted.join(runs, same)).where(concerned)


# --- contacts --------------------------------------------------------------------------------------------------------


def _contact(contact: str, created_at: int, timer_at: int | None, text: str) -> Contact:
    state = orjson.loads(text)
    return Contact(
        key=contact,
        created_at=from_micros(created_at),
        attributes=state["attributes"],
        tags=state["tags"],
        topics=state["topics"],
        counts={name: _aggregate(kept) for name, kept in state["counts"].items()},
        leaves={name: _aggregate(kept) for name, kept in state["leaves"].items()} if "leaves" in state else {},
        fired={name: from_micros(at) for name, at in state["fired"].items()} if "fired" in state else {},
        entries={
            name: Entry(from_micros(first), from_micros(last), n)
            for name, (first, last, n) in state.get("entries", {}).items()
        },
        coupons=[Coupon(*coupon) for coupon in state.get("coupons", ())],
        answers=state.get("answers", {}),
        events=state["events"],
        records=state["records"],
        timer_at=instant(timer_at),
        segments={key: _membership(kept) for key, kept in state["segments"].items()} if "segments" in state else {},
        stage=_stage(state["stage"]) if "stage" in state else None,
        stage_set=state.get("stage_set"),
        seen_at=instant(state.get("seen_at")),
        known="anonymous" not in state,
        server="server" in state,
    )


def contact_row(contact: Contact) -> tuple[object, ...]:
    """A row of ``contacts``, columns in order."""
    state: dict[str, object] = {
        "attributes": contact.attributes,
        "tags": contact.tags,
        "topics": contact.topics,
        "events": contact.events,
        "records": contact.records,
        "counts": {name: _kept(aggregate) for name, aggregate in contact.counts.items()},
    }
    if contact.leaves:
        state["leaves"] = {name: _kept(aggregate) for name, aggregate in contact.leaves.items()}
    if contact.fired:
        state["fired"] = {name: to_micros(at) for name, at in contact.fired.items()}
    if contact.entries:
        state["entries"] = {
            name: (to_micros(entry.first_at), to_micros(entry.last_at), entry.count)
            for name, entry in contact.entries.items()
        }
    if contact.coupons:
        state["coupons"] = [_coupon(coupon) for coupon in contact.coupons]
    if contact.answers:
        state["answers"] = contact.answers
    _put_standing(contact, state)
    if not contact.known:
        state["anonymous"] = True
    if contact.server:
        state["server"] = True
    return (
        shard_of(contact.key),
        contact.key,
        micros(contact.created_at),
        micros(contact.timer_at),
        dump(state),
    )


def packed(contact: Contact) -> dict[str, object]:
    """A contact without its runs, for the way to another one that it is merged into."""
    _, key, created_at, _, state = contact_row(contact)
    return {"contact": key, "created_at": created_at, "state": state}


def unpacked(data: Mapping[str, Any]) -> Contact:  # Any: what packed wrote
    """The contact that ``packed`` made data of."""
    found = _contact(data["contact"], data["created_at"] or 0, None, data["state"])
    if data["created_at"] is None:  # nothing had come for it yet
        found.created_at = None
    return found


def _put_standing(contact: Contact, state: dict[str, object]) -> None:
    """Where the contact stands, as far as anybody asks."""
    if contact.segments:
        state["segments"] = {
            key: int(one.inside) if one.check_at is None else (int(one.inside), to_micros(one.check_at))
            for key, one in contact.segments.items()
        }
    if contact.stage is not None:
        state["stage"] = (contact.stage.key, contact.stage.stage, micros(contact.stage.check_at))
    if contact.stage_set is not None:
        state["stage_set"] = contact.stage_set
    if contact.seen_at is not None:
        state["seen_at"] = to_micros(contact.seen_at)


def _membership(kept: Any) -> Membership:  # Any: a number, or two, as _put_standing wrote them
    return Membership(bool(kept[0]), from_micros(kept[1])) if isinstance(kept, list) else Membership(bool(kept), None)


def _stage(kept: list[Any]) -> StageReached:  # Any: as _put_standing wrote them
    key, stage, check_at = kept
    return StageReached(key, stage, instant(check_at))


def _coupon(coupon: Coupon) -> tuple[object, ...]:
    kept = (coupon.code, coupon.pool, coupon.journey, coupon.expires_at, coupon.redeemed)
    return kept if coupon.given_to is None else (*kept, coupon.given_to)


def _aggregate(kept: list[Any]) -> Aggregate:  # Any: numbers and nulls, as _kept wrote them
    found = Aggregate(kept[0], instant(kept[1]), instant(kept[2]))
    if len(kept) > 3:
        found.numbers, found.total, found.least, found.most = kept[3:]
    return found


def _kept(aggregate: Aggregate) -> tuple[object, ...]:
    kept = (aggregate.count, micros(aggregate.first), micros(aggregate.last))
    if not aggregate.numbers:
        return kept
    return (*kept, aggregate.numbers, aggregate.total, aggregate.least, aggregate.most)


# --- runs ------------------------------------------------------------------------------------------------------------


def _run(
    contact: str, id_: str, journey: str, version: int, key: str, status: RunStatus, node: str | None,
    due_at: int | None, held_at: int | None, entered_at: int, ended_at: int | None, open_until: int | None,
    reason: str | None, text: str,
) -> Run:  # fmt: skip
    state = orjson.loads(text)
    get = state.get
    return Run(
        id=id_,
        journey=journey,
        version=version,
        key=key,
        number=state["number"],
        entered_at=from_micros(entered_at),
        entered_event=state["entered_event"],
        trigger=state["trigger"],
        status=status,
        node=node,
        event=get("event"),
        vars=get("vars", {}),
        seq=state["seq"],
        visits=state["visits"],
        due_at=instant(due_at),
        check_at=instant(get("check_at")),
        standing=get("standing", False),
        held=get("held"),
        held_at=instant(held_at),
        moved_from=instant(get("moved_from")),
        resumed_at=instant(get("resumed_at")),
        ended_at=instant(ended_at),
        reason=reason,
        converted=get("converted", False),
        last_message=get("last_message"),
        open_until=instant(open_until),
        queued=[QueuedMessage(*message) for message in get("queued", ())],
        left={name: from_micros(at) for name, at in state["left"].items()} if "left" in state else {},
        steps_at=instant(get("steps_at")),
        steps=get("steps", 0),
        deferred_at=instant(get("deferred_at")),
    )


def run_row(contact: str, run: Run) -> tuple[object, ...]:
    """A row of ``runs``, columns in order."""
    return (
        shard_of(contact),
        contact,
        run.id,
        run.journey,
        run.version,
        run.key,
        run.status,
        run.node,
        micros(run.due_at),
        micros(run.held_at),
        to_micros(run.entered_at),
        micros(run.ended_at),
        micros(run.open_until),
        run.reason,
        dump(_run_state(run)),
    )


def _run_state(run: Run) -> dict[str, object]:
    state: dict[str, object] = {
        "number": run.number,
        "entered_event": run.entered_event,
        "trigger": run.trigger,
        "seq": run.seq,
        "visits": run.visits,
    }
    if run.queued:
        state["queued"] = [[*message] for message in run.queued]
    for name in ("event", "vars", "standing", "held", "converted", "last_message"):
        value = getattr(run, name)
        if value:
            state[name] = value
    if run.check_at is not None:
        state["check_at"] = to_micros(run.check_at)
    if run.status == "active":
        if run.resumed_at is not None:
            state["resumed_at"] = to_micros(run.resumed_at)
        if run.moved_from is not None:
            state["moved_from"] = to_micros(run.moved_from)
        state["steps_at"], state["steps"] = micros(run.steps_at), run.steps
        if run.deferred_at is not None:
            state["deferred_at"] = to_micros(run.deferred_at)
        if run.left:
            state["left"] = {node: to_micros(at) for node, at in run.left.items()}
    return state
