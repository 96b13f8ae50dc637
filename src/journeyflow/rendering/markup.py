"""HTML and MJML cut into tags, texts and comments in one pass, without repairing anything.

A parser that builds a tree moves what stands in the wrong place (a ``{% for %}`` between two table rows, for one), so
what is written here is never parsed and written out again: it is read piece by piece, and the pieces stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Final, Literal, NamedTuple

_TAG: Final = re.compile(
    r"""<(?P<close>/?)(?P<name>[A-Za-z][^\s/<>"']*)(?P<rest>(?:[^<>"']|"[^"]*"|'[^']*')*?)(?P<empty>/?)>"""
)
_ATTRIBUTE: Final = re.compile(r"""([^\s=/"'>]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
_RAW_TEXT: Final = frozenset({"script", "style", "title", "textarea"})

VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
"""Elements without content and without a closing tag."""

Kind = Literal["text", "comment", "open", "close", "raw"]


class Piece(NamedTuple):
    """A run of text, a comment (also a declaration), a tag, or the raw text of a style or script.

    :param name: of the tag, in lower case; of the element around it for raw text.
    :param empty: whether the tag is written ``<like-this/>``.
    """

    kind: Kind
    source: str
    start: int
    name: str = ""
    empty: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.source)

    @property
    def opens(self) -> bool:
        """Whether a closing tag is to follow."""
        return self.kind == "open" and not self.empty and self.name not in VOID

    def attribute(self, name: str) -> str | None:
        """The value of an attribute, its character references resolved; empty where it has none."""
        for match in _ATTRIBUTE.finditer(self.source, 1 + len(self.name)):
            if match[1].lower() == name:
                return unescape(_unquoted(match[2] or ""))
        return None

    def attribute_span(self, name: str) -> tuple[int, int] | None:
        """Where the attribute stands in the piece's source."""
        for match in _ATTRIBUTE.finditer(self.source, 1 + len(self.name)):
            if match[1].lower() == name:
                return match.span()
        return None


def _unquoted(value: str) -> str:
    return value[1:-1] if value[:1] in {'"', "'"} else value


def pieces(source: str) -> Iterator[Piece]:
    """The text cut up; joined, the pieces are the text."""
    position = 0
    while position < len(source):
        piece = _piece_at(source, position)
        yield piece
        position = piece.end
        if piece.opens and piece.name in _RAW_TEXT:
            closer = re.compile(f"</{piece.name}\\b", re.IGNORECASE).search(source, position)
            end = closer.start() if closer else len(source)
            if end > position:
                yield Piece("raw", source[position:end], position, piece.name)
            position = end


def _piece_at(source: str, position: int) -> Piece:
    if source.startswith("<!--", position):
        return Piece("comment", source[position : _end_of(source, "-->", position)], position)
    if source.startswith(("<!", "<?"), position):
        return Piece("comment", source[position : _end_of(source, ">", position)], position)
    if match := _TAG.match(source, position):
        kind: Kind = "close" if match["close"] else "open"
        return Piece(kind, match[0], position, match["name"].lower(), bool(match["empty"]))
    end = source.find("<", position + 1)
    return Piece("text", source[position : end if end >= 0 else len(source)], position)


def _end_of(source: str, closer: str, position: int) -> int:
    end = source.find(closer, position)
    return end + len(closer) if end >= 0 else len(source)
