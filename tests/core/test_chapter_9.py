"""The trail: its records, ids and details (semantics, chapter 9)."""

from __future__ import annotations

import uuid

import orjson
import pytest
from tests.core.world import World, flow

from journeyflow.core.effects import TrailRecord
from journeyflow.core.values import JSON
from journeyflow.services.simulate_summary import trail_line

ANN = "ann@shop.example"

# --- 9.1 -------------------------------------------------------------------------------------------------------------


def test_rule_9_1_a_record_is_one_line_of_json_with_these_keys() -> None:
    world = World(flow("pause: {type: wait, for: 1h}"), start="2026-03-02T09:00:00.5Z").track("ann", "Go", plan="pro")

    lines = [trail_line(record) for record in world.trail()]

    run = world.run().id
    assert lines == [
        orjson.dumps(
            {
                "at": "2026-03-02T09:00:00.500000Z",
                "contact": "ann",
                "journey": "walk",
                "version": 1,
                "run": run,
                "seq": 0,
                "kind": "entered",
                "node": None,
                "type": None,
                "detail": {"trigger": 0, "properties": {"plan": "pro"}},
            }
        )
        + b"\n",
        orjson.dumps(
            {
                "at": "2026-03-02T09:00:00.500000Z",
                "contact": "ann",
                "journey": "walk",
                "version": 1,
                "run": run,
                "seq": 1,
                "kind": "waiting",
                "node": "pause",
                "type": "wait",
                "detail": {"until": "2026-03-02T10:00:00.500000Z"},
            }
        )
        + b"\n",
    ]


def test_rule_9_1_seq_counts_from_zero_within_each_run() -> None:
    world = World(flow("mark: {type: tag, add: [x]}", "key: trigger.id"))

    world.track("ann", "Go", id=1).track("ann", "Go", id=2)

    assert [record.seq for record in world.trail()] == [0, 1, 2, 0, 1, 2]


def test_rule_9_1_where_there_is_no_run_there_is_no_seq() -> None:
    world = World(flow("mark: {type: tag, add: [x]}", "enter_if: {tag: vip}")).track("ann", "Go")

    (refused,) = world.trail()
    assert (refused.kind, refused.run, refused.seq, refused.node, refused.type) == ("refused", None, None, None, None)


def test_rule_9_1_entered_refused_and_converted_have_no_node() -> None:
    world = World(flow("pause: {type: wait, for: 1d}", "goal: {event: Bought}"))

    world.track("ann", "Go").track("ann", "Go").after("1m").track("ann", "Bought")

    bare = [record for record in world.trail() if record.kind in ("entered", "refused", "converted")]
    assert [(record.kind, record.node, record.type) for record in bare] == [
        ("entered", None, None),
        ("refused", None, None),
        ("converted", None, None),
    ]


def test_rule_9_1_every_other_record_has_its_node_and_type() -> None:
    world = (
        World(flow("pause: {type: wait, for: 1d, next: mark}\nmark: {type: tag, add: [x]}"))
        .track("ann", "Go")
        .after("2d")
    )

    assert [(record.kind, record.node, record.type) for record in world.trail()][1:] == [
        ("waiting", "pause", "wait"),
        ("resumed", "pause", "wait"),
        ("ran", "mark", "tag"),
        ("completed", "mark", "tag"),
    ]


# --- 9.2 -------------------------------------------------------------------------------------------------------------


def expected_run(workspace: str, *name: str) -> str:
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, f"journeyflow:{workspace}"), "\x1f".join(name)))


@pytest.mark.parametrize("workspace", ["default", "shop"])
def test_rule_9_2_a_runs_id_comes_from_workspace_journey_contact_key_and_number(workspace: str) -> None:
    world = World(
        f"workspace: {workspace}",
        flow("pause: {type: wait, for: 1d}", "on_duplicate: restart", name="plain"),
        flow("pause: {type: wait, for: 1d}", "key: trigger.id", "reentry: {policy: always}", name="keyed"),
    )

    world.track("zoë", "Go", id=1.0).after("1m").track("zoë", "Go", id="ü").after("2d").track("zoë", "Go", id=1)

    assert [run.id for run in world.runs("zoë", "plain")] == [
        expected_run(workspace, "plain", "zoë", "", str(number)) for number in range(2)
    ], "once, and a restart"
    assert [run.id for run in world.runs("zoë", "keyed")] == [
        expected_run(workspace, "keyed", "zoë", "1", "0"),
        expected_run(workspace, "keyed", "zoë", "ü", "0"),
        expected_run(workspace, "keyed", "zoë", "1", "1"),
    ]


