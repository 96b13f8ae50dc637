"""Codes of uploaded and listed pools on the live engine: each goes out once, and few that are left are told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.live.books import balance
from tests.live.test_turns import published
from tests.live.world import START, LiveWorld

from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON
from journeyflow.db import codes, inbox
from journeyflow.db.store import read, write
from journeyflow.services.turn import PoolLow

Document = dict[str, JSON]
GIFT: Document = {
    "journey": "gift",
    "triggers": [{"type": "event", "event": "Go"}],
    "reentry": {"policy": "always"},
    "start": "code",
    "nodes": {"code": {"type": "coupon", "pool": "spring"}},
}


def pool(given: JSON, **more: JSON) -> Document:
    return {"coupon_pool": "spring", "codes": given, **more}


class Shop:
    """An engine with a pool; ``low`` is what its turns told of pools that run low."""

    def __init__(self, directory: Path, *documents: Document) -> None:
        self.world = LiveWorld(directory, documents, START)
        self.low: list[PoolLow] = []

    def go(self, *contacts: str) -> None:
        """All of them, in one turn."""
        self.world.now += timedelta(minutes=1)
        with write(self.world.engine) as connection:
            inbox.put(connection, [(one, Event(self.world.now, "Go", self.world.now)) for one in contacts])
        self.low.extend(self.world.turn().pools_low)

    def given(self) -> list[JSON]:
        return [record.detail["code"] for record in self.world.trail() if record.kind == "ran"]

    def skipped(self) -> list[str]:
        return [record.contact for record in self.world.trail() if record.kind == "skipped"]

    def counts(self) -> dict[str, int]:
        with read(self.world.engine) as connection:
            return codes.counts(connection, "spring")

    def upload(self, *some: str) -> list[str]:
        with write(self.world.engine) as connection:
            return codes.add(connection, "spring", some, self.world.now)


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path, pool(["S-3", "S-1", "S-2"]), GIFT)
    yield shop
    balance(shop.world)
    shop.world.close()


@pytest.fixture
def uploaded(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path, pool("uploaded", low_water=498), GIFT)
    yield shop
    balance(shop.world)
    shop.world.close()


def test_rule_6_1_two_contacts_never_get_the_same_code(listed: Shop) -> None:
    listed.go("ann", "bob")
    listed.go("cid", "dan")

    assert sorted(map(str, listed.given())) == ["S-1", "S-2", "S-3"]
    assert listed.skipped() == ["dan"]
    assert listed.counts() == {"given": 3, "redeemed": 0, "left": 0}


def test_a_turn_takes_as_many_as_it_needs(uploaded: Shop) -> None:
    uploaded.go(*[f"c{number}" for number in range(450)])
    uploaded.go(*[f"d{number}" for number in range(100)])

    assert len(set(map(str, uploaded.given()))) == 500
    assert len(uploaded.skipped()) == 50
    assert uploaded.counts() == {"given": 500, "redeemed": 0, "left": 0}


def test_codes_that_are_added_to_the_list_can_be_given_and_those_taken_off_no_longer(listed: Shop) -> None:
    listed.go("ann")
    (first,) = listed.given()
    assert first == "S-3"

    published(listed.world, pool(["S-2", "S-4"]))
    assert listed.counts() == {"given": 1, "redeemed": 0, "left": 2}
    listed.go("bob", "cid", "dan")
    assert Counter(listed.given()) == Counter(["S-3", "S-2", "S-4"])

    published(listed.world, pool(["S-1", "S-2", "S-3", "S-4"]))
    assert listed.counts()["left"] == 1
    listed.go("eve", "fay")
    assert listed.given()[-1] == "S-1"
    assert listed.skipped() == ["dan", "fay"]


def test_what_was_ever_in_the_pool_is_not_put_in_again(uploaded: Shop) -> None:
    uploaded.go("ann")

    assert uploaded.upload("spring-0", "spring-1", "new", "new") == ["new"]
    assert uploaded.counts() == {"given": 1, "redeemed": 0, "left": 500}


def test_low_water_is_told_once_for_each_time_it_is_crossed(uploaded: Shop) -> None:
    uploaded.go("a1", "a2")
    assert uploaded.low == []

    uploaded.go("b1")
    uploaded.go("c1")
    assert uploaded.low == [PoolLow("spring", 497)]

    uploaded.upload("n1", "n2", "n3")
    uploaded.go("d1", "e1", "f1", "g1")
    _, once_more = uploaded.low
    assert 495 <= once_more.left <= 497  # as many as take part in the turn in which it falls below


def test_a_short_list_is_short_on_purpose(listed: Shop) -> None:
    listed.go("ann", "bob", "cid")

    assert listed.low == []


def test_a_redemption_is_counted(listed: Shop) -> None:
    listed.go("ann")
    (code,) = listed.given()
    with write(listed.world.engine) as connection:
        inbox.put(
            connection, [("ann", Event(listed.world.now, "Coupon Redeemed", listed.world.now, {"code": code}))] * 2
        )
    listed.world.settle()

    assert listed.counts() == {"given": 1, "redeemed": 1, "left": 2}
