"""The links that a mail goes out with: tracked, and saying where a visitor came from."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from journeyflow.core.contact import Contact
from journeyflow.core.journey import Journey
from journeyflow.core.survey import Choice, Survey
from journeyflow.core.template import Template
from journeyflow.core.workspace import Sender, Tracking, Utm, Workspace
from journeyflow.rendering.message import RenderedEmail
from journeyflow.services.message_links import (
    MessageLinks,
    Passage,
    finished,
    known_instant,
    tracking_of,
    with_query,
)
from journeyflow.services.tokens import Purpose, Signer

SIGNER = Signer(b"secret")
LINKS = MessageLinks(SIGNER, "https://mail.shop.example", Passage("ann", "m-1", "welcome", "hello", "offers"))
SENDER = Sender(email="hello@news.shop.example")
SURVEY = Survey(survey="taste", question="Tea?", choices=(Choice(id="tea", label="Tea"),))
NO = Tracking(opens=False, clicks=False)
ONLY_CLICKS = Tracking(opens=False, clicks=True)
NO_OPENS = Tracking(opens=False)


def mail(html: str, text: str = "") -> RenderedEmail:
    return RenderedEmail("S", "", html, text)


def link(url: str, workspace: Workspace, tracking: Tracking = NO) -> str:
    """Where a link to ``url`` leads in the mail that goes out."""
    html = finished(mail(f'<a href="{url}">x</a>'), LINKS, workspace, tracking, {}).html
    found = re.search(r'href="([^"]*)"', html)
    assert found is not None
    return found[1].replace("&amp;", "&")


def utm(*domains: str, sender: Sender | None = SENDER) -> Workspace:
    return Workspace(workspace="shop", sender=sender, utm=Utm(source="jf", medium="email", domains=domains))


SHOP = Workspace(workspace="shop", sender=SENDER)
ADDED = "utm_source=jf&utm_medium=email&utm_campaign=welcome&utm_content=hello"


# --- tracking --------------------------------------------------------------------------------------------------------


def test_a_click_is_signed_with_where_it_leads_and_of_which_message_it_is() -> None:
    tracked = link("https://shop.example/tea?size=2", SHOP, ONLY_CLICKS)

    token = tracked.removeprefix("https://mail.shop.example/t/c/")
    assert SIGNER.read("click", token) == {"c": "ann", "m": "m-1", "u": "https://shop.example/tea?size=2"}


def test_links_in_the_text_are_tracked_too() -> None:
    text = finished(mail("", "Go: https://shop.example/tea."), LINKS, SHOP, ONLY_CLICKS, {}).text

    assert re.fullmatch(r"Go: https://mail\.shop\.example/t/c/[\w-]+\.", text)


@pytest.mark.parametrize(
    "url", ["mailto:care@shop.example", "tel:+48123", "#top", "/relative", "https://", "http://[", "ftp://a.example/x"]
)
def test_what_is_no_web_page_stays_as_it_is(url: str) -> None:
    assert link(url, utm(), ONLY_CLICKS) == url


def test_a_link_that_is_far_too_long_stays_as_it_is() -> None:
    url = f"https://shop.example/{'x' * 2_000}"

    assert link(url, utm(), ONLY_CLICKS) == url


def test_our_own_pages_are_not_tracked() -> None:
    surveys = LINKS.surveys([SURVEY])
    ((_, answer),) = surveys["taste"].answers
    own = [LINKS.unsubscribe, LINKS.preferences, answer]
    html = "".join(f'<a href="{url}">x</a>' for url in own)

    plain = mail(html, " ".join(own))
    assert finished(plain, LINKS, utm(), ONLY_CLICKS, surveys) == plain


def test_the_image_tells_of_an_open_and_of_nothing_else() -> None:
    html = finished(mail("x"), LINKS, SHOP, Tracking(clicks=False), {}).html

    found = re.search(r"https://mail\.shop\.example/t/o/([\w-]+)\.gif", html)
    assert found is not None
    assert SIGNER.read("open", found[1]) == {"c": "ann", "m": "m-1"}


def test_without_tracking_and_utm_a_mail_goes_out_as_it_is() -> None:
    plain = mail('<a href="https://shop.example">x</a>', "https://shop.example")

    assert finished(plain, LINKS, SHOP, NO, {}) == plain


def test_the_template_decides_about_tracking_else_the_journey_else_the_workspace() -> None:
    nodes = {"stop": {"type": "end"}}
    journey = Journey.model_validate(
        {"journey": "j", "start": "stop", "nodes": nodes, "tracking": {"opens": False, "clicks": False}}
    )
    plain = Template(template="t", subject="S", body="x")
    own = Template(template="t", subject="S", body="x", tracking=ONLY_CLICKS)
    ann, shy = Contact("ann"), Contact("shy", attributes={"tracking": False})

    assert tracking_of(SHOP, None, plain, ann) == Tracking(opens=True, clicks=True)
    assert tracking_of(SHOP, journey, plain, ann) == NO
    assert tracking_of(SHOP, journey, own, ann) == ONLY_CLICKS
    assert tracking_of(SHOP, None, plain.model_copy(update={"tracking": NO_OPENS}), ann) == ONLY_CLICKS, "each its word"
    assert tracking_of(SHOP, journey, own, shy) == NO, "a contact's word goes before everything"


# --- utm -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://shop.example", f"https://shop.example?{ADDED}"),
        ("https://shop.example/tea?size=2#reviews", f"https://shop.example/tea?size=2&{ADDED}#reviews"),
        (
            "https://shop.example/?utm_campaign=spring&utm_content=",
            "https://shop.example/?utm_campaign=spring&utm_content=&utm_source=jf&utm_medium=email",
        ),
        ("https://news.shop.example/a", f"https://news.shop.example/a?{ADDED}"),
        ("https://blog.news.shop.example/a", f"https://blog.news.shop.example/a?{ADDED}"),
        ("https://elsewhere.example/a", "https://elsewhere.example/a"),
        ("https://notshop.example/a", "https://notshop.example/a"),
    ],
)
def test_links_to_the_shops_pages_say_where_a_visitor_came_from(url: str, wanted: str) -> None:
    assert link(url, utm()) == wanted


def test_the_shop_may_name_its_domains() -> None:
    workspace = utm("tea.example")

    assert link("https://www.tea.example/a", workspace) == f"https://www.tea.example/a?{ADDED}"
    assert link("https://shop.example/a", workspace) == "https://shop.example/a"


def test_without_a_sender_every_page_is_the_shops() -> None:
    assert link("https://any.example/a", utm(sender=None)) == f"https://any.example/a?{ADDED}"


def test_a_tracked_link_keeps_apart_what_was_added() -> None:
    token = link("https://shop.example/tea", utm(), ONLY_CLICKS).rpartition("/")[2]

    data = SIGNER.read("click", token)
    assert (data["u"], data["q"]) == ("https://shop.example/tea", ADDED)
    assert with_query(str(data["u"]), str(data["q"])) == f"https://shop.example/tea?{ADDED}"


def test_tracked_links_say_when_their_message_was_queued_where_that_is_known() -> None:
    links = replace(LINKS, passage=LINKS.passage._replace(queued_at=1_772_445_600_000_000))

    for url in (links.click("https://shop.example/", ""), links.image.removesuffix(".gif")):
        purpose: Purpose = "click" if "/t/c/" in url else "open"
        assert known_instant(SIGNER.read(purpose, url.rpartition("/")[2])) == 1_772_445_600_000_000
    assert known_instant({"c": "ann", "m": "m-1"}) is None