def test_rule_9_2_a_messages_id_comes_from_its_run_node_and_visit() -> None:
    world = World(flow("mail: {type: email, template: letter, next: pause}\npause: {type: wait, for: 1d, next: mail}"))

    world.appear("ann", email=ANN).track("ann", "Go").after("1d")

    run = uuid.UUID(world.run().id)
    assert [message.id for message in world.messages()] == [
        str(uuid.uuid5(run, f"mail\x1f{visit}")) for visit in (0, 1)
    ]


# --- 9.3 -------------------------------------------------------------------------------------------------------------

EVERYTHING = """
ask: {type: branch, cases: [{when: {tag: vip}, next: end}], else: tags}
tags: {type: tag, add: [a, there], remove: [old, never], next: change}
change:
  type: update
  set: {plan: 'p{{ trigger.n }}', kept: {ref: trigger.none}}
  increment: {n: 2}
  unset: [gone]
  next: code
code: {type: coupon, pool: ten, next: mail}
mail: {type: email, template: letter, next: listen}
listen: {type: wait_for, cases: [{event: Deed, where: {property: n, eq: 1}, next: stop}], timeout: never}
stop: {type: end, reason: done}
"""


def everything() -> World:
    world = World("coupon_pool: ten\ncodes: generated", flow(EVERYTHING, "goal: {event: Deed, value: n}"))
    world.appear("ann", "there", "old", email=ANN, n=1, gone=1).track("ann", "Go", n=1)
    return world.after("1h").send_queued().track("ann", "Deed", n=1)


def test_rule_9_3_what_each_kind_tells() -> None:
    world = everything()

    (code,) = world.contact().coupons
    (message,) = world.messages()
    vip = {"path": "nodes.ask.cases[0].when", "leaf": {"tag": "vip"}, "value": False, "held": False}
    deed = {
        "path": "nodes.listen.cases[0].where",
        "leaf": {"property": "n", "eq": 1},
        "value": 1,
        "held": True,
    }
    assert [(record.kind, record.node, record.type, record.detail) for record in world.trail()] == [
        ("entered", None, None, {"trigger": 0, "properties": {"n": 1}}),
        ("ran", "ask", "branch", {"case": None, "because": [vip]}),
        ("ran", "tags", "tag", {"added": ["a"], "removed": ["old"]}),
        ("ran", "change", "update", {"set": {"plan": "p1", "n": 3}, "unset": ["gone"]}),
        ("ran", "code", "coupon", {"pool": "ten", "code": code.code}),
        (
            "message",
            "mail",
            "email",
            {"channel": "email", "template": "letter", "to": ANN, "outcome": "queued", "reason": None},
        ),
        ("waiting", "listen", "wait_for", {"until": None}),
        ("converted", None, None, {"value": 1, "since_message": message.id}),
        ("resumed", "listen", "wait_for", {"by": "event"}),
        ("ran", "listen", "wait_for", {"case": 0, "because": [deed]}),
        ("exited", "stop", "end", {"reason": "end:done"}),
    ]


def test_rule_9_3_an_end_writes_only_how_the_run_ended() -> None:
    world = World(flow("stop: {type: end}")).track("ann", "Go")

    assert [(record.kind, record.node, record.detail) for record in world.trail()][1:] == [("completed", "stop", {})]


def test_rule_9_3_a_skipped_message_tells_its_reason_and_address() -> None:
    world = World(flow("mail: {type: email, template: letter}"))

    world.appear("ann", email=ANN).track("ann", "Unsubscribed").track("ann", "Go").track("bob", "Go")

    told = {"channel": "email", "template": "letter", "outcome": "skipped"}
    assert world.details("message", "ann") == [{**told, "to": ANN, "reason": "unsubscribed"}]
    assert world.details("message", "bob") == [{**told, "to": None, "reason": "no_address"}]


