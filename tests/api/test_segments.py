"""Segments over HTTP: how many, who, and that what is needed stays."""

from __future__ import annotations

from tests.api.shop import JSONObject, Shop

LAPSED: JSONObject = {
    "segment": "lapsed",
    "name": "Lapsed",
    "when": {"all": [{"event": "Ordered"}, {"event": "Ordered", "within": "30d", "count": {"eq": 0}}]},
}
VIP: JSONObject = {"segment": "vip", "when": {"tag": "vip"}}


def count(shop: Shop, segment: str) -> int:
    answer = shop.client("read").get(f"/v1/segments/{segment}/count")
    assert answer.status_code == 200, answer.text
    assert answer.json()["segment"] == segment
    found: int = answer.json()["count"]
    return found


def members(shop: Shop, segment: str, limit: int) -> list[str]:
    """All pages of the list."""
    client, cursor, found = shop.client("read"), None, list[str]()
    while True:
        query = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        page = client.get(f"/v1/segments/{segment}/contacts", params=query).json()
        assert len(page["items"]) <= limit
        found.extend(one["contact"] for one in page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_a_segment_is_counted_and_its_contacts_are_listed_page_by_page(shop: Shop) -> None:
    for number in range(7):
        shop.track(f"contact {number}", "Ordered" if number % 2 else "Looked")
    shop.publish(LAPSED)
    shop.later(days=30)

    assert count(shop, "lapsed") == 3
    for limit in (1, 2, 50):
        assert sorted(members(shop, "lapsed", limit)) == ["contact 1", "contact 3", "contact 5"]


def test_what_the_engine_has_not_judged_yet_the_core_decides_when_asked(shop: Shop) -> None:
    """The engine stands still: a definition is new, and time has passed."""
    for key in ("ann", "bob"):
        shop.track(key, "Ordered")
    shop.publish(LAPSED)
    shop.rest()
    shop.clock.move(days=30)
    answer = shop.client("admin").post(
        "/v1/documents:apply", json={"documents": [{"segment": "new", "when": {"not": {"tag": "vip"}}}]}
    )
    assert answer.status_code == 200

    assert count(shop, "lapsed") == 2
    assert count(shop, "new") == 2
    assert sorted(members(shop, "new", 1)) == ["ann", "bob"]


def test_segments_are_listed_and_shown(shop: Shop) -> None:
    shop.publish(LAPSED, VIP)
    client = shop.client("read")

    assert [one["id"] for one in client.get("/v1/segments").json()["items"]] == ["lapsed", "vip"]
    assert client.get("/v1/segments/lapsed").json()["document"] == LAPSED
    for path in ("", "/count", "/contacts"):
        assert client.get(f"/v1/segments/nobody{path}").status_code == 404
    assert shop.visitor().get("/v1/segments/vip/count").status_code == 401


def test_rule_8_5_a_segment_that_another_document_needs_stays(shop: Shop) -> None:
    shop.publish(VIP, {"segment": "rest", "when": {"not": {"segment": "vip"}}})
    client = shop.client("admin")

    assert client.request("DELETE", "/v1/documents/segment/vip").status_code == 409
    assert client.request("DELETE", "/v1/documents/segment/rest").status_code == 204
    assert client.request("DELETE", "/v1/documents/segment/vip").status_code == 204
    assert client.get("/v1/segments/vip/count").status_code == 404


def test_the_stage_is_part_of_the_contact(shop: Shop) -> None:
    workspace: JSONObject = {
        "workspace": "shop",
        "topics": [{"id": "offers", "name": "Offers"}],
        "stages": [{"id": "new", "when": {"all": []}}, {"id": "buyer", "when": {"event": "Ordered"}}],
    }
    shop.track("ann", "Looked")
    shop.publish(workspace)

    assert shop.contact("ann")["stage"] == "new"
    shop.track("ann", "Ordered")
    assert shop.contact("ann")["stage"] == "buyer"
