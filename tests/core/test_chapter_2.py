"""One event, step by step, and the events that the engine makes itself (semantics, chapter 2)."""

from __future__ import annotations

import orjson
import pytest
from tests.core.world import World, flow

from journeyflow.core.values import JSON

MARK = "mark: {type: tag, add: [NAME]}"


def marking(name: str, trigger: str, *lines: str) -> str:
    return flow(MARK.replace("NAME", name), *lines, name=name, trigger=trigger)


# --- 2.1 to 2.6, 2.8 -------------------------------------------------------------------------------------------------


def test_rule_2_1_an_event_is_stored_and_counted_before_anybody_is_asked() -> None:
    world = World(flow(MARK, "enter_if: {event: Go, sum: total, gte: 5, within: 1h}"))

    world.track("ann", "Go", total=5)

    assert world.story()[0] == ("entered",)
    assert world.made()[0] == ("Go", {"total": 5})


def test_rule_2_1_consent_is_taken_in_before_anybody_is_asked() -> None:
    world = World(
        "workspace: shop\ntopics: [{id: offers, name: Offers, default: unsubscribed}]",
        marking("in", "{type: event, event: Subscribed}", "enter_if: {topic: offers}"),
        marking("out", "{type: event, event: Unsubscribed}", "enter_if: {topic: offers}"),
    )

    world.track("ann", "Subscribed", topic="offers").track("ann", "Unsubscribed", topic="offers")

    assert world.story(journey="in")[0] == ("entered",)
    assert world.story(journey="out")[0] == ("refused", "enter_if")


LISTEN = "listen: {type: wait_for, cases: [{event: Deed, next: mark}], timeout: 10d}\nmark: {type: tag, add: [moved]}"


def test_rule_2_2_to_2_6_one_event_exits_converts_moves_and_lets_in_in_that_order() -> None:
    """Whatever the priorities are: they only order the walks of rule 2.6."""
    world = World(
        flow("pause: {type: wait, for: 9d}", "exit_on: [{event: Deed}]", "priority: 1", name="exits"),
        flow("mark: {type: tag, add: [done]}", "goal: {event: Deed}", "priority: 2", name="converts"),
        flow(LISTEN, "priority: 3", name="moves"),
        marking("enters", "{type: event, event: Deed}", "priority: 4"),
    )
    world.track("ann", "Go").after("1m").settle()
    so_far = len(world.trail())

    world.track("ann", "Deed")

    assert [(one.journey, one.kind) for one in world.trail()[so_far:]] == [
        ("exits", "exited"),
        ("converts", "converted"),
        ("enters", "entered"),
        ("enters", "ran"),
        ("enters", "completed"),
        ("moves", "resumed"),
        ("moves", "ran"),
        ("moves", "ran"),
        ("moves", "completed"),
    ]


def test_rule_2_2_only_the_event_named_and_its_where_exit() -> None:
    where = "where: {property: cart, eq: {ref: trigger.cart}}"
    world = World(flow("pause: {type: wait, for: 9d}", f"exit_on: [{{event: Bought, {where}}}]"))

    world.track("ann", "Go", cart="c1").after("1m").track("ann", "Bought", cart="c2").track("ann", "Paid", cart="c1")
    assert world.run().active
    world.track("ann", "Bought", cart="c1")

    assert world.story()[-1] == ("exited", "exit_on")


def test_rule_2_3_active_and_ended_runs_convert() -> None:
    world = World(
        flow("pause: {type: wait, for: 9d}", "goal: {event: Bought}", name="active"),
        flow(MARK, "goal: {event: Bought}", name="completed"),
        flow("pause: {type: wait, for: 9d}", "goal: {event: Bought}", "exit_on: [{event: Bought}]", name="exited"),
    )

    world.track("ann", "Go").after("1m").track("ann", "Bought")

    assert [one.journey for one in world.trail() if one.kind == "converted"] == ["active", "completed", "exited"]
    assert [one.kind for one in world.trail(journey="exited")][-2:] == ["exited", "converted"]


def test_rule_2_3_the_event_that_lets_a_run_in_is_not_its_goal() -> None:
    world = World(flow(MARK, "goal: {event: Go}"))

    world.track("ann", "Go")

    assert world.times("converted") == []


