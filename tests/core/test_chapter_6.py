"""Coupons: who gets which code, for how long (semantics, chapter 6)."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError
from tests.core.world import World, flow

from journeyflow.core.coupon_pool import ALPHABET
from journeyflow.core.identity import message_id
from journeyflow.core.values import JSON
from journeyflow.services.simulate_memory import SimulationMemory

CODE = "code: {type: coupon, pool: ten}"
ALWAYS = "reentry: {policy: always}"


def pool(*lines: str) -> str:
    return "\n".join(["coupon_pool: ten", "codes: generated", *lines, "---", ""])


def codes(world: World, contact: str = "ann") -> list[JSON]:
    return [detail["code"] for detail in world.details("ran", contact)]


# --- 6.1 -------------------------------------------------------------------------------------------------------------


def test_rule_6_1_a_code_is_given_in_the_step_and_saved_in_the_run() -> None:
    world = World(
        pool("prefix: BACK-", "length: 12", "valid_for: 14d"), flow("code: {type: coupon, pool: ten, save_as: gift}")
    )

    world.track("ann", "Go").settle()

    (effects,) = world.effects
    (given,) = effects.allocations
    run = world.run()
    assert (given.contact, given.run, given.node, given.visit, given.at) == ("ann", run.id, "code", 0, world.now)
    assert re.fullmatch(f"BACK-[{ALPHABET}]{{12}}", given.coupon.code)
    assert run.vars == {"gift": {"code": given.coupon.code, "pool": "ten", "expires_at": given.coupon.expires_at}}
    assert world.details("ran") == [{"pool": "ten", "code": given.coupon.code}]


def test_rule_6_1_a_retry_asks_for_the_code_of_the_same_visit() -> None:
    world = World(pool(), flow(CODE)).track("ann", "Go").settle()
    again = World(pool(), flow(CODE)).track("ann", "Go").settle()

    assert world.memory.asked == [message_id(world.run().id, "code", 0)]
    assert (again.memory.asked, codes(again)) == (world.memory.asked, codes(world))


def test_rule_6_1_two_contacts_never_get_the_same_code() -> None:
    world = World(pool(), flow(CODE))

    for number in range(50):
        world.track(f"c{number}", "Go")

    assert len({str(codes(world, f"c{number}")) for number in range(50)}) == 50


def test_rule_6_1_two_visits_in_one_run_are_two_effects() -> None:
    nodes = "one: {type: coupon, pool: ten, next: two}\ntwo: {type: coupon, pool: ten, save_as: second}"
    world = World(pool("reuse: never"), flow(nodes)).track("ann", "Go").settle()

    run = world.run().id
    assert world.memory.asked == [message_id(run, "one", 0), message_id(run, "two", 0)]


# --- 6.2 -------------------------------------------------------------------------------------------------------------


def test_rule_6_2_the_same_contact_in_the_same_journey_gets_its_code_again() -> None:
    world = World(pool("valid_for: 14d"), flow(CODE, ALWAYS))

    world.track("ann", "Go").after("7d").track("ann", "Go")

    first, second = codes(world)
    assert first == second
    assert len(world.contact().coupons) == 1
    one, other = world.runs()
    assert one.vars == other.vars


def test_rule_6_2_another_journey_and_another_pool_give_another_code() -> None:
    eleven = pool().replace("ten", "eleven")
    world = World(
        pool(),
        eleven,
        flow(CODE, name="one"),
        flow(CODE, name="two"),
        flow(CODE.replace("ten", "eleven"), name="three"),
    )

    world.track("ann", "Go")

    assert len({str(code) for code in codes(world)}) == 3


@pytest.mark.parametrize(
    ("later", "same"),
    [("2026-03-16T23:59:59Z", True), ("2026-03-17T00:00Z", False)],
)
def test_rule_6_2_a_code_that_has_expired_is_not_given_again(later: str, same: bool) -> None:
    """It is good to the end of the local day of 16 March."""
    world = World(pool("valid_for: 14d"), flow(CODE, ALWAYS))

    world.track("ann", "Go").at(later).track("ann", "Go")

    first, second = codes(world)
    assert (first == second) is same
    assert world.contact().coupons[0].expires_at == "2026-03-16T23:59:59+00:00"


def test_rule_6_2_a_code_is_good_to_the_end_of_the_day_where_the_contact_is() -> None:
    world = World(pool("valid_for: 14d"), flow(CODE), start="2026-03-15T23:30Z")

    world.appear("ann", timezone="Europe/Warsaw").track("ann", "Go").settle()

    assert world.contact().coupons[0].expires_at == "2026-03-30T23:59:59+02:00"


def test_rule_6_2_a_code_that_was_used_is_not_given_again() -> None:
    world = World(pool(), flow(CODE, ALWAYS)).track("ann", "Go")

    world.track("ann", "Coupon Redeemed", code=codes(world)[0]).track("ann", "Go")

    first, second = codes(world)
    assert first != second


def test_rule_6_2_with_reuse_never_each_visit_gets_a_fresh_code() -> None:
    world = World(pool("reuse: never"), flow(CODE, ALWAYS)).track("ann", "Go").track("ann", "Go")

    first, second = codes(world)
    assert first != second


# --- 6.3, 6.4 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_empty", "tag"), [("", "after"), (", on_empty: other", "other")])
def test_rule_6_3_an_empty_pool_skips_along_on_empty_else_next(on_empty: str, tag: str) -> None:
    nodes = f"""
    code: {{type: coupon, pool: ten, next: after{on_empty}}}
    after: {{type: tag, add: [after]}}
    other: {{type: tag, add: [other]}}
    """
    world = World(pool(), flow(nodes))
    world.memory.empty.add("ten")

    world.track("ann", "Go")

    assert world.story()[1:3] == [("skipped", "code", "no_coupon"), ("ran", tag)]
    assert world.run().vars == {}


def test_rule_6_3_a_code_that_the_contact_has_is_given_though_the_pool_is_empty() -> None:
    world = World(pool(), flow(CODE, ALWAYS)).track("ann", "Go").settle()
    world.memory.empty.add("ten")

    world.after("1d").track("ann", "Go")

    assert len(set(map(str, codes(world)))) == 1


def test_rule_6_3_a_redemption_comes_as_an_event_and_counts_once() -> None:
    world = World(pool(), flow(CODE, "goal: {event: Coupon Redeemed, value: code}")).track("ann", "Go")
    (code,) = codes(world)

    world.after("1h").track("ann", "Coupon Redeemed", code=code).after("1h").track("ann", "Coupon Redeemed", code=code)

    world.settle()
    redeemed = [one for effects in world.effects for one in effects.redeemed]
    assert [one[:3] for one in redeemed] == [("ann", "ten", code)]
    assert world.details("converted") == [{"value": code, "since_message": None}]


def test_rule_6_3_a_redemption_of_somebody_elses_code_changes_nothing() -> None:
    world = World(pool(), flow(CODE, ALWAYS)).track("ann", "Go").track("bob", "Go")

    world.track("ann", "Coupon Redeemed", code=codes(world, "bob")[0]).track("ann", "Coupon Redeemed").track(
        "ann", "Go"
    )

    assert len(set(map(str, codes(world)))) == 1
    assert [one for effects in world.effects for one in effects.redeemed] == []


def test_rule_6_4_a_simulations_codes_come_from_its_seed_alone() -> None:
    ten = World(pool()).documents.pools["ten"]

    def code(seed: int, identity: str = "a visit") -> str | None:
        return SimulationMemory(set(), seed).coupon_code(ten, "ann", identity)

    assert code(1) == code(1)
    assert len({code(1), code(2), code(1, "another visit")}) == 3


# --- uploaded and listed codes ---------------------------------------------------------------------------------------


def listed(*lines: str, codes: str = "[SPRING-1, SPRING-2]") -> str:
    return "\n".join(["coupon_pool: ten", f"codes: {codes}", *lines, "---", ""])


def test_rule_6_4_listed_codes_go_out_in_order_of_time_over_all_contacts_and_run_out() -> None:
    world = World(listed(), flow("code: {type: coupon, pool: ten, on_empty: sorry}\nsorry: {type: end, reason: none}"))

    world.track("bob", "Go").after("1m").track("ann", "Go").after("1m").track("cid", "Go")

    assert (codes(world, "bob"), codes(world, "ann"), codes(world, "cid")) == (["SPRING-1"], ["SPRING-2"], [])
    assert world.story("cid") == [("entered",), ("skipped", "code", "no_coupon"), ("exited", "end:none")]


def test_rule_6_3_without_on_empty_it_goes_along_next() -> None:
    world = World(listed(codes="[]"), flow(f"{CODE[:-1]}, next: label}}\nlabel: {{type: tag, add: [none]}}"))

    assert world.track("ann", "Go").story()[1:] == [("skipped", "code", "no_coupon"), ("ran", "label"), ("completed",)]


def test_rule_6_4_uploaded_codes_are_a_list_of_dummies_without_end() -> None:
    world = World("coupon_pool: ten\ncodes: uploaded\nreuse: never\n---\n", flow(CODE, ALWAYS))

    for minute in range(150):
        world.track("ann" if minute % 2 else "bob", "Go").after("1m")

    given = [str(one) for contact in ("ann", "bob") for one in codes(world, contact)]
    assert len(set(given)) == 150
    assert all(re.fullmatch(r"DUMMY-ten-\d{6}", code) for code in given)


def test_rule_6_2_a_listed_code_is_given_again_while_it_is_good_and_unused() -> None:
    world = World(listed("valid_for: 1d"), flow(CODE, ALWAYS))

    world.track("ann", "Go").after("1h").track("ann", "Go").after("1m").track("ann", "Coupon Redeemed", code="SPRING-1")
    world.after("1m").track("ann", "Go").after("3d").track("ann", "Go")

    assert codes(world) == ["SPRING-1", "SPRING-1", "SPRING-2"]
    assert world.story()[-2] == ("skipped", "code", "no_coupon")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("codes: [A, B, A]", "A comes twice"),
        ("codes: ['']", "expected a code of 1 to 128 printable characters"),
        ("codes: [' A']", "expected a code of 1 to 128 printable characters"),
        ("codes: [12345678]", "valid string"),
        ("codes: elsewhere", "generated"),
        ("codes: uploaded\nprefix: A-", "expected prefix and length only beside codes: generated"),
    ],
)
def test_a_pool_that_makes_no_sense_is_refused(document: str, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        World(f"coupon_pool: ten\n{document}\n")
