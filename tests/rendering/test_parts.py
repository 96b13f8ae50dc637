"""Layouts around templates, and partials inside them."""

from __future__ import annotations

import pytest

from journeyflow.core.errors import TemplateError
from journeyflow.core.template import Layout, Partial, Parts, Template
from journeyflow.core.values import JSON
from journeyflow.rendering.message import NO_FOOTER, Footer, RenderedEmail
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.rendering.survey_tag import ShownSurvey

RENDERER = LiquidRenderer()
SHOP = "<html><head><style>p { color: red }</style></head><body><h1>{{ contact.shop }}</h1>{{ content }}</body></html>"
FOOT = "<mj-section><mj-column><mj-text>Foot</mj-text></mj-column></mj-section>"
MJML = f"<mjml><mj-body>{{{{ content }}}}{FOOT}</mj-body></mjml>"


def parts(partials: dict[str, str], **layouts: str) -> Parts:
    found = {
        name: Layout(layout=name, body=body, format="mjml" if body.startswith("<mjml") else "html")
        for name, body in layouts.items()
    }
    return Parts(found, {name: Partial(partial=name, body=body) for name, body in partials.items()})


def shown(template: Template, known: Parts, **values: JSON) -> RenderedEmail:
    return RENDERER.message(template, known).render(values, NO_FOOTER)


def mail(body: str, known: Parts, **values: JSON) -> str:
    """The HTML of a template of that body."""
    return shown(Template(template="t", subject="S", body=body), known, **values).html


# --- layouts ---------------------------------------------------------------------------------------------------------


def test_a_layout_stands_around_the_body_and_its_styles_reach_into_it() -> None:
    template = Template(template="t", subject="S", body="<p>Hello {{ contact.name }}</p>", layout="shop")

    found = shown(template, parts({}, shop=SHOP), contact={"shop": "Tea & Co", "name": "Ann"})

    assert found.html.endswith('<body><h1>Tea &amp; Co</h1><p style="color: red;">Hello Ann</p></body></html>')
    assert found.text == "Tea & Co\n\nHello Ann\n"


def test_a_layout_of_mjml_takes_sections_of_mjml() -> None:
    section = "<mj-section><mj-column><mj-text>Dear {{ contact.name }}</mj-text></mj-column></mj-section>"
    template = Template(template="t", subject="S", format="mjml", body=section, layout="frame")

    found = shown(template, parts({}, frame=MJML), contact={"name": "Ann"})

    assert "mj-" not in found.html.replace("mj-column-per", "").replace("mj-outlook", "")
    assert found.text == "Dear Ann\n\nFoot\n"


@pytest.mark.parametrize("format", ["html", "markdown"])
def test_a_layout_of_mjml_takes_text_inside_a_text(format: str) -> None:
    frame = MJML.replace("{{ content }}", "").replace("Foot", "{{ content }}")
    body = "<p>Hello</p>" if format == "html" else "Hello"
    template = Template.model_validate(
        {"template": "t", "subject": "S", "format": format, "body": body, "layout": "frame"}
    )

    assert "<p>Hello</p>" in shown(template, parts({}, frame=frame)).html


def test_markdown_in_a_layout_brings_a_look_for_its_buttons_that_the_layout_may_change() -> None:
    plain = "<body>{{ content }}</body>"
    own = "<head><style>td.button { background-color: green }</style></head><body>{{ content }}</body>"
    template = Template(template="t", subject="S", format="markdown", body="**[Go](https://a.example)**", layout="one")

    assert "background-color: #1f2937" in shown(template, parts({}, one=plain)).html
    assert "background-color: green" in shown(template, parts({}, one=own)).html


def test_mjml_does_not_fit_a_layout_of_html() -> None:
    template = Template(template="t", subject="S", format="mjml", body="<mj-section></mj-section>", layout="shop")

    with pytest.raises(TemplateError, match="a body in MJML needs a layout in MJML, and shop is html"):
        RENDERER.message(template, parts({}, shop=SHOP))


