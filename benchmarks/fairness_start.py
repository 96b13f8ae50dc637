"""What the fairness benchmark starts from: a crowd that waits in a journey that was paused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Table, exists, select

from journeyflow.core.contact import Contact, Entry, Run
from journeyflow.core.effects import TrailRecord
from journeyflow.core.flows import JourneyState
from journeyflow.core.identity import run_id, shard_of
from journeyflow.core.values import JSON, iso, to_micros
from journeyflow.db import bulk, documents, tables
from journeyflow.db.claims import WHOLE
from journeyflow.db.contacts import contact_row, run_row
from journeyflow.db.documents import JourneyRow
from journeyflow.db.migrations import migrate
from journeyflow.db.store import WriteConnection, open_engine, read, write
from journeyflow.db.trail import trail_rows
from journeyflow.db.turns import DAY_US
from journeyflow.services.folder import read_content

WORKSPACE: Final = "shop"
CROWD: Final = "crowd"
PULSE: Final = "pulse"
WAIT: Final = timedelta(hours=1)
FLOWS: Final = {
    "workspace.yaml": f"workspace: {WORKSPACE}\n",
    "crowd.yaml": f"""
journey: {CROWD}
triggers: [{{type: event, event: Joined}}]
start: pause
nodes:
  pause: {{type: wait, for: 1h, next: label}}
  label: {{type: tag, add: [there]}}
""",
    "pulse.yaml": f"""
journey: {PULSE}
triggers: [{{type: event, event: {PULSE}}}]
start: label
nodes:
  label: {{type: tag, add: [heard]}}
""",
}
LETTER: Final = "letter"
SEGMENT: Final[Mapping[str, JSON]] = {"segment": "customers", "when": {"attribute": "first_name", "starts_with": "Ann"}}
PAUSED_FOR: Final = timedelta(hours=36, minutes=30)
DUE_FOR: Final = timedelta(hours=36)
MOMENT: Final = timedelta(seconds=2)
ROWS: Final = 20_000
MODEL: Final = "customer-model"


def letter(at: datetime) -> dict[str, JSON]:
    """The journey that everybody in the segment is let into at an instant."""
    return {
        "journey": LETTER,
        "triggers": [{"type": "schedule", "at": iso(at), "segment": SEGMENT["segment"]}],
        "start": "label",
        "nodes": {"label": {"type": "tag", "add": ["written to"]}},
    }


class _Member(NamedTuple):
    contact: Contact
    run: Run
    steps: list[TrailRecord]


def prepare(url: str, contacts: int, now: datetime, due_for: timedelta = DUE_FOR) -> None:
    """Make a database in which that many contacts wait, as an engine would have left it that was stopped.

    :param due_for: how long ago their waits ended; negative, where they have not ended yet.
    """
    engine = open_engine(url)
    migrate(engine)
    due_at = now - due_for
    entered_at = due_at - WAIT
    with write(engine) as connection:
        for text in FLOWS.values():
            _publish(connection, text, entered_at - WAIT, now - PAUSED_FOR)
        counted = [("", "entered"), ("pause", "visits"), ("pause", "waiting")]
        day = to_micros(entered_at) // DAY_US
        rows = [(WHOLE.first, CROWD, 1, node, kind, day, contacts) for node, kind in counted]
        bulk.insert(connection, tables.statistics, rows)
    for table, part in _rows(contacts, entered_at, due_at):
        with write(engine) as connection:
            bulk.insert(connection, table, part)
    engine.dispose()


def _publish(connection: WriteConnection, text: str, at: datetime, paused_at: datetime) -> None:
    (source,) = read_content("flows.yaml", text.encode()).sources
    documents.add(connection, source.kind, source.id, source.data, "published", at)
    if source.kind == "journey":
        paused = source.id == CROWD
        state: JourneyState = "paused" if paused else "live"
        documents.put_journey(connection, JourneyRow(source.id, state, 1, at, paused_at if paused else None))
    documents.raise_epoch(connection)


def _rows(count: int, entered_at: datetime, due_at: datetime) -> Iterator[tuple[Table, list[bulk.Row]]]:
    """What the tables hold of the crowd, a part after the other, in the order of their keys.

    All are written like one of them: making each as a decision does would take most of the benchmark's time.
    """
    model = _member(entered_at, due_at)
    (trail_row,) = trail_rows(list(enumerate(model.steps)))
    written: dict[Table, bulk.Row] = {
        tables.contacts: contact_row(model.contact),
        tables.runs: run_row(MODEL, model.run),
        tables.timers: (to_micros(due_at), shard_of(MODEL), MODEL),
        tables.trail: trail_row,
    }
    shards = {table: [column.name for column in table.columns].index("shard") for table in written}
    keys = sorted((shard_of(key), key) for key in (f"customer-{number:07}" for number in range(count)))
    for first in range(0, count, ROWS):
        part = [(shard, key, run_id(WORKSPACE, CROWD, key, "", 0)) for shard, key in keys[first : first + ROWS]]
        for table, row in written.items():
            place = shards[table]
            texts = [index for index, value in enumerate(row) if isinstance(value, str)]
            yield table, [_like(row, place, texts, model.run.id, *one) for one in part]


def _like(row: bulk.Row, place: int, texts: list[int], model_run: str, shard: int, key: str, run: str) -> bulk.Row:
    made = [*row]
    made[place] = shard
    for index in texts:
        made[index] = str(made[index]).replace(MODEL, key).replace(model_run, run)
    return tuple(made)


def _member(entered_at: datetime, due_at: datetime) -> _Member:
    key = MODEL
    run = Run(
        run_id(WORKSPACE, CROWD, key, "", 0), CROWD, 1, "", 0, entered_at, 1, {}, node="pause", seq=2,
        visits={"pause": 1}, due_at=due_at, standing=True,
    )  # fmt: skip
    contact = Contact(
        key,
        created_at=entered_at,
        attributes={"email": f"{key}@example.com", "first_name": f"Ann of {key}"},
        entries={CROWD: Entry(entered_at, entered_at, 1)},
        events=1,
        records=2,
        timer_at=due_at,
    )
    of_run = (entered_at, key, CROWD, 1, run.id)
    entered = TrailRecord(*of_run, 0, "entered", None, None, {"trigger": 0, "properties": {}})
    waiting = TrailRecord(*of_run, 1, "waiting", "pause", "wait", {"until": iso(due_at)})
    return _Member(contact, run, [entered, waiting])


def rests(url: str, now: datetime) -> bool:
    """Whether no task is left, and no timer but those of this moment: a spread has some at every moment."""
    engine = open_engine(url)
    try:
        with read(engine) as connection:
            due = connection.scalar(select(exists().where(tables.timers.c.due_at <= to_micros(now - MOMENT))))
            return not due and not connection.scalar(select(exists(tables.tasks)))
    finally:
        engine.dispose()
