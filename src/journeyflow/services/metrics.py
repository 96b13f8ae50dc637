"""What operators watch: counters that the parts of a process feed, and how far the engine is behind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy import Connection

from journeyflow.db import calls, claims, failures, inbox, outbox, timers
from journeyflow.db.calls import CallOutcome
from journeyflow.db.outbox import Outcome
from journeyflow.db.store import dead_rows

if TYPE_CHECKING:
    from journeyflow.services.turn import Done

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Lag(NamedTuple):
    """How long, in seconds, the oldest of each is overdue, 0 where nothing is; and how many messages wait.

    ``dead_rows`` are those that PostgreSQL has not cleaned up yet, by table.
    """

    inbox_seconds: float
    timer_seconds: float
    outbox_seconds: float
    calls_seconds: float
    failures: int
    waiting: Mapping[str, int] = {}
    dead_rows: Mapping[str, int] = {}


def lag(connection: Connection, now: datetime) -> Lag:
    """How far the engine is behind."""
    timer = timers.next_due(connection, claims.groups(connection))
    return Lag(
        _age(inbox.oldest_at(connection), now), _age(timer, now), _age(outbox.next_due(connection), now),
        _age(calls.next_due(connection), now), failures.count(connection),
        outbox.waiting(connection), dead_rows(connection),
    )  # fmt: skip


def _age(instant: datetime | None, now: datetime) -> float:
    return 0.0 if instant is None else max(0.0, (now - instant).total_seconds())


class Metrics:
    """The metrics of one process, in a registry of their own. Its methods may be called from any thread."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._turns = Counter("journeyflow_turns", "Turns that had something to do", registry=registry)
        self._seconds = Histogram(
            "journeyflow_turn_seconds",
            "How long a turn took",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
            registry=registry,
        )
        self._size = Histogram(
            "journeyflow_turn_size",
            "How many contacts a turn handled",
            buckets=(1, 5, 10, 50, 100, 250, 500, 1_000, 2_500, 5_000),
            registry=registry,
        )
        self._contacts = Counter("journeyflow_turn_contacts", "Contacts handled by turns", registry=registry)
        self._inputs = Counter("journeyflow_turn_inputs", "Inputs taken by turns", registry=registry)
        self._timers = Counter("journeyflow_turn_timers", "Timers taken by turns", registry=registry)
        self._queued = Counter("journeyflow_messages_queued", "Messages queued by turns", registry=registry)
        events = Counter("journeyflow_events", "Events by what became of them", ["outcome"], registry=registry)
        self._stored, self._rejected = events.labels("stored"), events.labels("rejected")
        self._overloaded = Counter(
            "journeyflow_events_overload",
            "Events that were not taken because there was too much to do, and are to be sent again",
            registry=registry,
        )
        self._messages = Counter(
            "journeyflow_messages", "Attempts to deliver messages, by how they ended", ["outcome"], registry=registry
        )
        self._redelivered = Counter(
            "journeyflow_messages_redelivered", "Messages that may have gone out twice", registry=registry
        )
        self._calls = Counter(
            "journeyflow_webhooks", "Attempts to call webhooks, by how they ended", ["outcome"], registry=registry
        )
        self._lag = Gauge("journeyflow_lag_seconds", "How long the oldest one is overdue", ["what"], registry=registry)
        self._waiting = Gauge(
            "journeyflow_messages_waiting", "Messages to be sent, or tried again", ["channel"], registry=registry
        )
        self._dead_rows = Gauge(
            "journeyflow_dead_rows", "Rows that PostgreSQL has yet to clean up", ["table"], registry=registry
        )
        self._failures = Gauge("journeyflow_failures", "Inputs that failed and were set aside", registry=registry)

    def on_turn(self, done: Done, seconds: float) -> None:
        """A turn has ended; those with nothing to do are not counted."""
        if not done.contacts:
            return
        self._turns.inc()
        self._seconds.observe(seconds)
        self._size.observe(done.contacts)
        self._contacts.inc(done.contacts)
        self._inputs.inc(done.inputs)
        self._timers.inc(done.timers)
        self._queued.inc(done.messages)

    def on_outcome(self, outcome: Outcome, redelivered: bool) -> None:
        """An attempt at delivery has ended; queued means that it is tried again."""
        self._messages.labels("retried" if outcome.status == "queued" else outcome.status).inc()
        if redelivered:
            self._redelivered.inc()

    def on_call(self, outcome: CallOutcome) -> None:
        """An attempt to call a webhook has ended; queued means that it is tried again."""
        self._calls.labels("retried" if outcome.status == "queued" else outcome.status).inc()

    def ingested(self, stored: int, rejected: int) -> None:
        """A request brought events."""
        if stored:
            self._stored.inc(stored)
        if rejected:
            self._rejected.inc(rejected)

    def overloaded(self, events: int) -> None:
        """A request brought events that there was no room for."""
        self._overloaded.inc(events)

    def text(self, now_behind: Lag) -> bytes:
        """Everything in the text format of Prometheus."""
        self._waiting.clear()
        for channel, count in now_behind.waiting.items():
            self._waiting.labels(channel).set(count)
        self._lag.labels("inbox").set(now_behind.inbox_seconds)
        self._lag.labels("timers").set(now_behind.timer_seconds)
        self._lag.labels("outbox").set(now_behind.outbox_seconds)
        self._lag.labels("webhooks").set(now_behind.calls_seconds)
        self._failures.set(now_behind.failures)
        for table, count in now_behind.dead_rows.items():
            self._dead_rows.labels(table).set(count)
        return generate_latest(self._registry)