@pytest.mark.parametrize(
    ("body", "found"), [("<p>no place</p>", "it stands nowhere"), ("{{ content }}\n{{content}}", "line 2")]
)
def test_a_layout_says_once_where_the_template_goes(body: str, found: str) -> None:
    assert [found in str(error) for error in RENDERER.alone(Layout(layout="shop", body=body)).errors] == [True]


def test_what_a_layout_reads_is_read_by_the_template_and_what_can_fail_there_can_fail() -> None:
    template = Template(template="t", subject="S", body="{{ trigger.total }}", layout="shop")
    harmless, failing = "{{ vars.coupon.code }}{{ content }}", "{{ 6 | divided_by: contact.n }}{{ content }}"

    quiet = RENDERER.message(template, parts({}, shop=harmless))
    assert quiet.reads == (("trigger", "total"), ("vars", "coupon", "code"))
    assert not quiet.can_fail

    loud = RENDERER.message(template, parts({}, shop=failing))
    assert loud.can_fail
    with pytest.raises(TemplateError, match=r"body: layout shop, line 1: divided_by"):
        loud.attempt({"contact": {"n": 0}})


def test_what_the_footer_shows_may_stand_in_the_layout() -> None:
    template = Template(template="t", subject="S", body="x", layout="shop")
    known = parts({}, shop='{{ content }}<a href="{{ unsubscribe_url }}">Leave</a> {{ postal_address }}')

    html = RENDERER.message(template, known).render({}, Footer("Long Street 1", "https://u.example", None)).html
    assert html == 'x<a href="https://u.example">Leave</a> Long Street 1'


# --- partials --------------------------------------------------------------------------------------------------------


def test_a_partial_stands_wherever_a_template_names_it() -> None:
    known = parts({"name": "{{ contact.name }}\n", "hello": 'Hello {% render "name" %}!\n'})
    template = Template(
        template="t",
        subject='{% render "hello" %}',
        preheader='To {% include "name" %}',
        body='<p>{% render "hello" %}</p>',
        text='{% render "hello" %} Bye',
    )

    found = shown(template, known, contact={"name": "A & B"})

    assert (found.subject, found.preheader, found.text) == ("Hello A & B!", "To A & B", "Hello A & B! Bye")
    assert "<p>Hello A &amp; B!</p>" in found.html


def test_what_is_rendered_sees_the_values_and_what_it_is_given_and_keeps_what_it_assigns() -> None:
    known = parts({"card": "[{{ title }}|{{ contact.name }}|{{ mine }}]{% assign mine = 'changed' %}"})
    body = '{% assign mine = "own" %}{% render "card", title: trigger.title %}{{ mine }}{{ title }}'

    assert mail(body, known, trigger={"title": "T"}, contact={"name": "N"}) == "[T|N|]own"


def test_what_one_partial_is_given_those_inside_it_do_not_see() -> None:
    known = parts({"outer": '{{ x }}{% render "inner" %}', "inner": "({{ x }})"})

    assert mail('{% render "outer", x: 1 %}', known) == "1()"


def test_what_is_included_shares_what_is_assigned() -> None:
    known = parts({"part": "{{ mine }}{{ given }}{% assign theirs = 'after' %}"})

    assert mail('{% assign mine = "m" %}{% include "part", given: "g" %}{{ theirs }}{{ given }}', known) == "mgafter"


def test_a_partial_is_rendered_for_each_element_of_a_list() -> None:
    known = parts({"line": "{{ forloop.index }}:{{ item.name }};", "product": "{{ product.name }},"})
    products: JSON = [{"name": "Tea"}, {"name": "Pot"}]

    assert mail('{% render "line" for trigger.list as item %}', known, trigger={"list": products}) == "1:Tea;2:Pot;"
    assert mail('{% include "product" for trigger.list %}', known, trigger={"list": products}) == "Tea,Pot,"
    assert mail('{% render "product" with trigger.one %}', known, trigger={"one": {"name": "Cup"}}) == "Cup,"


def test_a_partial_of_mjml_may_be_a_section() -> None:
    known = parts({"foot": "<mj-section><mj-column><mj-text>{{ words }}</mj-text></mj-column></mj-section>"})
    body = '<mjml><mj-body>{% render "foot", words: contact.words %}</mj-body></mjml>'
    template = Template(template="t", subject="S", format="mjml", body=body)

    assert shown(template, known, contact={"words": "Good bye"}).text == "Good bye\n"


