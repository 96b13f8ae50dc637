"""``explain`` of what is not done yet, though it came or was due."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import stores
from tests.api.shop import TEMPLATE, WORKSPACE, Shop, new_shop
from tests.services.test_explain import CART, story

from journeyflow.core.errors import NotFound
from journeyflow.core.inputs import Event
from journeyflow.db import failures
from journeyflow.db.store import write

STORES = stores.BOTH
ASK = r"; is an engine running\? \(journeyflow doctor\)"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with new_shop(tmp_path) as shop:
        shop.publish(WORKSPACE, TEMPLATE, CART)
        yield shop


def test_what_came_and_is_not_handled_is_told_though_the_contact_is_not_there_yet(shop: Shop) -> None:
    shop.rest()
    shop.track("ann", "Checkout Started", value=50)

    with pytest.raises(NotFound, match=r"contact 'ann'; what came for it Mon 2 Mar 2026 10:00:00 is not handled yet$"):
        story(shop, "ann")
    shop.clock.move(seconds=61)
    with pytest.raises(NotFound, match=f"is not handled yet{ASK}$"):
        story(shop, "ann")


def test_what_is_not_done_though_it_was_due_is_told(shop: Shop) -> None:
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.rest()
    shop.clock.move(days=1, minutes=1)
    assert story(shop, "ann").notes == (), "a minute is usual"

    shop.clock.move(seconds=1)
    shop.track("ann", "Page Viewed")
    shop.track("ann", "Page Viewed")
    came, due = story(shop, "ann", "cart").notes

    assert came == "2 inputs came for it that are not handled yet, the first Tue 3 Mar 2026 10:01:01"
    assert re.fullmatch(f"cart: what was due Tue 3 Mar 2026 10:00:00 is not done yet{ASK}", due)
    shop.working = True
    shop.settle()
    assert story(shop, "ann", "cart").notes == ()


def test_only_what_has_to_go_on_is_due(shop: Shop) -> None:
    shop.publish(CART | {"journey": "other", "triggers": [{"type": "event", "event": "Page Viewed"}]})
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.track("ann", "Order Completed", total=1)
    shop.track("bob", "Checkout Started", id="c2", value=50)
    shop.rest()
    shop.clock.move(days=2)

    assert story(shop, "ann").notes == (), "its run has ended"
    assert [note.split(":")[0] for note in story(shop, "bob").notes] == ["cart"]
    assert not any("is not done yet" in note for note in story(shop, "bob", "other").notes)


def test_a_run_of_a_paused_journey_is_not_late(shop: Shop) -> None:
    shop.track("ann", "Checkout Started", id="c1", value=50)
    shop.later(minutes=1)
    assert shop.client("admin").post("/v1/journeys/cart/pause").status_code == 200
    shop.rest()
    shop.clock.move(days=2)

    assert story(shop, "ann").notes == ()


def view(shop: Shop, visitor: str) -> None:
    body = {"anonymousId": visitor, "event": "Page Viewed"}
    assert shop.client("write").post("/v1/track", json=body).status_code == 200
    shop.settle()


def test_what_comes_under_a_former_key_is_told_of_the_contact(shop: Shop) -> None:
    shop.identify("ann", name="Ann")
    view(shop, "visitor")
    assert shop.client("write").post("/v1/alias", json={"previousId": "visitor", "userId": "ann"}).status_code == 200
    shop.settle()
    shop.rest()
    view(shop, "visitor")

    for key in ("ann", "visitor"):
        assert story(shop, key).notes[0] == "what came for it Mon 2 Mar 2026 10:00:00 is not handled yet"


def test_the_place_of_a_merge_is_nothing_that_came(shop: Shop) -> None:
    for number in range(8):
        view(shop, f"visitor-{number}")
    shop.rest()
    for number in range(8):
        body = {"previousId": f"visitor-{number}", "userId": "ann"}
        assert shop.client("write").post("/v1/alias", json=body).status_code == 200

    with pytest.raises(NotFound, match="nothing has come in for it"):
        story(shop, "ann")


def test_what_was_set_aside_is_told(shop: Shop) -> None:
    with write(shop.installation.engine) as connection:
        failures.put(connection, "ann", [Event(shop.clock(), "Go", shop.clock())], "ValueError: no", shop.clock())

    told = "1 input was set aside, since a decision failed on it: ValueError: no"
    with pytest.raises(NotFound, match=f"; {told}$"):
        story(shop, "ann")
    shop.identify("ann", name="Ann")
    assert story(shop, "ann").notes[0] == told


def test_instants_are_those_of_the_shop(shop: Shop) -> None:
    shop.publish({**WORKSPACE, "timezone": "America/New_York"})
    shop.identify("bob", name="Bob")
    shop.rest()
    for contact in ("ann", "bob"):
        shop.track(contact, "Page Viewed")

    with pytest.raises(NotFound, match="Mon 2 Mar 2026 05:00:00"):
        story(shop, "ann")
    assert "Mon 2 Mar 2026 05:00:00" in story(shop, "bob").notes[0]
