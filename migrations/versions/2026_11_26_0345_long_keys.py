"""Long keys of entries are kept as their digest: the indexes of PostgreSQL take no long texts."""

from __future__ import annotations

from hashlib import sha256

from alembic import op
from sqlalchemy import text

revision = "2026_11_26_0345"
down_revision = "2026_11_26_0340"
branch_labels = None
depends_on = None

BYTES_MAX = 1_000
LENGTH_MIN = BYTES_MAX // 4


def upgrade() -> None:
    """Write the keys anew that are longer than they may be.

    Where only SQL is printed this is left out: SQLite knows no digest. Such keys may then enter once more.
    """
    if op.get_context().as_sql:
        return
    connection = op.get_bind()
    long_ones = text("SELECT DISTINCT key FROM entries WHERE length(key) > :least")
    for (key,) in connection.execute(long_ones, {"least": LENGTH_MIN}).all():
        written = key.encode("utf-8", "surrogatepass")
        if len(written) > BYTES_MAX:
            digest = f"sha256\x1f{sha256(written).hexdigest()}"
            connection.execute(
                text("UPDATE entries SET key = :digest WHERE key = :key"), {"digest": digest, "key": key}
            )
