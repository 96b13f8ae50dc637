"""Taking inputs in: what was taken is stored, whatever becomes of who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Flag

import pytest
from sqlalchemy import Engine
from tests import stores

from journeyflow.core.errors import Conflict, Overloaded
from journeyflow.core.inputs import Event, SetTags
from journeyflow.db import inbox
from journeyflow.db.claims import WHOLE
from journeyflow.db.idempotency import Token
from journeyflow.db.store import read
from journeyflow.services import ingest as ingest_module
from journeyflow.services.ingest import Ingest

STORES = stores.BOTH
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
EVENT = Event(NOW, "Signed Up", NOW)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with stores.database(tmp_path) as url, stores.engines(url, 1) as (opened,):
        yield opened


def stored(engine: Engine) -> list[str]:
    with read(engine) as connection:
        return [one.contact for one in inbox.oldest(connection, WHOLE, 100)]


def test_inputs_that_arrive_together_keep_their_order(engine: Engine) -> None:
    ingest = Ingest(engine, lambda: None)
    waiting = [ingest.submit([(f"c{number}", EVENT)]) for number in range(5)]
    ingest.start()

    ids = [one.result(timeout=10)[0] for one in waiting]

    ingest.stop()
    assert ids == sorted(ids)
    assert stored(engine) == ["c0", "c1", "c2", "c3", "c4"]


def test_who_gives_up_waiting_stops_nobody(engine: Engine) -> None:
    """A client that goes away while its event is being stored must not end the thread that stores."""
    ingest = Ingest(engine, lambda: None)

    async def give_up() -> None:
        waiting = asyncio.wrap_future(ingest.submit([("ann", EVENT)]))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(give_up())
    ingest.start()
    ingest.submit([("bob", EVENT)]).result(timeout=10)

    ingest.stop()
    assert stored(engine) == ["ann", "bob"]


def test_a_transaction_that_fails_is_told_and_the_next_one_works(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = Ingest(engine, lambda: None)
    ingest.start()

    def broken(*_: object) -> list[int]:
        raise RuntimeError("disk on fire")

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "put", broken)
        with pytest.raises(RuntimeError, match="disk on fire"):
            ingest.submit([("ann", EVENT)]).result(timeout=10)
    ingest.submit([("bob", EVENT)]).result(timeout=10)

    ingest.stop()
    assert stored(engine) == ["bob"]


def test_too_much_at_once_is_refused_and_nothing_of_it_stored(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "INPUTS_MAX", 3)
    ingest = Ingest(engine, lambda: None)
    ingest.submit([("ann", EVENT), ("ann", EVENT)])

    with pytest.raises(Overloaded):
        ingest.submit([("bob", EVENT), ("bob", EVENT)])

    ingest.start()
    ingest.stop()
    assert stored(engine) == ["ann", "ann"]


def test_the_engine_is_told_after_each_commit(engine: Engine) -> None:
    told = Flag()
    ingest = Ingest(engine, told.set)
    ingest.start()

    ingest.submit([("ann", EVENT)])

    assert told.wait(timeout=10)
    ingest.stop()


def test_a_request_with_a_name_is_taken_once(engine: Engine) -> None:
    ingest = Ingest(engine, lambda: None)
    token, tags = Token.of("k-1", "POST /tags", b"add a"), [SetTags(NOW, ("a",))]

    first, since = ingest.submit_once("ann", tags, token, NOW)
    again, then = ingest.submit_once("ann", tags, token, NOW.replace(hour=12))

    assert (len(first), len(again)) == (1, 0)
    assert (since, then) == (NOW, NOW)
    with pytest.raises(Conflict):
        ingest.submit_once("ann", tags, Token.of("k-1", "POST /tags", b"add b"), NOW)
    assert stored(engine) == ["ann"]


def test_requests_that_wait_are_bounded_by_their_size_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "BYTES_MAX", 1_000)
    ingest = Ingest(engine, lambda: None)
    taken = ingest.submit([("ann", EVENT)], size=600)
    with pytest.raises(Overloaded):
        ingest.submit([("bob", EVENT)], size=600)
    ingest.start()
    taken.result(timeout=10)

    ingest.submit([("eve", EVENT)], size=600).result(timeout=10)

    ingest.stop()
    assert stored(engine) == ["ann", "eve"]
