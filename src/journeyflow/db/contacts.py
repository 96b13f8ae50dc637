"""Contacts and their runs: rows in, actors out, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy import Connection, FromClause, Select, and_, bindparam, or_, select

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
    asked = bulk.asked_rows(connection, ((shard_of(key), key) for key in keys))
    rows = connection.execute(_asked_contacts(bulk.asked(connection)), asked).all()
    found = {row[0]: _contact(*row) for row in rows}
    for contact in found.values():
        contact.stored = True
    _add_runs(connection, found, asked, now)
    return found


@cache
def _asked_contacts(asked: FromClause) -> Select[Any]:  # Any: the columns' types
    same = and_(contacts.c.shard == asked.c.shard, contacts.c.contact == asked.c.contact)
    columns = (contacts.c.contact, contacts.c.created_at, contacts.c.timer_at, contacts.c.state)
    return select(*columns).select_from(asked.join(contacts, same))


def load_runs(connection: Connection, people: Iterable[Contact], now: datetime) -> None:
    """Give contacts that have left (:func:`unpacked`) the runs that decisions can still concern."""
    found = {contact.key: contact for contact in people}
    _add_runs(connection, found, bulk.asked_rows(connection, ((shard_of(key), key) for key in found)), now)


def _add_runs(connection: Connection, found: Mapping[str, Contact], asked: dict[str, str], now: datetime) -> None:
    for row in connection.execute(_open_runs(bulk.asked(connection)), {**asked, "now": to_micros(now)}).all():
        contact = found.get(row[0])
        if contact is not None:  # who has left for another claim group is gone before its runs are
            contact.runs.append(_run(*row))
    for contact in found.values():
        if len(contact.runs) > 1:
            contact.runs.sort(key=lambda run: (run.entered_at, run.entered_event, run.journey, run.id))


@cache
def _open_runs(asked: FromClause) -> Select[Any]:  # Any: as above
    same = and_(runs.c.shard == asked.c.shard, runs.c.contact == asked.c.contact)
    concerned = or_(runs.c.status == "active", runs.c.open_until >= bindparam("now"))
    columns = [column for column in runs.c if column.name != "shard"]
    return select(*columns).select_from(asked.join(runs, same)).where(concerned)


# --- contacts --------------------------------------------------------------------------------------------------------


def _contact(contact: str, created_at: int, timer_at: int | None, text: str) -> Contact:
    state = orjson.loads(text)
    found = Contact(
        contact,
        from_micros(created_at),
        state["attributes"],
        state["tags"],
        state["topics"],
        {name: _aggregate(kept) for name, kept in state["counts"].items()},
        events=state["events"],
        records=state["records"],
        timer_at=None if timer_at is None else from_micros(timer_at),
        known="anonymous" not in state,
        server="server" in state,
    )
    if "entries" in state:
        found.entries = {
            name: Entry(from_micros(first), from_micros(last), n) for name, (first, last, n) in state["entries"].items()
        }
    if not _USUAL.issuperset(state):
        _add_unusual(found, state)
    return found


_USUAL: Final = frozenset(
    {"attributes", "tags", "topics", "counts", "events", "records", "anonymous", "server", "entries"}
)


def _add_unusual(found: Contact, state: dict[str, Any]) -> None:  # Any: JSON, as contact_row wrote it
    """What only some contacts have."""
    if "leaves" in state:
        found.leaves = {name: _aggregate(kept) for name, kept in state["leaves"].items()}
    if "fired" in state:
        found.fired = {name: from_micros(at) for name, at in state["fired"].items()}
    found.coupons = [Coupon(*coupon) for coupon in state.get("coupons", ())]
    found.answers = state.get("answers", {})
    if "segments" in state:
        found.segments = {key: _membership(kept) for key, kept in state["segments"].items()}
    if "stage" in state:
        found.stage = _stage(state["stage"])
    found.stage_set = state.get("stage_set")
    found.seen_at = instant(state.get("seen_at"))


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
    count, first, last = kept[:3]
    found = Aggregate(count, None if first is None else from_micros(first), None if last is None else from_micros(last))
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
    run = Run(
        id_,
        journey,
        version,
        key,
        state["number"],
        from_micros(entered_at),
        state["entered_event"],
        state["trigger"],
        status,
        node,
        seq=state["seq"],
        visits=state["visits"],
        due_at=None if due_at is None else from_micros(due_at),
        standing="standing" in state,
        last_message=state.get("last_message"),
        reason=reason,
        stored=True,
    )
    if held_at is not None:
        run.held_at = from_micros(held_at)
    if ended_at is not None:
        run.ended_at, run.open_until = from_micros(ended_at), instant(open_until)
    if "queued" in state:
        run.queued = [QueuedMessage(*message) for message in state["queued"]]
    if "steps_at" in state:
        run.steps_at, run.steps = instant(state["steps_at"]), state["steps"]
    if not _USUAL_OF_RUN.issuperset(state):
        _add_unusual_of_run(run, state)
    return run


_USUAL_OF_RUN: Final = frozenset(
    {
        "number", "entered_event", "trigger", "seq", "visits", "standing", "last_message", "queued", "steps_at",
        "steps",
    }
)  # fmt: skip


def _add_unusual_of_run(run: Run, state: dict[str, Any]) -> None:  # Any: JSON, as _run_state wrote it
    """What only some runs have."""
    run.event = state.get("event")
    run.vars = state.get("vars", {})
    run.held = state.get("held")
    run.converted = state.get("converted", False)
    run.check_at = instant(state.get("check_at"))
    run.moved_from = instant(state.get("moved_from"))
    run.followed_at = instant(state.get("followed_at", state.get("resumed_at")))  # of what an older release wrote
    run.deferred_at = instant(state.get("deferred_at"))
    if "called_as" in state:
        node, visit = state["called_as"]
        run.called_as = (node, visit)
    if "left" in state:
        run.left = {name: from_micros(at) for name, at in state["left"].items()}


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
        state["queued"] = [message[:] for message in run.queued]  # plain tuples, which orjson knows
    for name in ("event", "vars", "standing", "held", "converted", "last_message"):
        value = getattr(run, name)
        if value:
            state[name] = value
    if run.check_at is not None:
        state["check_at"] = to_micros(run.check_at)
    if run.status == "active":
        if run.followed_at is not None:
            state["followed_at"] = to_micros(run.followed_at)
        if run.called_as is not None:
            state["called_as"] = [*run.called_as]
        if run.moved_from is not None:
            state["moved_from"] = to_micros(run.moved_from)
        state["steps_at"], state["steps"] = micros(run.steps_at), run.steps
        if run.deferred_at is not None:
            state["deferred_at"] = to_micros(run.deferred_at)
        if run.left:
            state["left"] = {node: to_micros(at) for node, at in run.left.items()}
    return state
