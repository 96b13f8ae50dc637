"""Coupon pools over HTTP: how many codes are left, who has which, and uploads."""

from __future__ import annotations

from typing import Any

import pytest
from tests.api.shop import Shop

from journeyflow.api.bodies import FileRequest

JSONObject = dict[str, Any]  # Any: JSON
GIFT: JSONObject = {
    "journey": "gift",
    "triggers": [{"type": "event", "event": "Go"}],
    "reentry": {"policy": "always"},
    "start": "code",
    "nodes": {"code": {"type": "coupon", "pool": "spring"}},
}


@pytest.fixture
def gift_shop(shop: Shop) -> Shop:
    """A shop with a pool ``spring``, whose codes are uploaded, ``old``, generated, and ``short``, listed."""
    shop.publish(
        GIFT,
        {"coupon_pool": "spring", "codes": "uploaded", "reuse": "never", "valid_for": "1d"},
        {"coupon_pool": "old", "codes": "generated"},
        {"coupon_pool": "short", "codes": ["A", "B"]},
    )
    return shop


def upload(shop: Shop, *codes: object, pool: str = "spring") -> JSONObject:
    answer = shop.client("admin").post(f"/v1/coupons/{pool}", json={"codes": codes})
    assert answer.status_code == 200, answer.text
    found: JSONObject = answer.json()
    return found


def show(shop: Shop, pool: str = "spring", **parameters: object) -> JSONObject:
    found: JSONObject = shop.client("read").get(f"/v1/coupons/{pool}", params=parameters).json()
    return found


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_who_publishes_a_pool_without_codes_is_told(gift_shop: Shop, verb: str) -> None:
    pools = [{"coupon_pool": "spring", "codes": "uploaded"}, {"coupon_pool": "old", "codes": "generated"}]

    def told() -> list[str]:
        answer = gift_shop.client("admin").post(f"/v1/documents:{verb}", json={"documents": pools}).json()
        notes: list[str] = answer["notes"]
        return notes

    (before,) = told()
    upload(gift_shop, "S-1")

    assert before.startswith("coupon pool spring has no codes: whoever comes to it gets none; ")
    assert told() == []


def test_what_is_uploaded_can_be_given(gift_shop: Shop) -> None:
    assert upload(gift_shop, "S-1", "S-2", "S-3") == {
        "imported": 3,
        "duplicates": 0,
        "rejected": 0,
        "rejected_lines": [],
        "left": 3,
    }

    gift_shop.track("ann", "Go")
    gift_shop.track("ann", "Coupon Redeemed", code="S-1")

    pool = show(gift_shop)
    assert {name: pool[name] for name in ("pool", "codes", "given", "redeemed", "left")} == {
        "pool": "spring",
        "codes": "uploaded",
        "given": 1,
        "redeemed": 1,
        "left": 2,
    }
    (code,) = pool["items"]
    assert {**code, "run": ""} == {
        "code": "S-1",
        "state": "redeemed",
        "contact": "ann",
        "journey": "gift",
        "run": "",
        "given_at": "2026-03-02T10:00:00.000000Z",
        "expires_at": "2026-03-03T23:59:59+00:00",
        "redeemed_at": "2026-03-02T10:00:00.000000Z",
    }


def test_codes_come_as_csv_too(gift_shop: Shop) -> None:
    body = "campaign,Code\nx,S-1\nx,S-2\nx\nx,S-1\n"
    answer = gift_shop.client("admin").post("/v1/coupons/spring", content=body, headers={"Content-Type": "text/csv"})

    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert {name: told[name] for name in ("imported", "duplicates", "rejected", "left")} == {
        "imported": 2,
        "duplicates": 1,
        "rejected": 2,
        "left": 2,
    }
    assert [(one["line"], one["code"]) for one in told["rejected_lines"]] == [(4, "x"), (5, "S-1")]
    assert told["rejected_lines"][1]["detail"] == "comes twice: it is in line 2 too"


@pytest.mark.parametrize(("body", "status"), [(b'"S-1', 400), (b"\xff\xfe", 200), (b"", 200)])
def test_what_is_no_csv_of_codes_puts_none_into_the_pool(gift_shop: Shop, body: bytes, status: int) -> None:
    answer = gift_shop.client("admin").post("/v1/coupons/spring", content=body, headers={"Content-Type": "text/csv"})

    assert answer.status_code == status, answer.text
    assert show(gift_shop)["left"] == 0


