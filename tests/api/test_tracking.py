"""Opens and clicks: what they tell, whom they count, and where they lead."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from tests.api.shop import JOURNEY, TEMPLATE, WORKSPACE, JSONObject, Shop

BODY = (
    '<p>Hello</p><a href="https://shop.example/tea?a=1&amp;b=2">Tea</a> <a href="mailto:care@shop.example">Write</a> '
    '<a href="#top">Up</a>'
)
UTM = "utm_source=jf&utm_medium=email&utm_campaign=welcome&utm_content=hello"


@pytest.fixture
def ann(shop: Shop) -> Shop:
    """A shop that has mailed Ann."""
    shop.publish(WORKSPACE | {"utm": {"source": "jf", "medium": "email"}}, TEMPLATE | {"body": BODY}, JOURNEY)
    shop.identify("ann", email="ann@example.com")
    shop.track("ann", "Signed Up")
    return shop


def sent(shop: Shop) -> JSONObject:
    """The message, as Ann sees it."""
    reader = shop.client("read")
    listed = reader.get("/v1/messages", params={"contact": "ann"}).json()["items"][0]
    return {**listed, **reader.get(f"/v1/messages/{listed['id']}").json()}


def path(pattern: str, text: str) -> str:
    found = re.search(rf"https://shop\.example({pattern})", text)
    assert found is not None, text
    return found[1]


def click_path(shop: Shop) -> str:
    return path(r"/t/c/[\w-]+", sent(shop)["html"])


def open_path(shop: Shop) -> str:
    return path(r"/t/o/[\w-]+\.gif", sent(shop)["html"])


def told(shop: Shop, *names: str) -> list[tuple[str, JSONObject]]:
    """The engagement of Ann, oldest first."""
    shop.settle()
    found = shop.client("read").get("/v1/contacts/ann/timeline").json()["items"]
    events = [(one["event"]["name"], one["event"]["properties"]) for one in reversed(found) if one["kind"] == "event"]
    wanted = names or ("Email Opened", "Email Link Clicked")
    return [one for one in events if one[0] in wanted]


def visit(shop: Shop, where: str, method: str = "GET", **headers: str) -> httpx.Response:
    return shop.visitor().request(method, where, headers=headers)


# --- clicks ----------------------------------------------------------------------------------------------------------


def test_a_click_leads_on_and_is_told_as_an_event(ann: Shop) -> None:
    answer = visit(ann, click_path(ann))

    assert (answer.status_code, answer.headers["location"]) == (302, f"https://shop.example/tea?a=1&b=2&{UTM}")
    assert answer.headers["cache-control"].startswith("no-store")
    message = sent(ann)
    assert told(ann) == [
        (
            "Email Link Clicked",
            {
                "message": message["id"],
                "template": "hello",
                "journey": "welcome",
                "node": "mail",
                "run": message["run"],
                "machine": False,
                "url": "https://shop.example/tea?a=1&b=2",
            },
        )
    ]


def test_other_links_are_left_alone(ann: Shop) -> None:
    html, text = sent(ann)["html"], sent(ann)["text"]

    assert 'href="mailto:care@shop.example"' in html
    assert 'href="#top"' in html
    assert html.count("/t/c/") == text.count("/t/c/") == 1
    assert "https://shop.example/u/" in html
    assert "https://shop.example/p/" in html


def test_looking_at_where_a_link_leads_is_no_click(ann: Shop) -> None:
    answer = visit(ann, click_path(ann), "HEAD")

    assert (answer.status_code, answer.headers["location"][:24]) == (302, "https://shop.example/tea")
    assert visit(ann, open_path(ann), "HEAD").status_code == 200
    assert told(ann) == []


def test_rule_5_7_a_scanner_that_clicks_is_a_machine(ann: Shop) -> None:
    visit(ann, click_path(ann), **{"User-Agent": "BarracudaCentral/1.0"})
    visit(ann, open_path(ann), **{"User-Agent": "Mozilla/5.0"})

    assert [(name, given["machine"]) for name, given in told(ann)] == [
        ("Email Link Clicked", True),
        ("Email Opened", True),
    ]


def test_fetches_one_right_after_the_other_are_one_event(ann: Shop) -> None:
    for _ in range(3):
        visit(ann, click_path(ann))
        visit(ann, open_path(ann))
    assert len(told(ann)) == 2

    ann.clock.move(minutes=1)
    visit(ann, click_path(ann))
    assert len(told(ann)) == 3


@pytest.mark.parametrize("spoilt", ["x", "", "AAAA"])
def test_a_token_that_was_changed_leads_nowhere(ann: Shop, spoilt: str) -> None:
    whole = click_path(ann)
    token = whole.rpartition("/")[2]

    changed = "y" if spoilt == token[0] else spoilt  # a token may well begin so
    answer = visit(ann, f"/t/c/{changed}{token[1:]}")
    assert (answer.status_code, answer.headers["content-type"][:9]) == (404, "text/html")
    assert "location" not in answer.headers


def test_a_token_is_good_for_its_own_purpose_alone(ann: Shop) -> None:
    html = sent(ann)["html"]
    tokens = {
        "/t/c/": click_path(ann).removeprefix("/t/c/"),
        "/t/o/": open_path(ann).removeprefix("/t/o/").removesuffix(".gif"),
        "/u/": path(r"/u/[\w-]+", html).removeprefix("/u/"),
        "/p/": path(r"/p/[\w-]+", html).removeprefix("/p/"),
    }
    for place in (*tokens, "/s/"):
        for purpose, token in tokens.items():
            if purpose != place:
                end = ".gif" if place == "/t/o/" else ""
                assert visit(ann, f"{place}{token}{end}").status_code == 404, (place, purpose)


def test_a_click_of_a_contact_that_was_erased_leads_on_and_makes_nobody(ann: Shop) -> None:
    where = click_path(ann)
    ann.erase("ann")

    assert visit(ann, where).status_code == 302
    ann.settle()
    assert ann.client("read").get("/v1/contacts/ann").status_code == 404


# --- opens -----------------------------------------------------------------------------------------------------------


def test_the_image_is_an_image_that_nobody_keeps_and_an_event(ann: Shop) -> None:
    answer = visit(ann, open_path(ann))

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert answer.content.startswith(b"GIF89a")
    assert answer.headers["cache-control"].startswith("no-store")
    ((name, given),) = told(ann)
    assert (name, given["message"], given["machine"], "url" in given) == ("Email Opened", sent(ann)["id"], False, False)


# --- who decides -----------------------------------------------------------------------------------------------------

NO: JSONObject = {"opens": False, "clicks": False}


@pytest.mark.parametrize("place", ["workspace", "journey", "template"])
def test_tracking_can_be_switched_off(ann: Shop, place: str) -> None:
    own: dict[str, Any] = {
        "workspace": WORKSPACE,
        "journey": JOURNEY,
        "template": TEMPLATE | {"body": BODY},
    }  # Any: documents
    ann.publish(own[place] | {"tracking": NO})
    ann.identify("bob", email="bob@example.com")
    ann.track("bob", "Signed Up")
    newest = ann.client("read").get("/v1/messages", params={"contact": "bob"}).json()["items"][0]["id"]

    html = ann.client("read").get(f"/v1/messages/{newest}").json()["html"]
    assert "/t/" not in html
    assert "https://shop.example/tea" in html


def test_a_contact_declines_on_the_preferences_page(ann: Shop) -> None:
    where = path(r"/p/[\w-]+", sent(ann)["html"])
    page = ann.visitor().get(where).text
    assert "Let The Shop see which e-mails I open and which links I follow" in page
    assert re.search(r'name="tracking" value="yes" checked', page)

    saved = ann.visitor().post(where, data={"topic": "offers", "tracking": "asked"})
    assert not re.search(r'name="tracking" value="yes" checked', saved.text)
    ann.settle()
    assert ann.contact("ann")["attributes"]["tracking"] is False
    assert "/t/" not in sent(ann)["html"]

    ann.visitor().post(where, data={"topic": "offers", "tracking": ["asked", "yes"]})
    ann.settle()
    assert "tracking" not in ann.contact("ann")["attributes"]
    assert "/t/c/" in sent(ann)["html"]


def test_a_form_that_does_not_ask_for_tracking_changes_nothing_of_it(ann: Shop) -> None:
    where = path(r"/p/[\w-]+", sent(ann)["html"])
    ann.visitor().post(where, data={"topic": "offers"})
    ann.settle()

    assert "tracking" not in ann.contact("ann")["attributes"]


def test_a_shop_that_tracks_nothing_does_not_ask(ann: Shop) -> None:
    ann.publish(WORKSPACE | {"tracking": NO})
    where = path(r"/p/[\w-]+", sent(ann)["html"])

    assert "Privacy" not in ann.visitor().get(where).text
