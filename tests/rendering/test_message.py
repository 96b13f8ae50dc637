"""A whole mail: its parts, the preheader, the footer that the law wants, and what may not get into a header."""

from __future__ import annotations

import pytest

from journeyflow.core.errors import TemplateError
from journeyflow.core.template import NO_PARTS, Template
from journeyflow.core.values import JSON
from journeyflow.core.view import Renderer
from journeyflow.rendering.liquid import Liquid
from journeyflow.rendering.message import (
    NO_FOOTER,
    SUBJECT_LENGTH_MAX,
    CompiledEmail,
    Footer,
    Format,
    RenderedEmail,
    compile_email,
)
from journeyflow.rendering.renderer import LiquidRenderer

LIQUID = Liquid()
FOOTER = Footer("Long Street 1\nGdańsk", "https://j.example/u/tok?a=1&b=2", "https://j.example/p/tok")
PAGE = "<!doctype html><html><head><title>x</title></head><body class='a'><p>Hello</p></body></html>"


def compiled(
    *,
    subject: str = "s",
    preheader: str | None = None,
    body: str = PAGE,
    format: Format = "html",
    text: str | None = None,
) -> CompiledEmail:
    return compile_email(LIQUID, subject=subject, preheader=preheader, body=body, format=format, text=text)


def rendered(mail: CompiledEmail, footer: Footer = NO_FOOTER, **values: JSON) -> RenderedEmail:
    return mail.render(values, footer)


def test_an_html_body_is_sent_as_it_is() -> None:
    cell = "<td {% if x %}class=a{% else %}class=b{% endif %}>{{ x }}"
    odd = "<table>{% for x in l %}<tr>" + cell + "</tr>{% endfor %}</table>\n<p>open"

    assert rendered(compiled(body=odd), l=[1]).html == "<table><tr><td class=a>1</tr></table>\n<p>open"


def test_style_sheets_are_written_into_an_html_body_and_stay() -> None:
    sheet = "<style>td { color: {{ color }} }</style>"
    mail = compiled(body=f"{sheet}<table>{{% for x in l %}}<tr><td>{{{{ x }}}}</td></tr>{{% endfor %}}</table>")

    assert rendered(mail, l=[1, 2], color="teal").html == (
        "<style>td { color: teal }</style><table>"
        '<tr><td style="color: teal;">1</td></tr><tr><td style="color: teal;">2</td></tr></table>'
    )


def test_the_subject_is_one_line_whatever_is_filled_in() -> None:
    mail = compiled(subject="Hi {{ name }}\n", preheader="For\n{{ name }}")

    shown = rendered(mail, name="Ann\r\nBcc: victim@example.com\x00\u2028\x85<b>")

    assert shown.subject == "Hi Ann Bcc: victim@example.com <b>"
    assert shown.preheader == "For Ann Bcc: victim@example.com <b>"


def test_a_long_subject_is_cut() -> None:
    subject = rendered(compiled(subject="{{ name }}"), name="x" * 1_000).subject

    assert len(subject) == SUBJECT_LENGTH_MAX
    assert subject.endswith("x…")


def test_the_preheader_is_hidden_at_the_top_of_the_body_and_not_in_the_text() -> None:
    mail = rendered(compiled(preheader="Save 10% & {{ more }}"), more="<more>")

    start = mail.html.index("<body class='a'>") + len("<body class='a'>")
    assert mail.html[start:].startswith('<div style="display:none')
    assert ">Save 10% &amp; &lt;more&gt;&#" in mail.html
    assert mail.text == "Hello\n"


@pytest.mark.parametrize(
    ("body", "before"),
    [("<p>x</p>", ""), ("<html><head></head><p>x</p>", "<html><head></head>"), ("<html><p>x</p>", "<html>")],
)
def test_a_body_without_a_body_tag_gets_its_preheader_too(body: str, before: str) -> None:
    assert rendered(compiled(body=body, preheader="p")).html.startswith(f'{before}<div style="display:none')


def test_rule_5_6_marketing_mail_shows_address_unsubscribe_and_preferences() -> None:
    mail = rendered(compiled(), FOOTER)

    before, _, after = mail.html.partition("</body>")
    assert after == "</html>"
    assert "Long Street 1<br>Gdańsk" in before
    assert 'href="https://j.example/u/tok?a=1&amp;b=2"' in before
    assert 'href="https://j.example/p/tok"' in before
    assert mail.text == (
        "Hello\n\n--------------------\nLong Street 1\nGdańsk\n"
        "Unsubscribe: https://j.example/u/tok?a=1&b=2\nPreferences: https://j.example/p/tok\n"
    )


def test_what_a_template_shows_itself_is_not_repeated() -> None:
    leave = "<a href='{{ unsubscribe_url }}'>Leave</a>"
    body = "<p>{{ postal_address }} " + leave + " <a href='{{ preferences_url }}'>Choose</a></p>"
    mail = rendered(compiled(body=body), FOOTER)

    assert mail.html.count("https://j.example/") == 2
    assert mail.html.endswith("Choose</a></p>")
    assert mail.text.endswith("Leave <https://j.example/u/tok?a=1&b=2> Choose <https://j.example/p/tok>\n")


