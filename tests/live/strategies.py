"""Random documents and inputs, as the database and the simulation both take them."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import strategies as st
from tests.core.random_flows import CONTACTS, EVENTS, conditions, durations, matches, nodes, triggers
from tests.live.world import START

from journeyflow.core.identity import run_id
from journeyflow.core.inputs import Appear, Enroll, Event, Identify, Input, Remove, SetTags, SetTopics
from journeyflow.core.values import JSON, parse_duration

Document = dict[str, JSON]
Arrivals = list[tuple[str, Input]]

JOURNEYS = ["one", "two"]
TEMPLATES: list[Document] = [
    {"template": "plain", "subject": "Hello", "body": "Dear {{ contact.first_name }}"},
    {"template": "fragile", "subject": "{{ 6 | divided_by: contact.n }}", "body": "x"},
    {"template": "coded", "subject": "Hi", "body": "{{ vars.coupon.code }}"},
]
POOLS: list[Document] = [
    {"coupon_pool": "kept", "codes": "generated"},
    {"coupon_pool": "fresh", "codes": "generated", "reuse": "never"},
]
WORKSPACES: list[Document] = [
    {"workspace": "shop", "sender": {"email": "hello@shop.example"}},
    {
        "workspace": "shop",
        "timezone": "Europe/Warsaw",
        "quiet_hours": {"from": "12:00", "to": "14:00"},
        "topics": [{"id": "offers", "name": "Offers"}, {"id": "account", "name": "Account", "transactional": True}],
        "max_event_age": "2h",
    },
]


@st.composite
def journeys(draw: st.DrawFn, name: str) -> Document:
    """One journey of all that there is."""
    optional: dict[str, st.SearchStrategy[JSON]] = {
        "key": st.sampled_from(["trigger.n", "contact.n"]),
        "enter_if": conditions,
        "stay_if": conditions,
        "exit_on": st.builds(lambda one: [one], matches),
        "reentry": st.sampled_from([{"policy": "always"}, {"policy": "always"}, {"policy": "after", "gap": "1h"}]),
        "on_duplicate": st.just("restart"),
        "goal": st.builds(lambda match, within: {**match, "within": within, "value": "n"}, matches, durations),
        "priority": st.integers(0, 100),
    }
    return {
        "journey": name,
        "triggers": list(draw(st.lists(triggers, min_size=1, max_size=3))),
        "start": "n0",
        "nodes": draw(nodes()),
        **draw(st.fixed_dictionaries({}, optional=optional)),
    }


documents: st.SearchStrategy[list[Document]] = st.builds(
    lambda workspace, *some: [workspace, *TEMPLATES, *POOLS, *some],
    st.sampled_from(WORKSPACES),
    *[journeys(name) for name in JOURNEYS],
)

pauses = st.sampled_from(["0s", "0s", "0s", "1s", "1m", "9m", "30m", "1h", "3h", "1d"]).map(parse_duration)
small = st.integers(0, 3)
days = st.sampled_from(["2026-03-02T12:00:00Z", "2026-03-03", "soon", None])


def _attributes(contact: str) -> st.SearchStrategy[Document]:
    """Nobody has another one's address: of two contacts at one instant, nobody says who comes first."""
    optional: dict[str, st.SearchStrategy[JSON]] = {
        "n": st.one_of(small, st.sampled_from([None, "2", 1.0])),
        "day": days,
        "email": st.sampled_from([f"{contact}@shop.example", "nowhere", None]),
        "timezone": st.sampled_from(["America/New_York", "Asia/Tokyo"]),
    }
    return st.fixed_dictionaries({}, optional=optional)


@st.composite
def _event(draw: st.DrawFn, contact: str, at: datetime) -> Input:
    name = draw(st.sampled_from([*EVENTS, *EVENTS, "Unsubscribed", "Subscribed", "Email Bounced", "Coupon Redeemed"]))
    optional: dict[str, st.SearchStrategy[JSON]] = {"n": small, "day": days, "type": st.just("hard")}
    properties = draw(st.fixed_dictionaries({}, optional=optional))
    late = draw(st.sampled_from([0, 0, 0, 60, 3_600, 90_000, -60, -900]))
    message_id = draw(st.sampled_from([None, None, "m1", "m2"]))
    imported = draw(st.sampled_from([False, False, False, True]))
    occurred_at = at - timedelta(seconds=late)
    return Event(at, name, occurred_at, properties, message_id, imported=imported)


def _input(contact: str, at: datetime) -> st.SearchStrategy[Input]:
    moment = st.just(at)
    tags = st.lists(st.sampled_from(["x", "y"]), max_size=2, unique=True).map(tuple)
    run = st.builds(run_id, st.just("shop"), st.sampled_from(JOURNEYS), st.just(contact), st.none(), small)
    event = _event(contact, at)
    return st.one_of(
        event,
        event,
        event,
        st.builds(
            Identify, moment, _attributes(contact), st.sampled_from([None, "m1"]), st.sampled_from([False, False, True])
        ),
        st.builds(SetTags, moment, tags, tags, st.sampled_from([False, False, True])),
        st.builds(SetTopics, moment, st.dictionaries(st.sampled_from(["offers", "account"]), st.booleans())),
        st.builds(Enroll, moment, st.sampled_from(JOURNEYS), st.fixed_dictionaries({"n": small})),
        st.builds(Remove, moment, run),
    )


@st.composite
def arrivals(draw: st.DrawFn) -> Arrivals:
    """Contacts that are there from the start, or not, and what happens to them one after the other."""
    found: Arrivals = []
    for contact in draw(st.lists(st.sampled_from(CONTACTS), unique=True)):
        known: Document = {"email": f"{contact}@shop.example", "n": 1}
        found.append((contact, Appear(START, START, known, draw(st.sampled_from([(), ("x",)])))))
    at = START
    for after in draw(st.lists(pauses, min_size=1, max_size=20)):
        at += after
        contact = draw(st.sampled_from(CONTACTS))
        found.append((contact, draw(_input(contact, at))))
    return found


turn_limits = st.one_of(st.integers(1, 5), st.integers(1, 1_000))