def test_an_upload_that_is_repeated_puts_nothing_more_into_the_pool(gift_shop: Shop) -> None:
    admin, once = gift_shop.client("admin"), {"Idempotency-Key": "k-1"}
    answers = [admin.post("/v1/coupons/spring", json={"codes": ["S-1"]}, headers=once) for _ in range(2)]
    other = admin.post("/v1/coupons/spring", json={"codes": ["S-2"]}, headers=once)

    assert [(one.status_code, one.json()["imported"]) for one in answers] == [(200, 1), (200, 1)]
    assert (other.status_code, show(gift_shop)["left"]) == (409, 1)


def test_each_code_is_judged_on_its_own(gift_shop: Shop) -> None:
    upload(gift_shop, "S-1")

    answer = upload(gift_shop, "S-1", "", "S-2", "S-2", "x" * 129, " S-3", "S\n4")

    assert (answer["imported"], answer["duplicates"], answer["rejected"], answer["left"]) == (1, 2, 6, 2)
    wrong = "expected a code of 1 to 128 printable characters"
    assert [(one["line"], one["detail"]) for one in answer["rejected_lines"]] == [
        (1, "is in the pool already"),
        (2, wrong),
        (4, "comes twice: it is code 3 too"),
        (5, wrong),
        (6, wrong),
        (7, wrong),
    ]


def test_an_upload_can_be_repeated(gift_shop: Shop) -> None:
    upload(gift_shop, "S-1", "S-2")
    gift_shop.track("ann", "Go")

    again = upload(gift_shop, "S-1", "S-2")

    assert (again["imported"], again["duplicates"], again["left"]) == (0, 2, 1)


def test_codes_are_listed_page_by_page(gift_shop: Shop) -> None:
    names = [f"S-{number}" for number in range(7)]
    upload(gift_shop, *names)
    for contact in ("ann", "bob", "cid"):
        gift_shop.track(contact, "Go")
    gift_shop.track("bob", "Coupon Redeemed", code="S-1")

    def listed(state: str) -> list[str]:
        found, cursor = [], None
        while True:
            page = show(gift_shop, state=state, limit=2, **({} if cursor is None else {"cursor": cursor}))
            found += [one["code"] for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    assert sorted(listed("given")) == ["S-0", "S-1", "S-2"]
    assert listed("redeemed") == ["S-1"]
    assert listed("left") == ["S-3", "S-4", "S-5", "S-6"]


def test_generated_codes_are_never_few_and_listed_ones_are_there_from_publishing(gift_shop: Shop) -> None:
    assert (show(gift_shop, "old")["codes"], show(gift_shop, "old")["left"]) == ("generated", None)
    assert (show(gift_shop, "short")["codes"], show(gift_shop, "short")["left"]) == ("listed", 2)


@pytest.mark.parametrize(("pool", "status"), [("old", 409), ("short", 409), ("none", 404)])
def test_only_a_pool_that_says_so_takes_uploads(gift_shop: Shop, pool: str, status: int) -> None:
    answer = gift_shop.client("admin").post(f"/v1/coupons/{pool}", json={"codes": ["A"]})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"A\nB\n", "text/plain", 415),
        (b"{broken", "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"codes": "A"}', "application/json", 422),
        (b'{"codes": [1]}', "application/json", 422),
        (b'{"codes": [], "more": 1}', "application/json", 422),
    ],
)
def test_what_is_no_list_of_codes_is_refused_as_a_whole(
    gift_shop: Shop, content: bytes, media_type: str, status: int
) -> None:
    answer = gift_shop.client("admin").post("/v1/coupons/spring", content=content, headers={"Content-Type": media_type})

    assert answer.status_code in (status, 400), answer.text
    assert show(gift_shop)["left"] == 0


def test_a_body_that_is_too_large_is_not_read(gift_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileRequest, "bytes_max", 10)

    answer = gift_shop.client("admin").post("/v1/coupons/spring", json={"codes": ["A", "B"]})

    assert answer.status_code == 413


def test_uploads_take_an_admin_key(gift_shop: Shop) -> None:
    assert gift_shop.client("write").post("/v1/coupons/spring", json={"codes": ["A"]}).status_code == 403
    assert gift_shop.client("read").post("/v1/coupons/spring", json={"codes": ["A"]}).status_code == 403
    assert gift_shop.visitor().get("/v1/coupons/spring").status_code == 401
