"""Reading markup without changing it: the pieces, Liquid's places, style sheets written into elements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyflow.core.errors import TemplateError
from journeyflow.rendering.inline_css import inline_css
from journeyflow.rendering.markup import pieces
from journeyflow.rendering.tokens import Protected, tokens_in


@given(st.text(alphabet="<>/!-=\"' abp\n", max_size=60) | st.text(max_size=60))
def test_the_pieces_joined_are_the_text(source: str) -> None:
    assert "".join(piece.source for piece in pieces(source)) == source


def test_tags_texts_comments_and_raw_text_are_told_apart() -> None:
    source = '<!doctype html><P class="a>b">1 < 2<br/><!-- <i> --><style>a > b {}</style></p>'

    assert [(piece.kind, piece.name, piece.source) for piece in pieces(source)] == [
        ("comment", "", "<!doctype html>"),
        ("open", "p", '<P class="a>b">'),
        ("text", "", "1 "),
        ("text", "", "< 2"),
        ("open", "br", "<br/>"),
        ("comment", "", "<!-- <i> -->"),
        ("open", "style", "<style>"),
        ("raw", "style", "a > b {}"),
        ("close", "style", "</style>"),
        ("close", "p", "</p>"),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("href", "/?a=1&b=\"2\""), ("title", "it's"), ("width", "5"), ("disabled", ""), ("class", None), ("a", None)],
)  # fmt: skip
def test_attributes_are_read_in_whatever_quotes(name: str, value: str | None) -> None:
    (piece,) = pieces("""<a HREF='/?a=1&amp;b="2"' title="it's" width=5 disabled>""")

    assert piece.attribute(name) == value


def test_liquid_is_found_with_what_it_encloses() -> None:
    comment = "{%- comment -%}{% comment %}{{ c }}{% endcomment %}{% endcomment %}"
    source = "{{ a }}{% raw %}{{ b }}{% endraw %}" + comment + "{% if d %}"

    assert [token.text for token in tokens_in(source)] == [
        "{{ a }}",
        "{% raw %}{{ b }}{% endraw %}",
        comment,
        "{% if d %}",
    ]


def test_hidden_liquid_comes_back_as_it_was() -> None:
    source = "a {{ b | append: '<' }} jfq0z {% if c < d %}{% raw %}{{ e }}{% endraw %}{% endif %}"
    protected = Protected(source)

    assert "{" not in protected.text
    assert "<" not in protected.text
    assert protected.restore(protected.text) == source


def test_comments_vanish_but_their_lines_stay() -> None:
    protected = Protected("a{% comment %}\n\n{{ x }}{% endcomment %}{% # note %}b")

    assert protected.text == "a\n\nb"


def test_styles_are_written_into_the_elements_they_speak_of() -> None:
    sheet = "<style>p { color: red } .b { margin: 0 } p:hover { color: blue }</style>"

    assert inline_css(f"{sheet}<p>a</p><p class=b style='color: green'>b</p>").split("</style>")[1] == (
        '<p style="color: red;">a</p><p class=b style="margin: 0;color: green">b</p>'
    )


def test_what_is_not_styled_stays_to_the_letter() -> None:
    table = "<TABLE>jfq1z<tr><td {x} >a</tr>jfq2z</TABLE><p>unclosed<td>stray</td>&nbsp;<br/>"

    assert inline_css(table) == table
    assert inline_css(f"<style>b {{ color: red }}</style>{table}") == f"<style>b {{ color: red }}</style>{table}"


def test_a_word_that_hides_liquid_may_be_a_style() -> None:
    assert inline_css("<p>a</p>", "p { color: jfq1z }") == '<p style="color: jfq1z;">a</p>'


def test_quotes_in_a_style_do_not_end_the_attribute() -> None:
    styled = inline_css("<p>a</p>", "p { font-family: \"A B\", 'C D' }")

    (piece, *_) = pieces(styled)
    assert piece.attribute("style") == "font-family: 'A B', 'C D';"


@pytest.mark.parametrize(
    "css", ["p { color", "}}}} {", "@import url(http://127.0.0.1:1/a.css); p { color: red }", "p{{{{"]
)
def test_a_broken_style_sheet_harms_nothing(css: str) -> None:
    assert "a</p>" in inline_css(f"<link rel='stylesheet' href='http://127.0.0.1:1/b.css'><style>{css}</style><p>a</p>")


def test_an_unclosed_tag_names_its_line() -> None:
    with pytest.raises(TemplateError, match="line 3"):
        list(tokens_in("a\nb\n{% if"))
