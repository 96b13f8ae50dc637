"""Liquid, the template language: python-liquid with limits, without a clock, without files.

A missing variable is empty text, and only what is in lists and objects can be reached. Everything else that goes wrong
is a :class:`~journeyflow.core.errors.TemplateError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Final

from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError

from journeyflow.core.errors import TemplateError
from journeyflow.core.values import JSON
from journeyflow.rendering.analysis import ReadPath, check_filters, dates_of, reads_of
from journeyflow.rendering.filters import add_filters, is_date
from journeyflow.rendering.limits import OUTPUT_BYTES_MAX, MeteredTemplate, set_limits
from journeyflow.rendering.tokens import check_blocks, line_of

SOURCE_LENGTH_MAX: Final = OUTPUT_BYTES_MAX
COMPILED_KEPT_MAX: Final = 1_024

# They read files, or other templates, and there are none.
_TAGS_LEFT_OUT: Final = ("include", "render")


class Kind(Enum):
    """What a text is part of."""

    PLAIN = "plain"
    HTML = "html"
    FROM_HTML = "from_html"
    """The plain-text part that was made of HTML: filters that make HTML leave their value alone."""


class CompiledText:
    """A Liquid text, ready to be filled in any number of times, from any thread."""

    __slots__ = ("_dates", "_origin", "_template", "can_fail", "reads")

    def __init__(self, template: MeteredTemplate, origin: str) -> None:
        self._template = template
        self._origin = origin
        self.reads: Final[tuple[ReadPath, ...]] = reads_of(template)
        """The paths of the values that it reads, such as ``("contact", "first_name")``; see :func:`reads_of`."""
        self._dates = dates_of(template)
        self.can_fail: Final[bool] = self._dates != ()
        """Whether filling it in can fail for some values; see :func:`~journeyflow.rendering.analysis.dates_of`."""
        set_limits(template)

    def surely_works(self, values: Mapping[str, JSON]) -> bool:
        """Whether a look at the values tells that filling in works; where not, it has to be tried."""
        return self._dates is not None and all(is_date(_plainly(values, path)) for path in self._dates)

    def render(self, values: Mapping[str, JSON]) -> str:
        """The text with the values filled in.

        :raises TemplateError: when it fails or does too much; names the line and the cause.
        """
        try:
            return self._template.fill(values)
        except Exception as error:
            raise _explained(error, self._origin) from error


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
        return self._cached(source, Kind.HTML if html else Kind.PLAIN, source)

    def compile_converted(self, source: str, kind: Kind, origin: str) -> CompiledText:
        """A text that was made of another one.

        :param origin: what its author wrote; errors give the line there.
        :raises TemplateError: as for :meth:`compile`.
        """
        return self._cached(source, kind, origin)

    def _compile(self, source: str, kind: Kind, origin: str) -> CompiledText:
        if len(source) > SOURCE_LENGTH_MAX:
            raise TemplateError(f"a template has at most {SOURCE_LENGTH_MAX:,} characters, this one {len(source):,}")
        check_blocks(source)
        try:
            template = self._environments[kind].from_string(source)
            check_filters(template)
            assert isinstance(template, MeteredTemplate)
            return CompiledText(template, origin)
        except Exception as error:
            raise _explained(error, origin) from error


def _environment(kind: Kind) -> Environment:
    environment = _MeteredEnvironment(autoescape=kind is Kind.HTML)
    for name in _TAGS_LEFT_OUT:
        del environment.tags[name]
    add_filters(environment, from_html=kind is Kind.FROM_HTML)
    return environment


class _MeteredEnvironment(Environment):
    template_class: type[BoundTemplate] = MeteredTemplate


def _explained(error: Exception, origin: str) -> TemplateError:
    """``line 3: divided_by: can't divide by 0, in {{ total | divided_by: 0 }}``."""
    cause = str(error.message) if isinstance(error, LiquidError) and error.args else str(error) or type(error).__name__
    if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
        cause = "it is nested too deeply"
    token = error.token if isinstance(error, LiquidError) else None
    if token is None or not 0 <= token.start_index <= len(token.source):
        return TemplateError(cause)
    start, tag = _tag_around(token.source, token.start_index)
    place = start if token.source == origin else origin.find(tag)
    shown = shorten(tag, 80)
    where = f", in {shown}" if tag else ""
    return TemplateError(cause + where, line_of(origin, place) if place >= 0 else None)


def shorten(text: str, length: int) -> str:
    """The text on one line, cut with an ellipsis where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _tag_around(source: str, position: int) -> tuple[int, str]:
    start = max(source.rfind(opener, 0, position + 2) for opener in ("{{", "{%"))
    end = source.find("}}" if source.startswith("{{", start) else "%}", start)
    return (start, source[start : end + 2]) if 0 <= start <= end else (position, "")
