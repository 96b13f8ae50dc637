"""What the store says of who may be in a segment is never too little; the core decides about the rest.

`JOURNEYFLOW_LIVE_EXAMPLES=2000 pytest tests/live/test_possible_members.py` looks longer.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests import stores
from tests.core.random_flows import messages
from tests.core.random_segments import of_contacts, of_standing
from tests.live.strategies import PEOPLE, Arrivals, Document, arrivals, documents, pauses
from tests.live.test_random import installed

from journeyflow.core.contact import Contact
from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.effects import Effects
from journeyflow.core.inputs import Appear, Identify, Input
from journeyflow.core.values import JSON
from journeyflow.core.view import Library, View
from journeyflow.db import contacts, segments, tables
from journeyflow.db.memory import TurnMemory
from journeyflow.db.store import ReadConnection, read, write
from journeyflow.db.tasks import UNTOUCHED
from journeyflow.services import members
from journeyflow.services.publish import put

STORES = stores.EVERY
EXAMPLES = int(os.environ.get("JOURNEYFLOW_LIVE_EXAMPLES", "20"))
several = settings(max_examples=EXAMPLES // 2, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# --- random conditions over odd values -------------------------------------------------------------------------------

TEXTS = [
    "Łódź", "ŁÓDŹ", "lodz", "straße", "STRASSE", "İstanbul", "istanbul", "e\u0301", "\u00e9", "", " ", "5", "1.0"
]  # fmt: skip
WORDS = st.sampled_from(TEXTS)
SCALARS: st.SearchStrategy[JSON] = st.one_of(WORDS, st.sampled_from([0, 1, 1.0, 5, -1.5, True, False]))
VALUES: st.SearchStrategy[JSON] = st.one_of(
    SCALARS, st.none(), st.lists(SCALARS, max_size=2), st.fixed_dictionaries({"city": SCALARS})
)
INSTANTS: list[JSON] = ["2026-03-01", "2026-03-02T10:30:00Z", "2026-03-02T13:00:00+05:00", "1990-03-03", "2024-02-29"]
PATHS = st.sampled_from(["city", "home.city", "cities[0]", "nothing", "email", "created_at", "timezone"])
compared: st.SearchStrategy[Document] = st.one_of(
    st.builds(lambda name, value: {name: value}, st.sampled_from(["eq", "ne", "contains"]), SCALARS),
    st.builds(lambda name, number: {name: number}, st.sampled_from(["gt", "gte", "lt", "lte"]), st.integers(0, 5)),
    st.builds(lambda name, some: {name: some}, st.sampled_from(["in", "not_in"]), st.lists(SCALARS, max_size=3)),
    st.builds(lambda name, text: {name: text}, st.sampled_from(["starts_with", "ends_with"]), WORDS),
    st.builds(lambda wanted: {"exists": wanted}, st.booleans()),
    st.just({"matches": "(?i)^ł"}),
    st.builds(lambda text: {"eq": text, "ignore_case": True}, WORDS),
)
dated: st.SearchStrategy[Document] = st.sampled_from(
    [{"before": "-1h"}, {"after": "2h"}, {"before": "2026-03-02T12:00:00Z"}, {"anniversary_in": "2d"}]
)
local: st.SearchStrategy[JSON] = st.sampled_from(
    [
        {"local_time": {"from": "09:00", "to": "12:30"}},
        {"local_time": {"weekdays": ["mon"]}},
        {"local_time": {"from": "22:00", "to": "06:00", "weekdays": ["mon", "tue"]}},
    ]
)
odd_leaves: st.SearchStrategy[JSON] = st.one_of(
    st.builds(lambda path, one: {"attribute": path, **one}, PATHS, compared),
    st.builds(lambda path, one: {"attribute": path, **one}, st.sampled_from(["day", "created_at"]), dated),
    local,
    of_contacts,
    of_standing,
    messages,
)
odd_conditions: st.SearchStrategy[JSON] = st.recursive(
    odd_leaves,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=4,
)
attributes: st.SearchStrategy[Document] = st.fixed_dictionaries(
    {},
    optional={
        "city": VALUES,
        "home": VALUES,
        "cities": VALUES,
        "day": st.sampled_from([*INSTANTS, "soon", 5, None]),
        "timezone": st.sampled_from(["America/New_York", "Asia/Tokyo", "Nowhere/Here", None]),
    },
)


@st.composite
def lives(draw: st.DrawFn) -> Arrivals:
    """What happens to some contacts, odd attributes included."""
    found = draw(arrivals())
    for key in (*PEOPLE, "zoë", "\U0001f600"):
        at = draw(st.sampled_from([item.at for _, item in found]))
        odd = draw(attributes)
        ways: list[Input] = [Appear(at, at, odd), Identify(at, odd)]
        found.append((key, draw(st.sampled_from(ways))))
    return sorted(found, key=lambda one: one[1].at)


def named(name: str, when: JSON) -> Document:
    return {"segment": name, "when": when}


# --- the property ----------------------------------------------------------------------------------------------------


@several
@given(documents, st.lists(odd_conditions, min_size=3, max_size=3), odd_conditions, lives(), pauses, st.integers(1, 3))
def test_the_store_names_everybody_whom_the_core_finds_in_a_segment(
    some: list[Document], whens: list[JSON], edited: JSON, inputs: Arrivals, after: timedelta, limit: int
) -> None:
    odd = [named(f"odd-{number}", when) for number, when in enumerate(whens)]
    with installed([*some, *odd], limit=7) as world:
        world.feed(inputs, inputs[-1][1].at)
        with write(world.engine) as connection:  # nobody has been judged by this one
            put(connection, named("odd-0", edited), world.now, world.installation.renderer)
        now = world.now + after  # while no engine ran
        with read(world.engine) as connection:
            library = world.installation.cache.current(connection).library
            people = everybody(connection, now)
            for segment in library.segments:
                inside = {one.key for one in people.values() if holds(connection, library, segment, one, now)}

                possible = found_possible(connection, library, segment, now, limit)
                assert inside <= {*possible}
                assert len(possible) == len({*possible}), "nobody is named twice"
                assert members.count(connection, library, segment, now) == len(inside)
                assert {one.key for one in listed(connection, library, segment, now, limit)} == inside


def everybody(connection: ReadConnection, now: datetime) -> dict[str, Contact]:
    return contacts.load(connection, connection.scalars(select(tables.contacts.c.contact)).all(), now)


def holds(connection: ReadConnection, library: Library, segment: str, contact: Contact, now: datetime) -> bool:
    """What the core says, asked about this one contact and nothing remembered."""
    memory = TurnMemory(connection, {contact.key: contact}, {}, Effects(), _no_code)
    return library.segments[segment].when.holds(View(contact, now, library, memory, Effects()))


def found_possible(
    connection: ReadConnection, library: Library, segment: str, now: datetime, limit: int
) -> list[str]:  # fmt: skip
    key = members.definition(library, segment).key
    place, more, found = UNTOUCHED, True, list[str]()
    while more:
        some, place, more = segments.possible_members(connection, key, now, place, limit, scanned=limit + 1)
        found.extend(one for _, one in some)
    return found


def listed(
    connection: ReadConnection, library: Library, segment: str, now: datetime, limit: int
) -> list[Contact]:  # fmt: skip
    found, place = members.page(connection, library, segment, None, limit, now)
    while place is not None:
        more, place = members.page(connection, library, segment, place, limit, now)
        found.extend(more)
    return found


def _no_code(connection: object, pool: CouponPool, contact: str) -> str | None:
    raise AssertionError("a condition needs no code")
