"""MJML to HTML, the Liquid in it left standing.

Where MJML wants elements (between two sections, columns or texts), a piece of Liquid is wrapped in ``mj-raw``; inside
texts and attribute values it is a word that the converter does not look at. What has no place is an error that names
the line, because the converter itself would drop it or say nothing of use.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import mrml

from journeyflow.core.errors import TemplateError
from journeyflow.rendering.markup import VOID, Piece, pieces
from journeyflow.rendering.tokens import Protected, line_of

# Their content is text or HTML, not MJML.
_CONTENT: Final = frozenset(
    {
        "mj-accordion-text", "mj-accordion-title", "mj-button", "mj-navbar-link", "mj-preview", "mj-raw",
        "mj-social-element", "mj-style", "mj-table", "mj-text", "mj-title",
    }
)  # fmt: skip
# Between their elements the converter takes mj-raw.
_TAKES_RAW: Final = frozenset(
    {"mj-body", "mj-column", "mj-group", "mj-head", "mj-hero", "mj-section", "mj-wrapper"}
)  # fmt: skip
_ELEMENTS: Final = frozenset(
    {
        "mj-accordion", "mj-accordion-element", "mj-all", "mj-attributes", "mj-breakpoint", "mj-carousel",
        "mj-carousel-image", "mj-class", "mj-divider", "mj-font", "mj-image", "mj-navbar", "mj-social", "mj-spacer",
        "mjml",
    }
) | _CONTENT | _TAKES_RAW  # fmt: skip


class Converted(NamedTuple):
    """HTML, still protected, and the style sheets that MJML wants written into its elements."""

    html: str
    inline_css: str


def to_html(protected: Protected) -> Converted:
    """Convert MJML.

    :raises TemplateError: naming the line where it can be known.
    """
    reader = _Reader(protected)
    for piece in pieces(protected.text):
        reader.read(piece)
    reader.finish()
    source = "".join(reader.written)
    try:
        html = mrml.to_html(source).content
    except OSError as error:
        raise TemplateError(f"MJML: {error}") from error
    return Converted(f"{''.join(reader.before)}{html}{''.join(reader.after)}", "\n".join(reader.inline_css))


class _Reader:
    """Goes through the pieces of a document, checks that they nest, and writes what the converter is to get."""

    def __init__(self, protected: Protected) -> None:
        self._protected = protected
        self._open: list[Piece] = []
        self._body_seen = False
        self._style: list[str] | None = None
        self.written: list[str] = []
        self.before: list[str] = []
        self.after: list[str] = []
        self.inline_css: list[str] = []

    def read(self, piece: Piece) -> None:
        if self._style is not None:
            self._read_inline_style(piece)
        elif piece.kind == "open":
            self._opened(piece)
        elif piece.kind == "close":
            self._closed(piece)
        elif piece.kind == "text":
            self._text(piece)
        elif piece.kind == "raw" or self._open:  # a comment or declaration before <mjml> is dropped
            self.written.append(piece.source)

    def finish(self) -> None:
        if self._open:
            raise self._wrong(self._open[-1], f"<{self._open[-1].name}> is never closed")
        if not self.written:
            raise TemplateError("MJML: expected <mjml>...</mjml>, found no element")

    def _opened(self, piece: Piece) -> None:
        self._check_element(piece)
        self._body_seen = self._body_seen or piece.name == "mj-body"
        if piece.name == "mj-style" and piece.attribute("inline") == "inline":
            self._style = []
            return
        if piece.kind == "open" and not piece.empty and piece.name not in VOID:
            self._open.append(piece)
        self.written.append(piece.source)

    def _check_element(self, piece: Piece) -> None:
        if not self._open and piece.name != "mjml":
            raise self._wrong(piece, f"expected <mjml>, found <{piece.name}>")
        if piece.name == "mj-include":
            raise self._wrong(piece, "mj-include reads files, and there are none; write the part here")
        if piece.name.startswith("mj") and piece.name not in _ELEMENTS:
            raise self._wrong(piece, f"there is no element <{piece.name}>")
        for match in self._protected.word.finditer(piece.source):
            if not _inside_quotes(piece.source, match.start()):
                token = self._protected.token(match).text
                raise self._wrong(piece, f"{token} stands between attributes; put it inside a value, in quotes")

    def _closed(self, piece: Piece) -> None:
        if piece.name in VOID:
            return
        if not self._open or self._open[-1].name != piece.name:
            expected = f", expected </{self._open[-1].name}>" if self._open else ""
            raise self._wrong(piece, f"</{piece.name}> closes nothing{expected}")
        self._open.pop()
        self.written.append(piece.source)

    def _text(self, piece: Piece) -> None:
        if any(element.name in _CONTENT for element in self._open):
            self.written.append(piece.source)
            return
        words = [match[0] for match in self._protected.word.finditer(piece.source)]
        if self._protected.word.sub("", piece.source).strip():
            raise self._wrong(piece, f"a text must stand inside <mj-text>: {piece.source.strip()[:40]!r}")
        self._place(piece, words)

    def _place(self, piece: Piece, words: list[str]) -> None:
        where = self._open[-1].name if self._open else ""
        if where in _TAKES_RAW:
            self.written.extend(self._element(word, where) for word in words)
        elif where in {"", "mjml"}:
            (self.after if self._body_seen else self.before).extend(words)
        elif words:
            raise self._wrong(piece, f"Liquid can't stand between the elements of <{where}>")

    def _element(self, word: str, where: str) -> str:
        """A piece of Liquid as an element: one that steers is nothing to see, a survey is a text."""
        match = self._protected.word.fullmatch(word)
        if match is None or self._protected.token(match).name != "survey":
            return f"<mj-raw>{word}</mj-raw>"
        element = f"<mj-text>{word}</mj-text>"
        if where in {"mj-body", "mj-group", "mj-section", "mj-wrapper"}:
            element = f"<mj-column>{element}</mj-column>"
        return f"<mj-section>{element}</mj-section>" if where in {"mj-body", "mj-wrapper"} else element

    def _read_inline_style(self, piece: Piece) -> None:
        assert self._style is not None
        if piece.kind == "close" and piece.name == "mj-style":
            self.inline_css.append("".join(self._style))
            self._style = None
        else:
            self._style.append(piece.source)

    def _wrong(self, piece: Piece, cause: str) -> TemplateError:
        line = line_of(self._protected.restore(self._protected.text[: piece.start] + "."), -1)
        return TemplateError(f"MJML: {cause}", line)


def _inside_quotes(tag: str, position: int) -> bool:
    """Whether a position in a tag lies inside a quoted value."""
    quote = ""
    for sign in tag[:position]:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
    return bool(quote)
