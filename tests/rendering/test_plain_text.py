"""The plain text that is made of HTML."""

from __future__ import annotations

import pytest

from journeyflow.core.values import JSON
from journeyflow.rendering.compose import Origin
from journeyflow.rendering.liquid import Kind, Liquid
from journeyflow.rendering.plain_text import text_source, tidied
from journeyflow.rendering.tokens import Protected

LIQUID = Liquid()


def text(html: str, **values: JSON) -> str:
    protected = Protected(html)
    source = text_source(protected, protected.text)
    return tidied(LIQUID.compile_composed(source, Kind.FROM_HTML, (Origin("", html),)).render(values))


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("<h1>Hello</h1>\n<p>One\n  two</p><p>three</p>", "Hello\n\nOne two\n\nthree\n"),
        ("<p>a<br>b<br/>c</p>", "a\nb\nc\n"),
        ("<p>fish &amp; chips &lt;3 caf&eacute;</p>", "fish & chips <3 café\n"),
        ("<p>1. not a list - 5 + 3 * 2 = #11_x</p>", "1. not a list - 5 + 3 * 2 = #11_x\n"),
        ('<p>Go to <a href="https://s.example/?a=1&amp;b=2">the shop</a>.</p>', "Go to the shop <https://s.example/?a=1&b=2>.\n"),
        ('<a href="https://s.example/">https://s.example/</a>', "https://s.example/\n"),
        ('<a href="mailto:a@s.example">a@s.example</a> <a href="#top">up</a>', "a@s.example up\n"),
        ('<a href="https://s.example/"><img src="x.png" alt="Our tea"></a><img src="y.png" alt="">', "Our tea <https://s.example/>\n"),
        ('<a href="https://s.example/"><img src="x.png"></a>', "<https://s.example/>\n"),
        ("<ul><li>a</li><li><p>b</p><ul><li>c</li></ul></li></ul><p>d</p>", "- a\n- b\n  - c\n\nd\n"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b\n"),
        ("<table><tr><th>Item</th><th>Price</th></tr><tr><td>Tea</td><td>3</td></tr></table>", "Item Price\nTea 3\n"),
        ("<p>a</p><hr><p>b</p>", "a\n\n--------------------\n\nb\n"),
        ("<pre>x\n  y</pre>", "x\n  y\n"),
        ("<b>bold</b> and <em>soft</em>ly", "bold and softly\n"),
        ("<head><title>t</title><style>p{}</style></head><script>s</script><p>shown</p><!-- c -->", "shown\n"),
        ('<div style="display: none">hidden <div>too</div> here</div><p>shown</p>', "shown\n"),
        ("", "\n"),
    ],
)  # fmt: skip
def test_html_becomes_readable_text(html: str, plain: str) -> None:
    assert text(html) == plain


def test_loops_and_branches_leave_no_holes() -> None:
    html = (
        "<p>Hi {{ name }}</p>{% if vip %}<p>Thank you</p>{% endif %}<p>Next</p>"
        "<ul>{% for p in items %}<li>{{ p }}</li>{% endfor %}</ul>"
        "<table>{% for p in items %}<tr><td>{{ p }}</td><td>1</td></tr>{% endfor %}</table>"
    )

    assert text(html, name="Ann", vip=True, items=["tea", "cup"]) == (
        "Hi Ann\n\nThank you\n\nNext\n\n- tea\n- cup\n\ntea 1\ncup 1\n"
    )
    assert text(html, name="Ann", items=[]) == "Hi Ann\n\nNext\n"


def test_numbers_are_not_repeated_in_a_looped_list() -> None:
    html = "<ol>{% for p in items %}<li>{{ p }}</li>{% endfor %}</ol>"

    assert text(html, items=["tea", "cup"]) == "- tea\n- cup\n"


def test_values_are_not_escaped_and_links_are_filled_in() -> None:
    html = '<p>{{ name }} <a href="{{ url }}">{{ name | escape }}</a> {{ banner | safe }}</p>'

    assert text(html, name="A & B", url="https://s.example/?a&b", banner="<i>x</i>") == (
        "A & B A & B <https://s.example/?a&b> x\n"
    )


def test_branches_that_begin_or_end_in_what_is_not_shown_still_count() -> None:
    html = (
        "<head>{% assign shop = 'Tea House' %}</head><!--[if mso]><table>{% if vip %}<tr><![endif]-->"
        "<p>for few</p><!--[if mso]></tr>{% endif %}</table><![endif]--><p>{{ shop }}</p>"
    )

    assert text(html) == "Tea House\n"
    assert text(html, vip=True) == "for few\n\nTea House\n"