def test_rule_2_4_the_where_of_a_case_may_refer_to_the_trigger() -> None:
    nodes = """
    listen:
      type: wait_for
      cases: [{event: Paid, where: {property: cart, eq: {ref: trigger.cart}}, next: end}]
      timeout: 1d
    """
    world = World(flow(nodes))

    world.track("ann", "Go", cart="c1").after("1m").track("ann", "Paid", cart="c2")
    assert world.run().active
    world.track("ann", "Paid", cart="c1")

    assert ("ran", "listen", "case 0") in world.story()


def test_rule_2_5_an_event_moves_those_that_wait_before_it_lets_others_in() -> None:
    """A run that the event begins does not see the event at its first wait."""
    nodes = "listen: {type: wait_for, cases: [{event: Go, next: end}], timeout: 1d}"
    world = World(flow(nodes, "key: trigger.n"))

    world.track("ann", "Go", n=1).after("1m").track("ann", "Go", n=2)

    assert [run.active for run in world.runs()] == [False, True]


def test_rule_2_6_a_run_that_moved_walks_until_it_waits_or_ends() -> None:
    nodes = """
    one: {type: tag, add: [a], next: two}
    two: {type: update, set: {plan: pro}, next: three}
    three: {type: branch, cases: [{when: {tag: a}, next: pause}]}
    pause: {type: wait, for: 1h}
    """
    world = World(flow(nodes))

    world.track("ann", "Go")

    assert [step[0] for step in world.story()] == ["entered", "ran", "ran", "ran", "waiting"]
    assert set(world.times("ran")) == {"2026-03-02T09:00Z"}


def test_rule_2_8_an_event_that_exits_a_run_does_not_take_its_case() -> None:
    world = World(flow(LISTEN, "exit_on: [{event: Deed}]"))

    world.track("ann", "Go").after("1m").track("ann", "Deed")

    assert [step[0] for step in world.story()] == ["entered", "waiting", "exited"]
    assert world.contact().tags == []


@pytest.mark.parametrize(("reentry", "kinds"), [("always", ["exited", "entered"]), ("once", ["exited", "refused"])])
def test_rule_2_8_an_event_may_end_a_run_and_begin_the_next(reentry: str, kinds: list[str]) -> None:
    world = World(flow("pause: {type: wait, for: 1d}", "exit_on: [{event: Go}]", f"reentry: {{policy: {reentry}}}"))

    world.track("ann", "Go").after("1m").track("ann", "Go")

    assert [step[0] for step in world.story()][2:4] == kinds
    assert world.story()[2] == ("exited", "exit_on")


# --- 2.7: which events there are -------------------------------------------------------------------------------------


def test_rule_2_7_a_new_contact_then_its_attributes_by_path() -> None:
    world = World()

    world.identify("ann", plan="pro", address={"city": "Gdansk", "zip": "80"}, age=30)

    assert world.made() == [
        ("Contact Created", {}),
        ("Contact Updated", {"attribute": "address", "from": None, "to": {"city": "Gdansk", "zip": "80"}}),
        ("Contact Updated", {"attribute": "age", "from": None, "to": 30}),
        ("Contact Updated", {"attribute": "plan", "from": None, "to": "pro"}),
    ]


def test_rule_2_7_inside_an_attribute_only_what_differs_is_told() -> None:
    world = World()
    world.identify("ann", address={"city": "Gdansk", "zip": "80", "floor": 1}).settle()
    so_far = len(world.made())

    world.identify("ann", address={"city": "Sopot", "zip": "80", "street": "Long"})

    assert world.made()[so_far:] == [
        ("Contact Updated", {"attribute": "address.city", "from": "Gdansk", "to": "Sopot"}),
        ("Contact Updated", {"attribute": "address.floor", "from": 1, "to": None}),
        ("Contact Updated", {"attribute": "address.street", "from": None, "to": "Long"}),
    ]


def test_rule_2_7_null_takes_an_attribute_away() -> None:
    world = World()

    world.identify("ann", plan="pro").identify("ann", plan=None)

    assert world.made()[-1] == ("Contact Updated", {"attribute": "plan", "from": "pro", "to": None})
    assert world.contact().attributes == {}


