"""Walking: what is asked before a step, what fails, and loops (semantics, rules 4.1, 4.2, 4.6 to 4.9)."""

from __future__ import annotations

import pytest
from tests.core.world import World, flow

from journeyflow.core.identity import message_id

ALWAYS = "reentry: {policy: always}"


def ran(world: World, contact: str = "ann") -> list[str]:
    """The nodes that did something, and the ways that were taken."""
    return [" ".join(step[1:]) for step in world.story(contact) if step[0] == "ran"]


# --- 4.1 -------------------------------------------------------------------------------------------------------------

STAY = "stay_if: {not: {tag: leaver}}"


def test_rule_4_1_stay_if_is_asked_before_each_action() -> None:
    nodes = "one: {type: tag, add: [leaver], next: two}\ntwo: {type: tag, add: [b]}"
    world = World(flow(nodes, STAY))

    world.track("ann", "Go")

    assert [step[0] for step in world.story()] == ["entered", "ran", "exited"]
    assert world.contact().tags == ["leaver"]
    assert world.trail()[-1].node == "two"


def test_rule_4_1_stay_if_is_asked_when_a_run_wakes() -> None:
    world = World(flow("pause: {type: wait, for: 1h}", STAY))

    world.track("ann", "Go").after("1m").tag("ann", "leaver").after("2h")

    assert world.story()[2:] == [("resumed", "pause", "timer"), ("exited", "stay_if")]


@pytest.mark.parametrize("wakes", ["event", "condition", "timeout", "date"])
def test_rule_4_1_whatever_wakes_it(wakes: str) -> None:
    wait_for = (
        "{type: wait_for, cases: [{event: Deed, next: end}, {when: {attribute: x, eq: 1}, next: end}], timeout: 1h}"
    )
    node = "{type: wait, until: {attribute: x}}" if wakes == "date" else wait_for
    world = World(flow(f"listen: {node}", STAY))
    world.appear("ann", x="2026-03-05" if wakes == "date" else 0).track("ann", "Go").after("1m")
    world.tag("ann", "leaver").after("1m")

    if wakes == "event":
        world.track("ann", "Deed")
    elif wakes in ("condition", "date"):
        world.identify("ann", x=1 if wakes == "condition" else None)
    world.after("2h")

    assert [step[0] for step in world.story()][2:] == ["resumed", "exited"]


def test_rule_4_1_stay_if_is_not_asked_at_entry_at_branches_or_before_waiting() -> None:
    nodes = "ask: {type: branch, cases: [{when: {tag: leaver}, next: pause}]}\npause: {type: wait, for: 1h}"
    world = World(flow(nodes, STAY))

    world.tag("ann", "leaver").track("ann", "Go")

    assert world.story()[-1][:2] == ("waiting", "pause")


def test_rule_4_1_the_exit_tells_what_stay_if_saw() -> None:
    world = World(flow("mark: {type: tag, add: [x]}", "stay_if: {all: [{not: {tag: leaver}}]}"))

    world.tag("ann", "leaver").track("ann", "Go")

    assert world.details("exited") == [
        {
            "reason": "stay_if",
            "because": [{"path": "stay_if.all[0].not", "leaf": {"tag": "leaver"}, "value": True, "held": True}],
        }
    ]


# --- 4.2 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        "{type: tag, add: [done], ONLY, next: after}",
        "{type: update, set: {done: 1}, ONLY, next: after}",
        "{type: coupon, pool: ten, ONLY, on_empty: wrong, next: after}",
        "{type: email, template: letter, ONLY, on_skip: wrong, next: after}",
    ],
)
def test_rule_4_2_a_false_only_if_skips_the_node_and_goes_on_along_next(action: str) -> None:
    nodes = f"""
    act: {action.replace("ONLY", "only_if: {tag: vip}")}
    after: {{type: tag, add: [after]}}
    wrong: {{type: tag, add: [wrong]}}
    """
    world = World(flow(nodes), "coupon_pool: ten\ncodes: generated")

    world.appear("ann", email="ann@shop.example").track("ann", "Go")

    assert world.story()[1] == ("skipped", "act", "only_if")
    assert world.details("skipped")[0]["because"] == [
        {"path": "nodes.act.only_if", "leaf": {"tag": "vip"}, "value": False, "held": False}
    ]
    assert world.contact().tags == ["after"]
    assert (world.contact().attributes, world.contact().coupons) == ({"email": "ann@shop.example"}, [])
    assert world.messages() == []