def test_a_partial_of_markdown_may_be_paragraphs() -> None:
    known = parts({"list": "## Today\n\n- {{ contact.first }}\n- second"})
    template = Template(template="t", subject="S", format="markdown", body='Hello\n\n{% render "list" %}\n\nBye')

    assert shown(template, known, contact={"first": "tea"}).text == "Hello\n\nToday\n\n- tea\n- second\n\nBye\n"


def test_what_partials_read_is_read_by_the_template() -> None:
    known = parts({"card": "{{ item.title }}{{ contact.city }}", "deep": '{% render "card", item: trigger.first %}'})
    compiled = RENDERER.message(Template(template="t", subject="S", body='{% render "deep" %}'), known)

    assert [path for path in compiled.reads if path[0] in ("contact", "trigger")] == [
        ("contact", "city"),
        ("trigger", "first"),
    ]
    assert compiled.needs == ("partial:deep", "partial:card")


@pytest.mark.parametrize(
    ("body", "can_fail"),
    [
        ('{% render "plain" %}', False),
        ('{% for x in trigger.list limit: 3 %}{% render "plain", a: x %}{% endfor %}', False),
        ('{% render "plain" for trigger.list as a %}', True),
        ('{% include "plain" with trigger.list as a %}', True),
        ('{% render "failing" %}', True),
        ('{% for x in (1..3) %}{% render "breaking" %}{% endfor %}', True),
        ('{% for x in (1..3) %}{% include "breaking" %}{% endfor %}', False),
        ('{% render "dated" %}', True),
        ('{% render "dated", vars: trigger %}', True),
    ],
)
def test_whether_a_template_can_fail_is_known_through_its_partials(body: str, can_fail: bool) -> None:
    known = parts(
        {
            "plain": "{{ a }}",
            "failing": "{{ 1 | divided_by: contact.n }}",
            "breaking": "{% break %}",
            "dated": '{{ vars.coupon.expires_at | date: "%d" }}',
        }
    )
    assert RENDERER.message(Template(template="t", subject="S", body=body), known).can_fail is can_fail


def test_a_date_that_a_partial_is_given_under_the_name_of_a_value_is_tried() -> None:
    known = parts({"dated": '{{ vars.day | date: "%d" }}'})
    compiled = RENDERER.message(Template(template="t", subject="S", body='{% render "dated", vars: trigger %}'), known)

    with pytest.raises(TemplateError):
        compiled.attempt({"vars": {"day": "2026-03-02"}, "trigger": {"day": "soon"}})


def test_a_break_in_what_is_rendered_does_not_end_the_loop_around_it() -> None:
    compiled = RENDERER.message(
        Template(template="t", subject="S", body='{% for x in (1..3) %}{% render "out" %}{% endfor %}'),
        parts({"out": "{% break %}"}),
    )
    with pytest.raises(TemplateError, match="unexpected break"):
        compiled.attempt({})


# --- limits ----------------------------------------------------------------------------------------------------------


def test_partials_that_show_themselves_are_refused() -> None:
    known = parts({"a": 'x\n{% render "b" %}', "b": '{% include "a" %}'})

    with pytest.raises(TemplateError, match=r"body: partial a: partial b: line 1: partial a shows itself: a → b → a"):
        mail('{% render "a" %}', known)


def test_partials_are_at_most_ten_deep() -> None:
    chain = {f"p{number}": f'{{% render "p{number + 1}" %}}' for number in range(10)}

    assert mail('{% render "p0" %}', parts({**chain, "p9": "end"})) == "end"
    with pytest.raises(TemplateError, match="more than 10 deep"):
        mail('{% render "p0" %}', parts({**chain, "p10": "end"}))


def test_partials_that_double_a_text_again_and_again_are_refused_before_they_fill_the_memory() -> None:
    doubling = {f"p{number}": f'{{% render "p{number + 1}" %}}' * 30 for number in range(8)}

    with pytest.raises(TemplateError, match="over 1,000,000 characters"):
        mail('{% render "p0" %}', parts({**doubling, "p8": "0123456789"}))


