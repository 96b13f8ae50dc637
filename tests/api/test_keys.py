"""API keys: what each opens, and how they come and go."""

from __future__ import annotations

import asyncio

import pytest
from tests.api.shop import Client, Shop

from journeyflow.api.app import create_app
from journeyflow.api.context import TRUST_SECONDS, Keyring
from journeyflow.db.store import write
from journeyflow.services import keys


def test_a_key_is_shown_once_when_it_is_made(shop: Shop) -> None:
    admin = shop.client("admin")

    made = admin.post("/v1/keys", json={"scope": "read", "name": "Dashboard"})

    assert made.status_code == 201
    assert Client(shop.app, {"Authorization": f"Bearer {made.json()['key']}"}).get("/v1/contacts").status_code == 200
    listed = {one["id"]: one for one in admin.get("/v1/keys").json()["items"]}
    assert listed[made.json()["id"]]["name"] == "Dashboard"
    assert "key" not in listed[made.json()["id"]]


def test_no_key_is_named_as_those_of_the_settings_are(shop: Shop) -> None:
    refused = shop.client("admin").post("/v1/keys", json={"scope": "read", "name": "from settings"})

    assert refused.status_code == 400
    assert "which keys of the settings have" in refused.text


def test_a_key_that_was_revoked_opens_nothing_at_once(shop: Shop) -> None:
    admin = shop.client("admin")
    made = admin.post("/v1/keys", json={"scope": "write"}).json()
    shop_floor = Client(shop.app, {"Authorization": f"Bearer {made['key']}"})
    assert shop_floor.post("/v1/track", json={"userId": "ann", "event": "x"}).status_code == 200

    assert admin.request("DELETE", f"/v1/keys/{made['id']}").status_code == 204

    assert shop_floor.post("/v1/track", json={"userId": "ann", "event": "x"}).status_code == 401
    assert admin.request("DELETE", f"/v1/keys/{made['id']}").status_code == 404


def test_another_process_that_revokes_a_key_is_obeyed_within_two_seconds(shop: Shop) -> None:
    watch = [0.0]
    keyring = Keyring(shop.installation.engine, lambda: watch[0])
    secret = shop.key("write")
    found = asyncio.run(keyring.find(secret))
    assert found is not None
    with write(shop.installation.engine) as connection:
        keys.revoke(connection, found.id, shop.clock())

    watch[0] = TRUST_SECONDS - 0.1
    assert asyncio.run(keyring.find(secret)) is not None
    watch[0] = TRUST_SECONDS
    assert asyncio.run(keyring.find(secret)) is None
    assert asyncio.run(keyring.find("x" * 10_000)) is None


def test_inside_its_own_process_an_app_can_do_without_keys(shop: Shop) -> None:
    app = create_app(shop.installation, shop.ingest, shop.work, trusted=True)
    inside = Client(app, {})

    assert inside.post("/v1/contacts", json={"contact": "ann"}).status_code == 200
    assert inside.get("/v1/keys").status_code == 200
    assert inside.post("/v1/track", json={"userId": "ann", "event": "Unsubscribed"}).status_code == 200


def test_the_last_admin_key_can_not_be_revoked(shop: Shop) -> None:
    admin = shop.client("admin")
    admins = [one for one in admin.get("/v1/keys").json()["items"] if one["scope"] == "admin"]
    ids = [one["id"] for one in sorted(admins, key=lambda one: str(one["name"]) == "test")]

    answers = [admin.request("DELETE", f"/v1/keys/{id_}").status_code for id_ in ids]

    assert answers == [204] * (len(ids) - 1) + [409]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/contacts"),
        ("GET", "/v1/contacts/ann"),
        ("GET", "/v1/contacts/ann/timeline"),
        ("GET", "/v1/documents"),
        ("GET", "/v1/journeys"),
        ("GET", "/v1/messages"),
        ("GET", "/v1/keys"),
        ("POST", "/v1/contacts"),
        ("POST", "/v1/imports/contacts"),
        ("POST", "/v1/imports/events"),
        ("GET", "/v1/exports/contacts"),
        ("POST", "/v1/documents:apply"),
        ("PUT", "/v1/documents/journey/welcome"),
        ("DELETE", "/v1/documents/journey/welcome"),
        ("POST", "/v1/journeys/welcome/pause"),
        ("POST", "/v1/journeys/welcome/publish"),
        ("POST", "/v1/keys"),
    ],
)
def test_nothing_else_opens_without_a_key_or_with_one_for_events(shop: Shop, method: str, path: str) -> None:
    assert shop.visitor().request(method, path).status_code == 401
    assert shop.client("write").request(method, path).status_code == 403
    assert shop.client("browser").request(method, path).status_code == 403


def test_a_key_for_reading_changes_nothing(shop: Shop) -> None:
    reader = shop.client("read")

    assert reader.post("/v1/contacts", json={"contact": "ann"}).status_code == 403
    assert reader.get("/v1/keys").status_code == 403


def test_the_body_of_somebody_without_a_key_is_not_even_read(shop: Shop) -> None:
    answer = shop.visitor().post("/v1/contacts", content=b"{", headers={"Content-Type": "application/json"})

    assert answer.status_code == 401


@pytest.mark.parametrize("body", [{}, {"scope": "root"}, {"scope": "read", "name": ""}, {"scope": "read", "more": 1}])
def test_a_key_of_no_known_scope_is_not_made(shop: Shop, body: dict[str, object]) -> None:
    answer = shop.client("admin").post("/v1/keys", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_a_key_is_made_once_and_shown_once_however_often_it_is_asked_for(shop: Shop) -> None:
    admin, once = shop.client("admin"), {"Idempotency-Key": "k-1"}
    before = len(admin.get("/v1/keys").json()["items"])

    statuses = [admin.post("/v1/keys", json={"scope": "read"}, headers=once).status_code for _ in range(2)]

    assert statuses == [201, 409]
    assert len(admin.get("/v1/keys").json()["items"]) == before + 1
