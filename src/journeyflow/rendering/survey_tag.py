"""The tag ``survey``: a question and one link an answer, as HTML or as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final, TextIO

from liquid import Environment, RenderContext, Token
from liquid.ast import Node
from liquid.builtin.expressions import StringLiteral, parse_primitive
from liquid.exceptions import LiquidSyntaxError
from liquid.stream import TokenStream
from liquid.tag import Tag
from liquid.token import TOKEN_TAG

from journeyflow.rendering.limits import MeteredContext

_QUESTION_STYLE: Final = "font-weight:bold"
_LINK_STYLE: Final = (
    "display:inline-block;margin:8px 8px 0 0;padding:10px 18px;border:1px solid #6b7280;border-radius:6px;"
    "color:inherit;text-decoration:none"
)


@dataclass(frozen=True, slots=True)
class ShownSurvey:
    """A survey as one message shows it: the question, and the label and link of each answer."""

    question: str
    answers: tuple[tuple[str, str], ...]

    @property
    def html(self) -> str:
        """Fit for a paragraph, a table's cell, or a text of MJML."""
        links = "".join(
            f' <a href="{escape(url)}" style="{_LINK_STYLE}">{escape(label)}</a>' for label, url in self.answers
        )
        return f'<span style="{_QUESTION_STYLE}">{escape(self.question)}</span><br>{links}'

    @property
    def text(self) -> str:
        """Lines."""
        return "\n".join([self.question, *(f"{label}: {url}" for label, url in self.answers)])


Surveys = Mapping[str, ShownSurvey]


class SurveyNode(Node):
    """Shows the survey of that id; nothing where the message has none (while it is only tried out)."""

    __slots__ = ("as_html", "id")

    def __init__(self, token: Token, id_: str, *, as_html: bool) -> None:
        super().__init__(token)
        self.id = id_
        self.as_html = as_html
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        assert isinstance(context, MeteredContext)
        survey = context.surveys.get(self.id)
        if survey is not None:
            assert isinstance(survey, ShownSurvey)
            buffer.write(survey.html if self.as_html else survey.text)
        return 1


class _SurveyTag(Tag):
    name = "survey"
    block = False
    as_html = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        tokens = stream.into_inner(tag=token, eat=False)
        id_ = parse_primitive(self.env, tokens)
        if not isinstance(id_, StringLiteral):
            raise LiquidSyntaxError(
                'expected the id of a survey in quotes, as in {% survey "interests" %}', token=token
            )
        tokens.expect_eos()
        return SurveyNode(token, id_.value, as_html=self.as_html)


class _HtmlSurveyTag(_SurveyTag):
    as_html = True


def add_survey_tag(environment: Environment, *, as_html: bool) -> None:
    """Let the environment read ``{% survey "id" %}``."""
    environment.add_tag(_HtmlSurveyTag if as_html else _SurveyTag)