def test_rule_2_7_tags_as_listed_put_on_before_taken_off() -> None:
    nodes = "mark: {type: tag, add: [z, a], remove: [m, b]}"
    world = World(flow(nodes))
    world.appear("ann", "b", "m").track("ann", "Go")

    assert world.made()[1:] == [
        ("Tag Added", {"tag": "z"}),
        ("Tag Added", {"tag": "a"}),
        ("Tag Removed", {"tag": "m"}),
        ("Tag Removed", {"tag": "b"}),
    ]


def test_rule_2_7_topics_as_listed() -> None:
    world = World("workspace: shop\ntopics: [{id: offers, name: Offers}, {id: news, name: News}]")

    world.topics("ann", offers=False, news=False).topics("ann", news=True)

    assert world.made()[1:] == [
        ("Unsubscribed", {"topic": "offers"}),
        ("Unsubscribed", {"topic": "news"}),
        ("Subscribed", {"topic": "news"}),
    ]


@pytest.mark.parametrize("again", [{"plan": "pro"}, {"n": 1}, {"n": 1.0}, {"list": [1, 2]}, {"missing": None}])
def test_rule_2_7_the_same_value_makes_no_event(again: dict[str, JSON]) -> None:
    world = World()
    world.identify("ann", plan="pro", n=1, list=[1, 2]).settle()
    so_far = world.made()

    world.identify("ann", again)

    assert world.made() == so_far


def test_rule_2_7_true_is_another_value_than_one() -> None:
    world = World()

    world.identify("ann", n=1).identify("ann", n=True)

    assert world.made()[-1] == ("Contact Updated", {"attribute": "n", "from": 1, "to": True})


def test_rule_2_7_tags_and_consent_that_are_there_already_make_no_event() -> None:
    world = World("workspace: shop\ntopics: [{id: offers, name: Offers}]")
    world.tag("ann", "vip").settle()
    so_far = world.made()

    world.tag("ann", "vip").untag("ann", "lapsed").topics("ann", offers=True)

    assert world.made() == so_far


# --- 2.7: who hears them, and when -----------------------------------------------------------------------------------


def test_rule_2_7_the_engines_own_events_are_handled_after_the_step_that_made_them() -> None:
    nodes = "one: {type: tag, add: [a], next: two}\ntwo: {type: tag, add: [b]}"
    world = World(flow(nodes), marking("hears", "{type: tag, added: a}", "priority: 100"))

    world.track("ann", "Go")

    assert [(one.journey, one.kind) for one in world.trail()] == [
        ("walk", "entered"),
        ("walk", "ran"),
        ("walk", "ran"),
        ("walk", "completed"),
        ("hears", "entered"),
        ("hears", "ran"),
        ("hears", "completed"),
    ]


def test_rule_2_7_in_the_order_in_which_they_were_made() -> None:
    world = World(
        flow("one: {type: tag, add: [a], next: two}\ntwo: {type: tag, add: [b]}"),
        marking("heard-b", "{type: tag, added: b}", "priority: 100"),
        marking("heard-a", "{type: tag, added: a}"),
    )

    world.track("ann", "Go")

    assert world.contact().tags == ["a", "b", "heard-a", "heard-b"]


def test_rule_2_7_the_engines_own_events_exit_convert_and_move_too() -> None:
    world = World(
        flow(
            "pause: {type: wait, for: 9d}", "exit_on: [{event: Tag Added, where: {property: tag, eq: x}}]", name="exits"
        ),
        flow(MARK, "goal: {event: Tag Added, where: {property: tag, eq: x}}", name="converts"),
        flow(LISTEN.replace("Deed", "Contact Updated"), name="moves"),
    )
    world.track("ann", "Go").after("1m").tag("ann", "x").identify("ann", plan="pro")

    assert world.story(journey="exits")[-1] == ("exited", "exit_on")
    assert world.story(journey="converts")[-1] == ("converted",)
    assert ("ran", "listen", "case 0") in world.story(journey="moves")


