"""SMS and push messages: one plain text."""

from __future__ import annotations

import pytest

from journeyflow.core.errors import TemplateError
from journeyflow.core.template import NO_PARTS, Template
from journeyflow.core.values import JSON
from journeyflow.rendering.message import Footer
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.rendering.short_message import CompiledShortMessage

FOOTER = Footer("Long Street 1", "https://shop.example/u/1", "https://shop.example/p/1", appended=True)


def compiled(body: str) -> CompiledShortMessage:
    made = LiquidRenderer().message(Template(template="short", channel="sms", body=body), NO_PARTS)
    assert isinstance(made, CompiledShortMessage)
    return made


def text(body: str, **values: JSON) -> str:
    return compiled(body).render(values, FOOTER).text


def test_it_is_filled_in_and_not_escaped() -> None:
    assert text(" Hi {{ contact.first_name }} & co\n", contact={"first_name": "O'Hara <3"}) == "Hi O'Hara <3 & co"


def test_nothing_is_written_below_it_and_its_links_can_be_printed() -> None:
    assert text("Bye") == "Bye"
    assert text("Stop: {{ unsubscribe_url }}") == "Stop: https://shop.example/u/1"


def test_it_has_no_other_parts() -> None:
    shown = compiled("Hi").render({}, FOOTER)

    assert (shown.subject, shown.preheader, shown.html) == ("", "", "")


def test_what_it_reads_is_known_without_what_comes_with_the_footer() -> None:
    body = "{{ contact.first_name }} {{ vars.coupon.code }} {{ unsubscribe_url }}"

    assert sorted(compiled(body).reads) == [("contact", "first_name"), ("vars", "coupon", "code")]


@pytest.mark.parametrize(
    ("body", "can_fail"), [("Hi {{ contact.first_name }}", False), ("{{ 1 | divided_by: contact.n }}", True)]
)
def test_what_can_fail_is_tried(body: str, can_fail: bool) -> None:
    made = compiled(body)

    assert made.can_fail is can_fail
    made.attempt({"contact": {"n": 1}})
    if can_fail:
        with pytest.raises(TemplateError, match=r"body: line 1: divided_by"):
            made.attempt({"contact": {"n": 0}})


def test_what_does_not_compile_says_where() -> None:
    with pytest.raises(TemplateError, match=r"body: line 2"):
        compiled("Hi\n{{ contact.first_name | nonsense }}")