@pytest.mark.parametrize(
    ("wait", "detail"),
    [
        ("for: 0s", ("ran", {})),
        ("until_time: {at: '09:00'}", ("ran", {})),
        ("until: {attribute: now}", ("ran", {})),
        ("until: {attribute: past}", ("skipped", {"reason": "past"})),
        ("until: {attribute: none}", ("skipped", {"reason": "missing"})),
        ("until: {attribute: word}", ("skipped", {"reason": "unreadable"})),
    ],
)
def test_rule_9_3_a_wait_that_goes_on_at_once(wait: str, detail: tuple[str, dict[str, JSON]]) -> None:
    world = World(flow(f"pause: {{type: wait, {wait}}}"))

    world.appear("ann", now="2026-03-02T09:00Z", past="2020-01-01", word="soon").track("ann", "Go")

    assert (world.trail()[1].kind, world.trail()[1].detail) == detail


def test_rule_9_3_a_wait_that_stands_writes_waiting_and_resumed_and_no_ran() -> None:
    world = World(flow("pause: {type: wait, for: 1h}")).track("ann", "Go").after("2h")

    assert [(record.kind, record.detail) for record in world.trail()][1:] == [
        ("waiting", {"until": "2026-03-02T10:00:00.000000Z"}),
        ("resumed", {"by": "timer"}),
        ("completed", {}),
    ]


def test_rule_9_3_a_wait_for_writes_how_it_was_resumed_and_then_its_case_or_null() -> None:
    nodes = "listen: {type: wait_for, cases: [{event: Deed}, {when: {tag: vip}}], timeout: 1h}"
    world = World(flow(nodes))

    world.track("ann", "Go").track("bob", "Go").track("cid", "Go").after("1m").track("ann", "Deed").tag("bob", "vip")
    world.after("2h")

    vip: JSON = {"path": "nodes.listen.cases[1].when", "leaf": {"tag": "vip"}, "value": True, "held": True}
    assert (world.details("resumed", "ann"), world.details("ran", "ann")) == ([{"by": "event"}], [{"case": 0}])
    assert world.details("resumed", "bob") == [{"by": "condition"}]
    assert world.details("ran", "bob") == [{"case": 1, "because": [vip]}]
    assert world.details("ran", "cid") == [{"case": None}]


def test_rule_9_3_a_message_that_waits_tells_until_when_and_why() -> None:
    quiet = "workspace: shop\nquiet_hours: {from: '21:00', to: '08:00'}\n---\n"
    world = World(quiet, flow("mail: {type: email, template: letter}"), start="2026-03-02T23:00Z")

    world.appear("ann", email=ANN).track("ann", "Go").after("1d")

    assert world.details("waiting") == [{"until": "2026-03-03T08:00:00.000000Z", "reason": "quiet_hours"}]
    assert world.details("resumed") == [{"by": "timer"}]


def test_rule_9_3_a_held_run_tells_that_its_journey_is_paused() -> None:
    world = World(flow("pause: {type: wait, for: 1h}")).track("ann", "Go").pause("walk").after("2h")

    assert world.details("waiting")[1] == {"until": None, "reason": "paused"}


def test_rule_9_3_enrolled_by_hand_no_trigger_is_named() -> None:
    world = World(flow("mark: {type: tag, add: [x]}")).enroll("ann", "walk", n=1)

    assert world.details("entered") == [{"trigger": None, "properties": {"n": 1}}]


# --- 9.3: because ----------------------------------------------------------------------------------------------------


def because(record: TrailRecord) -> list[tuple[str, JSON, bool]]:
    found = record.detail["because"]
    assert isinstance(found, list)
    assert all(isinstance(one, dict) and list(one) == ["path", "leaf", "value", "held"] for one in found)
    return [(str(one["path"]), one["value"], bool(one["held"])) for one in found if isinstance(one, dict)]


def test_rule_9_3_because_lists_each_leaf_that_was_looked_at_and_no_other() -> None:
    nodes = """
    ask:
      type: branch
      cases:
        - {when: {all: [{attribute: plan, eq: pro}, {tag: never-looked-at}]}}
        - {when: {any: [{not: {tag: vip}}, {tag: never-looked-at}]}}
    """
    world = World(flow(nodes)).track("ann", "Go")

    assert because(world.trail()[1]) == [
        ("nodes.ask.cases[0].when.all[0]", "missing", False),
        ("nodes.ask.cases[1].when.any[0].not", False, False),
    ]