def test_rule_4_2_a_true_only_if_changes_nothing() -> None:
    world = World(flow("act: {type: tag, add: [done], only_if: {tag: vip}}"))

    world.tag("ann", "vip").track("ann", "Go")

    assert world.story()[1:] == [("ran", "act"), ("completed",)]


# --- 4.6 -------------------------------------------------------------------------------------------------------------

CASES = """
listen:
  type: wait_for
  cases:
    - {event: Deed, where: {property: n, gte: 5}, next: end}
    - {when: {attribute: plan, eq: pro}, next: end}
    - {event: Deed, next: end}
  timeout: 1d
  on_timeout: late
late: {type: tag, add: [late]}
"""


def test_rule_4_6_a_condition_that_holds_on_arrival_is_taken_at_once() -> None:
    world = World(flow(CASES))

    world.appear("ann", plan="pro").track("ann", "Go")

    assert world.story() == [("entered",), ("ran", "listen", "case 1"), ("completed",)]


def test_rule_4_6_events_count_only_after_arrival() -> None:
    world = World(flow(CASES))

    world.track("ann", "Deed").track("ann", "Go")

    assert world.run().active


@pytest.mark.parametrize("change", ["identify", "tag", "topic", "event", "another run"])
def test_rule_4_6_conditions_are_asked_whenever_something_about_the_contact_changes(change: str) -> None:
    conditions = "{attribute: plan, eq: pro}, {tag: vip}, {topic: offers}, {event: Seen}"
    world = World(
        "workspace: shop\ntopics: [{id: offers, name: Offers, default: unsubscribed}]",
        flow(f"listen: {{type: wait_for, cases: [{{when: {{any: [{conditions}]}}, next: end}}], timeout: 1d}}"),
        flow("mark: {type: tag, add: [vip]}", name="other", trigger="{type: manual}"),
    )
    world.track("ann", "Go").after("1m")

    {
        "identify": lambda: world.identify("ann", plan="pro"),
        "tag": lambda: world.tag("ann", "vip"),
        "topic": lambda: world.topics("ann", offers=True),
        "event": lambda: world.track("ann", "Seen"),
        "another run": lambda: world.enroll("ann", "other"),
    }[change]()

    assert world.story(journey="walk")[2:4] == [("resumed", "listen", "condition"), ("ran", "listen", "case 0")]


@pytest.mark.parametrize(("n", "plan", "case"), [(9, "pro", "case 0"), (1, "pro", "case 1"), (1, "free", "case 2")])
def test_rule_4_6_of_several_that_hold_at_once_the_first_listed_wins(n: int, plan: str, case: str) -> None:
    world = World(flow(CASES))
    world.track("ann", "Go").after("1m").identify("ann", imported=True, plan=plan)

    world.track("ann", "Deed", n=n)

    assert ("ran", "listen", case) in world.story()


def test_rule_4_6_when_the_time_is_over_the_run_goes_on_along_on_timeout() -> None:
    world = World(flow(CASES))

    world.track("ann", "Go").after("5d")

    assert ran(world) == ["listen else", "late"]
    assert world.times("ran") == ["2026-03-03T09:00Z"] * 2


def test_rule_4_6_never_waits_for_ever() -> None:
    world = World(flow("listen: {type: wait_for, cases: [{event: Deed, next: end}], timeout: never}"))

    world.track("ann", "Go").after("4000d")
    assert world.story()[-1] == ("waiting", "listen", "for ever")
    world.track("ann", "Deed")

    assert world.story()[-1] == ("completed",)


@pytest.mark.parametrize("timeout", ["0s", "-1h", "PT0S"])
def test_rule_4_6_a_timeout_of_zero_is_refused(timeout: str) -> None:
    with pytest.raises(ValueError, match="longer than zero"):
        World(flow(f"listen: {{type: wait_for, cases: [{{event: Deed}}], timeout: {timeout}}}"))


