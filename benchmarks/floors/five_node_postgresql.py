"""The floor of the five-node journey on PostgreSQL: the rows that the engine writes, into the same tables, by a program
that knows nothing but this journey.

What is only inserted goes by COPY, what changes by ``unnest`` of one array a column. The tables must afterwards hold
what the engine leaves in them, byte for byte (``five_node_rows`` makes the rows). Each batch is a transaction of its
own, as a turn of the engine is, under the lock of a claim group, on a connection with the engine's settings.

    python -m benchmarks.floors.five_node_postgresql --server URL --contacts 20000 --batch 1000 --workers 1
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Final

import psycopg

from benchmarks.five_node_start_postgresql import compete, options_of
from benchmarks.floors.five_node_rows import DAY, ENTERING, WAKING, Row, Rows, entering, waking
from benchmarks.workers import Stages

Cursor = psycopg.Cursor[Any]  # Any: rows of any shape

SETTINGS: Final = "SET jit = off; SET enable_seqscan = off; SET lock_timeout = '5s'"
GROUPS: Final = "SELECT shard FROM claims ORDER BY shard"
SHARDS: Final = 1024

# --- statements ------------------------------------------------------------------------------------------------------

CLAIM: Final = "SELECT timers_from FROM claims WHERE shard = %s FOR UPDATE SKIP LOCKED"
SET_CLOCK: Final = "UPDATE claims SET now = %s, timers_from = %s WHERE shard = %s"
ARRIVED: Final = """
    WITH oldest AS MATERIALIZED (
        SELECT id, shard, contact FROM inbox WHERE shard BETWEEN %(first)s AND %(last)s ORDER BY id LIMIT %(batch)s
    ), taken AS (
        DELETE FROM inbox AS i USING oldest AS o
        WHERE i.id = o.id AND i.shard = o.shard AND i.contact = o.contact AND i.shard BETWEEN %(first)s AND %(last)s
        RETURNING i.id, i.shard, i.contact, i.payload
    )
    SELECT t.shard, t.contact, t.payload, c.state
    FROM taken AS t JOIN contacts AS c ON c.shard = t.shard AND c.contact = t.contact"""
DUE: Final = """
    WITH oldest AS MATERIALIZED (
        SELECT due_at, shard, contact FROM timers
        WHERE shard BETWEEN %(first)s AND %(last)s AND due_at BETWEEN %(begin)s AND %(until)s
        ORDER BY due_at LIMIT %(batch)s
    ), taken AS (
        DELETE FROM timers AS t USING oldest AS o
        WHERE t.due_at = o.due_at AND t.shard = o.shard AND t.contact = o.contact
            AND t.shard BETWEEN %(first)s AND %(last)s
        RETURNING t.shard, t.contact
    )
    SELECT t.shard, t.contact, c.state, r.id, r.state
    FROM taken AS t JOIN contacts AS c ON c.shard = t.shard AND c.contact = t.contact
    JOIN runs AS r ON r.shard = t.shard AND r.contact = t.contact AND r.status = 'active'"""
SAVE_CONTACTS: Final = """
    UPDATE contacts AS c SET timer_at = u.timer_at, state = u.state
    FROM unnest(%s::int8[], %s::text[], %s::int2[], %s::text[]) AS u (timer_at, state, shard, contact)
    WHERE c.shard = u.shard AND c.contact = u.contact"""
END_RUNS: Final = """
    UPDATE runs AS r SET status = 'completed', node = NULL, due_at = NULL, ended_at = u.ended_at,
        open_until = u.open_until, state = u.state
    FROM unnest(%s::int8[], %s::int8[], %s::text[], %s::int2[], %s::text[], %s::text[])
        AS u (ended_at, open_until, state, shard, contact, id)
    WHERE r.shard = u.shard AND r.contact = u.contact AND r.id = u.id"""
ADD_SEEN: Final = """
    INSERT INTO seen (shard, contact, message_id, at)
    SELECT * FROM unnest(%s::int2[], %s::text[], %s::text[], %s::int8[]) ON CONFLICT DO NOTHING"""
COUNT: Final = """
    INSERT INTO statistics (shard, journey, version, node, kind, day, count)
    SELECT %s, 'five-node', 1, u.node, u.kind, %s, u.count
    FROM unnest(%s::text[], %s::text[], %s::int8[]) AS u (node, kind, count)
    ON CONFLICT (shard, journey, version, node, kind, day) DO UPDATE SET count = statistics.count + excluded.count"""
ADD_EVENTS: Final = """
    COPY events (shard, contact, name, handled_at, number, occurred_at, properties) FROM STDIN"""
ADD_RUNS: Final = """
    COPY runs (shard, contact, id, due_at, entered_at, state, journey, version, key, status, node) FROM STDIN"""
ADD_TRAIL: Final = "COPY trail (shard, contact, number, at, records) FROM STDIN"
ADD_MESSAGES: Final = """
    COPY messages (shard, contact, id, node, run, template, "to", queued_at, expires_at, due_at, "values", number,
        journey, version, channel, template_version, transactional, status, attempts, overrides) FROM STDIN"""
ADD_TIMERS: Final = "COPY timers (due_at, shard, contact) FROM STDIN"

OF_RUNS: Final = "\tfive-node\t1\t\tactive\tpause"
OF_MESSAGES: Final = "\tfive-node\t1\temail\t1\t0\tqueued\t0\t{}"

# --- rows into statements --------------------------------------------------------------------------------------------


def copy(cursor: Cursor, statement: str, rows: Sequence[Row], constants: str = "") -> None:
    """Insert rows, all at once; ``constants`` is what stands behind each."""
    if rows:
        lines = "".join(["\t".join(map(str, row)) + constants + "\n" for row in rows])
        with cursor.copy(statement) as target:
            target.write(lines.replace("\\", "\\\\"))


def arrays(rows: Iterable[Row]) -> list[str]:
    """One array a column, in PostgreSQL's own notation."""
    return [array(column) for column in zip(*rows, strict=True)]


