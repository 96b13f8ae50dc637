from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyflow.core.lottery import draw, held_out, pick

lots = st.floats(0, 1)
weight_lists = st.lists(st.integers(0, 1000) | st.floats(0, 1000), min_size=1, max_size=8).filter(any)


def test_a_draw_is_what_the_rule_says_step_by_step() -> None:
    joined = b"shop\x1fwelcome\x1fholdout\x1fann"
    first_eight = hashlib.sha256(joined).digest()[:8]

    assert draw("shop", "welcome", "holdout", "ann") == int.from_bytes(first_eight, "big") / 2**64


def test_a_draw_per_run_takes_the_run_in() -> None:
    digest = hashlib.sha256("shop\x1fwelcome\x1farms\x1fzoë\x1frun-1".encode()).digest()

    assert draw("shop", "welcome", "arms", "zoë", "run-1") == int.from_bytes(digest[:8], "big") / 2**64


def test_known_draws_stay_as_they_are_for_the_life_of_an_installation() -> None:
    assert draw("default", "welcome", "holdout", "ann") == pytest.approx(0.2853655, abs=1e-7)


@given(st.text(), st.text(), st.text(), st.text(st.characters()), st.none() | st.text())
def test_every_draw_lies_between_zero_and_one(
    workspace: str, journey: str, node: str, contact: str, run: str | None
) -> None:
    assert 0 <= draw(workspace, journey, node, contact, run) <= 1


def test_a_key_with_half_a_surrogate_pair_draws_too() -> None:
    assert 0 <= draw("shop", "welcome", "holdout", "\ud800") <= 1


def test_draws_of_many_contacts_are_spread_evenly() -> None:
    lots_of_ten_thousand = [draw("shop", "welcome", "holdout", str(number)) for number in range(10_000)]
    per_tenth = [sum(tenth <= lot * 10 < tenth + 1 for lot in lots_of_ten_thousand) for tenth in range(10)]

    assert min(per_tenth) > 880
    assert max(per_tenth) < 1120


@pytest.mark.parametrize(("u", "arm"), [(0.0, 0), (0.1999, 0), (0.2, 1), (0.4999, 1), (0.5, 2), (0.9999, 2), (1.0, 2)])
def test_arms_take_their_share_in_listed_order(u: float, arm: int) -> None:
    assert pick(u, [20, 30, 50]) == arm


@given(lots, weight_lists)
def test_an_arm_without_weight_is_never_taken(u: float, weights: list[float]) -> None:
    assert weights[pick(u, weights)] > 0


@given(lots, lots, weight_lists)
def test_a_higher_lot_never_falls_on_an_earlier_arm(one: float, other: float, weights: list[float]) -> None:
    low, high = sorted([one, other])

    assert pick(low, weights) <= pick(high, weights)


@pytest.mark.parametrize("weights", [[], [0], [0.0, 0]])
def test_arms_without_any_weight_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one weight above zero"):
        pick(0.5, weights)


@pytest.mark.parametrize(
    ("u", "percent", "held"),
    [(0.0, 10, True), (0.0999, 10, True), (0.1, 10, False), (0.0, 0, False), (0.9999, 100, True)],
)
def test_the_holdout_takes_the_lots_below_its_per_cent(u: float, percent: float, held: bool) -> None:
    assert held_out(u, percent) is held
