"""Random journeys that pass the check, and random things that happen to contacts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hypothesis import strategies as st
from tests.core.random_segments import TOPICS, of_standing, segments, stage_nodes, stages, timed_triggers
from tests.core.world import World

from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.journey import Journey
from journeyflow.core.segment import Segment
from journeyflow.core.survey import Survey
from journeyflow.core.template import Template
from journeyflow.core.values import JSON, Model
from journeyflow.core.workspace import Workspace

Document = dict[str, JSON]

EVENTS = ["A", "B", "C"]
SAID = ["Unsubscribed", "Subscribed", "Email Bounced", "Coupon Redeemed", "Survey Answered"]
ENGAGEMENT = ["Email Opened", "Email Link Clicked"]
CONTACTS = ["ann", "bob"]
TEMPLATES = [
    Template(template="plain", subject="Hello", body="Dear {{ contact.first_name }}"),
    Template(template="fragile", subject="{{ 6 | divided_by: contact.n }}", body="x"),
    Template(template="coded", subject="Hi", body="{{ vars.coupon.code }}"),
    Template(template="short", channel="sms", body="Hi {{ contact.first_name }}"),
]
POOLS = [
    CouponPool(coupon_pool="kept", codes="generated"),
    CouponPool(coupon_pool="fresh", codes="generated", reuse="never"),
]
SURVEYS = [
    Survey.model_validate(
        {
            "survey": "taste",
            "question": "What do you like?",
            "choices": [
                {"id": "x", "label": "X", "tag": "x"},
                {"id": "y", "label": "Y", "tag": "y", "set": {"n": 2, "taste.y": True}},
                {"id": "neither", "label": "Neither"},
            ],
        }
    )
]
WORKSPACES: list[Document] = [
    {"workspace": "plain", "topics": TOPICS},
    {
        "workspace": "shop",
        "timezone": "Europe/Warsaw",
        "quiet_hours": {"from": "12:00", "to": "14:00"},
        "topics": TOPICS,
        "max_event_age": "2h",
    },
    {
        "workspace": "capped",
        "topics": TOPICS,
        "frequency_caps": [
            {"channel": "email", "max": 2, "per": "3h", "when_reached": "defer"},
            {"channel": "email", "max": 4, "per": "1d"},
            {"channel": "sms", "max": 1, "per": "10m", "when_reached": "defer"},
        ],
        "tracking": {"clicks": False},
    },
]

small = st.integers(0, 3)
durations = st.sampled_from(["1m", "10m", "1h", "3h"])

conditions: st.SearchStrategy[JSON] = st.recursive(
    st.one_of(
        st.builds(lambda tag: {"tag": tag}, st.sampled_from(["x", "y"])),
        st.builds(lambda number: {"attribute": "n", "gte": number}, small),
        st.builds(lambda number: {"property": "n", "lt": number}, small),
        st.just({"attribute": "day", "before": "2h"}),
        st.just({"attribute": "n", "eq": {"ref": "trigger.n"}}),
        st.just({"var": "coupon.code", "exists": True}),
        st.just({"local_time": {"from": "10:00", "to": "12:30"}}),
        st.builds(lambda name, within: {"event": name, "within": within}, st.sampled_from(EVENTS), durations),
        st.builds(lambda name: {"event": name, "since": "entry"}, st.sampled_from(EVENTS)),
        st.builds(
            lambda name, number: {"event": name, "where": {"property": "n", "gte": number}, "count": {"lt": 2}},
            st.sampled_from(EVENTS),
            small,
        ),
        st.builds(lambda name: {"event": name, "sum": "n", "gte": 3}, st.sampled_from(EVENTS)),
        of_standing,
        st.builds(lambda name: {"in_journey": name}, st.sampled_from(["one", "two"])),
        st.builds(lambda name: {"been_in_journey": name, "within": "1h"}, st.sampled_from(["one", "two"])),
        st.deferred(lambda: messages),
    ),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=2)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, max_size=2)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=3,
)
messages: st.SearchStrategy[JSON] = st.builds(
    lambda choice, asked: {"message": choice, **asked},
    st.sampled_from(
        [
            {"channel": "email"},
            {"channel": "email", "within": "1h"},
            {"channel": "email", "last": 2, "settled": "10m"},
            {"channel": "email", "last": 1, "within": "1d", "settled": "0s", "journey": "one"},
            {"channel": "sms", "template": "short", "within": "3h"},
        ]
    ),
    st.sampled_from([{"opened": {"eq": 0}}, {"opened": {"gte": 1}}, {"clicked": {"lt": 2}}, {"sent": {"gte": 2}}]),
)
matches: st.SearchStrategy[Document] = st.fixed_dictionaries(
    {"event": st.sampled_from([*EVENTS, "Tag Added", "Contact Updated", "Signal", "Unsubscribed", "Survey Answered"])},
    optional={"where": conditions},
)
waits: st.SearchStrategy[Document] = st.sampled_from(
    [
        {"for": "0s"},
        {"for": "7m"},
        {"for": "1h"},
        {"for": "1d", "weekdays": ["mon", "wed"]},
        {"for": "0d", "at": "10:00"},
        {"for": "1d", "at": "09:00"},
        {"until_time": {"at": "09:00"}},
        {"until_time": {"at": "09:30", "weekdays": ["mon", "tue"]}},
        {"until": {"date": "2026-03-02T11:00:00Z"}},
        {"until": {"attribute": "day"}},
        {"until": {"attribute": "day", "offset": "1h"}},
        {"until": {"property": "day"}},
    ]
)
actions: st.SearchStrategy[Document] = st.one_of(
    st.builds(
        lambda template, more: {"type": "email", "template": template, **more},
        st.sampled_from(["plain", "fragile", "coded"]),
        st.sampled_from([{}, {"transactional": True}, {"subject": "{{ 1 | divided_by: contact.n }}"}]),
    ),
    st.sampled_from(
        [
            {"type": "sms", "text": "{{ trigger.n }} of {{ contact.n }}"},
            {"type": "sms", "template": "short", "on_skip": "end"},
            {"type": "push", "text": "Hi", "transactional": True},
        ]
    ),
    st.builds(
        lambda add, remove: {"type": "tag", "add": [add], "remove": [remove]}, *[st.sampled_from(["x", "y"])] * 2
    ),
    st.builds(lambda number: {"type": "update", "set": {"n": number}}, small),
    st.just({"type": "update", "increment": {"n": 1}, "unset": ["day"]}),
    st.just({"type": "update", "set": {"day": {"ref": "trigger.day"}, "note": "{{ event.n }}"}}),
    st.builds(lambda pool: {"type": "coupon", "pool": pool}, st.sampled_from(["kept", "fresh"])),
    stage_nodes,
)

splits: st.SearchStrategy[Document] = st.builds(
    lambda per, weights: {"type": "split", "per": per, "arms": [{"weight": weight} for weight in weights]},
    st.sampled_from(["contact", "run"]),
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
)
calls: st.SearchStrategy[Document] = st.builds(
    lambda more: {"type": "webhook", "url": "https://crm.example/{{ contact.n }}", **more},
    st.sampled_from(
        [
            {},
            {"json": {"n": {"ref": "trigger.n"}}},
            {"save_as": "coupon", "sample": {"code": "from afar"}},
            {"on_failure": "end", "timeout": "5m"},
            {"save_as": "reply", "url": "{{ contact.day }}"},
            {"save_as": "reply", "headers": {"X-N": "{{ 1 | divided_by: contact.n }}"}},
        ]
    ),
)
topics: st.SearchStrategy[Document] = st.sampled_from(
    [
        {"type": "topic", "subscribe": ["offers"]},
        {"type": "topic", "unsubscribe": ["offers"], "subscribe": ["account"]},
    ]
)


def reaching(name: str) -> st.SearchStrategy[Document]:
    """What a journey does to others: only the first begins runs of the second, or they would begin each other's."""
    removals: st.SearchStrategy[Document] = st.builds(
        lambda target, more: {"type": "remove", "journey": target, **more},
        st.sampled_from(["one", "two"]),
        st.sampled_from([{}, {"properties": {"n": {"ref": "trigger.n"}}}]),
    )
    if name != "one":
        return removals
    return st.one_of(
        removals,
        st.builds(lambda number: {"type": "enroll", "journey": "two", "properties": {"n": number}}, small),
        st.builds(
            lambda more: {"type": "emit", "event": "Signal", "properties": more},
            st.sampled_from([{}, {"n": {"ref": "trigger.n"}, "text": "{{ event.n }}"}]),
        ),
    )


