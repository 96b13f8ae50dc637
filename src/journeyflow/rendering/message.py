"""A whole e-mail: compiled once from a template's parts, filled in for each contact.

Everything that is slow happens while compiling: Markdown and MJML become HTML, style sheets go into the elements, the
plain-text part is made of the HTML. What is left is Liquid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Final, Literal, NamedTuple, TypeVar

from journeyflow.core.errors import TemplateError
from journeyflow.core.template import NO_PARTS, Layout, Parts
from journeyflow.core.values import JSON
from journeyflow.rendering import markdown, mjml
from journeyflow.rendering.analysis import ReadPath, shortest
from journeyflow.rendering.compose import Composer, Origin, around
from journeyflow.rendering.inline_css import inline_css
from journeyflow.rendering.liquid import NO_SURVEYS, CompiledText, Kind, Liquid, Origins, shorten
from journeyflow.rendering.markup import Piece, pieces
from journeyflow.rendering.plain_text import text_source, tidied
from journeyflow.rendering.survey_tag import Surveys
from journeyflow.rendering.title import with_title
from journeyflow.rendering.tokens import Protected

Format = Literal["html", "markdown", "mjml"]

SUBJECT_LENGTH_MAX: Final = 250
PREHEADER_LENGTH_MAX: Final = 500

FOOTER_VALUES: Final = ("postal_address", "preferences_url", "unsubscribe_url")
"""What a template can print besides the values it is given; they come with the :class:`Footer`."""


@dataclass(frozen=True, slots=True)
class Footer:
    """What the law wants in marketing mail (rule 5.6).

    :param appended: whether what the template does not print itself is written below it; false for transactional mail.
    """

    postal_address: str | None = None
    unsubscribe_url: str | None = None
    preferences_url: str | None = None
    appended: bool = True

    def values(self) -> dict[str, JSON]:
        """As the template sees them."""
        return {
            "postal_address": self.postal_address,
            "preferences_url": self.preferences_url,
            "unsubscribe_url": self.unsubscribe_url,
        }


NO_FOOTER: Final = Footer(appended=False)


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """What one contact gets: subject and preheader on one line each, the HTML, the plain text."""

    subject: str
    preheader: str
    html: str
    text: str


class CompiledEmail:
    """An e-mail ready to be filled in any number of times."""

    __slots__ = (
        "_can_fail", "_html", "_preheader", "_prints_address", "_subject", "_text", "_tidy_text", "can_fail", "needs",
        "reads", "surveys"
    )  # fmt: skip

    def __init__(
        self,
        subject: CompiledText,
        preheader: CompiledText,
        html: CompiledText,
        text: CompiledText,
        *,
        tidy_text: bool,
        made_of: tuple[str, ...],
    ) -> None:
        self._subject = subject
        self._preheader = preheader
        self._html = html
        self._text = text
        self._tidy_text = tidy_text
        parts = (subject, preheader, html, text)
        read = {path for part in parts for path in part.reads}
        self._prints_address = ("postal_address",) in html.reads
        self.reads: Final[tuple[ReadPath, ...]] = shortest({path for path in read if path[0] not in FOOTER_VALUES})
        """The paths that any part reads, without those that come with the footer."""
        self.surveys: Final[tuple[str, ...]] = tuple(dict.fromkeys([*html.surveys, *text.surveys]))
        """The ids of the surveys that it shows."""
        self.needs: Final[tuple[str, ...]] = (*made_of, *(f"survey:{id_}" for id_ in self.surveys))
        """The other documents that it is made of, as ``layout:shop``, ``partial:footer``, ``survey:interests``."""
        named = zip(("subject", "preheader", "body", "text"), parts, strict=True)
        # A text that was made of the HTML fails where the HTML does.
        covered = text if tidy_text and html.can_fail else None
        self._can_fail = [(name, part) for name, part in named if part.can_fail and part is not covered]
        self.can_fail: Final[bool] = bool(self._can_fail)
        """Whether filling it in can fail for some values."""

    def attempt(self, values: Mapping[str, JSON]) -> None:
        """Fill in what can fail and throw the result away.

        :raises TemplateError: when it fails; names the part, the line and the cause.
        """
        seen = {**values, **NO_FOOTER.values()}
        for name, part in self._can_fail:
            if not part.surely_works(values):
                _part(name, partial(part.render, seen))

    def render(
        self, values: Mapping[str, JSON], footer: Footer, surveys: Surveys = NO_SURVEYS, subject: str | None = None
    ) -> RenderedEmail:
        """Fill it in.

        :param values: what the template reads: ``contact``, ``trigger``, ``event``, ``vars``, ``journey``, ``run``,
            ``now``; and ``timezone``, ``locale``, ``currency`` for the filters ``date`` and ``money``, where known.
        :param surveys: those of :attr:`surveys`, with their links.
        :param subject: what stands in place of the template's own.
        :raises TemplateError: when it fails; names the part, the line and the cause.
        """
        seen = {**values, **footer.values()}
        shown = _part("subject", lambda: self._subject.render(seen)) if subject is None else subject
        line = _one_line(shown, SUBJECT_LENGTH_MAX)
        preheader = _part("preheader", lambda: self._preheader.render(seen))
        html = _part("body", lambda: self._html.render(seen, surveys))
        text = _part("text", lambda: self._text.render(seen, surveys))
        if self._tidy_text:
            text = tidied(text)
        if footer.appended:
            html = _with_html_footer(html, footer, prints_address=self._prints_address)
            text = _with_text_footer(text, footer)
        return RenderedEmail(
            subject=line,
            preheader=_one_line(preheader, PREHEADER_LENGTH_MAX),
            html=with_title(html, line),
            text=text,
        )


def compile_email(
    liquid: Liquid,
    *,
    subject: str,
    preheader: str | None,
    body: str,
    format: Format,
    text: str | None,
    layout: str | None = None,
    parts: Parts = NO_PARTS,
) -> CompiledEmail:
    """Make an e-mail ready.

    :param format: of the body. HTML is sent as it is, with style sheets written into the elements as well.
    :param text: the plain-text part; without it one is made of the HTML.
    :param layout: the id of the layout around the body.
    :param parts: the layouts and partials that may be named.
    :raises TemplateError: naming the part, the line and the cause; ``others`` are those of further parts.
    """
    maker = _Maker(liquid, parts)
    errors: list[TemplateError] = []
    made_subject = _gathered(errors, lambda: maker.part("subject", Kind.LINE, subject))
    made_preheader = _gathered(errors, lambda: maker.part("preheader", Kind.LINE, preheader or ""))
    made_text = None if text is None else _gathered(errors, lambda: maker.part("text", Kind.PLAIN, text))
    shown_preheader = preheader if made_preheader is not None else None
    made_body = _gathered(errors, lambda: maker.parts(body, format, layout, shown_preheader, with_text=text is None))
    if made_subject is None or made_preheader is None or made_body is None or errors:
        first, *others = errors
        raise TemplateError(first.cause, first.line, first.part, others) from first
    html, text_of_body = made_body
    plain = made_text or text_of_body
    assert plain is not None, "a text that is not given is made of the body"
    return CompiledEmail(made_subject, made_preheader, html, plain, tidy_text=text is None, made_of=maker.named)


class _Body(NamedTuple):
    """A body as HTML, its Liquid protected, and what it was made of."""

    protected: Protected
    html: str
    origins: Origins


class _Maker:
    """Makes the parts of one e-mail; ``named`` are the layout and the partials that went into them."""

    def __init__(self, liquid: Liquid, parts: Parts) -> None:
        self._liquid = liquid
        self._parts = parts
        self._composer = Composer(parts.partials)
        self._layout: Layout | None = None

    @property
    def named(self) -> tuple[str, ...]:
        layout = () if self._layout is None else (f"layout:{self._layout.layout}",)
        return (*layout, *(f"partial:{id_}" for id_ in self._composer.used))

    def part(self, name: str, kind: Kind, source: str) -> CompiledText:
        expanded = _part(name, lambda: self._expanded(source))
        origins = (Origin("", source), *self._composer.origins)
        return _part(name, lambda: self._liquid.compile_composed(expanded, kind, origins))

    def _expanded(self, source: str, *, by_line: bool = False) -> str:
        known = len(self._composer.used)
        expanded = self._composer.expanded(source, by_line=by_line)
        for id_, shown in list(self._composer.used.items())[known:]:
            _of_other(f"partial {id_}", partial(self._liquid.check, shown.body))
        return expanded

    def parts(
        self, body: str, format: Format, layout: str | None, preheader: str | None, *, with_text: bool
    ) -> tuple[CompiledText, CompiledText | None]:
        """The HTML part, and with ``with_text`` the plain one."""
        _part("body", lambda: self._liquid.check(body))  # as it was written, for the sake of the line numbers
        made = self.body(body, format, layout)
        text = self.text_of(made) if with_text else None
        return self.html_of(made, preheader), text

    def body(self, source: str, format: Format, layout: str | None) -> _Body:
        expanded = _part("body", lambda: self._expanded(source, by_line=format == "markdown"))
        if layout is None:
            protected = Protected(expanded)
            html = _part("body", lambda: _to_html(protected, format))
            return _Body(protected, html, (Origin("", source), *self._composer.origins))
        found = self._parts.layouts.get(layout)
        if found is None:
            raise TemplateError(f"there is no layout {layout!r}", part="layout")
        self._layout = found
        protected = Protected(self._inside(found, expanded, format))
        base_css = markdown.BUTTON_CSS if format == "markdown" else ""
        html = _part("body", lambda: _to_html(protected, found.format, base_css))
        origins = (Origin("", source), Origin(f"layout {layout}", found.body), *self._composer.origins)
        return _Body(protected, html, origins)

    def _inside(self, layout: Layout, expanded: str, format: Format) -> str:
        """The layout's source with the body's in it."""
        if format == "mjml" and layout.format != "mjml":
            raise TemplateError(
                f"a body in MJML needs a layout in MJML, and {layout.layout} is {layout.format}", part="layout"
            )
        name = f"layout {layout.layout}"
        _of_other(name, lambda: self._liquid.check(layout.body))
        shown = _of_other(name, lambda: self._expanded(layout.body))
        content = expanded
        if format == "markdown":
            protected = Protected(expanded)
            content = protected.restore(markdown.fragment(protected))
        return around(layout, shown, content)

    def text_of(self, body: _Body) -> CompiledText:
        source = text_source(body.protected, body.html)
        try:
            return self._liquid.compile_composed(source, Kind.FROM_HTML, body.origins)
        except TemplateError as error:
            raise TemplateError(f"no plain text can be made of the body ({error}); give `text`", part="text") from error

    def html_of(self, body: _Body, preheader: str | None) -> CompiledText:
        shown = body.protected.restore(body.html)
        if preheader:
            shown = _with_preheader(shown, _part("preheader", lambda: self._expanded(preheader)))
        return _part("body", lambda: self._liquid.compile_composed(shown, Kind.HTML, body.origins))


def _to_html(protected: Protected, format: Format, base_css: str = "") -> str:
    """The document, still protected; ``base_css`` is for elements that nothing else has a style for."""
    if format == "markdown":
        return markdown.to_html(protected)
    if format == "mjml":
        converted = mjml.to_html(protected)
        return inline_css(converted.html, f"{base_css}{converted.inline_css}", own_sheets=False)
    return inline_css(protected.text, base_css=base_css)


Made = TypeVar("Made")


def _part(name: str, make: Callable[[], Made]) -> Made:
    try:
        return make()
    except TemplateError as error:
        raise error.within(name) from error


def _of_other(name: str, make: Callable[[], Made]) -> Made:
    """What is wrong in another document, told of the one that is made of it: its line is none of this one's."""
    try:
        return make()
    except TemplateError as error:
        raise TemplateError(f"{name}: {error.located}") from error


