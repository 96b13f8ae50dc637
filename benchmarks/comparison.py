"""The five-node journey on other engines beside ours: what a transition costs, all on one PostgreSQL, in one run.

The peers keep one durable execution, or one job, for each contact. They lead fewer contacts through it, since they take
long; what counts is the cost of a transition. They need the extra ``comparison``.
"""

from __future__ import annotations

from argparse import Namespace
from importlib.util import find_spec
from typing import Final

from benchmarks import postgresql
from benchmarks.five_node_start import TRANSITIONS
from benchmarks.measure import Cost, console, print_costs, ratio, run_contender, tell_ratio_least

OURS: Final = "journeyflow"
PEERS: Final = {
    "DBOS, a workflow a contact": "benchmarks.peers.dbos_workflows",
    "APScheduler, a job a contact": "benchmarks.peers.apscheduler_jobs",
}
LEAST: Final = 100.0
"""So many times as dear as ours is each of them."""


def run(options: Namespace) -> bool:
    """Measure, print; false where a peer is not that much dearer."""
    if find_spec("dbos") is None:
        raise SystemExit("the comparison needs its peers: pip install 'journeyflow[comparison]'")
    costs: dict[str, list[Cost]] = {name: [] for name in (OURS, *PEERS)}
    with postgresql.started() as server:
        console.print(postgresql.told(server))
        for _ in range(options.rounds):
            ours = ["--server", server, "--contacts", str(options.contacts)]
            costs[OURS].append(run_contender("benchmarks.five_node_engine_postgresql", ours))
            for name, module in PEERS.items():
                theirs = ["--server", server, "--contacts", str(options.peer_contacts)]
                costs[name].append(run_contender(module, theirs))
    contacts = {name: options.contacts if name == OURS else options.peer_contacts for name in costs}
    console.print(
        f"five-node journey on PostgreSQL, {options.contacts:,} contacts on {OURS}, {options.peer_contacts:,} on each "
        f"peer, {TRANSITIONS} transitions each, median of {options.rounds} rounds side by side"
    )
    print_costs(costs, {name: count * TRANSITIONS for name, count in contacts.items()})
    each = {name: [cost.total_seconds / contacts[name] for cost in found] for name, found in costs.items()}
    kept = [tell_ratio_least(name, OURS, "CPU time", ratio(each[name], each[OURS]), LEAST) for name in PEERS]
    return all(kept)
