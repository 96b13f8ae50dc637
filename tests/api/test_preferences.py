"""The pages behind the links in messages: unsubscribing and preferences."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest
from tests.api.shop import WORKSPACE, Shop


@pytest.fixture
def ann(busy_shop: Shop) -> Shop:
    """A shop that has mailed Ann."""
    busy_shop.identify("ann", email="ann@example.com")
    busy_shop.track("ann", "Signed Up")
    return busy_shop


def unsubscribe_path(shop: Shop) -> str:
    """The link in the header of the mail."""
    reader = shop.client("read")
    id_ = reader.get("/v1/messages", params={"contact": "ann"}).json()["items"][0]["id"]
    header = reader.get(f"/v1/messages/{id_}").json()["headers"]["List-Unsubscribe"]
    return str(header).strip("<>").removeprefix("https://shop.example")


def preferences_path(shop: Shop) -> str:
    """The link on the page behind that."""
    found = re.search(r'href="\.\.(/p/[^"]+)"', shop.visitor().get(unsubscribe_path(shop)).text)
    assert found is not None
    return found[1]


def everything_path(shop: Shop) -> str:
    """An unsubscribe link of a mail without a topic."""
    return f"/u/{shop.installation.signer.sign('unsubscribe', {'c': 'ann', 't': None, 'm': 'm-1'})}"


def topics(shop: Shop) -> dict[str, bool]:
    shop.settle()
    found: dict[str, bool] = shop.contact("ann")["topics"]
    return found


def events(shop: Shop) -> list[tuple[str, object]]:
    shop.settle()
    found = shop.client("read").get("/v1/contacts/ann/timeline").json()["items"]
    told = [(one["event"]["name"], one["event"]["properties"]) for one in reversed(found) if one["kind"] == "event"]
    return [(name, properties) for name, properties in told if name in ("Subscribed", "Unsubscribed")]


class Boxes(HTMLParser):
    """Which boxes a page has, and whether each is checked; and what its buttons say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.checked: dict[str, bool] = {}
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "input" and given.get("name") == "topic":
            self.checked[str(given["value"])] = "checked" in given


def boxes(answer: httpx.Response) -> dict[str, bool]:
    return Boxes(answer.text).checked


# --- unsubscribing ---------------------------------------------------------------------------------------------------


def test_looking_at_the_page_changes_nothing(ann: Shop) -> None:
    answer = ann.visitor().get(unsubscribe_path(ann))

    assert answer.status_code == 200
    assert "“Offers &amp; news” from The Shop" in answer.text
    assert Boxes(answer.text).tags.count("button") == 1
    assert topics(ann) == {"offers": True, "tips": False}


def test_a_checker_of_links_finds_the_pages_and_changes_nothing(ann: Shop) -> None:
    for path in (unsubscribe_path(ann), preferences_path(ann)):
        assert ann.visitor().request("HEAD", path).status_code == 200
    assert ann.visitor().request("HEAD", "/u/nothing").status_code == 404

    assert topics(ann)["offers"] is True


def test_rule_5_8_the_button_takes_consent_away_for_the_topic_of_the_mail(ann: Shop) -> None:
    answer = ann.visitor().post(unsubscribe_path(ann))

    assert answer.status_code == 200
    assert "unsubscribed" in answer.text
    assert topics(ann) == {"offers": False, "tips": False}
    assert [(name, sorted(dict(given))) for name, given in events(ann)] == [("Unsubscribed", ["message", "topic"])]  # type: ignore[call-overload]  # a JSON object


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
        (b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n--b--", "multipart/form-data; boundary=b"),
        (b"", "text/plain"),
    ],
)
def test_one_click_of_a_mail_program_is_enough(ann: Shop, body: bytes, media_type: str) -> None:
    answer = ann.visitor().post(unsubscribe_path(ann), content=body, headers={"Content-Type": media_type})

    assert answer.status_code == 200
    assert topics(ann)["offers"] is False


def test_rule_5_8_without_a_topic_it_is_everything(ann: Shop) -> None:
    ann.visitor().post(everything_path(ann))

    assert topics(ann) == {"offers": False, "tips": False}
    assert events(ann) == [("Unsubscribed", {"message": "m-1"})]