def _gathered(errors: list[TemplateError], make: Callable[[], Made]) -> Made | None:
    """What is made; an error is noted, so that those of other parts are told with it."""
    try:
        return make()
    except TemplateError as error:
        errors.append(error)
        return None


_CONTROL: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


def _one_line(text: str, length: int) -> str:
    """Without line breaks, which would begin another header, and other signs that only machines read."""
    return shorten(_CONTROL.sub(" ", text), length)


# --- preheader -------------------------------------------------------------------------------------------------------

_HIDDEN: Final = (
    "display:none;max-height:0;max-width:0;opacity:0;overflow:hidden;font-size:1px;line-height:1px;color:transparent;"
    "mso-hide:all"
)
# Keeps mail programs from filling up the line with the beginning of the body.
_PADDING: Final = "&#8199;&#847; " * 60


def _with_preheader(html: str, preheader: str) -> str:
    """The text that inboxes show beside the subject, hidden at the top of the body."""
    shown = Protected(preheader)
    hidden = f'<div style="{_HIDDEN}">{shown.restore(escape(shown.text, quote=False))}{_PADDING}</div>'
    parts = list(pieces(html))
    bodies = [number for number, part in enumerate(parts) if part.kind == "open" and part.name == "body"]
    for number in reversed(bodies or [_last_of_head(parts)]):
        parts.insert(number + 1, Piece("text", hidden, 0))
    return "".join(part.source for part in parts)