def array(values: Sequence[object]) -> str:
    """Texts, or numbers and nulls."""
    if isinstance(values[0], str):
        return (
            '{"' + "\x00".join(map(str, values)).replace("\\", "\\\\").replace('"', '\\"').replace("\x00", '","') + '"}'
        )
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


# --- a turn of each kind ---------------------------------------------------------------------------------------------


def enter(cursor: Cursor, group: tuple[int, int], begin: int, batch: int) -> int:
    """Let in the contacts of the oldest events; how many there were."""
    first, last = group
    arrived = cursor.execute(ARRIVED, {"first": first, "last": last, "batch": batch}).fetchall()
    if arrived:
        made = entering(arrived)
        cursor.execute(SAVE_CONTACTS, arrays(made.contacts))
        cursor.execute(ADD_SEEN, arrays(made.seen))
        copy(cursor, ADD_EVENTS, made.events)
        copy(cursor, ADD_RUNS, made.runs, OF_RUNS)
        copy(cursor, ADD_TRAIL, made.trail)
        copy(cursor, ADD_MESSAGES, made.messages, OF_MESSAGES)
        copy(cursor, ADD_TIMERS, made.timers)
        count(cursor, first, ENTERING, made)
    cursor.execute(SET_CLOCK, (ENTERING, max(begin, ENTERING + 1), first))
    return len(arrived)


def wake(cursor: Cursor, group: tuple[int, int], begin: int, batch: int) -> int:
    """Lead the contacts whose wait is over to the end; how many there were."""
    first, last = group
    due = cursor.execute(
        DUE, {"first": first, "last": last, "begin": begin, "until": WAKING, "batch": batch}
    ).fetchall()
    if due:
        made = waking(due)
        cursor.execute(SAVE_CONTACTS, arrays(made.contacts))
        cursor.execute(END_RUNS, arrays(made.runs))
        copy(cursor, ADD_EVENTS, made.events)
        copy(cursor, ADD_TRAIL, made.trail)
        copy(cursor, ADD_MESSAGES, made.messages, OF_MESSAGES)
        count(cursor, first, WAKING, made)
    cursor.execute(SET_CLOCK, (WAKING, WAKING if len(due) == batch else WAKING + 1, first))
    return len(due)


def count(cursor: Cursor, shard: int, at: int, made: Rows) -> None:
    """Move the statistics, once a turn."""
    moved = sorted(one for one in made.counted if one[2])
    cursor.execute(COUNT, (shard, at // DAY, *arrays(moved)))


# --- running ---------------------------------------------------------------------------------------------------------

Turn = Callable[[Cursor, tuple[int, int], int, int], int]


def turns(connection: psycopg.Connection[Any], turn: Turn, group: tuple[int, int], batch: int) -> None:
    """One transaction after the other while there is more to do in a group, unless another worker has it."""
    moved = batch
    while moved == batch:
        with connection.transaction(), connection.cursor() as cursor:
            claimed = cursor.execute(CLAIM, (group[0],)).fetchone()
            moved = turn(cursor, group, claimed[0], batch) if claimed else 0


@contextmanager
def work(batch: int, url: str, number: int) -> Iterator[Stages]:
    """Both passes: everybody enters, everybody wakes. Each worker begins with another group."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(SETTINGS)
        firsts = [shard for (shard,) in connection.execute(GROUPS)]
        groups = list(zip(firsts, [*(first - 1 for first in firsts[1:]), SHARDS - 1], strict=True))
        place = number * 4 % len(groups)
        in_order = [*groups[place:], *groups[:place]]
        yield [partial(_pass, connection, turn, in_order, batch) for turn in (enter, wake)]


def _pass(connection: psycopg.Connection[Any], turn: Turn, in_order: Sequence[tuple[int, int]], batch: int) -> None:
    for group in in_order:
        turns(connection, turn, group, batch)


def main() -> None:
    """Prepare, run, print the cost."""
    options = options_of(__doc__)
    compete(options, partial(work, options.batch))


if __name__ == "__main__":
    main()
