"""The numbers that `simulate` prints, its trail as lines, and that both are the same every time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.services.simulate_scenario import Outcome, at, event, run

from journeyflow.core.effects import TrailRecord
from journeyflow.services.simulate_summary import trail_line

SHOP = """
workspace: shop
timezone: Europe/Warsaw
topics: [{id: offers, name: Offers}]
---
journey: cart
triggers: [{type: event, event: Checkout Started}]
key: trigger.cart
enter_if: {topic: offers}
exit_on: [{event: Bought}]
on_duplicate: restart
goal: {event: Bought, within: 3d, value: total}
start: pause
nodes:
  pause: {type: wait, for: 1h, next: mail}
  mail: {type: email, template: hello, topic: offers, next: answer}
  answer:
    type: wait_for
    cases: [{event: Email Link Clicked, next: label}]
    timeout: 2d
    on_timeout: code
  label: {type: tag, add: [clicker]}
  code: {type: coupon, pool: back, next: again}
  again: {type: email, template: hello, topic: offers, next: stop}
  stop: {type: end, reason: nothing}
---
journey: silent
triggers: [{type: inactivity, event: Checkout Started, for: 20d}]
start: code
nodes:
  code: {type: coupon, pool: back, next: mail}
  mail: {type: email, template: hello}
---
template: hello
subject: Hello {{ contact.name }}
body: Your code is {{ vars.coupon.code }}
---
coupon_pool: back
codes: generated
prefix: BACK-
length: 12
"""

CONTACTS = "contact,email,name\n" + "".join(f"c{n},c{n}@example.com,Customer {n}\n" for n in range(0, 60, 2))


def a_busy_month() -> list[dict[str, Any]]:  # Any: JSON of many shapes
    """Sixty contacts, each second one with an address, doing every third thing that can be done."""
    events = []
    for n in range(60):
        who = f"c{n}"
        events.append(event(who, "Checkout Started", f"03-{n % 20 + 1:02} 10:{n:02}", properties={"cart": n % 7}))
        if n % 3 == 0:
            events.append(
                event(who, "Checkout Started", f"03-{n % 20 + 1:02} 10:{n:02}:30", properties={"cart": n % 7})
            )
        if n % 5 == 0:
            events.append(event(who, "Bought", f"03-{n % 20 + 1:02} 10:{n:02}:50", properties={"total": n}))
        if n % 4 == 0:
            events.append(event(who, "Email Link Clicked", f"03-{n % 20 + 2:02} 10:00"))
        if n % 11 == 0:
            events.append(event(who, "Unsubscribed", f"03-{n % 20 + 3:02} 08:00", properties={"topic": "offers"}))
            events.append(event(who, "Checkout Started", "03-25 10:00", properties={"cart": "late"}))
        if n % 13 == 0:
            events.append(event(who, "Checkout Started", "03-26 10:00"))
    return events


@pytest.fixture
def busy(tmp_path: Path) -> Outcome:
    return run(tmp_path, SHOP, a_busy_month(), CONTACTS)


def counted(outcome: Outcome, journey: str, kind: str) -> int:
    return sum(one.journey == journey and one.kind == kind for one in outcome.trail)


def reasons(outcome: Outcome, journey: str, kind: str) -> dict[str, int]:
    return dict(
        Counter(str(one.detail["reason"]) for one in outcome.trail if (one.journey, one.kind) == (journey, kind))
    )


def visits(outcome: Outcome, journey: str) -> dict[str, int]:
    """A node was visited as often as runs wrote a first record of a visit there."""
    found: Counter[str] = Counter()
    standing: set[tuple[str | None, str]] = set()
    for one in outcome.trail:
        left = one.kind in ("exited", "completed") and one.type != "end"
        if one.journey != journey or one.node is None or left:
            continue
        found[one.node] += (one.run, one.node) not in standing
        (standing.add if one.kind in ("waiting", "resumed") else standing.discard)((one.run, one.node))
    return dict(found)


@pytest.mark.parametrize("journey", ["cart", "silent"])
def test_the_numbers_of_a_journey_are_those_of_its_trail(busy: Outcome, journey: str) -> None:
    numbers = busy.summary["journeys"][journey]

    assert numbers["entered"] == counted(busy, journey, "entered") > 0
    assert numbers["refused"] == reasons(busy, journey, "refused")
    assert numbers["completed"] == counted(busy, journey, "completed")
    assert numbers["exited"] == reasons(busy, journey, "exited")
    assert numbers["converted"] == counted(busy, journey, "converted")
    assert numbers["active"] == 0
    assert {name: node["visits"] for name, node in numbers["nodes"].items()} == visits(busy, journey)
    assert {node["waiting"] for node in numbers["nodes"].values()} == {0}


def test_the_busy_month_has_something_of_everything(busy: Outcome) -> None:
    cart = busy.summary["journeys"]["cart"]

    assert set(cart["refused"]) == {"no_key", "enter_if"}
    assert set(cart["exited"]) == {"exit_on", "restarted", "end:nothing"}
    assert cart["completed"] > 0
    assert cart["converted"] > 0


def test_entered_is_active_completed_and_exited_at_every_instant(tmp_path: Path) -> None:
    for day in range(1, 31):
        outcome = run(tmp_path, SHOP, a_busy_month(), CONTACTS, until=at(f"03-{day:02} 10:30"))
        for name, numbers in outcome.summary["journeys"].items():
            left = counted(outcome, name, "completed") + counted(outcome, name, "exited")
            assert numbers["active"] == counted(outcome, name, "entered") - left
            assert sum(node["waiting"] for node in numbers["nodes"].values()) == numbers["active"]


def test_messages_are_counted_by_channel_and_outcome(busy: Outcome) -> None:
    messages = [one.detail for one in busy.trail if one.kind == "message"]

    assert busy.summary["messages"] == {
        "email": {
            "queued": sum(one["outcome"] == "queued" for one in messages),
            "skipped": dict(Counter(one["reason"] for one in messages if one["outcome"] == "skipped")),
        }
    }
    assert set(busy.summary["messages"]["email"]["skipped"]) == {"no_address", "unsubscribed"}


def test_the_busiest_day_and_the_contact_with_most_messages_are_told(busy: Outcome) -> None:
    queued = [one for one in busy.trail if one.kind == "message" and one.detail["outcome"] == "queued"]
    days = Counter((one.at + timedelta(hours=1)).date() for one in queued if one.at < datetime(2026, 3, 29, tzinfo=UTC))
    contacts = Counter(one.contact for one in queued)

    assert busy.simulation.busiest_day is not None
    assert busy.simulation.busiest_day[1] == max(days.values())
    assert busy.simulation.most_messages is not None
    assert busy.simulation.most_messages[1] == max(contacts.values())
    assert busy.simulation.most_messages[0] == min(key for key, n in contacts.items() if n == max(contacts.values()))


def test_the_day_of_a_message_is_that_of_the_workspace(tmp_path: Path) -> None:
    flows = SHOP.replace("{type: wait, for: 1h, next: mail}", "{type: wait, for: 1s, next: mail}")
    started = event("ann", "Checkout Started", "03-02 23:30", properties={"cart": 1})

    outcome = run(tmp_path, flows, [started], "contact,email\nann,ann@example.com\n", until=at("03-03 12:00"))

    assert outcome.simulation.busiest_day == (date(2026, 3, 3), 1)
    assert outcome.simulation.most_messages == ("ann", 1)


def test_coupons_used_are_counted_by_pool(busy: Outcome) -> None:
    codes = {one.detail["code"] for one in busy.trail if one.type == "coupon"}

    assert busy.summary["coupons"] == {"back": len(codes)}


def test_where_nothing_happens_the_numbers_say_so(tmp_path: Path) -> None:
    outcome = run(tmp_path, SHOP, [], "contact,created_at\nann,\nbob,2026-03-02\n")

    assert outcome.trail == []
    assert outcome.simulation.busiest_day is None
    assert outcome.simulation.most_messages is None
    assert outcome.summary == {
        "events": 0,
        "contacts": 2,
        "journeys": {name: _nothing(nodes) for name, nodes in _nodes_of_the_shop().items()},
        "messages": {},
        "coupons": {},
    }


def _nodes_of_the_shop() -> dict[str, list[str]]:
    return {"cart": ["pause", "mail", "answer", "label", "code", "again", "stop"], "silent": ["code", "mail"]}


def _nothing(nodes: list[str]) -> dict[str, object]:
    return {
        "entered": 0,
        "refused": {},
        "active": 0,
        "completed": 0,
        "exited": {},
        "converted": 0,
        "holdout": 0,
        "holdout_converted": 0,
        "nodes": {name: {"visits": 0, "waiting": 0} for name in nodes},
    }


def test_the_same_input_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    once = run(tmp_path, SHOP, a_busy_month(), CONTACTS, seed=7)
    again = run(tmp_path, SHOP, a_busy_month(), CONTACTS, seed=7)

    assert once.output == again.output


def test_rule_6_4_the_seed_makes_the_coupon_codes_and_nothing_else(tmp_path: Path) -> None:
    seven = run(tmp_path, SHOP, a_busy_month(), CONTACTS, seed=7)
    eight = run(tmp_path, SHOP, a_busy_month(), CONTACTS, seed=8)

    assert _codes(seven).isdisjoint(_codes(eight))
    assert _without_codes(seven) == _without_codes(eight)
    assert seven.summary == eight.summary


def _codes(outcome: Outcome) -> set[str]:
    return {str(one.detail["code"]) for one in outcome.trail if one.type == "coupon"}


def _without_codes(outcome: Outcome) -> list[TrailRecord]:
    return [one._replace(detail={**one.detail, "code": None}) if one.type == "coupon" else one for one in outcome.trail]


def test_rule_6_1_no_two_contacts_get_the_same_code_and_codes_have_the_form_of_their_pool(busy: Outcome) -> None:
    given = [(str(one.detail["code"]), one.contact) for one in busy.trail if one.type == "coupon"]

    assert len({code for code, _ in given}) == len(set(given))
    for code, _ in given:
        assert code.startswith("BACK-")
        assert len(code) == len("BACK-") + 12


def test_rule_9_1_a_line_of_the_trail_has_its_keys_in_order() -> None:
    record = TrailRecord(at("03-02 10:00"), "ann", "cart", 1, None, None, "refused", None, None, {"reason": "no_key"})

    assert trail_line(record) == (
        b'{"at":"2026-03-02T10:00:00.000000Z","contact":"ann","journey":"cart","version":1,"run":null,"seq":null,'
        b'"kind":"refused","node":null,"type":null,"detail":{"reason":"no_key"}}\n'
    )


def test_every_record_can_be_written_as_a_line(busy: Outcome) -> None:
    for one in busy.trail:
        line = orjson.loads(trail_line(one))
        assert datetime.fromisoformat(line["at"]) == one.at
        assert line["detail"] == one.detail


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    events = [event("ann", "Seen", "03-02 10:00") for _ in range(1200)]

    run(tmp_path, SHOP, [*events, event("ann", "Bought", "03-02 11:00")], on_progress=lambda *two: told.append(two))

    assert told == [(1200, 1201), (1201, 1201)]


def test_messages_of_every_channel_are_counted(tmp_path: Path) -> None:
    shop = """