def test_partials_pay_from_the_account_of_the_text() -> None:
    known = parts({"busy": "{% for x in (1..9000) %}{% endfor %}"})
    compiled = RENDERER.message(Template(template="t", subject="S", body='{% render "busy" %}' * 2), known)

    with pytest.raises(TemplateError, match="loops run more than"):
        compiled.attempt({})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<p>\n{% render "gone" %}', "body: line 2: there is no partial 'gone'"),
        ("{% render contact.part %}", "body: line 1: expected the id of a partial in quotes"),
        ('{% liquid\n render "a" %}', "body: line 1: render can't stand inside {% liquid %}"),
        ("{% endrender %}", "body: line 1"),
    ],
)
def test_a_partial_that_is_not_there_is_an_error_that_names_the_line(body: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        mail(body, parts({"a": "x"}))
    assert str(caught.value).startswith(message)


def test_an_error_in_a_partial_names_the_partial_and_its_line() -> None:
    with pytest.raises(TemplateError, match=r"partial foot: line 2: unknown filter 'shout'"):
        mail('{% render "foot" %}', parts({"foot": "x\n{{ contact.name | shout }}"}))


def test_texts_of_actions_have_no_partials() -> None:
    with pytest.raises(TemplateError, match="render"):
        RENDERER.text('{% render "foot" %}')


def test_only_what_a_template_uses_makes_it_compile_again() -> None:
    template = Template(template="t", subject="S", body='{% render "a" %}')
    first = RENDERER.message(template, parts({"a": "1", "other": "x"}))

    assert RENDERER.message(template, parts({"a": "1", "other": "y"})) is first
    assert RENDERER.message(template, parts({"a": "2", "other": "x"})) is not first


# --- surveys ---------------------------------------------------------------------------------------------------------

TASTE = ShownSurvey("Tea & more?", (("Yes, <please>", "https://s.example/yes?a=1&b=2"), ("No", "https://s.example/no")))


@pytest.mark.parametrize(
    ("format", "body"),
    [
        ("html", '<p>Hello</p>\n<p>{% survey "taste" %}</p>'),
        ("markdown", 'Hello\n\n{% survey "taste" %}'),
        (
            "mjml",
            "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section>"
            '{% survey "taste" %}</mj-body></mjml>',
        ),
        (
            "mjml",
            "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text>"
            '{% if true %}{% survey "taste" %}{% endif %}</mj-column></mj-section></mj-body></mjml>',
        ),
    ],
)
def test_a_survey_is_a_question_and_a_link_for_each_answer(format: str, body: str) -> None:
    template = Template.model_validate({"template": "t", "subject": "S", "format": format, "body": body})
    compiled = RENDERER.message(template, Parts())
    found = compiled.render({}, NO_FOOTER, {"taste": TASTE})

    assert compiled.surveys == ("taste",)
    assert not compiled.can_fail
    assert 'href="https://s.example/yes?a=1&amp;b=2"' in found.html
    assert "Yes, &lt;please&gt;</a>" in found.html
    assert [line for line in found.text.splitlines() if line] == [
        "Hello",
        "Tea & more?",
        "Yes, <please>: https://s.example/yes?a=1&b=2",
        "No: https://s.example/no",
    ]


def test_a_survey_in_a_partial_or_a_text_of_its_own_is_the_templates() -> None:
    known = parts({"ask": '{% survey "taste" %}'})
    template = Template(template="t", subject="S", body='{% render "ask" %}', text='{% survey "other" %}')

    assert RENDERER.message(template, known).needs == ("partial:ask", "survey:taste", "survey:other")


@pytest.mark.parametrize("body", ["{% survey taste %}", "{% survey %}", '{% survey "a" "b" %}'])
def test_a_survey_is_named_by_its_id_in_quotes(body: str) -> None:
    with pytest.raises(TemplateError, match="body: line 1"):
        mail(body, Parts())


def test_a_subject_has_no_survey() -> None:
    with pytest.raises(TemplateError, match="subject: line 1"):
        RENDERER.message(Template(template="t", subject='{% survey "taste" %}', body="x"), Parts())
