"""From one PostgreSQL to a cluster of them (Citus): the tables are spread, and the claim groups follow."""

from __future__ import annotations

from sqlalchemy import Engine

from journeyflow.core.errors import Conflict, SystemFailure
from journeyflow.db import distribution, snapshot
from journeyflow.db.claims import groups
from journeyflow.db.schema_version import is_current
from journeyflow.db.store import is_postgresql


def distribute(engine: Engine) -> int:
    """Spread all tables with what they hold, as a whole or not at all; how many claim groups there are then.

    :raises Conflict: when the database is none of a cluster, is spread already, has an older schema, or its claim
        groups can't be made anew now.
    :raises SystemFailure: when processes have the database open.
    """
    if not is_postgresql(engine):
        raise Conflict("SQLite is one file; copy it to PostgreSQL first: journeyflow migrate --copy-to URL")
    if not is_current(engine):
        raise Conflict("the database has an older schema; bring it to the newest first: journeyflow migrate")
    with snapshot.kept_for_itself(engine) as connection:
        if not distribution.is_cluster(connection):
            raise Conflict(
                "this PostgreSQL has no Citus, so there is nothing to spread tables over, and nothing was changed; "
                "make a cluster, and in its database: CREATE EXTENSION citus"
            )
        if distribution.is_distributed(connection):
            raise Conflict("the tables are spread over the cluster already; nothing was changed")
        others = snapshot.processes(connection)
        if others:
            raise SystemFailure(
                f"journeyflow has the database open: {', '.join(others)}; stop all servers and workers first"
            )
        before = groups(connection)
        distribution.run(connection)
        after = distribution.groups_that_lie_together(connection)
        distribution.regroup(connection, before, after)
    return len(after)