def _last_of_head(parts: list[Piece]) -> int:
    """Where the body of a document begins that does not say so; -1 for a fragment."""
    ends = [
        number
        for number, part in enumerate(parts)
        if (part.kind == "close" and part.name == "head") or (part.kind == "open" and part.name == "html")
    ]
    return max(ends, default=-1)


# --- footer ----------------------------------------------------------------------------------------------------------

_BODY_END: Final = re.compile(r"</body\s*>", re.IGNORECASE)
_FOOTER_STYLE: Final = (
    "padding:16px 24px 32px;font-family:Arial,Helvetica,sans-serif;font-size:12px;line-height:18px;color:#5c626b;"
    "text-align:center"
)
_LINK_STYLE: Final = "color:#5c626b;text-decoration:underline"


def _with_html_footer(html: str, footer: Footer, *, prints_address: bool) -> str:
    links = [
        f'<a href="{escape(url)}" style="{_LINK_STYLE}">{words}</a>'
        for words, url in _links_missing(html, footer, escape)
    ]
    lines = [" &middot; ".join(links)] if links else []
    address = footer.postal_address
    if address and not prints_address:
        lines.insert(0, escape(address).replace("\n", "<br>"))
    if not lines:
        return html
    block = (
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>'
        f'<td align="center" style="{_FOOTER_STYLE}">{"<br>".join(lines)}</td></tr></table>'
    )
    ends = list(_BODY_END.finditer(html))
    position = ends[-1].start() if ends else len(html)
    return html[:position] + block + html[position:]


def _with_text_footer(text: str, footer: Footer) -> str:
    lines = [f"{words}: {url}" for words, url in _links_missing(text, footer, str)]
    if footer.postal_address and footer.postal_address not in text:
        lines.insert(0, footer.postal_address)
    return text if not lines else "\n".join([text.rstrip(), "", "-" * 20, *lines, ""])


def _links_missing(shown: str, footer: Footer, write: Callable[[str], str]) -> list[tuple[str, str]]:
    """The links that the mail does not show: a template may print them in a branch that was not taken."""
    links = (("Unsubscribe", footer.unsubscribe_url), ("Preferences", footer.preferences_url))
    return [(words, url) for words, url in links if url and url not in shown and write(url) not in shown]
