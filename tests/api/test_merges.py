"""Over HTTP: identify with both ids and alias make two contacts one (rules 10.1 to 10.4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.api.shop import DOCUMENTS, Client, JSONObject, Shop, new_shop

from journeyflow.db import aliases, tables
from journeyflow.db.store import read


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with a journey that begins with a mail."""
    with new_shop(tmp_path) as shop:
        shop.publish(*DOCUMENTS)
        yield shop


def send(client: Client, path: str, **body: Any) -> JSONObject:  # Any: JSON
    answer = client.post(f"/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: JSONObject = answer.json()
    return found


def visit(shop: Shop, visitor: str = "a-1") -> Client:
    """Somebody without a user id signs up, which sends a mail, and looks at something."""
    client = shop.client("write")
    send(client, "identify", anonymousId=visitor, traits={"email": "ann@example.com", "plan": "none"})
    send(client, "track", anonymousId=visitor, event="Signed Up", messageId="m-1")
    shop.settle()
    return client


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("identify", {"userId": "ann", "anonymousId": "a-1", "traits": {"plan": "gold"}}),
        ("alias", {"userId": "ann", "previousId": "a-1"}),
        ("alias", {"userId": "ann", "anonymousId": "a-1"}),
        ("batch", {"batch": [{"type": "alias", "userId": "ann", "previousId": "a-1"}]}),
    ],
)
def test_rule_10_1_identify_with_both_ids_and_alias_merge(shop: Shop, path: str, body: JSONObject) -> None:
    client = visit(shop)
    assert send(client, path, **body) == {"success": True}
    shop.settle()

    ann = shop.contact("ann")
    assert (ann["contact"], ann["email"]) == ("ann", "ann@example.com")
    assert ann["attributes"]["plan"] == ("gold" if "traits" in body else "none")
    assert [(run["journey"], run["contact"], run["node"]) for run in ann["runs"]] == [("welcome", "ann", "pause")]
    shop.later(days=2)
    assert shop.contact("ann")["tags"] == ["welcomed"]


def test_rule_10_1_no_other_call_with_both_ids_merges(shop: Shop) -> None:
    client = visit(shop)
    for path, more in (("track", {"event": "Seen"}), ("page", {}), ("screen", {}), ("group", {"traits": {"n": 1}})):
        send(client, path, userId="ann", anonymousId="a-1", **more)
    shop.settle()

    assert shop.contact("a-1")["contact"] == "a-1"
    assert shop.contact("ann")["runs"] == []


def test_rule_10_1_an_identify_of_somebody_new_lets_in_who_it_is_not_twice(shop: Shop) -> None:
    journey = {
        "journey": "hello",
        "triggers": [{"type": "contact", "change": "created"}],
        "start": "stop",
        "nodes": {"stop": {"type": "end"}},
    }
    shop.publish(journey)
    client = visit(shop)
    send(client, "identify", userId="ann", anonymousId="a-1", traits={"first_name": "Ann"})
    shop.settle()

    stats = shop.client("read").get("/v1/journeys/hello/stats").json()
    assert (stats["entered"], stats["refused"]) == (1, {})
    assert shop.contact("ann")["attributes"]["first_name"] == "Ann"


def test_rule_10_2_everything_kept_of_the_visitor_is_kept_of_the_known_one(shop: Shop) -> None:
    client = visit(shop)
    send(client, "track", anonymousId="a-1", event="Signed Up")  # refused: the first run is active
    shop.settle()
    shop.track("ann", "Seen")
    send(client, "alias", userId="ann", previousId="a-1")
    shop.settle()

    reader = shop.client("read")
    told = [one["kind"] for one in reader.get("/v1/contacts/ann/timeline?limit=500").json()["items"]]
    assert {kind: told.count(kind) for kind in ("message", "refusal")} == {"message": 1, "refusal": 1}
    assert [one["contact"] for one in reader.get("/v1/messages?contact=ann").json()["items"]] == ["ann"]
    with read(shop.installation.engine) as connection:
        for table in tables.metadata.tables.values():
            if "contact" in table.c and table.name != "aliases":
                mine = select(func.count()).select_from(table).where(table.c.contact == "a-1")
                assert connection.scalar(mine) == 0, f"{table.name} still has rows of the visitor"


