"""``to`` names another address than the contact's own, which only a transactional message may go to."""

from __future__ import annotations

import pytest

from journeyflow.core.values import JSON
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_data


def codes(topic: str | None, transactional: bool) -> list[tuple[str, str]]:
    node: dict[str, JSON] = {"type": "email", "template": "hello", "to": "ops@shop.example"}
    if topic is not None:
        node["topic"] = topic
    if transactional:
        node["transactional"] = True
    documents: list[JSON] = [
        {
            "workspace": "shop",
            "topics": [
                {"id": "offers", "name": "Offers"},
                {"id": "account", "name": "Account", "transactional": True},
            ],
        },
        {"template": "hello", "subject": "Hi", "body": "Hi"},
        {"journey": "note", "start": "tell", "nodes": {"tell": node}},
    ]
    return [(problem.code, problem.path) for problem in check_data(documents, [], LiquidRenderer()).errors]


@pytest.mark.parametrize(("topic", "transactional"), [(None, True), ("account", False), ("offers", True)])
def test_a_transactional_message_may_go_to_another_address(topic: str | None, transactional: bool) -> None:
    assert codes(topic, transactional) == []


def test_a_marketing_message_may_not() -> None:
    assert codes("offers", False) == [("JF006", "nodes.tell.to")]