@pytest.mark.parametrize("token", ["x", "a" * 3_000, "%00", "é", "eyJjIjoiYW5uIn0", "<script>"])
@pytest.mark.parametrize("page", ["u", "p"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_is_none_of_ours_gets_a_friendly_page(shop: Shop, method: str, page: str, token: str) -> None:
    answer = shop.visitor().request(method, f"/{page}/{token}")

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "This link does not work" in answer.text
    assert "script" not in answer.text


def test_a_link_for_one_thing_is_not_good_for_another(ann: Shop) -> None:
    token = unsubscribe_path(ann).removeprefix("/u/")

    assert ann.visitor().get(f"/p/{token}").status_code == 404


def test_somebody_who_is_not_there_any_more_is_not_made_again(shop: Shop) -> None:
    path = f"/u/{shop.installation.signer.sign('unsubscribe', {'c': 'gone', 't': None, 'm': 'm'})}"

    assert shop.visitor().post(path).status_code == 404
    shop.settle()
    assert shop.client("read").get("/v1/contacts/gone").status_code == 404


# --- preferences -----------------------------------------------------------------------------------------------------


def test_each_topic_that_can_be_chosen_has_a_box(ann: Shop) -> None:
    answer = ann.visitor().get(preferences_path(ann))

    assert boxes(answer) == {"offers": True, "tips": False}
    assert "Offers &amp; news" in answer.text
    assert events(ann) == []


def test_what_was_chosen_is_saved_as_events_of_what_changed(ann: Shop) -> None:
    answer = ann.visitor().post(preferences_path(ann), data={"topic": ["tips", "unknown"]})

    assert boxes(answer) == {"offers": False, "tips": True}
    assert events(ann) == [("Unsubscribed", {"topic": "offers"}), ("Subscribed", {"topic": "tips"})]
    assert topics(ann) == {"offers": False, "tips": True}


def test_saving_what_holds_already_is_no_event(ann: Shop) -> None:
    ann.visitor().post(preferences_path(ann), data={"topic": "offers"})

    assert events(ann) == []


def test_everything_can_be_switched_off_and_on_again(ann: Shop) -> None:
    path = preferences_path(ann)

    off = ann.visitor().post(path, data={"topic": "offers", "everything": "off"})
    assert boxes(off) == {"offers": False, "tips": False}
    assert topics(ann) == {"offers": False, "tips": False}
    assert boxes(ann.visitor().get(path)) == {"offers": False, "tips": False}

    on = ann.visitor().post(path, data={"topic": "tips"})
    assert boxes(on) == {"offers": False, "tips": True}
    assert topics(ann) == {"offers": False, "tips": True}
    assert [name for name, _ in events(ann)] == ["Unsubscribed", "Subscribed", "Unsubscribed", "Subscribed"]


def test_a_workspace_without_topics_offers_all_or_nothing(ann: Shop) -> None:
    path = preferences_path(ann)
    nodes = {"label": {"type": "tag", "add": ["x"]}}
    ann.publish(
        {key: value for key, value in WORKSPACE.items() if key != "topics"},
        {"journey": "welcome", "start": "label", "nodes": nodes},
    )

    assert "Unsubscribe from everything" in ann.visitor().get(path).text
    assert "Subscribe again" in ann.visitor().post(path, data={"everything": "off"}).text
    ann.settle()
    assert "Unsubscribe from everything" in ann.visitor().post(path, data={"everything": "on"}).text
    assert events(ann) == [("Unsubscribed", {}), ("Subscribed", {})]


def test_a_form_that_is_far_too_long_is_refused_with_a_page(ann: Shop) -> None:
    answer = ann.visitor().post(preferences_path(ann), content=b"topic=x&" * 100_000)

    assert (answer.status_code, answer.headers["content-type"][:9]) == (413, "text/html")


# --- the pages themselves --------------------------------------------------------------------------------------------


def test_the_pages_load_nothing_and_tell_nobody_their_address(ann: Shop) -> None:
    for path in (unsubscribe_path(ann), preferences_path(ann)):
        answer = ann.visitor().get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "src=" not in answer.text
        assert '<html lang="en">' in answer.text
        assert "viewport" in answer.text
        assert {"script", "img", "link"}.isdisjoint(Boxes(answer.text).tags)


def test_names_are_escaped(ann: Shop) -> None:
    topics_given = [{"id": "offers", "name": "<script>alert(1)</script>"}]
    ann.publish(WORKSPACE | {"name": "<b>Shop</b>", "topics": topics_given})

    for path in (unsubscribe_path(ann), preferences_path(ann)):
        text = ann.visitor().get(path).text
        assert "<script>" not in text
        assert "<b>" not in text
        assert "&lt;script&gt;" in text