@pytest.mark.parametrize("pattern", ["'*'", "Tag*", "'Contact *'"])
def test_rule_2_7_a_star_never_matches_the_engines_own(pattern: str) -> None:
    world = World(marking("starred", f"{{type: event, event: {pattern}}}"))

    world.identify("ann", plan="pro").tag("ann", "vip").untag("ann", "vip").topics("ann", offers=True)

    assert world.trail() == []


def test_rule_2_7_the_engines_own_can_be_named_in_full() -> None:
    world = World(marking("named", "{type: event, event: Tag Added, where: {property: tag, eq: vip}}"))

    world.tag("ann", "vip")

    assert world.details("entered") == [
        {
            "trigger": 0,
            "properties": {"tag": "vip"},
            "because": [
                {
                    "path": "triggers[0].where",
                    "leaf": {"property": "tag", "eq": "vip"},
                    "value": "vip",
                    "held": True,
                }
            ],
        }
    ]


@pytest.mark.parametrize("name", ["Email Opened", "Email Bounced", "Coupon Redeemed", "Subscribed", "Emotion"])
def test_rule_2_7_a_star_matches_every_event_that_comes_from_outside(name: str) -> None:
    world = World(marking("starred", "{type: event, event: '*'}"), marking("em", "{type: event, event: 'Em*'}"))

    world.track("ann", name)

    assert world.story(journey="starred")[0] == ("entered",)
    assert (world.story(journey="em") != []) is name.startswith("Em")


# --- 2.7: chains -----------------------------------------------------------------------------------------------------

COUNTING = flow(
    "more: {type: update, increment: {n: 1}}",
    "reentry: {policy: always}",
    trigger="{type: contact, change: updated, attribute: n}",
)


def test_rule_2_7_the_fifty_first_event_of_a_chain_is_dropped() -> None:
    world = World(COUNTING)
    world.appear("ann").after("1m")

    world.identify("ann", n=0)

    updates = [name for name, _ in world.made() if name == "Contact Updated"]
    assert len(updates) == len(world.times("entered")) == 50
    assert world.contact().attributes == {"n": 50}


def test_rule_2_7_what_was_dropped_is_logged_and_shown_on_the_run() -> None:
    world = World(COUNTING)
    world.appear("ann").after("1m")

    world.identify("ann", n=0)

    (failed,) = [record for record in world.trail() if record.kind == "failed"]
    assert (failed.run, failed.node) == (world.run().id, "more")
    assert failed.detail == {"error": "more than 50 events in a chain; the rest was dropped"}
    assert [step[0] for step in world.story()][-4:] == ["entered", "ran", "failed", "completed"]
    (alert,) = world.alerts()
    assert "ann" in alert
    assert "Contact Updated" in alert


def test_rule_2_7_what_follows_the_fifty_first_is_dropped_too() -> None:
    names = ", ".join(f"t{number}" for number in range(60))
    world = World(flow(f"mark: {{type: tag, add: [{names}]}}"), marking("late", "{type: tag, added: t55}"))
    world.appear("ann").after("1m")

    world.track("ann", "Go")

    assert [name for name, _ in world.made()].count("Tag Added") == 50
    assert len(world.contact().tags) == 60
    assert len(world.alerts()) == 10
    assert world.story(journey="late") == []


STAGED = "workspace: shop\nstages:\n  - {id: new, when: {all: []}}\n  - {id: tagged, when: {tag: t0}}\n---\n"


@pytest.mark.parametrize(
    ("listener", "made"),
    [
        ("{type: event, event: Elsewhere}", 51),
        ("{type: event, event: Stage Changed}", 50),
        ("{type: event, event: Elsewhere, where: {event: Stage Changed}}", 50),
        ("{type: event, event: Elsewhere, where: {attribute: stage, eq: new}}", 50),
    ],
)
def test_rule_2_7_what_nobody_listens_to_is_written_down_and_is_no_link_of_a_chain(listener: str, made: int) -> None:
    """So a simulation, which does not even judge by such stages and segments, comes to the same."""
    names = ", ".join(f"t{number}" for number in range(50))
    world = World(STAGED, flow(f"mark: {{type: tag, add: [{names}]}}"), marking("listener", listener))
    world.appear("ann").after("1m")

    world.track("ann", "Go")

    own = [name for name, _ in world.made() if name in ("Tag Added", "Stage Changed")]
    assert len(own) == made
    assert ("Stage Changed" in own) is (made == 51)


