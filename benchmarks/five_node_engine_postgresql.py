"""The engine's own part of the five-node journey on PostgreSQL: turns of claim groups, by one process or by several.

python -m benchmarks.five_node_engine_postgresql --server URL --contacts 20000 --batch 1000 --workers 1
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine

from benchmarks.five_node_engine import publish
from benchmarks.five_node_start import ENTERING_AT, WAKING_AT
from benchmarks.five_node_start_postgresql import compete, options_of
from benchmarks.workers import Stages
from journeyflow.db.claims import Group, groups
from journeyflow.db.documents import FlowsCache
from journeyflow.db.store import open_engine, read, write
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.garbage import collect_rarely
from journeyflow.services.turn import take_turn


def turns(engine: Engine, cache: FlowsCache, group: Group, now: datetime, batch: int) -> None:
    """One turn after the other while there is more to do in a group, unless another worker has it."""
    more = True
    while more:
        with write(engine) as connection:
            more = take_turn(connection, cache, now, batch, lambda *_: None, group).more


@contextmanager
def turns_of_all(
    instants: Sequence[datetime], batch: int, look: Callable[[Connection], None], url: str, number: int
) -> Iterator[Stages]:
    """A pass over all groups at each of these instants. Each worker begins with another group.

    :param look: what its connection reads before.
    """
    engine = open_engine(url)
    try:
        cache = FlowsCache(LiquidRenderer())
        with read(engine) as connection:
            look(connection)
            all_groups = groups(connection)
        place = number * 4 % len(all_groups)
        in_order = [*all_groups[place:], *all_groups[:place]]
        yield [partial(_pass, engine, cache, in_order, now, batch) for now in instants]
    finally:
        engine.dispose()


def _pass(engine: Engine, cache: FlowsCache, in_order: Sequence[Group], now: datetime, batch: int) -> None:
    for group in in_order:
        turns(engine, cache, group, now, batch)


def work(batch: int, url: str, number: int) -> AbstractContextManager[Stages]:
    """Both passes: everybody enters, everybody wakes."""
    return turns_of_all((ENTERING_AT, WAKING_AT), batch, lambda _: None, url, number)


def prepare_engine(url: str) -> None:
    """What the engine needs besides the contacts: the journey."""
    engine = open_engine(url)
    publish(engine)
    engine.dispose()


def main() -> None:
    """Prepare, run, print the cost."""
    options = options_of(__doc__)
    collect_rarely()  # as serve and worker do
    compete(options, partial(work, options.batch), prepare_engine)


if __name__ == "__main__":
    main()
