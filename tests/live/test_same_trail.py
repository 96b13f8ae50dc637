"""The same input through the live engine gives the same trail as ``simulate`` (interfaces.md, ``simulate``)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests import stores
from tests.live.world import START, LiveWorld, comparable, refused

from journeyflow.core.documents import KINDS, Documents
from journeyflow.core.effects import TrailRecord
from journeyflow.core.inputs import Appear, Event, Identify, Input
from journeyflow.core.values import JSON
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.simulate import simulate_inputs

STORES = stores.ALL

SPENT: JSON = {"event": "Order Completed", "within": "10d", "sum": "total", "gte": 50}
VIP: JSON = {"attribute": "vip", "eq": True}
Case = tuple[Sequence[dict[str, JSON]], list[tuple[str, Input]]]


def both(directory: Path, case: Case, until: datetime, limit: int) -> tuple[list[TrailRecord], LiveWorld]:
    """The simulated trail, and the live world after the same inputs."""
    documents, inputs = case
    models = [KINDS[next(iter(document))].model_validate(document) for document in documents]
    simulated: list[TrailRecord] = []
    simulate_inputs(Documents.of(models), LiquidRenderer(), inputs, start=START, until=until, on_trail=simulated.append)
    world = LiveWorld(directory, documents, START, limit)
    world.feed(inputs, until)
    return simulated, world


def assert_same(directory: Path, case: Case, until: datetime, limit: int = 1_000) -> None:
    simulated, world = both(directory, case, until, limit)
    try:
        assert comparable(world.trail()) == comparable(simulated)
        assert world.refusals() == refused(simulated, world.people())
    finally:
        world.close()


def shop() -> Case:
    """Every node and trigger of this version, several contacts, ties, duplicates and late events."""
    template: dict[str, JSON] = {"template": "hello", "subject": "Hi {{ contact.first_name }}", "body": "<p>Hi</p>"}
    pool: dict[str, JSON] = {"coupon_pool": "ten", "codes": "generated", "prefix": "TEN-"}
    workspace: dict[str, JSON] = {
        "workspace": "shop",
        "timezone": "Europe/Warsaw",
        "sender": {"email": "hello@shop.example"},
        "topics": [{"id": "offers", "name": "Offers"}],
        "quiet_hours": {"from": "21:00", "to": "08:00"},
    }
    cart: dict[str, JSON] = {
        "journey": "cart",
        "triggers": [{"type": "event", "event": "Checkout Started", "where": {"property": "value", "gte": 20}}],
        "on_duplicate": "restart",
        "reentry": {"policy": "after", "gap": "2d"},
        "exit_on": [{"event": "Order Completed"}],
        "goal": {"event": "Order Completed", "within": "5d", "value": "total"},
        "start": "pause",
        "nodes": {
            "pause": {"type": "wait", "for": "1h", "next": "first"},
            "first": {"type": "email", "template": "hello", "topic": "offers", "next": "look"},
            "look": {
                "type": "wait_for",
                "cases": [
                    {"event": "Page Viewed", "where": {"property": "page", "eq": "cart"}, "next": "code"},
                    {"when": {"event": "Page Viewed", "within": "2h", "count": {"gte": 2}}, "next": "label"},
                ],
                "timeout": "20h",
                "on_timeout": "worth",
            },
            "worth": {
                "type": "branch",
                "cases": [{"when": SPENT, "next": "code"}],
                "else": "label",
            },
            "code": {"type": "coupon", "pool": "ten", "next": "second"},
            "second": {"type": "email", "template": "hello", "next": "label", "only_if": VIP},
            "label": {"type": "tag", "add": ["carted"], "next": "count"},
            "count": {"type": "update", "increment": {"carts": 1}},
        },
    }  # fmt: skip
    tagged: dict[str, JSON] = {
        "journey": "tagged",
        "priority": 70,
        "triggers": [{"type": "tag", "added": "carted"}, {"type": "contact", "change": "updated", "attribute": "plan"}],
        "reentry": {"policy": "always"},
        "start": "until",
        "nodes": {
            "until": {"type": "wait", "until_time": {"at": "09:00", "weekdays": ["mon", "thu"]}, "next": "untag"},
            "untag": {"type": "tag", "remove": ["carted"]},
        },
    }
    quiet: dict[str, JSON] = {
        "journey": "quiet",
        "triggers": [{"type": "inactivity", "event": ["Order Completed", "Page Viewed"], "for": "3d"}],
        "reentry": {"policy": "always"},
        "start": "mail",
        "nodes": {"mail": {"type": "email", "template": "hello", "topic": "offers"}},
    }
    return (workspace, template, pool, cart, tagged, quiet), _happenings()


def _happenings() -> list[tuple[str, Input]]:
    inputs: list[tuple[str, Input]] = [
        (key, Appear(START, START, {"email": f"{key}@example.com", "vip": key != "bob"}, ())) for key in ("ann", "bob")
    ]

    def event(hours: float, key: str, name: str, late: float = 0, **properties: JSON) -> None:
        at = START + timedelta(hours=hours)
        message_id = None if name == "Page Viewed" else f"{key}-{hours}-{name}"
        inputs.append((key, Event(at, name, at - timedelta(hours=late), properties, message_id)))

    for key in ("ann", "bob", "cid"):
        event(1, key, "Checkout Started", value=30)
        event(1, key, "Checkout Started", value=30)
        event(1.5, key, "Page Viewed", page="home")
    event(2, "ann", "Page Viewed", page="cart")
    event(2.5, "bob", "Checkout Started", value=90)
    event(3, "bob", "Page Viewed", page="home")
    event(4.5, "bob", "Page Viewed", page="shop")
    event(5, "cid", "Order Completed", total=70)
    event(60, "cid", "Checkout Started", value=25)
    event(61, "cid", "Page Viewed", late=30, page="cart")
    event(80, "ann", "Order Completed", total=20)
    inputs.append(("cid", Identify(START + timedelta(hours=62), {"plan": "gold", "timezone": "America/New_York"})))
    inputs.append(("ann", Identify(START + timedelta(hours=62), {"plan": "basic", "vip": None})))
    return inputs


@pytest.mark.parametrize("limit", [1_000, 3])
def test_the_live_engine_writes_the_same_trail_as_a_simulation(tmp_path: Path, limit: int) -> None:
    assert_same(tmp_path, shop(), START + timedelta(days=20), limit)
