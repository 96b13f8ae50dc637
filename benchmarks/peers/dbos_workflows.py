"""The five-node journey on DBOS: a durable workflow for each contact, started through a queue.

As its documentation shows it: what touches the database is a transaction of a datasource, which notes in the same
transaction that the step is done; the wait is a durable sleep; the queue starts as many at once as it may.

    python -m benchmarks.peers.dbos_workflows --server URL --contacts 300
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dbos import DBOS, DBOSConfig, SQLAlchemyDatasource

from benchmarks.peers.shop import (
    WAIT_SECONDS,
    compete,
    keys,
    put_tag,
    queue_message,
    read_vip,
    sqlalchemy_url,
)
from benchmarks.workers import Stages

QUEUE = "journeys"
POLLED_SECONDS = 0.1
"""It looks for new workflows ten times as often as it would by itself, so that it does not stand idle."""


@contextmanager
def work(url: str, contacts: int) -> Iterator[Stages]:
    """A workflow for each contact, until all have ended."""
    config: DBOSConfig = {
        "name": "five-node",
        "system_database_url": sqlalchemy_url(url),
        "log_level": "ERROR",
    }
    DBOS(config=config)
    shop = SQLAlchemyDatasource.create(sqlalchemy_url(url))

    @shop.transaction(isolation_level="READ COMMITTED")
    def mail(contact: str, template: str) -> None:
        queue_message(shop.sql_session(), contact, template)

    @shop.transaction(isolation_level="READ COMMITTED")
    def is_vip(contact: str) -> bool:
        return read_vip(shop.sql_session(), contact)

    @shop.transaction(isolation_level="READ COMMITTED")
    def label(contact: str) -> None:
        put_tag(shop.sql_session(), contact)

    @DBOS.workflow()
    def journey(contact: str) -> None:
        mail(contact, "hello")
        DBOS.sleep(WAIT_SECONDS)
        if is_vip(contact):
            label(contact)
        else:
            mail(contact, "again")

    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=POLLED_SECONDS)

    def lead() -> None:
        handles = [DBOS.enqueue_workflow(QUEUE, journey, contact) for contact in keys(contacts)]
        for handle in handles:
            handle.get_result()

    yield [lead]
    DBOS.destroy()


if __name__ == "__main__":
    compete(__doc__, work)
