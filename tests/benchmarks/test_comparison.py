"""The peers that we are compared with do the whole journey."""

from __future__ import annotations

import pytest
from benchmarks.measure import Cost
from benchmarks.peers import apscheduler_jobs, dbos_workflows
from benchmarks.peers.shop import Work, open_shop, take_stock
from benchmarks.workers import play
from tests import postgres

CONTACTS = 6
VIPS = 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "steps"), [(dbos_workflows.work, 0), (apscheduler_jobs.work, 5 * CONTACTS)], ids=["DBOS", "APScheduler"]
)
def test_everybody_gets_the_messages_and_tags_of_the_journey(work: Work, steps: int) -> None:
    with postgres.empty() as url:
        open_shop(url, CONTACTS)

        cost = play(lambda url, _: work(url, CONTACTS), url, workers=1)

        stock = Cost()
        take_stock(url, stock)
    messages = CONTACTS + (CONTACTS - VIPS)
    assert stock.rows == {"contact": CONTACTS, "outbox": messages, "tag": VIPS, "step": steps}
    assert cost.cpu_seconds > 0
