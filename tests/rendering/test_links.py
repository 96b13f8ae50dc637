"""Links of a mail that is filled in."""

from __future__ import annotations

import pytest

from journeyflow.rendering.links import with_html_links, with_image, with_text_links


def louder(url: str) -> str:
    return f"{url}!" if url.startswith("http") else url


@pytest.mark.parametrize(
    ("html", "changed"),
    [
        ('<a href="https://a.example">x</a>', '<a href="https://a.example!">x</a>'),
        ("<a class=b href='https://a.example' id=c>x</a>", '<a class=b href="https://a.example!" id=c>x</a>'),
        ("<A HREF=https://a.example>x</A>", '<A HREF="https://a.example!">x</A>'),
        ('<a title="a > b" href="https://a?x=1&amp;y=2">', '<a title="a > b" href="https://a?x=1&amp;y=2!">'),
        ('<area shape="rect" href="https://a.example">', '<area shape="rect" href="https://a.example!">'),
        ('<!--[if mso]><v:roundrect href="https://a"><![endif]-->', '<!--[if mso]><v:roundrect href="https://a!"><![endif]-->'),
        ('<a href="https://a.example"><b>1</b></a><a href="https://b">', '<a href="https://a.example!"><b>1</b></a><a href="https://b!">'),
    ],
)  # fmt: skip
def test_every_link_of_html_is_changed(html: str, changed: str) -> None:
    assert with_html_links(html, louder) == changed


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:hello@shop.example">x</a>',
        '<a href="#top">x</a>',
        '<a name="x">x</a>',
        '<link href="https://a.example">',
        '<img src="https://a.example">',
        '<abbr data-href="https://a.example">',
        '<a data-href="https://a.example">',
        "<p>https://a.example href=\"https://b.example\"</p>",
        "<a href='mailto:a@b.example?subject=it&#39;s'>x</a>",
    ],
)  # fmt: skip
def test_nothing_else_is_touched(html: str) -> None:
    assert with_html_links(html, louder) == html


def test_an_address_in_a_text_ends_before_the_sign_after_it() -> None:
    text = "See https://a.example/x?y=1, or <https://b.example> (https://c.example). mailto:d@e.example"

    assert with_text_links(text, louder) == (
        "See https://a.example/x?y=1!, or <https://b.example!> (https://c.example!). mailto:d@e.example"
    )


def test_the_image_stands_at_the_end_of_the_body() -> None:
    assert with_image("<body>x</body></html>", "https://i?a&b").startswith('<body>x<img src="https://i?a&amp;b"')
    assert with_image("x", "https://i").startswith('x<img src="https://i" width="1" height="1" alt=""')
