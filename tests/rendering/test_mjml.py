"""MJML with Liquid in it: in texts, in attributes, between elements, and where it can't stand."""

from __future__ import annotations

import re

import pytest

from journeyflow.core.errors import TemplateError
from journeyflow.core.values import JSON
from journeyflow.rendering.liquid import Liquid
from journeyflow.rendering.message import NO_FOOTER, CompiledEmail, RenderedEmail, compile_email

LIQUID = Liquid()


def compiled(body: str) -> CompiledEmail:
    return compile_email(LIQUID, subject="s", preheader=None, body=body, format="mjml", text=None)


def rendered(body: str, **values: JSON) -> RenderedEmail:
    return compiled(body).render(values, NO_FOOTER)


def column(inner: str) -> str:
    return f"<mjml><mj-body><mj-section><mj-column>{inner}</mj-column></mj-section></mj-body></mjml>"


COLUMN = "<mj-column><mj-text>HERE</mj-text></mj-column>"
SECTION = f"<mj-section>{COLUMN}</mj-section>"
IN_SOCIAL = "{% if x %}<mj-social-element name='x'>x</mj-social-element>{% endif %}"


def error(body: str) -> str:
    with pytest.raises(TemplateError) as caught:
        compiled(body)
    return str(caught.value)


def test_liquid_in_texts_and_attributes_is_filled_in() -> None:
    mail = rendered(
        column(
            '<mj-text color="{% if vip %}gold{% else %}black{% endif %}">'
            "{{ name }} {% if 1 < 2 %}yes{% endif %}</mj-text>"
            "<mj-button href='{{ url | append: \"?a\" }}'>Go to {{ shop }}</mj-button>"
            '<mj-image src="{{ image }}" alt="{{ name }}" width="100px" />'
        ),
        name="Ann <3", vip=True, url="https://s.example/", shop="T&C", image="https://s.example/i.png",
    )  # fmt: skip

    assert "color:gold;" in mail.html
    assert ">Ann &lt;3 yes<" in mail.html
    assert 'href="https://s.example/?a"' in mail.html
    assert "Go to T&amp;C" in mail.html
    assert 'src="https://s.example/i.png"' in mail.html
    assert "{" not in re.sub(r"<style.*?</style>", "", mail.html, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("around", "inner"),
    [
        ("<mjml><mj-body>{}</mj-body></mjml>", SECTION),
        ("<mjml><mj-body><mj-section>{}</mj-section></mj-body></mjml>", COLUMN),
        (column("{}<mj-text>other</mj-text>"), "<mj-text>HERE</mj-text>"),
        (column("<mj-text>other</mj-text>{}"), "<mj-text>HERE</mj-text><mj-divider />"),
        (column("<mj-table><tr><td>a</td></tr>{}</mj-table>"), "<tr><td>HERE</td></tr>"),
        (column("<mj-text><ul>{}</ul></mj-text>"), "<li>HERE</li>"),
        ("<mjml><mj-body><mj-wrapper>{}</mj-wrapper></mj-body></mjml>", SECTION),
        ("<mjml><mj-body><mj-section><mj-group>{}</mj-group></mj-section></mj-body></mjml>", COLUMN),
        ("<mjml><mj-body><mj-hero>{}</mj-hero></mj-body></mjml>", "<mj-text>HERE</mj-text>"),
    ],
    ids=["section", "column", "text", "last text", "table row", "list item", "in a wrapper", "in a group", "in a hero"],
)
def test_branches_and_loops_steer_what_stands_between_their_tags(around: str, inner: str) -> None:
    branch = around.replace("{}", f"\n{{% if show %}}\n{inner}\n{{% else %}}{{% endif %}}\n")
    loop = around.replace("{}", f"{{% for x in list %}}{inner.replace('HERE', '{{ x }}')}{{% endfor %}}")

    assert "HERE" in rendered(branch, show=True).html
    assert "HERE" in rendered(branch, show=True).text
    assert "HERE" not in rendered(branch, show=False).html
    assert "HERE" not in rendered(branch, show=False).text
    looped = rendered(loop, list=["ALPHA", "BETA", "GAMMA"])
    assert re.findall("ALPHA|BETA|GAMMA", looped.html) == ["ALPHA", "BETA", "GAMMA"]
    assert re.findall("ALPHA|BETA|GAMMA", looped.text) == ["ALPHA", "BETA", "GAMMA"]
    without_liquid = re.findall(r"</?[a-z]+", rendered(around.replace("{}", inner)).html)
    assert re.findall(r"</?[a-z]+", rendered(branch, show=True).html) == without_liquid


def test_what_is_assigned_before_the_document_or_in_its_head_is_known_in_it() -> None:
    mail = rendered(
        "{% assign a = 'one' %}\n<!-- made by hand -->\n<mjml>{% assign b = 'two' %}<mj-head>{% assign c = 'three' %}"
        "<mj-title>{{ a }}</mj-title></mj-head><mj-body><mj-section><mj-column>"
        "<mj-text>{{ a }} {{ b }} {{ c }}</mj-text></mj-column></mj-section></mj-body></mjml>{% assign d = 1 %}"
    )

    assert "one two three" in mail.html
    assert mail.text == "one two three\n"


def test_styles_may_hold_liquid_and_inline_ones_go_into_the_elements() -> None:
    mail = rendered(
        "<mjml><mj-head><mj-style>.a { color: {{ color }}; }</mj-style>"
        '<mj-style inline="inline">.a > b { color: {{ color }}; }</mj-style></mj-head>'
        '<mj-body><mj-section><mj-column><mj-text><p class="a"><b>x</b></p></mj-text></mj-column></mj-section>'
        "</mj-body></mjml>",
        color="teal",
    )

    assert ".a { color: teal; }" in mail.html
    assert '<b style="color: teal;">' in mail.html
    assert ".a > b" not in mail.html


def test_html_inside_texts_may_have_entities_and_void_tags() -> None:
    assert "a &nbsp;&rarr;<br" in rendered(column("<mj-text>a &nbsp;&rarr;<br>b<img src='x'></mj-text>")).html


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (column("<mj-text {% if x %}color='red'{% endif %}>a</mj-text>"), "stands between attributes"),
        (column("\n\n<mj-txt>a</mj-txt>"), "line 3: MJML: there is no element <mj-txt>"),
        (column("<mj-text>\n<p>a</mj-text>"), "line 2: MJML: </mj-text> closes nothing, expected </p>"),
        (column("\nHello"), "MJML: a text must stand inside <mj-text>: 'Hello'"),
        (column("<mj-include path='/etc/passwd' />"), "mj-include reads files"),
        (column(f"<mj-social>{IN_SOCIAL}</mj-social>"), "can't stand between the elements of <mj-social>"),
        ("<mjml><mj-body>", "<mj-body> is never closed"),
        ("<p>Hello</p>", "line 1: MJML: expected <mjml>, found <p>"),
        ("Hello", "a text must stand inside <mj-text>"),
        ("", "found no element"),
        ("{% comment %}\n\n{% endcomment %}<mjml>\n</mj-body>", "line 4: MJML: </mj-body> closes nothing, expected"),
        ("<mjml>\n{% if x %}</mjml>", "body: line 2: {% if %} is never closed by {% endif %}"),
    ],
)  # fmt: skip
def test_what_has_no_place_is_said_with_its_line(body: str, said: str) -> None:
    assert said in error(body)
