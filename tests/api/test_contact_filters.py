"""Contacts chosen by their address, a tag, a segment, a stage."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, select
from tests.api.shop import WORKSPACE, Shop, open_shop

from journeyflow.db import migrations, tables
from journeyflow.db.store import read, write


def found(shop: Shop, **filters: str | int) -> list[str]:
    """The keys of all pages, each asked for with the cursor of the one before."""
    reader = shop.client("read")
    keys: list[str] = []
    cursor: str | None = None
    for _ in range(50):
        page = reader.get("/v1/contacts", params={**filters, **({} if cursor is None else {"cursor": cursor})}).json()
        keys.extend(one["contact"] for one in page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return sorted(keys)
    raise AssertionError("the pages have no end")


def tag(shop: Shop, contact: str, *tags: str) -> None:
    shop.client("admin").post(f"/v1/contacts/{contact}/tags", json={"add": [*tags]})


@pytest.mark.parametrize("spelled", ["ann@example.com", "Ann@Example.COM", " ann@example.com ", "ANN@EXAMPLE.COM."])
def test_a_contact_is_found_by_its_address_however_that_is_spelled(shop: Shop, spelled: str) -> None:
    shop.identify("ann", email="Ann@example.com")
    shop.identify("eve", email="eve@example.com")
    shop.identify("nobody")

    assert found(shop, email=spelled) == ["ann"]


def test_an_address_of_another_alphabet_is_found_in_both_its_forms(shop: Shop) -> None:
    shop.identify("zoe", email="zoe@bücher.example")

    assert found(shop, email="zoe@xn--bcher-kva.example") == ["zoe"]
    assert found(shop, email="ZOE@BÜCHER.example") == ["zoe"]


def test_several_with_one_address_come_page_by_page(shop: Shop) -> None:
    for number in range(5):
        shop.identify(f"c{number}", email="shared@example.com")

    assert found(shop, email="shared@example.com", limit=2) == [f"c{number}" for number in range(5)]


def test_a_changed_address_is_a_new_one_and_one_taken_away_is_none(shop: Shop) -> None:
    shop.identify("ann", email="ann@example.com")
    shop.identify("ann", email="new@example.com")
    shop.identify("bob", email="bob@example.com")
    shop.identify("bob", email=None)
    shop.identify("cid", email="cid@example.com")
    shop.identify("cid", email=["cid@example.com"])

    assert found(shop, email="ann@example.com") == []
    assert found(shop, email="new@example.com") == ["ann"]
    assert found(shop, email="bob@example.com") == found(shop, email="cid@example.com") == []


def test_who_was_merged_or_forgotten_is_found_no_more(shop: Shop) -> None:
    writer = shop.client("write")
    writer.post("/v1/identify", json={"anonymousId": "anon", "traits": {"email": "ann@example.com"}})
    writer.post("/v1/identify", json={"userId": "ann", "anonymousId": "anon"})
    shop.identify("bob", email="bob@example.com")
    shop.settle()
    shop.client("admin").request("DELETE", "/v1/contacts/bob")

    assert found(shop, email="ann@example.com") == ["ann"]
    assert found(shop, email="bob@example.com") == []
    with read(shop.installation.engine) as connection:
        assert connection.scalars(select(tables.holders.c.holder)).all() == ["ann"]


@pytest.mark.on_sqlite  # where there are databases from before
def test_addresses_from_before_there_was_a_look_up_are_found(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    shop.ingest.start()
    engine = shop.installation.engine
    try:
        shop.identify("ann", email="Ann@Example.com")
        shop.identify("nobody", plan="gold")
        with write(engine) as connection:
            connection.execute(delete(tables.holders))
            connection.exec_driver_sql("DROP TABLE holders")
            connection.exec_driver_sql("DROP TABLE departures")
            connection.exec_driver_sql("DROP TABLE pauses")
            connection.exec_driver_sql("DROP TABLE requests")
            connection.exec_driver_sql("DROP TABLE instructions")
            connection.exec_driver_sql(
                "CREATE TABLE resumptions "
                "(journey TEXT, at BIGINT, paused_at BIGINT, mode TEXT, over BIGINT, PRIMARY KEY (journey, at))"
            )
            by_time = "ix_messages_shard_contact_queued_at ON messages (shard, contact, queued_at)"
            connection.exec_driver_sql(f"CREATE INDEX {by_time}")
            for column in ("timers_from", "shards"):
                connection.exec_driver_sql(f"ALTER TABLE claims DROP COLUMN {column}")
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '2026_11_25_2250'")
        migrations.migrate(engine)

        assert found(shop, email="ann@example.com") == ["ann"]
        with read(engine) as connection:
            assert connection.scalars(select(tables.holders.c.holder)).all() == ["ann"]
    finally:
        shop.ingest.stop()
        engine.dispose()


def test_contacts_are_chosen_by_a_tag_as_a_whole(shop: Shop) -> None:
    for number in range(7):
        shop.identify(f"c{number}")
    for key, some in {"c1": ["vip"], "c3": ["vips", "new vip"], "c4": ["tea", "vip"], "c6": ["VIP"]}.items():
        tag(shop, key, *some)

    assert found(shop, tag="vip") == ["c1", "c4"]
    assert found(shop, tag="vip", limit=1) == ["c1", "c4"]
    assert found(shop, tag='v" OR 1=1 --') == []


def test_contacts_are_chosen_by_segment_stage_and_all_that_is_asked(shop: Shop) -> None:
    stages = [{"id": "seen", "when": {"all": []}}, {"id": "loyal", "when": {"attribute": "plan", "eq": "gold"}}]
    shop.publish({**WORKSPACE, "stages": stages}, {"segment": "gold", "when": {"attribute": "plan", "eq": "gold"}})
    for key, plan in {"ann": "gold", "bob": "free", "cid": "gold"}.items():
        shop.identify(key, plan=plan, email=f"{key}@example.com")
    tag(shop, "ann", "vip")
    tag(shop, "bob", "vip")

    assert found(shop, segment="gold") == ["ann", "cid"]
    assert found(shop, stage="loyal") == ["ann", "cid"]
    assert found(shop, stage="seen") == ["bob"]
    assert found(shop, segment="gold", tag="vip") == ["ann"]
    assert found(shop, stage="loyal", email="cid@example.com") == ["cid"]
    assert found(shop, segment="gold", email="bob@example.com") == []
    shop.identify("ann", plan="free")
    assert found(shop, segment="gold", tag="vip") == []


def test_an_unknown_segment_is_told_and_an_empty_filter_chooses_not_everybody(shop: Shop) -> None:
    shop.identify("ann")
    reader = shop.client("read")

    assert reader.get("/v1/contacts", params={"segment": "gold"}).status_code == 404
    answer = reader.get("/v1/contacts", params={"email": ""})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "email")


def test_the_filters_are_described(shop: Shop) -> None:
    paths = shop.visitor().get("/openapi.json").json()["paths"]
    named = {one["name"] for one in paths["/v1/contacts"]["get"]["parameters"] if one.get("description")}

    assert {"email", "tag", "segment", "stage"} <= named