journey: talk
triggers: [{type: event, event: Go}]
reentry: {policy: always}
start: mail
nodes:
  mail: {type: email, template: hello, next: text}
  text: {type: sms, text: Hi, next: note}
  note: {type: push, text: Hi}
---
workspace: shop
frequency_caps: [{channel: sms, max: 1, per: 7d}]
---
template: hello
subject: Hello
body: Hello
"""
    contacts = "contact,email,phone,push_token\nann,ann@example.com,+44 20 7946 0000,token\nbob,,+44 20 7946 0001,\n"
    events = [
        event(contact, "Go", f"03-02 {when}")
        for contact, when in (("ann", "10:00"), ("ann", "11:00"), ("bob", "10:00"))
    ]

    found = run(tmp_path, shop, events, contacts).simulation

    assert found.summary()["messages"] == {
        "email": {"queued": 2, "skipped": {"no_address": 1}},
        "push": {"queued": 2, "skipped": {"no_address": 1}},
        "sms": {"queued": 2, "skipped": {"frequency_cap": 1}},
    }
    assert found.most_messages == ("ann", 5)


def test_alerts_beyond_the_first_hundred_are_counted(tmp_path: Path) -> None:
    flows = "workspace: shop\ntopics: [{id: offers, name: Offers}]\n"
    events = [event(f"c{n:03}", "Unsubscribed", "03-02 10:00", properties={"topic": "offres"}) for n in range(103)]

    told = run(tmp_path, flows, events).simulation.alerts

    assert told[0].startswith("contact c000: Unsubscribed names the topic 'offres'")
    assert (len(told), told[-1]) == (101, "and 3 more")
