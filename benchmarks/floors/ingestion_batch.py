"""The floor of taking batches in: parse their JSON and COPY the rows of ``inbox``, one transaction a batch, no HTTP.

``python -m benchmarks.floors.ingestion_batch --url DATABASE_URL --events N --size N``; prints its own cost,
without that of the database's processes.
"""

from __future__ import annotations

from argparse import ArgumentParser

import orjson
import psycopg

from benchmarks.floors.inbox_rows import COPY, arrived, line
from benchmarks.made_requests import batch_bodies
from benchmarks.measure import Cost, measured


def run(url: str, bodies: list[bytes]) -> Cost:
    """Store batches, one after the other."""
    with psycopg.connect(url) as connection, measured() as cost:
        for body in bodies:
            at = arrived()
            batch = orjson.loads(body)["batch"]
            with connection.cursor() as cursor, cursor.copy(COPY) as copy:
                copy.write(b"".join([line(event, at) for event in batch]))
            connection.commit()
    return cost


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    options = parser.parse_args()
    run(options.url, batch_bodies(options.events, options.size)).print()


if __name__ == "__main__":
    main()
