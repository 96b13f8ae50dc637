"""Random documents and inputs, as the database and the simulation both take them.

Most of it is likely, so that most examples have something to compare: contacts that can be written to, journeys that
let them in, events that match. The rest is odd.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from hypothesis import strategies as st
from tests.core import random_flows
from tests.core.random_flows import (
    CONTACTS,
    EVENTS,
    answers,
    calls,
    calmly,
    conditions,
    matches,
    reaching,
    splits,
    topics,
    triggers_of,
)
from tests.core.random_segments import TOPICS, segments, stage_nodes, stages
from tests.live.world import START

from journeyflow.core.identity import run_id
from journeyflow.core.inputs import Appear, Enroll, Event, Identify, Input, Merge, Remove, SetTags, SetTopics
from journeyflow.core.values import JSON, parse_duration

Document = dict[str, JSON]
Arrivals = list[tuple[str, Input]]
Some = TypeVar("Some")

JOURNEYS = ["one", "two"]
TEMPLATES: list[Document] = [
    {"template": "plain", "subject": "Hello", "body": "Dear {{ contact.first_name }}"},
    {"template": "fragile", "subject": "{{ 6 | divided_by: contact.n }}", "body": "x"},
    {"template": "coded", "subject": "Hi", "body": "{{ vars.coupon.code }}"},
    {"template": "short", "channel": "sms", "body": "Hi {{ contact.first_name }}"},
    {"template": "framed", "subject": "Hi", "layout": "frame", "body": "{{ vars.coupon.code }}"},
]
PARTS: list[Document] = [
    {"layout": "frame", "body": '{% render "name" %}{{ content }}'},
    {"partial": "name", "body": '{{ contact.first_name }} {{ 6 | divided_by: contact.n }} {% survey "taste" %}'},
]
SURVEYS: list[Document] = [one.model_dump(mode="json") for one in random_flows.SURVEYS]
POOLS: list[Document] = [
    {"coupon_pool": "kept", "codes": "generated"},
    {"coupon_pool": "fresh", "codes": "generated", "reuse": "never"},
    {"coupon_pool": "uploaded", "codes": "uploaded", "reuse": "never"},
    {"coupon_pool": "listed", "codes": [f"L-{number}" for number in range(500)], "reuse": "never"},
]
WORKSPACES: list[Document] = [
    {"workspace": "shop", "sender": {"email": "hello@shop.example"}, "topics": TOPICS},
    {
        "workspace": "shop",
        "sender": {"email": "hello@shop.example"},
        "timezone": "Europe/Warsaw",
        "quiet_hours": {"from": "12:00", "to": "14:00"},
        "topics": TOPICS,
        "max_event_age": "2h",
    },
    {
        "workspace": "shop",
        "sender": {"email": "hello@shop.example"},
        "topics": TOPICS,
        "frequency_caps": [
            {"channel": "email", "max": 2, "per": "3h", "when_reached": "defer"},
            {"channel": "email", "max": 4, "per": "1d"},
            {"channel": "sms", "max": 1, "per": "10m", "when_reached": "defer"},
        ],
        "tracking": {"clicks": False},
    },
]


def mostly(usual: Some, odd: Sequence[Some]) -> st.SearchStrategy[Some]:
    """The usual four times out of five."""
    return st.sampled_from([*[usual] * 4 * len(odd), *odd])


def rarely(odd: st.SearchStrategy[Some]) -> st.SearchStrategy[Some | None]:
    """Something, one time out of five."""
    return mostly(False, [True]).flatmap(lambda wanted: odd if wanted else st.none())


def _given(**optional: JSON) -> Document:
    return {name: value for name, value in optional.items() if value is not None}


# --- journeys --------------------------------------------------------------------------------------------------------

SHORT_WAITS: list[Document] = [
    {"for": "1m"},
    {"for": "1h"},
    {"for": "0s"},
    {"until": {"date": "2026-03-02T11:00:00Z"}},
    {"until": {"attribute": "day"}},
    {"until": {"attribute": "day", "offset": "1h"}},
    {"until": {"property": "day"}},
]
LONG_WAITS: list[Document] = [
    {"for": "5h"},
    {"for": "1d", "weekdays": ["mon", "wed"]},
    {"for": "0d", "at": "10:00"},
    {"for": "1d", "at": "09:00"},
    {"until_time": {"at": "12:30"}},
    {"until_time": {"at": "09:30", "weekdays": ["mon", "tue"]}},
]
CODES: list[Document] = [
    {"type": "coupon", "pool": "kept"},
    {"type": "coupon", "pool": "fresh"},
    {"type": "coupon", "pool": "listed"},
    {"type": "coupon", "pool": "uploaded"},
]
small = st.integers(0, 3)
events = st.sampled_from(EVENTS)
plain_events: st.SearchStrategy[Document] = st.builds(lambda name: {"event": name}, events)
heard = mostly(True, [False]).flatmap(lambda plain: plain_events if plain else matches)
emails: st.SearchStrategy[Document] = st.builds(
    lambda template, more: {"type": "email", "template": template, **more},
    mostly("plain", ["fragile", "coded", "framed"]),
    mostly({"topic": "offers"}, [{"transactional": True}, {"subject": "{{ 1 | divided_by: contact.n }}"}]),
)
texts: st.SearchStrategy[Document] = st.sampled_from(
    [
        {"type": "sms", "text": "{{ trigger.n }} of {{ contact.n }}", "topic": "offers"},
        {"type": "sms", "template": "short"},
        {"type": "push", "text": "Hi", "transactional": True},
    ]
)
tags: st.SearchStrategy[Document] = st.builds(
    lambda add, remove: {"type": "tag", "add": [add], "remove": [remove]}, *[st.sampled_from(["x", "y", "z"])] * 2
)
updates: st.SearchStrategy[Document] = st.sampled_from(
    [
        {"type": "update", "set": {"n": 2}},
        {"type": "update", "increment": {"n": 1}, "unset": ["day"]},
        {"type": "update", "set": {"day": {"ref": "trigger.day"}, "note": "{{ event.n }}"}},
        {"type": "update", "set": {"code": {"ref": "vars.coupon.code"}}},
    ]
)
actions = st.one_of(emails, emails, texts, tags, updates, topics, stage_nodes, st.sampled_from(CODES))


@st.composite
def _nodes(draw: st.DrawFn, name: str) -> dict[str, JSON]:
    """A graph whose edges lead onwards, or back to a long wait."""
    likely = ["email", "email", "act", "wait_for", "wait_for", "wait", "branch", "long wait", "split", "call", "reach"]
    first = draw(st.sampled_from([[], ["code"]]))
    kinds = [*first, *draw(st.lists(st.sampled_from(likely), min_size=2, max_size=6))]
    names = ["coupon" if kind == "code" else f"n{place}" for place, kind in enumerate(kinds)]
    found: dict[str, JSON] = {}
    for place, kind in enumerate(kinds):
        back = [name for name, one in zip(names, kinds, strict=True) if one == "long wait"]
        following = [*names[place + 1 : place + 3] * 3, *back, "stop"]
        onwards = st.sampled_from(following)
        held = _given(hold=draw(rarely(rarely(st.just(True)))))
        found[names[place]] = {**draw(_node(kind, onwards, name)), **held}
    stop: Document = {"type": "end", **draw(st.sampled_from([{}, {"reason": "enough"}]))}
    return {**found, "stop": stop}


@st.composite
def _node(draw: st.DrawFn, kind: str, onwards: st.SearchStrategy[str], name: str) -> Document:
    edge: Document = {"next": draw(onwards)}
    if kind == "split":
        return {**draw(splits), **edge}
    if kind in ("wait", "long wait"):
        wait = draw(st.sampled_from(SHORT_WAITS if kind == "wait" else LONG_WAITS))
        return {"type": "wait", **wait, **edge, **({"on_past": draw(onwards)} if "until" in wait else {})}
    if kind == "wait_for":
        event = st.builds(lambda match, to: {**match, "next": to}, heard, onwards)
        cases = draw(st.lists(st.one_of(event, event, _case(onwards)), min_size=1, max_size=3))
        timeout = draw(st.sampled_from(["1h", "1d", "never"]))
        return {"type": "wait_for", "cases": list(cases), "timeout": timeout, "on_timeout": draw(onwards), **edge}
    if kind == "branch":
        return {"type": "branch", "cases": list(draw(st.lists(_case(onwards), min_size=1, max_size=2))), **edge}
    doing = {
        "email": emails, "code": st.sampled_from(CODES), "act": actions, "call": calls, "reach": reaching(name),
    }  # fmt: skip
    action = doing[kind]
    return {**draw(action), **edge, **_given(only_if=draw(rarely(conditions)))}


def _case(onwards: st.SearchStrategy[str]) -> st.SearchStrategy[Document]:
    return st.builds(lambda when, to: {"when": when, "next": to}, conditions, onwards)


REENTRIES: list[JSON] = [{"policy": "always"}, {"policy": "always"}, {"policy": "after", "gap": "1h"}, None]


@st.composite
def journeys(draw: st.DrawFn, name: str) -> Document:
    """One journey of all that there is; one of its triggers is an event without conditions."""
    nodes = draw(_nodes(name))
    goal = st.builds(
        lambda match, more: {**match, **more}, heard, st.sampled_from([{}, {"within": "1h", "value": "n"}])
    )
    document: Document = {
        "journey": name,
        "triggers": [*draw(st.lists(triggers_of(name), max_size=2)), {"type": "event", "event": draw(events)}],
        "start": next(iter(nodes)),
        "nodes": nodes,
        **_given(
            key=draw(mostly(None, ["trigger.n", "contact.day"])),
            enter_if=draw(rarely(conditions)),
            stay_if=draw(rarely(conditions)),
            exit_on=draw(st.none() | st.builds(lambda one: [one], heard)),
            reentry=draw(st.sampled_from(REENTRIES)),
            on_duplicate=draw(st.sampled_from([None, "restart"])),
            goal=draw(st.none() | goal),
            priority=draw(st.sampled_from([None, 20, 80])),
            holdout=draw(mostly(None, [50])),
        ),
    }
    return calmly(document)


documents: st.SearchStrategy[list[Document]] = st.builds(
    lambda workspace, stages_, segments_, *some: [
        {**workspace, "stages": stages_},
        *TEMPLATES,
        *PARTS,
        *POOLS,
        *SURVEYS,
        *segments_,
        *some,
    ],
    st.sampled_from(WORKSPACES),
    stages,
    segments,
    *[journeys(name) for name in JOURNEYS],
)

# --- what happens ----------------------------------------------------------------------------------------------------

pauses = st.sampled_from(["0s", "0s", "1s", "1m", "9m", "30m", "1h", "1h", "3h", "1d"]).map(parse_duration)
days: st.SearchStrategy[JSON] = st.sampled_from(["2026-03-02T12:00:00Z", "2026-03-03", "soon", None])
PEOPLE = [*CONTACTS, "guest"]
"""``guest`` comes into being by what it does; any of them may turn out to be another one."""
ENGAGEMENT = ["Email Opened", "Email Opened", "Email Link Clicked", "Email Delivered"]
ODD_NAMES = [
    *ENGAGEMENT,
    "Unsubscribed",
    "Subscribed",
    "Email Bounced",
    "Email Marked as Spam",
    "Coupon Redeemed",
    *["Survey Answered"] * 3,
]


def _attributes(contact: str) -> st.SearchStrategy[Document]:
    """Nobody has another one's address: of two contacts at one instant, nobody says who comes first."""
    optional: dict[str, st.SearchStrategy[JSON]] = {
        "n": st.one_of(small, st.sampled_from([None, "2", 1.0])),
        "day": days,
        "email": mostly(f"{contact}@shop.example", ["nowhere", None]),
        "phone": mostly(f"+48 600 100 {len(contact)}{ord(contact[0])}", [48600100200 + ord(contact[0]), "none"]),
        "timezone": st.sampled_from(["America/New_York", "Asia/Tokyo"]),
    }
    return st.fixed_dictionaries({}, optional=optional)