def test_a_link_in_a_branch_that_was_not_taken_does_not_count() -> None:
    body = "{% if vip %}<a href='{{ unsubscribe_url }}'>Leave</a>{% endif %}"

    assert rendered(compiled(body=body), FOOTER).html.count("/u/tok") == 1
    assert rendered(compiled(body=body), FOOTER, vip=True).html.count("/u/tok") == 1


def test_each_of_several_bodies_gets_the_footer_where_it_is_shown() -> None:
    body = "{% if a %}<html><body>A</body></html>{% else %}<html><body>B</body></html>{% endif %}"

    for values in ({"a": True}, {"a": False}):
        html = compiled(body=body, preheader="pre").render(values, FOOTER).html
        assert html.count("/u/tok") == html.count("pre&#") == 1
        assert html.endswith("</table></body></html>")


def test_transactional_mail_may_show_the_links_and_gets_no_footer() -> None:
    footer = Footer("Long Street 1", "https://j.example/u/tok", "https://j.example/p/tok", appended=False)
    mail = compiled(body="<p>x {{ preferences_url }}</p>")

    assert rendered(mail, footer).html == "<p>x https://j.example/p/tok</p>"
    assert rendered(mail, footer).text == "x https://j.example/p/tok\n"


def test_a_text_that_is_given_is_used_as_it_is() -> None:
    mail = compiled(text="Hi {{ name }}\n\n\n\n-- \nme")

    assert rendered(mail, name="<A>").text == "Hi <A>\n\n\n\n-- \nme"


def test_what_all_parts_read_is_known_and_the_footer_is_no_part_of_it() -> None:
    mail = compiled(
        subject="{{ contact.first_name }}",
        preheader="{{ trigger.total }}",
        body="<p>{{ vars.coupon.code }} {{ unsubscribe_url }} {{ postal_address }}</p>",
        text="{{ vars.coupon }} {{ event.x }}",
    )

    assert mail.reads == (("contact", "first_name"), ("event", "x"), ("trigger", "total"), ("vars", "coupon"))
    assert not mail.can_fail


@pytest.mark.parametrize("part", ["subject", "preheader", "body", "text"])
def test_a_mail_can_fail_when_a_part_can_and_says_which(part: str) -> None:
    parts = {"subject": "s", "preheader": "p", "body": "b", "text": "t"} | {part: "{{ 1 | divided_by: contact.n }}"}
    mail = compile_email(LIQUID, format="html", layout=None, parts=NO_PARTS, **parts)

    assert mail.can_fail
    mail.attempt({"contact": {"n": 2}})
    with pytest.raises(TemplateError, match=f"{part}: line 1: divided_by"):
        mail.attempt({"contact": {"n": 0}})


@pytest.mark.parametrize("part", ["subject", "preheader", "body", "text"])
def test_a_mistake_is_said_with_its_part_and_line(part: str) -> None:
    parts = {"subject": "s", "preheader": "p", "body": "b", "text": "t"} | {part: "a\n{{ b | shout }}"}

    with pytest.raises(TemplateError, match=f"^{part}: line 2: unknown filter 'shout'"):
        compile_email(LIQUID, format="markdown", layout=None, parts=NO_PARTS, **parts)


def test_an_error_in_a_converted_body_names_the_line_that_the_author_wrote() -> None:
    body = "# Hi\n\nText\n\n{{ total | divided_by: zero }}"

    with pytest.raises(TemplateError, match=r"^body: line 5: divided_by: can't divide by 0"):
        compiled(body=body, format="markdown").attempt({"zero": 0})


def test_html_of_which_no_text_can_be_made_asks_for_one() -> None:
    body = '<table {% if a %}class="a">{% else %}>{% endif %}<tr><td>x</td></tr></table>'

    with pytest.raises(TemplateError, match=r"^text: no plain text can be made of the body"):
        compiled(body=body)
    assert rendered(compiled(body=body, text="x"), a=True).html == '<table class="a"><tr><td>x</td></tr></table>'


def test_nothing_that_is_filled_in_is_read_as_liquid_or_html() -> None:
    mail = compiled(subject="{{ x }}", preheader="{{ x }}", body="# {{ x }}", format="markdown")
    shown = rendered(mail, x="{{ contact.secret }}{% if %}<script>jfq0z")

    assert "{{ contact.secret }}{% if %}&lt;script&gt;jfq0z" in shown.html
    assert "<script>" not in shown.html
    assert shown.subject == "{{ contact.secret }}{% if %}<script>jfq0z"


def test_the_core_gets_its_template_language() -> None:
    renderer: Renderer = LiquidRenderer()
    template = Template(template="welcome", subject="Hi {{ contact.name }}", format="markdown", body="# Hi")

    assert renderer.text("x-{{ contact.tier }}").render({"contact": {"tier": "gold"}}) == "x-gold"
    assert renderer.message(template, NO_PARTS) is renderer.message(template, NO_PARTS)
    assert renderer.message(template, NO_PARTS).reads == (("contact", "name"),)
    renderer.message(template, NO_PARTS).attempt({})