def calmly(document: Document) -> Document:
    """A journey that waits for replies does not come back at once: in a circle it would never come to rest."""
    text = str(document["nodes"])
    if "'webhook'" not in text:
        return document
    return {**document, "reentry": {"policy": "after", "gap": "1h"}, "on_duplicate": "ignore"}


KINDS = ["wait", "wait_for", "branch", "split", "act", "act", "act", "call", "reach", "end"]


@st.composite
def nodes(draw: st.DrawFn, name: str) -> dict[str, JSON]:
    """A graph whose edges lead onwards, or back to a wait, so that every loop passes through one."""
    kinds = [
        draw(st.sampled_from(["wait_for", "act", "wait"])),
        *draw(st.lists(st.sampled_from(KINDS), min_size=3, max_size=7)),
    ]
    names = [f"n{place}" for place in range(len(kinds))]
    back = [name for name, one in zip(names, kinds, strict=True) if one in ("wait", "wait_for")]
    found: dict[str, JSON] = {}
    for place, kind in enumerate(kinds):
        following = [*names[place + 1 : place + 3], "end"]
        onwards = st.sampled_from([*following[:1] * 4, *following, *back])
        held: Document = {"hold": True} if draw(st.integers(0, 40)) == 0 else {}
        found[names[place]] = {**draw(_node(kind, onwards, name)), **held}
    return found


