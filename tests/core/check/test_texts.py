"""What templates, layouts and partials say of each other, and of surveys, and is not so."""

from __future__ import annotations

import pytest
from tests.core.world import RENDERER, read

from journeyflow.core.check.references import findings
from journeyflow.core.documents import Documents

LAYOUT = "{layout: shop, body: '<b>{{ content }}</b>'}"
PARTIAL = "{partial: foot, body: Bye}"
SURVEY = "{survey: taste, question: 'Tea?', choices: [{id: yes-please, label: 'Yes'}]}"


def found(*documents: str) -> list[tuple[str, str, str, str]]:
    """Kind and id of the document, path and code of each finding."""
    models = [model for text in documents for model in read(text)]
    return [(one.kind, one.id, one.path, one.code) for one in findings(Documents.of(models), RENDERER)]


def messages(*documents: str) -> list[str]:
    models = [model for text in documents for model in read(text)]
    return [one.message for one in findings(Documents.of(models), RENDERER)]


def test_what_is_there_may_be_named() -> None:
    template = """
template: letter
subject: '{% render "foot" %}'
layout: shop
body: '{% survey "taste" %}{% render "foot" %}'
"""
    assert found(template, LAYOUT, PARTIAL, SURVEY) == []


def test_an_unknown_layout_is_told_where_it_is_named() -> None:
    template = "{template: letter, subject: Hi, layout: shopp, body: x}"

    assert found(template, LAYOUT) == [("template", "letter", "layout", "JF012")]
    assert messages(template, LAYOUT) == ["expected the id of a layout; did you mean shop?"]


@pytest.mark.parametrize(
    ("field", "template"),
    [
        ("subject", "{template: letter, subject: '{% render \"food\" %}', body: x}"),
        ("preheader", "{template: letter, subject: x, preheader: '{% include \"food\" %}', body: x}"),
        ("body", "{template: letter, subject: x, body: '{% render \"food\" %}'}"),
        ("text", "{template: letter, subject: x, body: x, text: '{% render \"food\" %}'}"),
    ],
)
def test_an_unknown_partial_is_told_with_the_field_and_the_line(field: str, template: str) -> None:
    assert found(template, PARTIAL) == [("template", "letter", field, "JF012")]
    assert messages(template, PARTIAL) == ["line 1: expected the id of a partial; did you mean foot?"]


def test_a_layout_and_a_partial_name_partials_too() -> None:
    layout = "{layout: shop, body: '{{ content }}{% render \"gone\" %}'}"
    partial = "{partial: foot, body: '{% render \"gone\" %}'}"

    assert found(layout, partial) == [("layout", "shop", "body", "JF012"), ("partial", "foot", "body", "JF012")]


def test_an_unknown_survey_is_told() -> None:
    assert found("{template: letter, subject: x, body: '{% survey \"tast\" %}'}", SURVEY) == [
        ("template", "letter", "body", "JF012")
    ]
    assert found("{partial: ask, body: '{% survey \"tast\" %}'}", SURVEY) == [("partial", "ask", "body", "JF012")]


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ("{layout: broken, body: '{{ content }}{% if %}'}", "layout"),
        ("{layout: broken, body: 'no place'}", "layout"),
        ("{partial: broken, body: '{{ x | shout }}'}", "partial"),
        ("{partial: broken, body: '{% render x %}'}", "partial"),
    ],
)
def test_what_is_wrong_with_a_part_is_told_once_and_there(document: str, kind: str) -> None:
    use = "layout: broken, body: x" if kind == "layout" else "body: '{% render \"broken\" %}'"

    assert found(document, f"{{template: letter, subject: x, {use}}}") == [(kind, "broken", "body", "JF013")]


def test_partials_that_show_themselves_are_told() -> None:
    circle = ["{partial: a, body: '{% render \"b\" %}'}", "{partial: b, body: '{% render \"a\" %}'}"]

    assert found(*circle) == [("partial", "a", "body", "JF013"), ("partial", "b", "body", "JF013")]
    assert "a → b → a" in messages(*circle)[0]


def test_mjml_in_a_layout_of_html_is_told() -> None:
    template = "{template: letter, subject: x, format: mjml, layout: shop, body: '<mj-section></mj-section>'}"

    assert found(template, LAYOUT) == [("template", "letter", "layout", "JF013")]


def test_an_unknown_id_does_not_hide_what_is_wrong_with_liquid() -> None:
    template = """
template: letter
subject: '{{ a | nofilter }}'
layout: shopp
body: '{% if %}'
text: '{% for %}'
"""

    assert found(template) == [
        ("template", "letter", "layout", "JF012"),
        ("template", "letter", "subject", "JF013"),
        ("template", "letter", "text", "JF013"),
        ("template", "letter", "body", "JF013"),
    ]


def test_a_text_in_which_partials_can_not_be_told_does_not_hide_the_others_and_is_told_once() -> None:
    template = "{template: letter, subject: '{{ a | nofilter }}', body: '{% if %}', text: '{% render %}'}"

    assert sorted(found(template)) == [
        ("template", "letter", "body", "JF013"),
        ("template", "letter", "subject", "JF013"),
        ("template", "letter", "text", "JF013"),
    ]


def test_a_part_that_is_wrong_does_not_hide_what_is_wrong_with_a_template() -> None:
    template = "{template: letter, subject: '{{ a | nofilter }}', layout: shop, body: x}"
    layout = "{layout: shop, body: '{% if %}{{ content }}'}"

    assert ("template", "letter", "subject", "JF013") in found(template, layout)


def test_every_unknown_id_of_a_template_and_its_liquid_errors_are_told_together() -> None:
    template = """
template: letter
subject: '{% render "no-a" %}{% render "no-b" %}'
preheader: '{% survey "taste" %}'
layout: shopp
body: |
  {% survey "no-c" %}
  {% if a %}{% survey "no-d" %}{% endif %} {% render "no-a" %} {{ a | nofilter }}
text: '{% survey "no-c" %}{% include x %}'
"""

    assert sorted((path, code) for _, _, path, code in found(template, SURVEY)) == [
        *[("body", "JF012")] * 3,
        ("body", "JF013"),
        ("layout", "JF012"),
        ("preheader", "JF013"),
        *[("subject", "JF012")] * 2,
        ("text", "JF013"),
    ]
    assert "line 2: expected the id of a survey; there are taste" in messages(template, SURVEY)


def test_what_a_part_names_and_is_not_there_hides_nothing_of_the_part_nor_of_its_template() -> None:
    layout = '{layout: shop, body: \'{{ content }}{% survey "no-a" %}{% render "no-b" %}\'}'
    template = "{template: letter, subject: x, format: mjml, layout: shop, body: '<mj-section></mj-section>'}"
    asking = "{layout: shop, body: '{{ content }}{% survey \"no-a\" %}'}"

    assert found(layout) == [("layout", "shop", "body", "JF012")] * 2
    assert found(asking, template) == [("layout", "shop", "body", "JF012"), ("template", "letter", "layout", "JF013")]


def test_what_a_short_message_can_not_show_is_told_once() -> None:
    template = '{template: short, channel: sms, body: \'{% render "foot" %}{% survey "taste" %}\'}'

    assert found(template) == [("template", "short", "body", "JF013")]