def test_rule_4_6_the_case_tells_what_it_saw_when_it_was_found() -> None:
    """Another run, of higher priority, takes the tag away before this one walks."""
    world = World(
        flow("listen: {type: wait_for, cases: [{when: {tag: vip}, next: end}], timeout: 1d}"),
        flow(
            "listen: {type: wait_for, cases: [{when: {tag: vip}, next: off}], timeout: 1d}\n"
            "off: {type: tag, remove: [vip]}",
            "priority: 90",
            name="other",
        ),
    )
    world.track("ann", "Go").after("1m").tag("ann", "vip")

    (taken,) = [one.detail for one in world.trail(journey="walk") if one.kind == "ran"]
    assert taken == {
        "case": 0,
        "because": [{"path": "nodes.listen.cases[0].when", "leaf": {"tag": "vip"}, "value": True, "held": True}],
    }


# --- 4.7, 4.8 --------------------------------------------------------------------------------------------------------


def test_rule_4_7_a_node_that_is_visited_again_gets_a_new_visit_number() -> None:
    nodes = "mail: {type: email, template: letter, next: pause}\npause: {type: wait, for: 1d, next: mail}"
    world = World(flow(nodes))

    world.appear("ann", email="ann@shop.example").track("ann", "Go").after("2d")

    run = world.run()
    assert [message.id for message in world.messages()] == [message_id(run.id, "mail", visit) for visit in range(3)]
    assert world.numbers("walk")["nodes"] == {"mail": {"visits": 3, "waiting": 0}, "pause": {"visits": 3, "waiting": 1}}


def test_rule_4_7_a_code_is_given_anew_at_each_visit() -> None:
    nodes = "code: {type: coupon, pool: ten, next: pause}\npause: {type: wait, for: 1d, next: code}"
    world = World(flow(nodes), "coupon_pool: ten\ncodes: generated\nreuse: never")

    world.track("ann", "Go").after("2d").settle()

    given = [one for effects in world.effects for one in effects.allocations]
    assert [one.visit for one in given] == [0, 1, 2]
    assert len({one.coupon.code for one in given}) == 3


BROKEN = "{{ 1 | divided_by: contact.zero }}"


@pytest.mark.parametrize(
    "action",
    [
        f"{{type: tag, add: ['{BROKEN}'], next: after}}",
        f"{{type: update, set: {{x: '{BROKEN}'}}, next: after}}",
        f"{{type: email, template: letter, subject: '{BROKEN}', on_skip: wrong, next: after}}",
        f"{{type: email, template: letter, transactional: true, to: '{BROKEN}', on_skip: wrong, next: after}}",
    ],
)
def test_rule_4_8_a_node_that_fails_says_why_and_the_run_goes_on(action: str) -> None:
    nodes = f"act: {action}\nafter: {{type: tag, add: [after]}}\nwrong: {{type: tag, add: [wrong]}}"
    world = World(flow(nodes))

    world.appear("ann", email="ann@shop.example", zero=0).track("ann", "Go")

    assert [step[0] for step in world.story()] == ["entered", "failed", "ran", "completed"]
    assert "divided" in str(world.details("failed")[0]["error"])
    assert world.contact().tags == ["after"]
    assert world.messages() == []


def test_rule_4_8_a_template_that_is_gone_does_not_block_the_run() -> None:
    nodes = "mail: {type: email, template: letter, next: after}\nafter: {type: tag, add: [after]}"
    world = World(flow(nodes))
    world.library.templates = {}

    world.appear("ann", email="ann@shop.example").track("ann", "Go")

    assert [step[0] for step in world.story()] == ["entered", "failed", "ran", "completed"]
    assert "letter" in str(world.details("failed")[0]["error"])


# --- 4.9 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["until_time: {at: '09:00'}", "for: 0d, at: '09:00'"])
@pytest.mark.parametrize("start", ["2026-03-02T08:00Z", "2026-03-02T09:00Z"])
def test_rule_4_9_a_time_of_day_that_was_just_taken_is_not_taken_again(wait: str, start: str) -> None:
    """Whether the run stood there until nine, or came at nine and went straight on."""
    world = World(
        flow(f"morning: {{type: wait, {wait}, next: mark}}\nmark: {{type: tag, add: [x], next: morning}}"), start=start
    )

    world.track("ann", "Go").at("2026-03-04T12:00Z")

    days = [at for at, step in zip(world.times("ran"), ran(world), strict=True) if step == "mark"]
    assert days == ["2026-03-02T09:00Z", "2026-03-03T09:00Z", "2026-03-04T09:00Z"]


