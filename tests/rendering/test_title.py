"""An HTML mail has its subject as its title."""

from __future__ import annotations

import pytest

from journeyflow.core.template import NO_PARTS, Template
from journeyflow.rendering.message import NO_FOOTER, CompiledEmail
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.rendering.title import with_title

BODIES = {
    "markdown": "# Hello",
    "mjml": "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section></mj-body></mjml>",
    "html": "<html><head><TITLE>\n</TITLE></head><body><p>Hello</p></body></html>",
}


def mail(body: str, format_: str) -> CompiledEmail:
    template = {"template": "a", "channel": "email", "subject": "{{ contact.name }} & co", "body": body}
    compiled = LiquidRenderer().message(Template.model_validate({**template, "format": format_}), NO_PARTS)
    assert isinstance(compiled, CompiledEmail)
    return compiled


@pytest.mark.parametrize("format_", BODIES)
def test_an_empty_title_is_filled_with_the_subject_as_text(format_: str) -> None:
    filled = mail(BODIES[format_], format_).render({"contact": {"name": "<Ann>"}}, NO_FOOTER)

    assert filled.subject == "<Ann> & co"
    assert filled.html.lower().count("<title") == 1
    assert "&lt;Ann&gt; &amp; co</title>" in filled.html.replace("TITLE", "title")


def test_a_subject_in_place_of_the_templates_is_the_title_too() -> None:
    filled = mail(BODIES["markdown"], "markdown").render({}, NO_FOOTER, subject="Only\nyou")

    assert (filled.subject, "<title>Only you</title>" in filled.html) == ("Only you", True)


@pytest.mark.parametrize(
    "html",
    [
        "<p>Hello</p>",
        "<html><head><title>Ours</title></head><body></body></html>",
        "<html><head></head><body><svg><title></title></svg></body></html>",
        "<html><body><svg><title></title></svg></body></html>",
    ],
)
def test_other_documents_stay_as_they_are(html: str) -> None:
    assert with_title(html, "Hello") == html