@st.composite
def _event(draw: st.DrawFn, at: datetime) -> Input:
    optional: dict[str, st.SearchStrategy[JSON]] = {"n": small, "day": days, "type": st.just("hard")}
    optional |= {"template": st.sampled_from(["plain", "gone"]), "machine": st.booleans()}
    asked: dict[str, st.SearchStrategy[JSON]] = {"survey": st.just("taste"), "answer": answers}
    properties = draw(st.fixed_dictionaries(asked, optional=optional))
    name = draw(rarely(st.sampled_from(ODD_NAMES))) or draw(events)
    late = draw(mostly(0, [60, 3_600, 90_000, -60, -900]))
    message_id = draw(mostly(None, ["m1", "m2"]))
    imported = draw(rarely(rarely(st.just(True)))) or False
    return Event(at, name, at - timedelta(seconds=late), properties, message_id, imported=imported)


def _input(contact: str, at: datetime) -> st.SearchStrategy[Input]:
    moment = st.just(at)
    some_tags = st.lists(st.sampled_from(["x", "y"]), max_size=2, unique=True).map(tuple)
    imported = mostly(False, [True])
    consent = st.dictionaries(st.sampled_from(["offers", "account"]), st.booleans())
    run = st.builds(run_id, st.just("shop"), st.sampled_from(JOURNEYS), st.sampled_from(PEOPLE), st.none(), small)
    event = _event(at)
    return st.one_of(
        *[event] * 6,
        st.builds(Identify, moment, _attributes(contact), mostly(None, ["m1"]), imported),
        st.builds(SetTags, moment, some_tags, some_tags, imported),
        st.builds(SetTopics, moment, consent),
        st.builds(Enroll, moment, st.sampled_from(JOURNEYS), st.fixed_dictionaries({"n": small})),
        st.builds(Remove, moment, run),
        st.builds(Merge, moment, st.sampled_from(PEOPLE)),
    )


@st.composite
def arrivals(draw: st.DrawFn) -> Arrivals:
    """Contacts that are there from the start, mostly, and what happens to them one after the other."""
    found: Arrivals = []
    for contact in CONTACTS:
        if draw(mostly(True, [False])):
            known: Document = {"email": f"{contact}@shop.example", "n": 1}
            found.append((contact, Appear(START, START, known, draw(mostly((), [("x",)])))))
    at = START
    for after in draw(st.lists(pauses, min_size=8, max_size=25)):
        at += after
        contact = draw(st.sampled_from(PEOPLE))
        found.append((contact, draw(_input(contact, at))))
    return found


turn_limits = st.one_of(st.integers(1, 5), st.integers(1, 5), st.integers(1, 1_000))
