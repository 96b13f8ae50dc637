"""Every table. Instants are BIGINT microseconds since the epoch; JSON is text written by orjson.

Each table says in ``info["spread"]`` whether it is ``distributed`` (by ``shard``, a column of its primary key),
``reference`` (small, the same everywhere) or ``local``.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

from journeyflow.db.id_beginnings import beginning

SHARD: Final = "shard"

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

Instant = BigInteger
Json = Text


def _text(length: int) -> String:
    """Text that is compared: by code points, in both databases. PostgreSQL would keep to the length, and fail."""
    return String(length).with_variant(Text(collation="C"), "postgresql")


Id: Final = _text(36)
Key: Final = _text(255)
Slug: Final = _text(64)


def _key(name: str, type_: TypeEngine[Any] | type[TypeEngine[Any]]) -> Column[Any]:  # Any: columns of any type
    return Column(name, type_, primary_key=True, nullable=False, autoincrement=False)


def _must(name: str, type_: TypeEngine[Any] | type[TypeEngine[Any]]) -> Column[Any]:  # Any: columns of any type
    return Column(name, type_, nullable=False)


def _table(
    name: str,
    spread: Literal["distributed", "reference", "local"],
    *parts: Any,
    rowid: bool = False,  # Any: SQLAlchemy's
    queue: bool = False,
    month: str | None = None,
) -> Table:
    """A table; on SQLite it is stored in the order of its primary key, or, where rows are large, of their arrival.

    :param queue: whether its oldest rows of some shards are asked for; on PostgreSQL such rows lie in a part of their
        own, so that nobody walks over the others.
    :param month: the instant of its rows; on PostgreSQL those of one month lie in a part of their own, which goes as a
        whole, and the instant is a column of the primary key (:mod:`journeyflow.db.months`).
    """
    by = SHARD if queue else month
    return Table(
        name,
        metadata,
        *parts,
        info={"spread": spread, "month": month},
        sqlite_with_rowid=rowid,
        postgresql_partition_by=None if by is None else f"RANGE ({by})",
    )


# --- documents and settings ------------------------------------------------------------------------------------------

installation = _table("installation", "reference", _key("name", Slug), _must("value", Text))

documents = _table(
    "documents",
    "reference",
    _key("kind", Slug),
    _key("id", Slug),
    _key("version", Integer),
    _must("status", Slug),
    _must("at", Instant),
    _must("digest", _text(64)),
    _must("document", Json),
    Column("source", Text),
    CheckConstraint("status IN ('published', 'stored', 'removed')", name="status"),
)

journeys = _table(
    "journeys",
    "reference",
    _key("id", Slug),
    _must("state", Slug),
    _must("version", Integer),
    Column("published_at", Instant),
    Column("paused_at", Instant),
    CheckConstraint("state IN ('draft', 'live', 'entries_paused', 'paused', 'archived')", name="state"),
)

instructions = _table(
    "instructions",
    "reference",
    _key("journey", Slug),
    _key("at", Instant),
    _must("kind", Slug),
    _must("args", Json),
    CheckConstraint("kind IN ('resume', 'migrate')", name="kind"),
)

pauses = _table("pauses", "reference", _key("journey", Slug), _key("paused_at", Instant), _must("ended_at", Instant))

armings = _table("armings", "reference", _key("journey", Slug), _key("trigger", Slug), _must("at", Instant))

keys = _table(
    "keys",
    "reference",
    _key("id", Slug),
    _must("digest", _text(64)),
    _must("scope", Slug),
    Column("name", Text),
    _must("created_at", Instant),
    Column("revoked_at", Instant),
    CheckConstraint("scope IN ('browser', 'write', 'read', 'admin')", name="scope"),
)

# --- contacts --------------------------------------------------------------------------------------------------------

contacts = _table(
    "contacts",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _must("created_at", Instant),
    Column("timer_at", Instant),
    _must("state", Json),
    rowid=True,
)

aliases = _table(
    "aliases",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _must("into", Key),
    _must("at", Instant),
)
Index("ix_aliases_into", aliases.c.into)

events = _table(
    "events",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _key("name", Key),
    _key("handled_at", Instant),
    _key("number", Integer),
    _must("occurred_at", Instant),
    Column("claimed_at", Instant),
    _must("properties", Json),
    rowid=True,
    month="handled_at",
)

seen = _table(
    "seen",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _key("message_id", Key),
    _must("at", Instant),
)

requests = _table(
    "requests",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _key("name", _text(64)),
    _must("asked", _text(64)),
    _must("at", Instant),
    Column("status", SmallInteger),
    Column("headers", Json),
    Column("body", Text),
    rowid=True,
)
Index("ix_requests_name", requests.c.name)

entries = _table(
    "entries",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _key("journey", Slug),
    _key("key", Key),
    _must("first_at", Instant),
    _must("last_at", Instant),
    _must("count", Integer),
)

runs = _table(
    "runs",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _key("id", Id),
    _must("journey", Slug),
    _must("version", Integer),
    _must("key", Key),
    _must("status", Slug),
    Column("node", Slug),
    Column("due_at", Instant),
    Column("held_at", Instant),
    _must("entered_at", Instant),
    Column("ended_at", Instant),
    Column("open_until", Instant),
    Column("reason", Text),
    _must("state", Json),
    CheckConstraint("status IN ('active', 'completed', 'exited', 'holdout')", name="status"),
    CheckConstraint("(status = 'active') = (ended_at IS NULL)", name="ended"),
    rowid=True,
)

trail = _table(
    "trail",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _key("number", Integer),
    _must("at", Instant),
    _must("records", Json),
    Column("former", Key),
    rowid=True,
    month="at",
)

refusals = _table(
    "refusals",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _key("journey", Slug),
    _key("trigger", Integer),
    _key("reason", Slug),
    _key("day", Integer),
    _must("count", Integer),
    _must("version", Integer),
    _must("at", Instant),
    _must("detail", Json),
)

addresses = _table(
    "addresses",
    "distributed",
    _key("shard", SmallInteger),
    _key("address", _text(64)),
    _must("suppressed", SmallInteger),
    _must("unsubscribed", SmallInteger),
    _must("at", Instant),
)

holders = _table(
    "holders",
    "distributed",
    _key("shard", SmallInteger),  # the address's: contacts of all shards may have it
    _key("address", _text(64)),
    _key("holder", Key),
)

coupons = _table(
    "coupons",
    "distributed",
    _key("shard", SmallInteger),
    _key("pool", Slug),
    _key("code", _text(128)),
    _must("contact", Key),
    _must("journey", Slug),
    _must("run", Id),
    _must("node", Slug),
    _must("visit", Integer),
    _must("allocated_at", Instant),
    _must("expires_at", _text(40)),
    Column("redeemed_at", Instant),
)

codes = _table(
    "codes",
    "distributed",
    _key("shard", SmallInteger),  # the pool's: its codes are given to contacts of all shards
    _key("pool", Slug),
    _key("code", _text(128)),
    _must("number", BigInteger),
    _must("state", Slug),
    CheckConstraint("state IN ('left', 'given', 'withdrawn')", name="state"),
)
Index(
    "ix_codes_left",
    codes.c.shard,
    codes.c.pool,
    codes.c.number,
    codes.c.code,
    sqlite_where=codes.c.state == text("'left'"),
    postgresql_where=codes.c.state == text("'left'"),
)

pool_counts = _table(
    "pool_counts",
    "distributed",
    _key("shard", SmallInteger),
    _key("pool", Slug),
    _key("kind", Slug),
    _must("count", BigInteger),
)

# --- work ------------------------------------------------------------------------------------------------------------

claims = _table(
    "claims",
    "distributed",
    _key("shard", SmallInteger),  # the first of the group, which reaches to the next one's
    _must("now", Instant),
    Column("timers_from", Instant, nullable=False, server_default="0"),
    Column("shards", Json),  # of a group whose shards do not follow one another
)

inbox = _table(
    "inbox",
    "distributed",
    _key("id", BigInteger),
    _key("shard", SmallInteger),
    _key("contact", Key),
    _must("at", Instant),
    _must("kind", Slug),
    _must("payload", Json),
    queue=True,
)

failures = _table(
    "failures",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _key("id", BigInteger),
    _must("at", Instant),
    _must("kind", Slug),
    _must("payload", Json),
    _must("error", Text),
    _must("failed_at", Instant),
)

timers = _table(
    "timers",
    "distributed",
    _key("due_at", Instant),
    _key("shard", SmallInteger),
    _key("contact", Key),
    queue=True,
)

tasks = _table(
    "tasks",
    "distributed",
    _key("shard", SmallInteger),
    _key("id", Id),
    _must("kind", Slug),
    _must("args", Json),
    _must("cursor", Json),
    _must("created_at", Instant),
)

firings = _table(
    "firings",
    "distributed",
    _key("shard", SmallInteger),
    _key("journey", Slug),
    _key("trigger", Slug),
    _key("fire_at", Instant),
    _must("at", Instant),
)

messages = _table(
    "messages",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _key("queued_at", Instant),
    _key("id", Id),
    _must("journey", Slug),
    _must("version", Integer),
    _must("node", Slug),
    _must("run", Id),
    _must("channel", Slug),
    _must("template", Slug),
    _must("template_version", Integer),
    Column("to", Text),
    Column("topic", Slug),
    _must("transactional", SmallInteger),
    _must("status", Slug),
    Column("reason", Text),
    Column("subject", Text),
    Column("expires_at", Instant),
    Column("due_at", Instant),
    Column("lease_until", Instant),
    _must("attempts", SmallInteger),
    Column("sent_at", Instant),
    Column("provider_id", Text),
    _must("values", Json),
    _must("overrides", Json),
    Column("opened_at", Instant),
    Column("clicked_at", Instant),
    Column("number", Integer, nullable=False, server_default="0"),
    CheckConstraint("status IN ('queued', 'sending', 'sent', 'failed', 'skipped', 'cancelled')", name="status"),
    CheckConstraint("(due_at IS NOT NULL) = (status IN ('queued', 'sending'))", name="due"),
    rowid=True,
    month="queued_at",
)
Index(
    "ix_messages_channel_due_at",
    messages.c.channel,
    messages.c.due_at,
    sqlite_where=messages.c.due_at.isnot(None),
    postgresql_where=messages.c.due_at.isnot(None),
)

Index("ix_messages_id", beginning(messages))
Index("ix_runs_id", beginning(runs))

departures = _table(
    "departures",
    "distributed",
    _key("shard", SmallInteger),  # the channel's
    _key("channel", Slug),
    _key("counts_until", Instant),
    _key("batch", Id),  # of a reservation; empty for what was sent
    _must("count", Integer),
)

calls = _table(
    "calls",
    "distributed",
    _key("shard", SmallInteger),
    _key("contact", Key),
    _key("id", Id),
    _must("journey", Slug),
    _must("version", Integer),
    _must("run", Id),
    _must("node", Slug),
    _must("visit", Integer),
    _must("method", Slug),
    _must("url", Text),
    _must("headers", Json),
    Column("body", Text),
    _must("awaited", SmallInteger),
    _must("host_written", SmallInteger),
    _must("status", Slug),
    Column("reason", Text),
    Column("reply_status", Integer),
    _must("queued_at", Instant),
    _must("expires_at", Instant),
    Column("due_at", Instant),
    _must("attempts", SmallInteger),
    Column("ended_at", Instant),
    CheckConstraint("status IN ('queued', 'sending', 'answered', 'failed')", name="status"),
    CheckConstraint("(due_at IS NOT NULL) = (status IN ('queued', 'sending'))", name="due"),
    rowid=True,
)
Index(
    "ix_calls_due_at",
    calls.c.due_at,
    sqlite_where=calls.c.due_at.isnot(None),
    postgresql_where=calls.c.due_at.isnot(None),
)

statistics = _table(
    "statistics",
    "distributed",
    _key("shard", SmallInteger),
    _key("journey", Slug),
    _key("version", Integer),
    _key("node", Slug),
    _key("kind", Key),
    _key("day", Integer),
    _must("count", BigInteger),
)
