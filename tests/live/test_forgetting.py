"""Erasing a contact: nothing that names it stays in any table, and what is no longer its own stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.live.world import START, LiveWorld

from journeyflow.core.inputs import Event, Forget, Identify, Input, SetTags
from journeyflow.core.overview import overview
from journeyflow.core.values import JSON
from journeyflow.db import failures, inbox, outbox, tables
from journeyflow.db.outbox import Outcome
from journeyflow.db.sqlite import read, write
from journeyflow.db.statistics import totals

Document = dict[str, JSON]
ANN = "Ann Smith-Jones"
EMAIL = "ann.smith@shop.example"

DOCUMENTS: list[Document] = [
    {"workspace": "shop", "sender": {"email": "hello@shop.example"}},
    {"template": "hello", "subject": "Hello", "body": "<p>{{ contact.name }} {{ vars.coupon.code }}</p>"},
    {"coupon_pool": "ten", "codes": "generated"},
    {
        "journey": "walk",
        "triggers": [{"type": "event", "event": "Go"}],
        "key": "trigger.cart",
        "enter_if": {"not": {"tag": "blocked"}},
        "reentry": {"policy": "always"},
        "start": "code",
        "nodes": {
            "code": {"type": "coupon", "pool": "ten", "next": "mail"},
            "mail": {"type": "email", "template": "hello", "next": "tell"},
            "tell": {"type": "webhook", "url": "https://x.example/?{{ contact.name | url_encode }}", "next": "pause"},
            "pause": {"type": "wait", "for": "2d", "next": "listen"},
            "listen": {"type": "wait_for", "cases": [{"when": {"event": "Seen", "within": "9d"}}], "timeout": "9d"},
        },
    },
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    """A shop in which Ann has done all that leaves something behind, and Bob as well."""
    world = LiveWorld(tmp_path, DOCUMENTS, START, delivering=False)
    for contact, email in ((ANN, EMAIL), ("bob", "bob@shop.example")):
        take(world, contact, Identify(START, {"email": email, "name": contact}))
        for cart in ("c1", "c1", "c2"):
            take(world, contact, event(world, "Go", cart=cart))
        world.advance(START + timedelta(days=1), included=True)
    take(world, ANN, event(world, "Email Bounced", type="hard"))
    take(world, ANN, SetTags(world.now, add=("blocked",)))
    take(world, ANN, event(world, "Go", cart="c3"))
    with write(world.engine) as connection:
        failures.put(connection, ANN, [event(world, "Go", cart="c4")], "it failed", world.now)
    yield world
    world.close()


def event(world: LiveWorld, name: str, **properties: JSON) -> Event:
    return Event(world.now, name, world.now, properties, message_id=f"{name} {properties} {world.now}")


def take(world: LiveWorld, contact: str, *inputs: Input) -> None:
    with write(world.engine) as connection:
        inbox.put(connection, [(contact, item) for item in inputs])
    world.settle()


def tables_that_name(world: LiveWorld, *texts: str) -> set[str]:
    """The tables in which one of the texts stands, as it is or inside something."""
    with read(world.engine) as connection:
        return {
            table.name
            for table in tables.metadata.sorted_tables
            for row in connection.execute(select(table)).all()
            if any(text in str(value) for text in texts for value in row)
        }


def codes(world: LiveWorld) -> dict[str, str]:
    """Who has each code."""
    with read(world.engine) as connection:
        return {row.code: row.contact for row in connection.execute(select(tables.coupons)).all()}


def numbers(world: LiveWorld) -> dict[str, JSON]:
    with read(world.engine) as connection:
        counts = {(one.journey, one.version, one.node, one.kind): n for one, n in totals(connection, "walk").items()}
    return overview(counts, ())


def test_everything_that_names_the_contact_is_in_some_table_before(world: LiveWorld) -> None:
    left = {"contacts", "events", "seen", "entries", "runs", "trail", "refusals", "coupons", "failures", "timers"}

    assert tables_that_name(world, ANN) == left | {"messages", "calls", "emails"}


def test_nothing_that_names_the_contact_is_left_after(world: LiveWorld) -> None:
    with read(world.engine) as connection:
        runs = connection.scalars(select(tables.runs.c.id).where(tables.runs.c.contact == ANN)).all()

    take(world, ANN, Forget(world.now))

    assert tables_that_name(world, ANN, EMAIL, *runs) == set()
    assert "contacts" in tables_that_name(world, "bob")


def test_codes_of_the_contact_stay_taken_without_an_owner(world: LiveWorld) -> None:
    before = codes(world)

    take(world, ANN, Forget(world.now))

    assert codes(world) == {code: "" if owner == ANN else owner for code, owner in before.items()}
    assert "" in codes(world).values()


def test_statistics_stay_right(world: LiveWorld) -> None:
    before = numbers(world)

    take(world, ANN, Forget(world.now))

    after = numbers(world)
    assert (after["entered"], after["refused"]) == (before["entered"], before["refused"])
    assert after["exited"] == {"contact_deleted": 2}
    assert (before["active"], after["active"]) == (4, 2)


def test_rule_5_8_suppression_belongs_to_the_address_and_stays(world: LiveWorld) -> None:
    take(world, ANN, Forget(world.now))
    take(world, "eve", Identify(world.now, {"email": EMAIL.upper()}), event(world, "Go", cart="c1"))

    (message,) = [record for record in world.trail() if record.contact == "eve" and record.kind == "message"]
    assert (message.detail["outcome"], message.detail["reason"]) == ("skipped", "suppressed")


def test_who_comes_back_in_the_same_turn_is_somebody_new(world: LiveWorld) -> None:
    again = event(world, "Go", cart="c1")
    take(world, ANN, again)

    take(world, ANN, event(world, "Seen"), Forget(world.now), again, event(world, "Go", cart="c9"))

    kinds = [(record.kind, record.detail.get("properties")) for record in world.trail() if record.contact == ANN]
    assert [properties for kind, properties in kinds if kind == "entered"] == [{"cart": "c1"}, {"cart": "c9"}]
    assert "Seen" not in str(kinds)


def test_what_became_of_a_message_that_was_on_its_way_is_not_written_down(world: LiveWorld) -> None:
    with write(world.engine) as connection:
        ready, _ = world.installation.postmaster.pick_up(connection, START + timedelta(hours=1), 100)
    on_its_way = [one.message for one in ready if one.message.contact == "bob"]

    take(world, "bob", Forget(world.now))
    with write(world.engine) as connection:
        outbox.finish(connection, [Outcome(message, "sent", world.now) for message in on_its_way])

    assert len(on_its_way) == 2
    assert tables_that_name(world, "bob") == set()


def test_a_contact_that_is_not_there_is_forgotten_in_peace(world: LiveWorld) -> None:
    take(world, "nobody", Forget(world.now))

    assert tables_that_name(world, "nobody") == set()
