"""What must hold of a database after any number of turns, whatever the journeys and inputs were."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import func, select
from tests.live.world import LiveWorld

from journeyflow.core.effects import Statistic, TrailRecord
from journeyflow.core.values import from_micros
from journeyflow.db import documents, failures, inbox, statistics, tables, tasks
from journeyflow.db.statistics import totals
from journeyflow.db.store import ReadConnection, read

BEGINNINGS = {"entered", "holdout"}
ENDS = {"completed", "exited", "holdout"}
"""What a run's status says when it is not active; who is held out never is."""


def balance(world: LiveWorld) -> None:
    """Fail where the tables of an engine at rest do not agree with each other."""
    runs: dict[str, list[TrailRecord]] = {}
    for record in world.trail():
        runs.setdefault(str(record.run), []).append(record)
    for records in runs.values():
        # At one instant a contact that is merged stands before or behind the one it becomes, as their keys have it.
        records.sort(key=lambda record: record.seq or 0)
    with read(world.engine) as connection:
        assert inbox.is_empty(connection), "nothing waits"
        assert tasks.is_empty(connection)
        assert failures.count(connection) == 0
        _runs_are_whole(connection, runs)
        _statistics_are_a_recount(connection, runs)
        _messages_are_those_of_the_trail(connection, runs)
        _codes_are_given_once(connection, runs)
        _pools_are_counted(connection)
        _calls_are_made(connection)
        _everybody_is_woken(connection)


def _runs_are_whole(connection: ReadConnection, runs: dict[str, list[TrailRecord]]) -> None:
    stored = {row.id: row for row in connection.execute(select(tables.runs)).all()}
    assert stored.keys() == runs.keys(), "a run is in the trail and in the table"
    for run, records in runs.items():
        kinds = [record.kind for record in records]
        assert [record.seq for record in records] == list(range(len(records))), "seq has no gap"
        assert kinds[0] in BEGINNINGS
        assert sum(kind in BEGINNINGS for kind in kinds) == 1
        ends = [kind for kind in kinds if kind in ENDS]
        assert (ends or ["active"]) == [stored[run].status], "a run ends once, and the table knows how"
        assert (stored[run].ended_at is None) == (not ends)


def _statistics_are_a_recount(connection: ReadConnection, runs: dict[str, list[TrailRecord]]) -> None:
    recount: Counter[tuple[str, str]] = Counter()
    for records in runs.values():
        for record in records:
            if record.kind == "converted" and records[0].kind == "holdout":
                recount[record.journey, "holdout_converted"] += 1
            elif record.kind in ("entered", "holdout", "completed", "converted"):
                recount[record.journey, record.kind] += 1
            elif record.kind == "exited":
                recount[record.journey, f"exited:{record.detail['reason']}"] += 1
    refused = select(tables.refusals.c.journey, tables.refusals.c.reason, tables.refusals.c.count)
    for journey, reason, count in connection.execute(refused).all():
        recount[journey, f"refused:{reason}"] += count
    for row in connection.execute(select(tables.runs).where(tables.runs.c.status == "active")).all():
        recount[row.journey, f"waiting:{row.node}"] += 1
    counted: Counter[tuple[str, str]] = Counter()
    for journey in documents.journey_rows(connection):
        for one, count in totals(connection, journey).items():
            if one.kind != "visits" and count:
                counted[journey, f"{one.kind}:{one.node}" if one.node else one.kind] += count
        _nobody_is_missing(totals(connection, journey), sum(statistics.waiting(connection, journey).values()))
    assert counted == recount


def _nobody_is_missing(counts: dict[Statistic, int], active: int) -> None:
    numbers: Counter[str] = Counter()
    for one, count in counts.items():
        numbers[one.kind.partition(":")[0]] += count
    assert numbers["entered"] == active + numbers["completed"] + numbers["exited"]


def _messages_are_those_of_the_trail(connection: ReadConnection, runs: dict[str, list[TrailRecord]]) -> None:
    told: Counter[Any] = Counter()  # Any: as below
    for run, records in runs.items():
        for record in records:
            if record.kind == "message" and record.detail["outcome"] != "cancelled":
                told[run, record.node, record.at, record.detail["outcome"] == "skipped", record.detail["to"]] += 1
    stored = connection.execute(select(tables.messages)).all()
    kept: Counter[Any] = Counter(  # Any: run, node, instant, whether it was skipped, address
        (row.run, row.node, from_micros(row.queued_at), row.status == "skipped", row.to) for row in stored
    )
    assert kept == told, "each message is in the outbox once"
    assert len({row.id for row in stored}) == len(stored)


def _codes_are_given_once(connection: ReadConnection, runs: dict[str, list[TrailRecord]]) -> None:
    coupons = tables.coupons
    effects = select(coupons.c.run, coupons.c.node, coupons.c.visit).distinct().subquery()
    count = connection.scalar(select(func.count()).select_from(coupons))
    assert count == connection.scalar(select(func.count()).select_from(effects))
    shown = {str(record.detail["code"]) for records in runs.values() for record in records if "code" in record.detail}
    assert set(connection.scalars(select(coupons.c.code))) == shown


def _pools_are_counted(connection: ReadConnection) -> None:
    coupons, stock = tables.coupons, tables.codes
    recount: Counter[tuple[str, str]] = Counter()
    for pool, redeemed_at in connection.execute(select(coupons.c.pool, coupons.c.redeemed_at)).all():
        recount[pool, "given"] += 1
        recount[pool, "redeemed"] += redeemed_at is not None
    states = connection.execute(select(stock.c.pool, stock.c.code, stock.c.state)).all()
    recount.update((pool, "left") for pool, _, state in states if state == "left")
    kinds = select(tables.pool_counts.c.pool, tables.pool_counts.c.kind, tables.pool_counts.c.count)
    counted: Counter[tuple[str, str]] = Counter()
    for pool, kind, count in connection.execute(kinds).all():
        counted[pool, kind] += count
    assert +counted == +recount
    stocked = {pool for pool, _, _ in states}
    gone = {(pool, code) for pool, code, state in states if state == "given"}
    held = connection.execute(select(coupons.c.pool, coupons.c.code)).all()
    assert {(pool, code) for pool, code in held if pool in stocked} == gone, "a code that was given is taken"


def _calls_are_made(connection: ReadConnection) -> None:
    assert connection.scalar(select(func.count()).where(tables.calls.c.due_at.isnot(None))) == 0


def _everybody_is_woken(connection: ReadConnection) -> None:
    timers = {(row.contact, row.due_at) for row in connection.execute(select(tables.timers)).all()}
    contacts = connection.execute(select(tables.contacts.c.contact, tables.contacts.c.timer_at)).all()
    woken = {contact: at for contact, at in contacts if at is not None}
    assert woken.items() <= timers
    for run in connection.execute(select(tables.runs).where(tables.runs.c.due_at.isnot(None))).all():
        assert woken[run.contact] <= run.due_at, "who waits until an instant is woken by then"
