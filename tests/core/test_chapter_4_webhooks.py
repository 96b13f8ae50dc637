"""Calling other systems (semantics, rules 4.8 and 4.10)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tests.core.world import World, flow, read

from journeyflow.core.documents import Documents
from journeyflow.core.effects import TrailRecord
from journeyflow.core.identity import message_id
from journeyflow.core.inputs import Event, Input, Reply
from journeyflow.core.values import JSON, parse_instant
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.simulate import simulate_inputs

TOLD = "call: {type: webhook, url: 'https://crm.example/hook', next: label}\nlabel: {type: tag, add: [told]}"
ASKED = """
call:
  type: webhook
  url: "https://crm.example/people/{{ contact.id | url_encode }}"
  method: PUT
  headers: {X-Shop: "{{ contact.shop }}"}
  json: {email: {ref: contact.email}, note: "Dear {{ contact.name }}", items: {ref: trigger.items}}
  save_as: reply
  on_failure: sorry
  next: label
label: {type: update, set: {level: {ref: vars.reply.level}}}
sorry: {type: tag, add: [failed]}
"""


# --- without a reply -------------------------------------------------------------------------------------------------


def test_rule_4_10_a_call_that_nothing_is_made_of_is_queued_and_the_run_goes_on_at_once() -> None:
    world = World(flow(TOLD)).track("ann", "Go")

    assert world.story() == [("entered",), ("ran", "call"), ("ran", "label"), ("completed",)]
    assert world.details("ran")[0] == {"status": None}
    (call,) = world.calls()
    assert (call.method, call.url, call.headers, call.body) == ("POST", "https://crm.example/hook", {}, None)
    assert (call.awaited, call.run, call.node, call.visit) == (False, world.run().id, "call", 0)


def test_rule_4_10_a_late_reply_to_it_changes_nothing() -> None:
    world = World(flow(TOLD)).track("ann", "Go").reply("ann", "call")

    assert world.story()[-1] == ("completed",)


# --- with a reply ----------------------------------------------------------------------------------------------------


def test_rule_4_10_the_run_waits_for_the_reply_and_keeps_it() -> None:
    world = World(flow(ASKED)).appear("ann", email="ann@shop.example", name="Ann", shop="Gdansk")
    world.track("ann", "Go", items=[1, 2]).after("3s").reply("ann", "call", body={"level": "gold"}, status=201)

    assert world.story() == [
        ("entered",),
        ("waiting", "call", "2026-03-02T09:10Z"),
        ("resumed", "call", "reply"),
        ("ran", "call"),
        ("ran", "label"),
        ("completed",),
    ]
    assert world.details("waiting") == [{"until": "2026-03-02T09:10:00.000000Z"}]
    assert world.details("ran")[0] == {"status": 201}
    assert world.contact().attributes["level"] == "gold"
    (call,) = world.calls()
    assert call.id == message_id(world.run().id, "call", 0)
    assert (call.method, call.url) == ("PUT", "https://crm.example/people/ann")
    assert (call.headers, call.awaited) == ({"X-Shop": "Gdansk"}, True)
    assert call.body == '{"email":"ann@shop.example","note":"Dear Ann","items":[1,2]}'


def test_rule_4_8_a_refused_call_is_written_down_and_the_run_goes_on_along_on_failure() -> None:
    world = World(flow(ASKED)).track("ann", "Go").after("3s")
    world.reply("ann", "call", status=422, error="HTTP 422: no such person")

    assert world.story()[2:] == [
        ("resumed", "call", "reply"),
        ("failed", "call", "HTTP 422: no such person"),
        ("ran", "sorry"),
        ("completed",),
    ]


def test_rule_4_8_without_on_failure_it_goes_along_next() -> None:
    world = World(flow(TOLD.replace("next:", "save_as: reply, next:"))).track("ann", "Go")
    world.reply("ann", "call", status=None, error="no connection")

    assert world.story()[3:] == [("failed", "call", "no connection"), ("ran", "label"), ("completed",)]


def test_rule_4_10_after_the_timeout_it_has_failed_and_the_reply_comes_too_late() -> None:
    world = World(flow(ASKED.replace("save_as", "timeout: 2m\n  save_as"))).track("ann", "Go").after("2m")
    assert world.story()[1:4] == [
        ("waiting", "call", "2026-03-02T09:02Z"),
        ("resumed", "call", "timeout"),
        ("failed", "call", "timeout"),
    ]

    told = world.story()
    assert world.reply("ann", "call").story() == told


def test_rule_4_10_on_failure_alone_waits_too() -> None:
    world = World(flow(TOLD.replace("next:", "on_failure: end, next:"))).track("ann", "Go").reply("ann", "call")

    assert world.story()[1:4] == [
        ("waiting", "call", "2026-03-02T09:10Z"),
        ("resumed", "call", "reply"),
        ("ran", "call"),
    ]
    assert world.run().vars == {}


def test_rule_4_7_a_reply_belongs_to_one_visit() -> None:
    world = World(
        flow(ASKED + "\nwait: {type: wait, for: 1h, next: call}".lstrip()).replace("sorry: {", "sorry: {next: wait, ")
    )
    world.track("ann", "Go")
    early = world.calls()[0]
    world.after("10m").after("1h")
    again = world.calls()[1]

    assert (early.visit, again.visit) == (0, 1)
    assert early.id != again.id
    late = world.story()
    world.put("ann", Reply(world.now, early.run, "call", early.visit, 200, {"level": "old"}))
    assert world.story() == late


def test_rule_2_2_who_waits_for_a_reply_can_leave() -> None:
    world = World(flow(ASKED, "exit_on: [{event: Left}]")).track("ann", "Go").track("ann", "Left").after("1s")

    assert world.reply("ann", "call").story()[-1] == ("exited", "exit_on")


def test_rule_4_1_stay_if_is_asked_when_the_reply_comes() -> None:
    world = World(flow(ASKED, "stay_if: {not: {tag: stop}}")).track("ann", "Go").tag("ann", "stop").after("1s")

    assert world.reply("ann", "call").story()[-2:] == [("resumed", "call", "reply"), ("exited", "stay_if")]


def test_rule_8_2_a_paused_run_takes_its_reply_and_stands_before_the_next_node() -> None:
    world = World(flow(ASKED)).track("ann", "Go").pause("walk").after("1m")

    world.reply("ann", "call", body={"level": 3})
    assert world.story()[2:] == [
        ("resumed", "call", "reply"),
        ("ran", "call"),
        ("waiting", "label", "for ever", "paused"),
    ]
    assert world.resume("walk").contact().attributes["level"] == 3


def test_rule_8_2_a_timeout_that_comes_while_paused_is_held() -> None:
    world = World(flow(ASKED)).track("ann", "Go").pause("walk").after("1h").reply("ann", "call", body={}).after("1m")

    assert world.story()[2:] == [("waiting", "call", "for ever", "paused")]
    assert world.resume("walk").story()[3:5] == [("resumed", "call", "timeout"), ("failed", "call", "timeout")]


def test_rule_4_2_only_if_skips_the_call() -> None:
    world = World(flow(ASKED.replace("save_as", "only_if: {tag: vip}\n  save_as"))).track("ann", "Go")

    assert world.story()[1] == ("skipped", "call", "only_if")
    assert world.calls() == []


# --- what can't be called --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("url: '{{ contact.nowhere }}'", "url: expected http://... or https://..., found ''"),
        ("url: '{{ \"ftp\" }}://{{ contact.id }}'", "url: expected http://... or https://..., found 'ftp://ann'"),
        ("url: 'https://{{ \"a b\" }}/'", "url: expected http://... or https://..., found 'https://a b/'"),
        ("url: 'https://x/{{ 1 | divided_by: 0 }}'", "can't divide by 0"),
        ("url: 'https://x/', headers: {X-Y: \"a\\nb\"}", "headers.X-Y: expected printable ASCII"),
    ],
)
def test_rule_4_8_a_call_that_cant_be_made_has_failed(line: str, error: str) -> None:
    world = World(flow(f"call: {{type: webhook, on_failure: sorry, {line}}}\nsorry: {{type: end, reason: sorry}}"))

    story = world.track("ann", "Go").story()

    assert story[1][:2] == ("failed", "call")
    assert error in story[1][2]
    assert story[-1] == ("exited", "end:sorry")
    assert world.calls() == []


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://crm.example/{{ contact.id }}", True),
        ("http://127.0.0.1:9000?x={{ contact.id }}", True),
        ("https://crm.example", True),
        ("https://{{ contact.host }}/", False),
        ("https://crm.example{{ contact.rest }}", False),
        ("https://crm.example\\{{ contact.rest }}/", False),
        ("{{ contact.url }}", False),
    ],
)
def test_a_host_is_the_documents_own_or_filled_in(url: str, written: bool) -> None:
    world = World(flow(f"call: {{type: webhook, url: '{url}'}}"))
    world.identify("ann", host="h.example", rest="x", url="https://u.example").track("ann", "Go")

    assert [call.host_written for call in world.calls()] == ([written] if "\\" not in url else [False])


@pytest.mark.parametrize("name", ["Host", "idempotency-key", "Content-Length"])
def test_headers_that_each_call_makes_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="expected headers other than"):
        read(flow(f"call: {{type: webhook, url: 'https://x', headers: {{{name}: a}}}}"))


def test_no_json_is_no_body_and_null_is_one() -> None:
    world = World(
        flow("a: {type: webhook, url: 'https://x', next: b}\nb: {type: webhook, url: 'https://x', json: null}")
    )

    assert [call.body for call in world.track("ann", "Go").calls()] == [None, "null"]


# --- simulated -------------------------------------------------------------------------------------------------------


def simulated(text: str, *events: tuple[str, str]) -> list[TrailRecord]:
    inputs: list[tuple[str, Input]] = []
    for at, name in events:
        instant = parse_instant(at)
        assert instant is not None
        inputs.append(("ann", Event(instant, name, instant)))
    records: list[TrailRecord] = []
    simulate_inputs(Documents.of(read(text)), LiquidRenderer(), inputs, on_trail=records.append)
    return records


@pytest.mark.parametrize(("sample", "level"), [("sample: {level: gold}", "gold"), ("timeout: 1m", None)])
def test_rule_4_10_a_simulation_answers_at_the_same_instant(sample: str, level: JSON) -> None:
    records = simulated(flow(ASKED.replace("save_as", f"{sample}\n  save_as")), ("2026-03-02T09:00Z", "Go"))

    assert [(record.kind, record.node) for record in records] == [
        ("entered", None),
        ("waiting", "call"),
        ("resumed", "call"),
        ("ran", "call"),
        ("ran", "label"),
        ("completed", "label"),
    ]
    assert len({record.at for record in records}) == 1
    assert records[2].detail == {"by": "reply"}
    assert records[3].detail == {"status": 200}
    assert records[4].detail == {"set": {} if level is None else {"level": level}, "unset": []}


def test_rule_4_10_what_an_instant_brings_goes_before_the_reply() -> None:
    left = flow(ASKED, "exit_on: [{event: Left}]")

    records = simulated(left, ("2026-03-02T09:00Z", "Go"), ("2026-03-02T09:00Z", "Left"))

    assert [record.kind for record in records] == ["entered", "waiting", "exited"]


def test_a_simulation_of_journeys_that_call_in_a_circle_comes_to_an_end() -> None:
    circle = flow("call: {type: webhook, url: 'https://x', save_as: r, next: again}\nagain: {type: emit, event: Go}",
                  "reentry: {policy: always}")  # fmt: skip
    inputs: list[tuple[str, Input]] = []
    instant = parse_instant("2026-03-02T09:00Z")
    assert instant is not None
    inputs.append(("ann", Event(instant, "Go", instant)))

    found = simulate_inputs(Documents.of(read(circle)), LiquidRenderer(), inputs, until=instant)

    assert found.journeys["walk"].entered == 1_001
    assert found.alerts == ["contact ann: 1000 webhook replies at one instant; no more come"]
