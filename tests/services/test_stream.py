"""Telling what happens: to whom it concerns, without ever waiting for a listener."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from journeyflow.core.effects import TrailRecord
from journeyflow.core.errors import Overloaded
from journeyflow.services.stream import LISTENERS_MAX, WAITING_MAX, Notice, Stream
from journeyflow.services.turn import Done, PoolLow

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


def entered(contact: str = "ann", journey: str = "walk") -> tuple[int, TrailRecord]:
    return 0, TrailRecord(AT, contact, journey, 1, "run", 0, "entered", None, None, {"trigger": 0})


def turn(trail: Sequence[tuple[int, TrailRecord]], alerts: Sequence[str] = ()) -> Done:
    return Done(trail=trail, alerts=tuple(alerts))


def nobody() -> None:
    """Nobody sleeps."""


def test_a_listener_hears_what_happens_from_then_on_in_order() -> None:
    stream = Stream()
    stream.on_turn(turn([entered("before")]))
    listener = stream.listen(nobody)

    stream.on_turn(turn([entered("ann"), entered("bob")], ["look here"]))

    assert [(one.name, one.data.get("contact")) for one in listener.take()] == [
        ("entered", "ann"),
        ("entered", "bob"),
        ("alert", None),
    ]
    assert listener.take() == []


def test_a_pool_that_runs_low_is_told_to_who_listens_to_everything() -> None:
    stream = Stream()
    all_of_it, one_journey = stream.listen(nobody), stream.listen(nobody, journey="walk")

    stream.on_turn(Done(pools_low=(PoolLow("spring", 7),)))

    assert all_of_it.take() == [Notice("coupon_pool_low", {"pool": "spring", "left": 7})]
    assert one_journey.take() == []


def test_a_record_is_told_as_the_trail_has_it() -> None:
    stream = Stream()
    listener = stream.listen(nobody)
    stream.on_turn(turn([entered()]))

    (notice,) = listener.take()

    assert notice.data["at"] == "2026-03-02T10:00:00.000000Z"
    assert (notice.data["run"], notice.data["detail"]) == ("run", {"trigger": 0})


def test_a_listener_hears_only_of_the_journey_and_contact_that_it_names() -> None:
    stream = Stream()
    by_journey, by_contact = stream.listen(nobody, journey="walk"), stream.listen(nobody, contact="ann")

    stream.on_turn(turn([entered("ann", "walk"), entered("ann", "other"), entered("bob", "walk")], ["look here"]))

    assert [(one.data["contact"], one.data["journey"]) for one in by_journey.take()] == [
        ("ann", "walk"),
        ("bob", "walk"),
    ]
    assert [(one.data["contact"], one.data["journey"]) for one in by_contact.take()] == [
        ("ann", "walk"),
        ("ann", "other"),
    ]


def test_a_listener_that_is_slow_is_told_how_many_it_missed_and_another_misses_none() -> None:
    stream = Stream()
    slow, quick = stream.listen(nobody), stream.listen(nobody)
    heard = 0
    for _ in range(3):
        stream.on_turn(turn([entered()] * (WAITING_MAX // 2)))
        heard += len(quick.take())

    taken = slow.take()

    assert heard == 3 * (WAITING_MAX // 2)
    assert (len(taken), taken[-1]) == (WAITING_MAX + 1, Notice("dropped", {"n": WAITING_MAX // 2}))
    stream.on_turn(turn([entered()]))
    assert [one.name for one in slow.take()] == ["entered"]


def test_a_listener_is_woken_once_for_what_it_has_not_taken_yet() -> None:
    woken: list[str] = []
    stream = Stream()
    listener = stream.listen(lambda: woken.append("again"))

    for _ in range(3):
        stream.on_turn(turn([entered()]))
    listener.take()
    stream.on_turn(turn([entered()]))

    assert len(woken) == 2


def test_not_all_too_many_listen() -> None:
    stream = Stream()
    first, *_ = [stream.listen(nobody) for _ in range(LISTENERS_MAX)]

    with pytest.raises(Overloaded):
        stream.listen(nobody)
    stream.leave(first)
    stream.listen(nobody)


def test_at_the_end_everybody_is_told_and_nobody_new_listens() -> None:
    stream = Stream()
    listener = stream.listen(nobody)

    stream.end()

    assert listener.ended
    with pytest.raises(Overloaded):
        stream.listen(nobody)
