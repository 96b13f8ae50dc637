"""What is told to other processes: rows of the trail by their place, everything else as it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from tests.live.world import LiveWorld

from journeyflow.core.effects import TrailRecord
from journeyflow.core.inputs import Event
from journeyflow.db import inbox
from journeyflow.db.notices import PAYLOAD_BYTES_MAX
from journeyflow.db.store import read, write
from journeyflow.services import relay
from journeyflow.services.stream import Notice
from journeyflow.services.turn import Done, PoolLow

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def record(contact: str, run: str | None = "r", **detail: str) -> TrailRecord:
    kind = "refused" if run is None else "entered"
    return TrailRecord(NOW, contact, "walk", 1, run, None if run is None else 0, kind, None, None, {**detail})


@pytest.fixture
def world(tmp_path: Path) -> LiveWorld:
    return LiveWorld(
        tmp_path,
        [
            {
                "journey": "walk",
                "triggers": [{"type": "event", "event": "Go"}],
                "nodes": {"a": {"type": "end"}},
                "start": "a",
            }
        ],
        NOW,
    )


def test_the_steps_of_a_turn_are_read_from_the_trail_by_whoever_hears_of_them(world: LiveWorld) -> None:
    with write(world.engine) as connection:
        inbox.put(connection, [(f"c{number}", Event(NOW, "Go", NOW)) for number in range(300)])
    done = world.turn()
    payloads = [*relay.of_turn("one", done)]
    with read(world.engine) as connection:
        heard = [relay.heard(connection, payload) for payload in payloads]

    assert [one for part in heard for one in part.records] == [one for _, one in done.trail]
    assert len(heard) > 1
    assert all(len(payload.encode()) <= PAYLOAD_BYTES_MAX for payload in payloads)
    assert {relay.sender_of(payload) for payload in payloads} == {"one"}
    world.close()


def test_rows_that_are_gone_are_left_out(world: LiveWorld) -> None:
    (payload,) = relay.of_turn("one", Done(trail=[(0, record("ann"))]))
    with read(world.engine) as connection:
        assert relay.heard(connection, payload) == ([], [], 0)
    world.close()


def test_refusals_alerts_and_pools_that_run_low_are_told_as_they_are(world: LiveWorld) -> None:
    done = Done(trail=[(0, record("ann", None, reason="enter_if"))], alerts=("a loop",), pools_low=(PoolLow("ten", 3),))
    with read(world.engine) as connection:
        (heard,) = [relay.heard(connection, payload) for payload in relay.of_turn("one", done)]

    assert [notice.name for notice in heard.notices] == ["refused", "coupon_pool_low", "alert"]
    assert heard.notices[0].data["detail"] == {"reason": "enter_if"}
    assert heard.notices[1].data == {"pool": "ten", "left": 3}
    world.close()


def test_what_is_too_much_or_too_long_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "PLACES_MAX", 2)
    many = Done(trail=[(0, record(f"c{number}")) for number in range(5)])
    long = [Notice("alert", {"text": "x" * PAYLOAD_BYTES_MAX}), Notice("alert", {"text": "short"})]

    assert [orjson.loads(payload).get("dropped") for payload in relay.of_turn("one", many)] == [None, 3]
    assert [orjson.loads(payload).get("dropped") for payload in relay.of_notices("one", long)] == [None, 1]
