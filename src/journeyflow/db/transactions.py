"""The two kinds of transactions, told apart by their types."""

from __future__ import annotations

from typing import Final, NewType

from sqlalchemy import Connection

ReadConnection = NewType("ReadConnection", Connection)
"""A transaction that sees one state of the database and can't change it."""
WriteConnection = NewType("WriteConnection", ReadConnection)
"""A transaction that may change the database. It can do whatever a reading one can."""

PATIENCE_SECONDS: Final = 10.0
"""How long to wait for others: for their writes, and for a connection."""

LEARNT: Final = "journeyflow_learnt"
"""Where a connection keeps, in its ``info``, what it has found out of the database; an error makes it look again."""
