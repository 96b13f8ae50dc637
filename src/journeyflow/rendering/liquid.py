"""Liquid, the template language: python-liquid with limits, without a clock, without files.

A missing variable is empty text, and only what is in lists and objects can be reached. Everything else that goes wrong
is a :class:`~journeyflow.core.errors.TemplateError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache, lru_cache
from typing import Final

from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError

from journeyflow.core.errors import TemplateError
from journeyflow.core.values import JSON
from journeyflow.rendering.analysis import ReadPath, check_filters, dates_of, reads_of, surveys_of
from journeyflow.rendering.compose import PART_TAGS, Origin
from journeyflow.rendering.filters import add_filters, is_date
from journeyflow.rendering.limits import OUTPUT_BYTES_MAX, MeteredTemplate, set_limits
from journeyflow.rendering.part_tags import add_part_tags, add_written_tags, check_part_tags
from journeyflow.rendering.survey_tag import Surveys, add_survey_tag
from journeyflow.rendering.tokens import check_blocks, line_of

SOURCE_LENGTH_MAX: Final = OUTPUT_BYTES_MAX
COMPILED_KEPT_MAX: Final = 1_024

Origins = tuple[Origin, ...]
NO_SURVEYS: Final[Surveys] = {}

# python-liquid's own read other templates while a text is filled in; here they are put in before (part_tags).
_TAGS_LEFT_OUT: Final = PART_TAGS


class Kind(Enum):
    """What a text is part of."""

    ACTION = "action"
    """A text field of an action: no partials, no surveys."""
    LINE = "line"
    """Subject and preheader: partials, no surveys."""
    PLAIN = "plain"
    """The plain-text part that somebody wrote."""
    HTML = "html"
    FROM_HTML = "from_html"
    """The plain-text part that was made of HTML: filters that make HTML leave their value alone."""


class CompiledText:
    """A Liquid text, ready to be filled in any number of times, from any thread."""

    __slots__ = ("_dates", "_origins", "_template", "can_fail", "reads", "surveys")

    def __init__(self, template: MeteredTemplate, origins: Origins) -> None:
        self._template = template
        self._origins = origins
        self.reads: Final[tuple[ReadPath, ...]] = reads_of(template)
        """The paths of the values that it reads, such as ``("contact", "first_name")``; see :func:`reads_of`."""
        self._dates = dates_of(template)
        self.can_fail: Final[bool] = self._dates != ()
        """Whether filling it in can fail for some values; see :func:`~journeyflow.rendering.analysis.dates_of`."""
        self.surveys: Final[tuple[str, ...]] = tuple(surveys_of(template))
        """The ids of the surveys that it shows."""
        set_limits(template)

    def surely_works(self, values: Mapping[str, JSON]) -> bool:
        """Whether a look at the values tells that filling in works; where not, it has to be tried."""
        return self._dates is not None and all(is_date(_plainly(values, path)) for path in self._dates)

    def render(self, values: Mapping[str, JSON], surveys: Surveys = NO_SURVEYS) -> str:
        """The text with the values filled in.

        :param surveys: those that it shows, by id; one that is missing shows nothing.
        :raises TemplateError: when it fails or does too much; names the line and the cause.
        """
        try:
            return self._template.fill(values, surveys)
        except Exception as error:
            raise _explained(error, self._origins) from error


def _plainly(values: object, path: ReadPath) -> object:
    """The value at a path that leads through mappings alone; what it ends at otherwise."""
    for key in path:
        if not isinstance(values, Mapping):
            break
        values = values.get(key)
    return values


class Liquid:
    """Compiles texts, and remembers the latest :data:`COMPILED_KEPT_MAX` of them."""

    def __init__(self) -> None:
        self._environments = {kind: _environment(kind) for kind in Kind}
        self._cached = lru_cache(maxsize=COMPILED_KEPT_MAX)(self._compile)

    def compile(self, source: str, *, html: bool = False) -> CompiledText:
        """A text made ready.

        :param html: whether what is filled in is escaped for HTML.
        :raises TemplateError: on a syntax error, an unknown filter or tag; names the line and the cause.
        """
        return self._cached(source, Kind.HTML if html else Kind.ACTION, (Origin("", source),))

    def compile_composed(self, source: str, kind: Kind, origins: Origins) -> CompiledText:
        """A text that was made of others.

        :param origins: what their authors wrote; errors give the line there.
        :raises TemplateError: as for :meth:`compile`.
        """
        return self._cached(source, kind, origins)

    def check(self, source: str, kind: Kind = Kind.HTML) -> None:
        """See that a text compiles as it was written, whatever the partials in it are.

        :raises TemplateError: as for :meth:`compile`.
        """
        template = self._parsed(source, kind)
        try:
            check_filters(template)
            check_part_tags(template)
        except Exception as error:
            raise _explained(error, (Origin("", source),)) from error

    def surveys(self, source: str, kind: Kind) -> dict[str, int]:
        """The ids of the surveys that a text itself shows, each with its line.

        :raises TemplateError: where that can't be told, because the text can't be parsed.
        """
        return surveys_of(self._parsed(source, kind))

    def _parsed(self, source: str, kind: Kind) -> BoundTemplate:
        """A text as it was written."""
        check_blocks(source)
        try:
            return _environment(kind, written=True).from_string(source)
        except Exception as error:
            raise _explained(error, (Origin("", source),)) from error

    def _compile(self, source: str, kind: Kind, origins: Origins) -> CompiledText:
        if len(source) > SOURCE_LENGTH_MAX:
            raise TemplateError(f"a template has at most {SOURCE_LENGTH_MAX:,} characters, this one {len(source):,}")
        check_blocks(source)
        try:
            template = self._environments[kind].from_string(source)
            check_filters(template)
            assert isinstance(template, MeteredTemplate)
            return CompiledText(template, origins)
        except Exception as error:
            raise _explained(error, origins) from error


@cache
def _environment(kind: Kind, *, written: bool = False) -> Environment:
    """It holds what texts may say, and nothing of a text, so that all share it.

    ``written``: for texts as their authors write them, whose partials have not been put in.
    """
    environment = _MeteredEnvironment(autoescape=kind is Kind.HTML)
    for name in _TAGS_LEFT_OUT:
        del environment.tags[name]
    if kind is not Kind.ACTION:
        (add_written_tags if written else add_part_tags)(environment)
    if kind in (Kind.PLAIN, Kind.HTML, Kind.FROM_HTML):
        add_survey_tag(environment, as_html=kind is Kind.HTML)
    add_filters(environment, from_html=kind is Kind.FROM_HTML)
    return environment


class _MeteredEnvironment(Environment):
    template_class: type[BoundTemplate] = MeteredTemplate


def _explained(error: Exception, origins: Origins) -> TemplateError:
    """``line 3: divided_by: can't divide by 0, in {{ total | divided_by: 0 }}``."""
    cause = str(error.message) if isinstance(error, LiquidError) and error.args else str(error) or type(error).__name__
    if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
        cause = "it is nested too deeply"
    token = error.token if isinstance(error, LiquidError) else None
    if token is None or not 0 <= token.start_index <= len(token.source):
        return TemplateError(cause)
    start, tag = _tag_around(token.source, token.start_index)
    where = f", in {shorten(tag, 80)}" if tag else ""
    for origin in origins:
        place = start if token.source == origin.source else origin.source.find(tag)
        if place >= 0:
            line = line_of(origin.source, place)
            if origin.place:  # the line is none of the text that names it
                return TemplateError(f"{origin.place}, line {line}: {cause}{where}")
            return TemplateError(cause + where, line)
    return TemplateError(cause + where)


def shorten(text: str, length: int) -> str:
    """The text on one line, cut with an ellipsis where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _tag_around(source: str, position: int) -> tuple[int, str]:
    start = max(source.rfind(opener, 0, position + 2) for opener in ("{{", "{%"))
    end = source.find("}}" if source.startswith("{{", start) else "%}", start)
    return (start, source[start : end + 2]) if 0 <= start <= end else (position, "")