@st.composite
def _node(draw: st.DrawFn, kind: str, onwards: st.SearchStrategy[str], name: str) -> Document:
    edge = {"next": draw(onwards)}
    if kind == "split":
        return {**draw(splits), **edge}
    if kind == "end":
        return {"type": "end", **draw(st.sampled_from([{}, {"reason": "enough"}]))}
    if kind == "wait":
        wait = draw(waits)
        return {"type": "wait", **wait, **edge, **({"on_past": draw(onwards)} if "until" in wait else {})}
    if kind == "wait_for":
        event = st.builds(lambda match, to: {**match, "next": to}, matches, onwards)
        cases = draw(st.lists(st.one_of(event, _case(onwards)), min_size=1, max_size=3))
        timeout = draw(st.sampled_from(["5m", "1h", "never"]))
        return {"type": "wait_for", "cases": list(cases), "timeout": timeout, "on_timeout": draw(onwards), **edge}
    if kind == "branch":
        return {"type": "branch", "cases": list(draw(st.lists(_case(onwards), min_size=1, max_size=3))), **edge}
    only_if = draw(st.none() | conditions)
    action = {"call": calls, "reach": reaching(name)}.get(kind, st.one_of(actions, actions, topics))
    return {**draw(action), **edge, **({} if only_if is None else {"only_if": only_if})}


def _case(onwards: st.SearchStrategy[str]) -> st.SearchStrategy[Document]:
    return st.builds(lambda when, to: {"when": when, "next": to}, conditions, onwards)


events: st.SearchStrategy[Document] = st.builds(
    lambda name: {"type": "event", "event": name}, st.sampled_from([*EVENTS, "*"])
)
triggers: st.SearchStrategy[Document] = st.one_of(
    events,
    st.builds(lambda match: {"type": "event", **match}, matches),
    st.sampled_from(
        [
            {"type": "contact", "change": "created"},
            {"type": "contact", "change": "updated", "attribute": "n"},
            {"type": "tag", "added": "x"},
            {"type": "tag", "removed": "x"},
        ]
    ),
    st.builds(
        lambda name, after: {"type": "inactivity", "event": name, "for": after}, st.sampled_from(EVENTS), durations
    ),
    timed_triggers,
    timed_triggers,
)