def test_rule_4_9_a_condition_that_was_just_taken_waits_for_a_change() -> None:
    nodes = """
    listen: {type: wait_for, cases: [{when: {tag: vip}, next: count}], timeout: 30d}
    count: {type: update, increment: {n: 1}, next: again}
    again: {type: branch, cases: [{when: {attribute: n, lt: 3}, next: listen}]}
    """
    world = World(flow(nodes))

    world.tag("ann", "vip").track("ann", "Go").settle()
    # The count itself is a change (Contact Updated), which is later than the match it came from.
    assert ran(world) == ["listen case 0", "count", "again case 0"] * 2 + ["listen case 0", "count", "again else"]


def test_rule_4_9_without_a_change_it_stands() -> None:
    nodes = """
    listen: {type: wait_for, cases: [{when: {tag: vip}, next: ask}], timeout: 1d}
    ask: {type: branch, cases: [{when: {tag: vip}, next: listen}]}
    """
    world = World(flow(nodes))

    world.tag("ann", "vip").track("ann", "Go").after("1h")
    assert world.story()[1:] == [
        ("ran", "listen", "case 0"),
        ("ran", "ask", "case 0"),
        ("waiting", "listen", "2026-03-03T09:00Z"),
    ]
    world.track("ann", "Seen")

    assert ran(world) == ["listen case 0", "ask case 0"] * 2


def test_rule_4_9_an_event_is_taken_once_by_a_run_that_comes_back_to_its_wait() -> None:
    nodes = """
    listen: {type: wait_for, cases: [{event: Deed, next: ask}], timeout: 30d}
    ask: {type: branch, cases: [{when: {tag: vip}, next: end}], else: listen}
    """
    world = World(flow(nodes))

    world.track("ann", "Go").after("1m").track("ann", "Deed").track("ann", "Deed")

    assert ran(world) == ["listen case 0", "ask else"] * 2


@pytest.mark.parametrize("wait", ["for: 0s", "until: {date: '2020-01-01'}", "until: {attribute: missing}"])
def test_rule_4_9_after_a_hundred_visits_at_one_instant_the_run_exits_with_an_alert(wait: str) -> None:
    nodes = f"""
    pause: {{type: wait, {wait}, next: ask}}
    ask: {{type: branch, cases: [{{when: {{tag: x}}}}], else: pause}}
    """
    world = World(flow(nodes))

    world.track("ann", "Go")

    assert world.story()[-1] == ("exited", "end:loop")
    assert world.numbers("walk")["nodes"] == {
        "pause": {"visits": 50, "waiting": 0},
        "ask": {"visits": 50, "waiting": 0},
    }
    (alert,) = world.alerts()
    assert "walk" in alert
    assert world.run().id in alert


def test_rule_4_9_a_hundred_visits_are_allowed() -> None:
    nodes = "\n".join(f"n{number}: {{type: tag, add: [t], next: n{number + 1}}}" for number in range(99))
    world = World(flow(nodes + "\nn99: {type: tag, add: [last]}"))

    world.track("ann", "Go")

    assert world.story()[-1] == ("completed",)
    assert world.contact().tags == ["t", "last"]


def test_rule_4_9_at_a_later_instant_the_count_begins_anew() -> None:
    nodes = "\n".join(f"n{number}: {{type: tag, add: [t], next: n{number + 1}}}" for number in range(60))
    more = "\n".join(f"n{number}: {{type: tag, add: [t], next: n{number + 1}}}" for number in range(61, 130))
    world = World(flow(f"{nodes}\nn60: {{type: wait, for: 1s, next: n61}}\n{more}\nn130: {{type: tag, add: [last]}}"))

    world.track("ann", "Go").after("1m")

    assert world.story()[-1] == ("completed",)


def test_rule_4_6_a_wait_for_that_nobody_answers_tells_of_its_timeout() -> None:
    world = World(flow("listen: {type: wait_for, cases: [{event: Deed, next: end}], timeout: 1h}"))

    world.track("ann", "Go").after("2h").settle()

    assert world.details("resumed") == [{"by": "timeout"}]
    assert world.details("ran") == [{"case": None}]
