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
    assert re.fullmatch(f"what was due Tue 3 Mar 2026 10:00:00 is not done yet{ASK}", due)
    shop.working = True
    shop.settle()
    assert story(shop, "ann", "cart").notes == ()
