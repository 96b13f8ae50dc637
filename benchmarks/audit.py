"""What must hold of an installation at rest, whatever happened to it on the way; in SQL that both stores know.

Each fault is a sentence. Events carry a number ``n`` of their own, so that what was accepted can be looked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Protocol

from journeyflow.core.documents import KINDS
from journeyflow.core.journey import Journey

Row = tuple[Any, ...]  # Any: what is in a row


class Database(Protocol):
    """A connection of ``sqlite3``, or of psycopg."""

    def execute(self, query: Any, /) -> Iterable[Any]:  # Any: text, which psycopg wants to be literal; rows
        """The rows that a query finds."""


def audit(database: Database, accepted: Set[int], documents: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Everything that should not be; ``documents`` are those of the journeys.

    :param accepted: the numbers of all events that were answered 200.
    """
    yield from _events(database, accepted)
    yield from _runs(database)
    journeys = list(documents)
    yield from _entries(database, {one["journey"] for one in journeys if "key" in one})
    yield from _paths(database, {one["journey"]: _edges(one) for one in journeys})
    yield from _messages(database)
    yield from _timers(database)
    for (count,) in database.execute("SELECT count(*) FROM failures"):
        if count:
            yield f"{count} inputs were set aside"


def _events(database: Database, accepted: Set[int]) -> Iterator[str]:
    kept: Counter[int] = Counter()
    for (properties,) in database.execute("SELECT properties FROM events"):
        number = json.loads(properties).get("n")
        if number is not None:
            kept[number] += 1
    lost = accepted - kept.keys()
    doubled = [number for number, count in kept.items() if count > 1]
    if lost:
        yield f"{len(lost)} accepted events were lost, such as {min(lost)}"
    if doubled:
        yield f"{len(doubled)} events were processed twice, such as {min(doubled)}"


def _trail(database: Database) -> dict[str, list[list[Any]]]:  # Any: JSON
    """The records of each run: [journey, version, run, seq, kind, node, type, detail], in order."""
    runs: dict[str, list[list[Any]]] = {}  # Any: as above
    for (records,) in database.execute("SELECT records FROM trail ORDER BY shard, contact, number"):
        for record in json.loads(records):
            if record[2] is not None:
                runs.setdefault(record[2], []).append(record)
    for records in runs.values():  # those of a contact that was merged stand behind those of who it is
        records.sort(key=lambda record: record[3])
    return runs


def _runs(database: Database) -> Iterator[str]:
    trails = _trail(database)
    stored: dict[str, str] = dict(iter(database.execute("SELECT id, status FROM runs")))
    if set(trails) != set(stored):
        yield f"{len(set(trails) ^ set(stored))} runs are in the trail or in the table only"
    for run, records in trails.items():
        kinds = [record[4] for record in records]
        if [record[3] for record in records] != list(range(len(records))):
            yield f"run {run}: the trail has gaps or doubles: {kinds}"
        ends = [kind for kind in kinds if kind in ("completed", "exited")]
        if kinds[0] != "entered" or kinds.count("entered") != 1 or (ends or ["active"]) != [stored.get(run)]:
            yield f"run {run} ({stored.get(run)}) has no whole history: {kinds}"
    yield from _counts(database, Counter(stored.values()))


def _counts(database: Database, runs: Mapping[str, int]) -> Iterator[str]:
    counted: Counter[str] = Counter()
    for kind, count in database.execute("SELECT kind, sum(count) FROM statistics WHERE node = '' GROUP BY kind"):
        counted[kind.partition(":")[0]] += int(count)
    told = {kind: counted[kind] for kind in ("entered", "completed", "exited")}
    ended = {kind: runs.get(kind, 0) for kind in ("completed", "exited")}
    if told != {"entered": sum(runs.values()), **ended}:
        yield f"the statistics count {told}; the runs are {dict(runs)}"


def _entries(database: Database, keyed: Set[str]) -> Iterator[str]:
    """Of journeys with a key; those of others are remembered with the contact."""
    remembered = dict(iter(database.execute("SELECT journey, sum(count) FROM entries GROUP BY journey")))
    for journey, runs in database.execute("SELECT journey, count(*) FROM runs GROUP BY journey"):
        if journey in keyed and remembered.get(journey) != runs:
            yield f"{remembered.get(journey)} entries into {journey} are remembered, of {runs} runs"


def _edges(document: Mapping[str, Any]) -> set[tuple[str | None, str]]:  # Any: JSON
    """From which node one gets to which; from ``None`` to the first."""
    journey = KINDS["journey"].model_validate(document)
    assert isinstance(journey, Journey)
    edges: set[tuple[str | None, str]] = {(None, journey.start)}
    for name, node in journey.nodes.items():
        edges.update((name, target) for _, target in node.exits() if target is not None)
    return edges


def _paths(database: Database, edges: Mapping[str, set[tuple[str | None, str]]]) -> Iterator[str]:
    for run, records in _trail(database).items():
        walked = [record[5] for record in records if record[5] is not None and not _is_withdrawal(record)]
        steps = {(a, b) for a, b in zip([None, *walked], walked, strict=False) if a != b}
        beside = steps - edges[records[0][0]]
        if beside:
            yield f"run {run} of {records[0][0]} left the graph: {beside}"


def _is_withdrawal(record: list[Any]) -> bool:  # Any: JSON
    """Of a message that was queued before, at its node."""
    return bool(record[4] == "message" and record[7]["outcome"] == "cancelled")


def _messages(database: Database) -> Iterator[str]:
    queued = Counter(
        (record[2], record[5])
        for records in _trail(database).values()
        for record in records
        if record[4] == "message" and record[7]["outcome"] == "queued"
    )
    outbox = Counter(
        (run, node) for run, node in database.execute("SELECT run, node FROM messages WHERE status <> 'skipped'")
    )
    if queued != outbox:
        yield f"the trail queued {queued.total()} messages, the outbox holds {outbox.total()}"
    codes = "SELECT count(*), count(DISTINCT code), count(DISTINCT run || node || visit) FROM coupons"
    for count, distinct, effects in database.execute(codes):
        if not count == distinct == effects:
            yield f"{count} coupon codes are allocated, {distinct} distinct, for {effects} effects"


def _timers(database: Database) -> Iterator[str]:
    """Who waits is woken: the contact has a timer, no later than the first of its runs is due."""
    waiting = (
        "SELECT count(*) FROM runs"
        " LEFT JOIN contacts ON contacts.shard = runs.shard AND contacts.contact = runs.contact"
        " LEFT JOIN timers ON timers.shard = runs.shard AND timers.contact = runs.contact"
        " AND timers.due_at = contacts.timer_at"
        " WHERE runs.status = 'active' AND runs.due_at IS NOT NULL"
        " AND (timers.due_at IS NULL OR timers.due_at > runs.due_at)"
    )
    for (stuck,) in database.execute(waiting):
        if stuck:
            yield f"{stuck} waiting runs have no timer that wakes them"