def test_rule_2_7_every_input_begins_a_chain_of_its_own() -> None:
    world = World(COUNTING)
    world.appear("ann").after("1m")

    world.identify("ann", n=0).identify("ann", n=0)

    assert len(world.times("entered")) == 100


def test_rule_2_7_a_timer_begins_a_chain_of_its_own() -> None:
    names = ", ".join(f"t{number}" for number in range(40))
    nodes = f"one: {{type: tag, add: [{names}], next: pause}}\npause: {{type: wait, for: 1h, next: two}}\n"
    world = World(flow(nodes + f"two: {{type: tag, remove: [{names}]}}"))

    world.track("ann", "Go").after("2h")

    assert world.alerts() == []


def test_an_increment_takes_a_reference_and_counts_nothing_where_it_is_no_number() -> None:
    world = World(flow("count: {type: update, increment: {points: {ref: trigger.n}}}", "reentry: {policy: always}"))

    world.track("ann", "Go", n=2).track("ann", "Go", n=3).track("ann", "Go", n="many").track("ann", "Go")

    assert world.contact().attributes["points"] == 5


@pytest.mark.parametrize("kept", ["ten", "10", [1, 2], {"of": 1}, True])
def test_an_increment_leaves_what_is_no_number_as_it_is_and_the_trail_says_so(kept: JSON) -> None:
    world = World(flow("count: {type: update, set: {plan: gold}, increment: {points: 1, visits: 1}}"))
    world.appear("ann", points=kept).after("1m")

    world.track("ann", "Go")

    (ran,) = [record for record in world.trail() if record.kind == "ran"]
    told = orjson.dumps(kept).decode()
    assert world.contact().attributes == {"points": kept, "plan": "gold", "visits": 1}
    assert ran.detail == {
        "set": {"plan": "gold", "visits": 1},
        "unset": [],
        "unchanged": {"points": f"type mismatch: {told}"},
    }


def test_an_increment_puts_nothing_in_the_place_of_what_stands_in_its_way() -> None:
    world = World(flow('count: {type: update, increment: {address.visits: 1, "list[0].n": 1, score.tea: 1}}'))
    world.appear("ann", address="Long Street 1", list={"a": 1}).after("1m")

    world.track("ann", "Go")

    (ran,) = [record for record in world.trail() if record.kind == "ran"]
    assert world.contact().attributes == {"address": "Long Street 1", "list": {"a": 1}, "score": {"tea": 1}}
    assert ran.detail["unchanged"] == {
        "address.visits": 'type mismatch: "Long Street 1"',
        "list[0].n": 'type mismatch: {"a":1}',
    }


def test_an_increment_by_what_is_no_number_says_which() -> None:
    world = World(flow("count: {type: update, increment: {points: {ref: trigger.n}}}", "reentry: {policy: always}"))

    world.track("ann", "Go", n="many").track("ann", "Go")

    told = [record.detail["unchanged"] for record in world.trail() if record.kind == "ran"]
    assert told == [{"points": 'type mismatch: "many"'}, {"points": "missing"}]


@pytest.mark.parametrize(
    "node",
    [
        "{type: emit, event: Go, properties: {x: {in: {ref: trigger.x}}}, next: keep}",
        "{type: update, set: {x.in: {ref: contact.x}}, next: keep}",
        "{type: enroll, journey: walk, properties: {x: [{ref: trigger.x}]}, next: keep}",
    ],
)
def test_a_value_that_is_put_into_itself_again_and_again_ends_before_nobody_could_keep_it(node: str) -> None:
    nodes = f"hour: {{type: wait, for: 1h, next: more}}\nmore: {node}\nkeep: {{type: tag, add: [kept], next: hour}}"
    world = World(flow(nodes, "reentry: {policy: always}", "on_duplicate: restart", name="walk"))
    world.track("ann", "Go", x=[1]).identify("ann", x=[1])

    world.after("400h")

    orjson.dumps([list(record) for record in world.trail()], default=str)
    assert len([record for record in world.trail() if record.kind == "ran"]) > 300