def triggers_of(name: str) -> st.SearchStrategy[Document]:
    """The second journey listens to what the first emits."""
    signal: Document = {"type": "event", "event": "Signal"}
    return triggers if name == "one" else st.one_of(triggers, triggers, st.just(signal))


reentries: st.SearchStrategy[JSON] = st.sampled_from(
    [{"policy": "always"}, {"policy": "always"}, {"policy": "after", "gap": "1h"}, {"policy": "once"}]
)


@st.composite
def journeys(draw: st.DrawFn, name: str) -> Journey:
    """One journey of all that there is."""
    optional: dict[str, st.SearchStrategy[JSON]] = {
        "key": st.sampled_from(["trigger.n", "contact.day"]),
        "enter_if": st.just({"not": {"tag": "y"}}),
        "stay_if": st.one_of(st.just({"not": {"tag": "y"}}), conditions),
        "exit_on": st.builds(lambda one: [one], matches),
        "on_duplicate": st.just("restart"),
        "goal": st.builds(
            lambda match, more: {**match, **more}, matches, st.sampled_from([{}, {"within": "1h", "value": "n"}])
        ),
        "priority": st.integers(0, 100),
        "holdout": st.sampled_from([20, 50]),
    }
    document: Document = {
        "journey": name,
        "triggers": [*draw(st.lists(triggers_of(name), max_size=2)), {"type": "event", "event": "A"}],
        "start": "n0",
        "nodes": draw(nodes(name)),
        "reentry": draw(reentries),
        **draw(st.fixed_dictionaries({}, optional=optional)),
    }
    return Journey.model_validate(calmly(document))


flows: st.SearchStrategy[list[Model]] = st.builds(
    lambda workspace, stages_, segments_, *some: [
        Workspace.model_validate({**workspace, "stages": stages_}),
        *TEMPLATES,
        *POOLS,
        *SURVEYS,
        *[Segment.model_validate(one) for one in segments_],
        *some,
    ],
    st.sampled_from(WORKSPACES),
    stages,
    segments,
    journeys("one"),
    journeys("two"),
)


class Happening(NamedTuple):
    """Something that happens after a while, to a contact or to all, ready to be done to a world."""

    after: str
    contact: str | None
    what: str
    do: Callable[[World], object]

    def __repr__(self) -> str:
        return f"after {self.after}: {self.contact or 'operator'} {self.what}"


pauses = st.sampled_from(["0s", "0s", "0s", "1s", "1m", "9m", "30m", "1h", "3h", "1d"])
attributes: st.SearchStrategy[dict[str, JSON]] = st.fixed_dictionaries(
    {},
    optional={
        "n": st.one_of(small, st.sampled_from([None, "2", 1.0])),
        "day": st.sampled_from(["2026-03-02T12:00:00Z", "2026-03-03", "soon", None]),
        "email": st.sampled_from(["ann@shop.example", "nowhere", None]),
        "phone": st.sampled_from(["+48 600 100 200", 48600100200, "none"]),
        "timezone": st.sampled_from(["America/New_York", "Asia/Tokyo"]),
    },
)


def _event(
    contact: str, name: str, given: dict[str, JSON], late: int, message_id: str | None, imported: bool
) -> Happening:
    def do(world: World) -> object:
        occurred = world.now.timestamp() - late
        text = world.now.fromtimestamp(occurred, world.now.tzinfo).isoformat()
        held = world.contacts[contact].coupons if contact in world.contacts else []
        code = held[-1].code if name == "Coupon Redeemed" and held else None
        return world.track(contact, name, given, occurred=text, message_id=message_id, imported=imported, code=code)

    return Happening("0s", contact, f"{name} {given} late={late} id={message_id} imported={imported}", do)


def _identify(contact: str, given: dict[str, JSON], imported: bool) -> Happening:
    def do(world: World) -> object:
        return world.identify(contact, given, imported=imported)

    return Happening("0s", contact, f"is {given} imported={imported}", do)


