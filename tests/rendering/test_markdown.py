"""Markdown bodies: what a marketer writes without knowing HTML."""

from __future__ import annotations

import re

from journeyflow.core.values import JSON
from journeyflow.rendering.liquid import Liquid
from journeyflow.rendering.message import NO_FOOTER, RenderedEmail, compile_email

LIQUID = Liquid()


def rendered(body: str, **values: JSON) -> RenderedEmail:
    mail = compile_email(LIQUID, subject="s", preheader=None, body=body, format="markdown", text=None)
    return mail.render(values, NO_FOOTER)


def content(html: str) -> str:
    """What stands in the card, without styles."""
    inside = html.rpartition('class="card">')[2].partition("</td></tr></table>\n<!--[if mso]>")[0]
    return re.sub(r' style="[^"]*"', "", inside).strip()


def test_markdown_becomes_a_styled_document() -> None:
    html = rendered("# Hello\n\nSome **bold** text.").html

    assert html.startswith("<!DOCTYPE html>")
    assert content(html) == "<h1>Hello</h1>\n<p>Some <strong>bold</strong> text.</p>"
    assert re.search(r'<h1 style="[^"]*font-size: 26px', html)
    assert "prefers-color-scheme: dark" in html
    assert "<img" not in html


def test_liquid_is_filled_in_and_escaped() -> None:
    html = rendered("Hi **{{ name }}** _{{ name }}_ {% if 1 < 2 %}a*b{% endif %}", name="A_b_ <i>").html

    assert content(html) == "<p>Hi <strong>A_b_ &lt;i&gt;</strong> <em>A_b_ &lt;i&gt;</em> a*b</p>"


def test_links_may_hold_liquid() -> None:
    html = rendered('[Shop]({{ url }} "{{ name }}")', url="https://s.example/?a=1&b=2", name="T").html

    assert content(html) == '<p><a href="https://s.example/?a=1&amp;b=2" title="T">Shop</a></p>'


def test_tags_on_lines_of_their_own_make_no_paragraphs() -> None:
    body = "One\n{% if vip %}\n    Two\n{% else %}\nThree\n{% endif %}\nFour"

    assert re.findall(r"<p>(.*?)</p>", content(rendered(body, vip=True).html)) == ["One", "Two", "Four"]
    assert re.findall(r"<p>(.*?)</p>", content(rendered(body).html)) == ["One", "Three", "Four"]
    assert rendered(body).text == "One\n\nThree\n\nFour\n"


def test_a_loop_around_items_makes_one_list() -> None:
    body = "Yours:\n\n{% for p in items %}\n- {{ p }}\n{% endfor %}\n\nBye"
    mail = rendered(body, items=["tea", "cup"])

    assert content(mail.html).count("<ul>") == 1
    assert re.findall(r"<li>(.*?)</li>", content(mail.html)) == ["tea", "cup"]
    assert mail.text == "Yours:\n\n- tea\n- cup\n\nBye\n"


def test_a_branch_around_a_list_keeps_the_list_inside() -> None:
    body = "{% if show %}\n- a\n- b\n{% endif %}"

    assert "<ul>" not in content(rendered(body).html)
    assert content(rendered(body, show=True).html).count("<li>") == 2


def test_a_loop_around_rows_makes_one_table() -> None:
    rows = "{% for p in items %}\n| {{ p.name }} | {{ p.price | money: 'GBP' }} |\n{% endfor %}"
    body = f"| Item | Price |\n|---|--:|\n{rows}\n\nBye"
    mail = rendered(body, items=[{"name": "tea", "price": 3}, {"name": "cup", "price": 12.5}])

    assert content(mail.html).count("<table>") == 1
    assert re.findall(r"<td>(.*?)</td>", content(mail.html)) == ["tea", "£3.00", "cup", "£12.50"]
    assert mail.text == "Item Price\ntea £3.00\ncup £12.50\n\nBye\n"


def test_a_row_that_shows_something_stays_a_row() -> None:
    html = content(rendered("| a |\n|---|\n{{ x }}\n{% assign y = 1 %}", x="y").html)

    assert re.findall(r"<td>(.*?)</td>", html) == ["y"]


def test_a_bold_link_alone_is_a_button() -> None:
    mail = rendered(
        "**[Back to your basket]({{ url }})**\n\nnot **[this](https://s.example)** one", url="https://s.example/b"
    )

    assert mail.html.count('<td style="border-radius: 6px') == 1
    assert mail.text == ("Back to your basket <https://s.example/b>\n\nnot this <https://s.example> one\n")


def test_html_in_markdown_is_kept() -> None:
    assert '<span class="x">y</span>' in content(rendered('a <span class="x">y</span>').html)
