"""The plain-text part of a mail, made of its HTML.

The HTML is still protected, so what comes out is Liquid source again: the text is made once, when a template is
compiled, and filled in like everything else.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from journeyflow.rendering.markup import VOID, Piece, pieces
from journeyflow.rendering.tokens import Protected

_DROPPED: Final = frozenset({"script", "style", "title", "textarea"})
_PARAGRAPHS: Final = frozenset(
    {"blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"}
)
_LINES: Final = frozenset(
    {"address", "article", "dd", "div", "dt", "figure", "footer", "header", "li", "main", "section", "tr"}
)
_CELLS: Final = frozenset({"td", "th"})
_HIDDEN: Final = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_SPACE: Final = re.compile(r"[ \t\r\n\f]+")
_BLANK_LINES: Final = re.compile(r"[ \t]*\n(?:[ \t]*\n)+")
_RULE: Final = "-" * 20


def text_source(protected: Protected, html: str) -> str:
    """The text's source, its Liquid restored."""
    writer = _Writer(protected)
    for piece in pieces(html):
        writer.read(piece)
    return protected.restore(_without_lines_of_their_own(protected, writer.text()))


def tidied(text: str) -> str:
    """A text that was filled in, without the runs of blank lines that Liquid's branches leave."""
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"


def _without_lines_of_their_own(protected: Protected, text: str) -> str:
    """A line with nothing but Liquid that shows nothing is no line: its break goes."""
    kept: list[str] = []
    for line in text.splitlines(keepends=True):
        words = list(protected.word.finditer(line))
        silent = bool(words) and not any(protected.token(word).prints for word in words)
        kept.append(line.strip() if silent and not protected.word.sub("", line).strip() else line)
    return "".join(kept)


class _Writer:
    """Writes the text of a document, piece by piece."""

    def __init__(self, protected: Protected) -> None:
        self._protected = protected
        self._written: list[str] = []
        self._line_open = False
        self._breaks = 0
        self._space = False
        self._at_mark = False
        self._hidden: list[str] = []
        self._lists: list[_List] = []
        self._links: list[tuple[str, int]] = []
        self._preformatted = 0

    def text(self) -> str:
        return "".join(self._written)

    def read(self, piece: Piece) -> None:
        if self._hidden:
            self._read_hidden(piece)
        elif piece.kind in {"comment", "raw"}:
            self._keep_steering(piece)
        elif piece.kind == "text":
            self._say(unescape(piece.source))
        elif piece.kind == "open":
            self._opened(piece)
        elif piece.kind == "close":
            self._closed(piece.name)

    def _read_hidden(self, piece: Piece) -> None:
        if piece.kind not in {"open", "close"}:
            self._keep_steering(piece)
        if piece.name != self._hidden[-1]:
            return
        if piece.opens:
            self._hidden.append(piece.name)
        elif piece.kind == "close":
            self._hidden.pop()

    def _keep_steering(self, piece: Piece) -> None:
        """Of what is not shown, keep the Liquid that shows nothing: a branch may end elsewhere."""
        words = self._protected.word.finditer(piece.source)
        self._written.extend(word[0] for word in words if not self._protected.token(word).prints)

    def _opened(self, piece: Piece) -> None:
        name = piece.name
        if piece.opens and (name in _DROPPED or _HIDDEN.search(piece.attribute("style") or "")):
            self._hidden.append(name)
            return
        self._break_around(name)
        if name in {"ol", "ul"}:
            self._lists.append(_List(ordered=name == "ol"))
        elif name == "li":
            self._begin_item()
        elif name == "a":
            self._links.append(((piece.attribute("href") or "").strip(), len(self._written)))
        elif name == "img":
            self._say(piece.attribute("alt") or "")
        elif name == "br":
            self._breaks = min(self._breaks + 1, 2)
        elif name == "hr":
            self._paragraph(_RULE)
        elif name == "pre":
            self._preformatted += 1
        elif name in _CELLS:
            self._space = True

    def _closed(self, name: str) -> None:
        if name in {"ol", "ul"} and self._lists:
            self._lists.pop()
        elif name == "a" and self._links:
            self._end_link(*self._links.pop())
        elif name == "pre" and self._preformatted:
            self._preformatted -= 1
        if name not in VOID:
            self._break_around(name)

    def _break_around(self, name: str) -> None:
        if name in _PARAGRAPHS and not self._lists:
            self._breaks = 2
        elif name in _LINES or name in _PARAGRAPHS:
            self._breaks = max(self._breaks, 1)

    def _paragraph(self, text: str) -> None:
        self._breaks = 2
        self._write(text)
        self._breaks = 2

    def _begin_item(self) -> None:
        depth = max(len(self._lists) - 1, 0)
        mark = self._lists[-1].next_mark() if self._lists else "- "
        self._write("  " * depth + mark)
        self._at_mark = True

    def _end_link(self, target: str, since: int) -> None:
        shown = "".join(self._written[since:]).strip()
        bare = target.removeprefix("mailto:").removeprefix("tel:")
        if target and not target.startswith("#") and shown not in {target, bare}:
            self._space = bool(shown)
            self._write(f"<{target}>")

    def _say(self, text: str) -> None:
        if self._preformatted:
            self._write(text)
            return
        words = _SPACE.sub(" ", text)
        if words.startswith(" "):
            self._space = True
        if stripped := words.strip(" "):
            if self._lists and self._steers(stripped):
                self._lists[-1].looped = True
            self._write(stripped)
            self._space = words.endswith(" ")

    def _steers(self, text: str) -> bool:
        return any(not self._protected.token(match).prints for match in self._protected.word.finditer(text))

    def _write(self, text: str) -> None:
        if self._breaks and self._written and not self._at_mark:
            self._written.append("\n" * self._breaks)
        elif self._space and self._line_open:
            self._written.append(" ")
        self._written.append(text)
        self._breaks, self._space, self._at_mark, self._line_open = 0, False, False, not text.endswith((" ", "\n"))


class _List:
    """A list that is being written; in one with a loop, numbers would repeat themselves."""

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._count = 0
        self.looped = False

    def next_mark(self) -> str:
        self._count += 1
        return f"{self._count}. " if self._ordered and not self.looped else "- "
