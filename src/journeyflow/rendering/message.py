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
from typing import Final, Literal, TypeVar

from journeyflow.core.errors import TemplateError
from journeyflow.core.values import JSON
from journeyflow.rendering import markdown, mjml
from journeyflow.rendering.analysis import ReadPath, shortest
from journeyflow.rendering.inline_css import inline_css
from journeyflow.rendering.liquid import CompiledText, Kind, Liquid, shorten
from journeyflow.rendering.markup import Piece, pieces
from journeyflow.rendering.plain_text import text_source, tidied
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
        "_can_fail", "_html", "_preheader", "_prints_address", "_subject", "_text", "_tidy_text", "can_fail", "reads"
    )  # fmt: skip

    def __init__(
        self, subject: CompiledText, preheader: CompiledText, html: CompiledText, text: CompiledText, *, tidy_text: bool
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

    def render(self, values: Mapping[str, JSON], footer: Footer) -> RenderedEmail:
        """Fill it in.

        :param values: what the template reads: ``contact``, ``trigger``, ``event``, ``vars``, ``journey``, ``run``,
            ``now``; and ``timezone``, ``locale``, ``currency`` for the filters ``date`` and ``money``, where known.
        :raises TemplateError: when it fails; names the part, the line and the cause.
        """
        seen = {**values, **footer.values()}
        subject = _part("subject", lambda: self._subject.render(seen))
        preheader = _part("preheader", lambda: self._preheader.render(seen))
        html = _part("body", lambda: self._html.render(seen))
        text = _part("text", lambda: self._text.render(seen))
        if self._tidy_text:
            text = tidied(text)
        if footer.appended:
            html = _with_html_footer(html, footer, prints_address=self._prints_address)
            text = _with_text_footer(text, footer)
        return RenderedEmail(
            subject=_one_line(subject, SUBJECT_LENGTH_MAX),
            preheader=_one_line(preheader, PREHEADER_LENGTH_MAX),
            html=html,
            text=text,
        )


def compile_email(
    liquid: Liquid, *, subject: str, preheader: str | None, body: str, format: Format, text: str | None
) -> CompiledEmail:
    """Make an e-mail ready.

    :param format: of the body. HTML is sent as it is, with style sheets written into the elements as well.
    :param text: the plain-text part; without it one is made of the HTML.
    :raises TemplateError: naming the part, the line and the cause; ``others`` are those of further parts.
    """
    errors: list[TemplateError] = []
    made_subject = _gathered(errors, lambda: _part("subject", lambda: liquid.compile(subject)))
    made_preheader = _gathered(errors, lambda: _part("preheader", lambda: liquid.compile(preheader or "")))
    made_text = None if text is None else _gathered(errors, lambda: _part("text", lambda: liquid.compile(text)))
    shown_preheader = preheader if made_preheader is not None else None
    made_body = _gathered(errors, lambda: _compile_body(liquid, body, format, shown_preheader, with_text=text is None))
    if made_subject is None or made_preheader is None or made_body is None or errors:
        first, *others = errors
        raise TemplateError(first.cause, first.line, first.part, others) from first
    html, text_of_body = made_body
    plain = made_text or text_of_body
    assert plain is not None, "a text that is not given is made of the body"
    return CompiledEmail(made_subject, made_preheader, html, plain, tidy_text=text is None)


def _compile_body(
    liquid: Liquid, body: str, format: Format, preheader: str | None, *, with_text: bool
) -> tuple[CompiledText, CompiledText | None]:
    """The HTML part, and with ``with_text`` the plain one."""
    _part("body", lambda: liquid.compile(body, html=True))  # as it was written, for the sake of the line numbers
    protected = Protected(body)
    html = _part("body", lambda: _to_html(protected, format))
    text = _text_of(liquid, protected, html, body) if with_text else None
    shown = protected.restore(html)
    complete = _with_preheader(shown, preheader) if preheader else shown
    return _part("body", lambda: liquid.compile_converted(complete, Kind.HTML, body)), text


def _text_of(liquid: Liquid, protected: Protected, html: str, body: str) -> CompiledText:
    source = text_source(protected, html)
    try:
        return liquid.compile_converted(source, Kind.FROM_HTML, body)
    except TemplateError as error:
        raise TemplateError(f"no plain text can be made of the body ({error}); give `text`", part="text") from error


def _to_html(protected: Protected, format: Format) -> str:
    if format == "markdown":
        return markdown.to_html(protected)
    if format == "mjml":
        converted = mjml.to_html(protected)
        return inline_css(converted.html, converted.inline_css, own_sheets=False)
    return inline_css(protected.text)


Made = TypeVar("Made")


def _part(name: str, make: Callable[[], Made]) -> Made:
    try:
        return make()
    except TemplateError as error:
        raise error.within(name) from error


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