def _tag(contact: str, tag: str, on: bool) -> Happening:
    def do(world: World) -> object:
        return world.tag(contact, tag) if on else world.untag(contact, tag)

    return Happening("0s", contact, f"{'+' if on else '-'}{tag}", do)


def _merge(contact: str, into: str) -> Happening:
    return Happening("0s", contact, f"is @ {into}", lambda world: world.merge(contact, into))


def _reply(world: World, contact: str, error: str | None) -> object:
    called = world.calls(contact)
    return world.reply(contact, called[-1].node, body={"n": 1}, error=error) if called else None


def _resume(world: World, journey: str) -> object:
    return None if world.states[journey] == "archived" or world.asked_now(journey) else world.resume(journey)


def _anew(journey: Journey, leaving: bool, at_once: bool) -> Happening:
    """A version with other nodes, to which the runs of those before go: where it has no place, to its start, or out."""

    def do(world: World) -> object:
        name = journey.journey
        if world.settle().states[name] == "archived" or world.asked_now(name):
            return None
        older = {node for (id_, _), one in world.versions.items() if id_ == name for node in one.journey.nodes}
        places = dict.fromkeys(older - journey.nodes.keys(), None if leaving else journey.start)
        world.publish(journey)
        return world.migrate(name, **places) if at_once else world.begin_migration(name, **places)

    return Happening("0s", None, f"migrate leaving={leaving} at_once={at_once} to {journey!r}", do)


def _by_hand(what: str, contact: str, journey: str) -> Happening:
    def remove(world: World) -> object:
        found = world.runs(contact, journey)
        return world.remove(contact, found[-1].id) if found else None

    doing: dict[str, Callable[[World], object]] = {
        "enroll": lambda world: world.enroll(contact, journey, n=1),
        "remove": remove,
        "pause": lambda world: world.pause(journey),
        "pause entries": lambda world: world.pause_entries(journey),
        "resume": lambda world: _resume(world, journey),
        "archive": lambda world: world.archive(journey),
        "reply": lambda world: _reply(world, contact, None),
        "bad reply": lambda world: _reply(world, contact, "HTTP 500"),
        "send": lambda world: world.send_queued(),
        "empty": lambda world: world.memory.empty.add("fresh"),
    }
    return Happening(
        "0s", contact if what in ("enroll", "remove", "reply", "bad reply") else None, f"{what} {journey}", doing[what]
    )


contacts = st.sampled_from(["ann", *CONTACTS])
answers: st.SearchStrategy[JSON] = st.sampled_from(["x", "y", "neither", "unknown"])
plain_events = st.builds(
    lambda contact, name, number: _event(contact, name, {"n": number}, 0, None, False),
    contacts,
    st.sampled_from(EVENTS),
    small,
)
happenings = st.builds(
    lambda after, one: one._replace(after=after),
    pauses,
    st.one_of(
        st.builds(
            _event,
            contacts,
            st.sampled_from([*EVENTS, *ENGAGEMENT, *SAID]),
            st.fixed_dictionaries(
                {"survey": st.just("taste"), "answer": answers},
                optional={"n": small, "day": st.just("2026-03-02T12:00:00Z"), "type": st.just("hard")},
            ),
            st.sampled_from([0, 0, 0, 60, 3600, 90_000, -60, -900]),
            st.sampled_from([None, None, "m1", "m2"]),
            st.sampled_from([False, False, False, True]),
        ),
        st.builds(_identify, contacts, attributes, st.sampled_from([False, False, True])),
        st.builds(_tag, contacts, st.sampled_from(["x", "y"]), st.booleans()),
        st.builds(_merge, contacts, contacts),
        st.builds(
            _by_hand,
            st.sampled_from(
                [
                    *["enroll", "remove", "pause", "pause entries", "resume", "resume", "archive", "send", "empty"],
                    *["reply", "reply", "bad reply"],
                ]
            ),
            contacts,
            st.sampled_from(["one", "two"]),
        ),
        st.builds(_anew, st.one_of(journeys("one"), journeys("two")), st.booleans(), st.booleans()),
    ),
)
