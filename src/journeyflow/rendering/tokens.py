"""Where Liquid stands in a text, found in one pass, and how to keep it out of the way while the rest is worked on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from journeyflow.core.errors import TemplateError

_OPENING: Final = re.compile(r"\{\{|\{%")
_TAG_NAME: Final = re.compile(r"\{%-?\s*(#|\w+)")
# What is between these two is no Liquid; comments may be nested.
_ENCLOSING: Final = frozenset({"raw", "comment", "doc"})
_COMMENTS: Final = frozenset({"#", "comment", "doc"})
_BLOCKS: Final = frozenset({"capture", "case", "for", "if", "ifchanged", "tablerow", "unless"})
_PRINTING: Final = frozenset({"cycle", "decrement", "echo", "increment", "raw", "survey"})


class Token(NamedTuple):
    """A piece of Liquid: ``{{ an output }}``, ``{% a tag %}``, or all from ``{% raw %}`` to ``{% endraw %}``.

    :param name: of the tag; empty for an output.
    """

    text: str
    start: int
    name: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def prints(self) -> bool:
        """Whether it shows something in its place; the others steer what is shown."""
        return not self.name or self.name in _PRINTING


def tokens_in(source: str) -> Iterator[Token]:
    """The Liquid of a text, in order.

    :raises TemplateError: when something is opened and not closed; it names the line.
    """
    position = 0
    while match := _OPENING.search(source, position):
        start = match.start()
        end = _after(source, start, "}}" if match[0] == "{{" else "%}")
        name = _tag_name(source, start)
        if name in _ENCLOSING:
            end = _after_enclosed(source, start, end, name)
        yield Token(source[start:end], start, name)
        position = end


def _after(source: str, start: int, closer: str) -> int:
    end = source.find(closer, start + 2)
    if end < 0:
        raise TemplateError(f"{source[start : start + 2]} is never closed by {closer}", line_of(source, start))
    return end + 2


def _tag_name(source: str, start: int) -> str:
    match = _TAG_NAME.match(source, start)
    return match[1] if match else ""


def _after_enclosed(source: str, start: int, inside: int, name: str) -> int:
    edges = re.compile(rf"\{{%-?\s*(end)?{name}\b[^%]*%\}}" if name == "comment" else rf"\{{%-?\s*(end){name}\s*-?%\}}")
    depth = 1
    for edge in edges.finditer(source, inside):
        depth += -1 if edge[1] else 1
        if depth == 0:
            return edge.end()
    raise TemplateError(f"{{% {name} %}} is never closed by {{% end{name} %}}", line_of(source, start))


def check_blocks(source: str) -> None:
    """See that every block is closed, and by its own tag; python-liquid does not say where one that is not began.

    :raises TemplateError: naming the line.
    """
    open_blocks: list[Token] = []
    for token in tokens_in(source):
        if token.name in _BLOCKS:
            open_blocks.append(token)
        elif token.name.startswith("end") and token.name[3:] in _BLOCKS:
            if not open_blocks or open_blocks[-1].name != token.name[3:]:
                raise TemplateError(f"{token.text} closes nothing", line_of(source, token.start))
            open_blocks.pop()
    if open_blocks:
        left = open_blocks[-1]
        closer = f"{{% end{left.name} %}}"
        raise TemplateError(f"{{% {left.name} %}} is never closed by {closer}", line_of(source, left.start))


def line_of(source: str, position: int) -> int:
    """The line, from 1, on which a position lies."""
    return source.count("\n", 0, position) + 1


class Protected:
    """A text whose Liquid is hidden behind words that Markdown, MJML and CSS leave as they are, to be put back.

    A word is letters and digits only, so that it may stand in a text, an attribute, a link or a style sheet. Comments
    vanish.
    """

    def __init__(self, source: str) -> None:
        self.tokens = tuple(tokens_in(source))
        stem = "jfq"
        while stem in source.lower():
            stem += "x"
        self._stem = stem
        self.word: Final = re.compile(rf"{stem}(\d+)z")
        self.text = self._hidden(source)

    def _hidden(self, source: str) -> str:
        pieces: list[str] = []
        position = 0
        for index, token in enumerate(self.tokens):
            pieces.append(source[position : token.start])
            if token.name in _COMMENTS:
                pieces.append("\n" * token.text.count("\n"))  # so that lines keep their numbers
            else:
                pieces.append(self.word_for(index))
            position = token.end
        return "".join([*pieces, source[position:]])

    def word_for(self, index: int) -> str:
        """What stands for the token with that number."""
        return f"{self._stem}{index}z"

    def token(self, match: re.Match[str]) -> Token:
        """What a match of :attr:`word` stands for."""
        return self.tokens[int(match[1])]

    def restore(self, text: str, change: Callable[[str], str] = str) -> str:
        """The text with its Liquid back.

        :param change: what is to be done to the text around the Liquid.
        """
        pieces: list[str] = []
        position = 0
        for match in self.word.finditer(text):
            pieces.append(change(text[position : match.start()]))
            pieces.append(self.token(match).text)
            position = match.end()
        return "".join([*pieces, change(text[position:])])