def test_rule_10_2_a_message_id_of_the_visitor_is_had(shop: Shop) -> None:
    client = visit(shop)
    send(client, "identify", userId="ann", anonymousId="a-1")
    send(client, "track", userId="ann", event="Signed Up", messageId="m-1")
    send(client, "track", anonymousId="a-1", event="Signed Up", messageId="m-1")
    shop.settle()

    stats = shop.client("read").get("/v1/journeys/welcome/stats").json()
    assert (stats["entered"], stats["refused"]) == (1, {})


def test_rule_10_4_the_old_id_answers_for_the_known_contact(shop: Shop) -> None:
    client = visit(shop)
    send(client, "alias", userId="ann", previousId="a-1")
    shop.settle()
    admin = shop.client("admin")

    assert shop.contact("a-1") == shop.contact("ann")
    for rest in ("timeline", "explanation"):
        found = [admin.get(f"/v1/contacts/{key}/{rest}").json() for key in ("a-1", "ann")]
        assert found[0] == found[1]
    assert len(admin.get("/v1/messages?contact=a-1").json()["items"]) == 1
    assert [one["contact"] for one in admin.get("/v1/contacts").json()["items"]] == ["ann"]


def test_rule_10_4_changes_by_the_old_id_are_changes_of_the_known_contact(shop: Shop) -> None:
    client = visit(shop)
    send(client, "alias", userId="ann", previousId="a-1")
    shop.settle()
    admin = shop.client("admin")

    tagged = admin.post("/v1/contacts/a-1/tags", json={"add": ["vip"]}, headers={"Idempotency-Key": "one"})
    assert (tagged.status_code, tagged.json()["contact"], tagged.json()["tags"]) == (200, "ann", ["vip"])
    send(client, "track", anonymousId="a-1", event="Seen")
    shop.later(hours=1)
    enrolled = admin.post("/v1/journeys/welcome/enroll", json={"contact": "a-1"}).json()
    assert (enrolled["contact"], enrolled["run"], enrolled["refused"]) == ("ann", None, "duplicate")
    assert [one["contact"] for one in admin.get("/v1/contacts").json()["items"]] == ["ann"]


def test_rule_10_4_two_ids_that_were_both_known_stay_two(shop: Shop) -> None:
    client = visit(shop, "a-1")
    shop.track("ann", "Seen")
    shop.track("bob", "Seen")
    send(client, "alias", userId="bob", previousId="ann")
    send(client, "identify", userId="ann", anonymousId="a-1")
    send(client, "identify", userId="bob", anonymousId="a-1", traits={"plan": "silver"})
    shop.settle()

    assert shop.contact("ann")["contact"] == "ann"
    assert shop.contact("a-1")["contact"] == "ann", "the browser was not reset when bob signed in"
    assert shop.contact("bob")["attributes"] == {"plan": "silver"}


@pytest.mark.parametrize("path", ["alias", "a", "batch"])
def test_a_browser_key_sends_no_alias(shop: Shop, path: str) -> None:
    visit(shop)
    one = {"type": "alias", "userId": "ann", "previousId": "a-1"}
    answer = shop.client("browser").post(f"/v1/{path}", json={"batch": [one]} if path == "batch" else one)
    shop.settle()

    assert answer.status_code == (400 if path == "batch" else 403)
    assert shop.contact("a-1")["contact"] == "a-1"


def test_a_browser_can_not_change_an_address_by_way_of_an_old_id(shop: Shop) -> None:
    shop.identify("ann", email="ann@example.com")
    browser = shop.client("browser")
    body = {
        "batch": [
            {"type": "identify", "userId": "ann", "anonymousId": "a-1"},
            {"type": "identify", "anonymousId": "a-1", "traits": {"email": "eve@example.com", "plan": "free"}},
        ]
    }
    browser.post("/v1/batch", json=body)
    shop.settle()
    told = browser.post("/v1/identify", json={"anonymousId": "a-1", "traits": {"email": "eve@example.com"}}).json()
    shop.settle()

    assert shop.contact("ann")["attributes"] == {"email": "ann@example.com", "plan": "free"}
    assert [one["field"] for one in told["dropped"]] == ["traits.email"]