@pytest.mark.parametrize(
    ("condition", "value", "held"),
    [
        ("{attribute: plan, eq: pro}", "pro", True),
        ("{attribute: none, eq: pro}", "missing", False),
        ("{attribute: none, exists: false}", "missing", True),
        ("{attribute: plan, gt: 5}", 'type mismatch: "pro"', False),
        ("{attribute: plan, ne: 5}", 'type mismatch: "pro"', True),
        ("{attribute: age, starts_with: '3'}", "type mismatch: 30", False),
        ("{attribute: list, contains: 2}", [1, 2], True),
        ("{property: n, gte: 1}", 1, True),
        ("{var: coupon.code, exists: true}", "missing", False),
        ("{event: Go}", 1, True),
        ("{event: Other, count: {eq: 0}}", 0, True),
        ("{event: Go, sum: n, gte: 1}", 1, True),
        ("{event: Go, within: 1h, avg: n, gt: 1}", 1, False),
        ("{event: Other, max: n, gt: 1}", "missing", False),
        ("{event: Other, sum: n, lt: 1}", 0, True),
        ("{local_time: {from: '08:00', to: '18:00'}}", "mon 09:00:00", True),
        ("{topic: offers}", True, True),
    ],
)
def test_rule_9_3_because_tells_the_value_seen(condition: str, value: JSON, held: bool) -> None:
    world = World(
        "workspace: shop\ntopics: [{id: offers, name: Offers}]\n---\n",
        flow(f"ask: {{type: branch, cases: [{{when: {condition}}}]}}"),
    )

    world.appear("ann", plan="pro", age=30, list=[1, 2]).track("ann", "Go", n=1)

    assert because(world.trail()[1]) == [("nodes.ask.cases[0].when", value, held)]


def test_rule_9_3_a_long_value_that_does_not_fit_is_cut() -> None:
    world = World(flow("ask: {type: branch, cases: [{when: {attribute: text, gt: 5}}]}"))

    world.appear("ann", text="x" * 100_000).track("ann", "Go")

    ((_, value, _),) = because(world.trail()[1])
    assert str(value).startswith('type mismatch: "xxx')
    assert len(str(value)) < 300


@pytest.mark.parametrize("kind", ["entered", "exited", "converted"])
def test_rule_9_3_wheres_are_told_too(kind: str) -> None:
    where = "where: {property: n, gte: 1}"
    world = World(
        flow(
            "pause: {type: wait, for: 1d}",
            f"exit_on: [{{event: Seen}}, {{event: Deed, {where}}}]",
            f"goal: {{event: Deed, {where}}}",
            trigger=f"{{type: event, event: Go, {where}}}",
        )
    )

    world.track("ann", "Go", n=1).after("1m").track("ann", "Deed", n=1)

    path = {"entered": "triggers[0].where", "exited": "exit_on[1].where", "converted": "goal.where"}[kind]
    (record,) = [record for record in world.trail() if record.kind == kind]
    assert because(record) == [(path, 1, True)]


def test_rule_9_3_texts_see_the_contact_the_trigger_the_event_variables_the_journey_and_the_run() -> None:
    texts = {
        "who": "{{ contact.id }} {{ contact.created_at }} {{ contact.address.city }} {{ contact.tags | join: '+' }}",
        "what": "{{ trigger.n }} {{ event.n }} {{ vars.coupon.pool }} {{ vars.none.x }}",
        "where": "{{ journey.id }} {{ journey.version }} {{ run.entered_at }} {{ now }}",
    }
    told = ", ".join(f'{name}: "{text}"' for name, text in texts.items())
    nodes = f"""
    code: {{type: coupon, pool: ten, next: listen}}
    listen: {{type: wait_for, cases: [{{event: Deed, next: tell}}], timeout: 1d}}
    tell: {{type: update, set: {{{told}}}}}
    """
    world = World("coupon_pool: ten\ncodes: generated", flow(nodes))

    world.appear("ann", "x", "y", address={"city": "Sopot"}).track("ann", "Go", n=1).after("1m").track(
        "ann", "Deed", n=2
    )

    attributes = world.contact().attributes
    assert attributes["who"] == "ann 2026-03-02T09:00:00.000000Z Sopot x+y"
    assert attributes["what"] == "1 2 ten "
    assert attributes["where"] == "walk 1 2026-03-02T09:00:00.000000Z 2026-03-02T09:01:00.000000Z"