def test_a_browser_can_not_give_an_address_by_way_of_a_visitor(shop: Shop) -> None:
    shop.identify("ann", plan="gold")
    browser = shop.client("browser")
    browser.post("/v1/identify", json={"anonymousId": "a-1", "traits": {"email": "eve@example.com", "age": 7}})
    shop.settle()
    browser.post("/v1/identify", json={"userId": "ann", "anonymousId": "a-1"})
    shop.settle()

    assert shop.contact("a-1")["contact"] == "ann"
    assert shop.contact("ann")["attributes"] == {"plan": "gold", "age": 7}


def test_a_server_takes_the_address_of_a_visitor_along(shop: Shop) -> None:
    shop.identify("ann", plan="gold")
    shop.client("browser").post("/v1/identify", json={"anonymousId": "a-1", "traits": {"email": "ann@example.com"}})
    shop.settle()
    shop.client("write").post("/v1/identify", json={"userId": "ann", "anonymousId": "a-1"})
    shop.settle()

    assert shop.contact("ann")["email"] == "ann@example.com"


def test_the_merge_waits_with_everything_else_and_nothing_is_lost(shop: Shop) -> None:
    """As after a crash: what was answered is on disk, and the turns that come later do it all."""
    shop.rest()
    client = shop.client("write")
    send(client, "track", anonymousId="a-1", event="Signed Up")
    send(client, "identify", userId="ann", anonymousId="a-1", traits={"plan": "gold"})
    send(client, "track", anonymousId="a-1", event="Seen")
    shop.working = True
    shop.settle()

    ann = shop.contact("ann")
    assert (ann["attributes"], [run["journey"] for run in ann["runs"]]) == ({"plan": "gold"}, ["welcome"])


def test_links_in_mails_to_the_visitor_still_work(shop: Shop) -> None:
    client = visit(shop)
    admin = shop.client("admin")
    (message,) = admin.get("/v1/messages").json()["items"]
    shown = admin.get(f"/v1/messages/{message['id']}").json()
    link = shown["headers"]["List-Unsubscribe"].strip("<>").removeprefix("https://shop.example")
    send(client, "alias", userId="ann", previousId="a-1")
    shop.settle()

    assert shop.visitor().post(link).status_code == 200
    shop.settle()
    assert shop.contact("ann")["topics"]["offers"] is False


@pytest.mark.one_group  # between two groups a merge is two turns, of which the first has been
def test_what_is_merged_in_one_turn_is_whole_or_not_there(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that fails half way through a merge leaves both contacts as they were, and tries them one by one."""
    client = visit(shop)
    shop.track("ann", "Seen")
    with monkeypatch.context() as patch:
        patch.setattr(aliases, "_move_refusals", _fail)
        send(client, "alias", userId="ann", previousId="a-1")
        shop.settle()
    assert [run["journey"] for run in shop.contact("a-1")["runs"]] == ["welcome"]
    assert shop.contact("a-1")["contact"] == "a-1"

    send(client, "alias", userId="ann", previousId="a-1")
    shop.settle()
    assert [run["journey"] for run in shop.contact("a-1")["runs"]] == ["welcome"]
    assert shop.contact("a-1")["contact"] == "ann"


def _fail(*_: object) -> None:
    raise RuntimeError("the power fails")


def test_rule_10_2_every_table_about_contacts_was_thought_of() -> None:
    """A new one belongs into ``aliases.move``, or among those of which somebody knows why not."""
    about_contacts = {table.name for table in tables.metadata.sorted_tables if "contact" in table.c}
    moved = {"calls", "contacts", "coupons", "entries", "events", "messages"}
    moved |= {"refusals", "requests", "runs", "seen", "timers"}
    stays = {
        "aliases",  # says where the others went
        "failures",  # what went wrong, as it came
        "inbox",  # its turn forwards it
    }
    assert about_contacts == moved | {"trail"} | stays


def test_erasing_a_contact_erases_who_was_merged_into_it(shop: Shop) -> None:
    client = visit(shop)
    send(client, "alias", userId="ann", previousId="a-1")
    shop.settle()

    assert shop.client("admin").request("DELETE", "/v1/contacts/a-1").status_code == 204
    reader = shop.client("read")
    assert [reader.get(f"/v1/contacts/{key}").status_code for key in ("a-1", "ann")] == [404, 404]
    with read(shop.installation.engine) as connection:
        assert connection.execute(select(tables.aliases)).all() == []

    send(client, "track", anonymousId="a-1", event="Seen")
    shop.settle()
    assert shop.contact("a-1")["contact"] == "a-1", "a contact of its own again"
