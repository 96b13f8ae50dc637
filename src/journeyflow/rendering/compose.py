"""A template with the partials that it shows and the layout around it, as one Liquid source.

Everything that works on whole documents (MJML, style sheets, the plain-text part, what is read, what can fail) then
sees what the contact will get. ``{% render "id" %}`` becomes ``{% render "id" %}...{% endrender %}``, a block with the
scope that the tag has in Liquid (:mod:`journeyflow.rendering.part_tags`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from journeyflow.core.errors import TemplateError
from journeyflow.core.template import Layout, Partial
from journeyflow.rendering.limits import OUTPUT_BYTES_MAX
from journeyflow.rendering.tokens import Token, line_of, tokens_in

PART_TAGS: Final = ("include", "render")
DEPTH_MAX: Final = 10
"""So deep may partials show partials."""

_NAMED: Final = re.compile(r"""\{%-?\s*\w+\s+(?:"([^"]*)"|'([^']*)')""")
_CONTENT: Final = re.compile(r"\{\{-?\s*content\s*-?\}\}")


class Origin(NamedTuple):
    """A text as somebody wrote it; ``place`` is empty for the template's own."""

    place: str
    source: str


class NamedPart(NamedTuple):
    """A partial that a text names, and the line of the tag."""

    id: str
    line: int


def partials_in(source: str) -> Iterator[NamedPart]:
    """The partials that a text itself names, in order.

    :raises TemplateError: where a tag names none, or is not closed.
    """
    for token in tokens_in(source):
        if token.name in PART_TAGS:
            yield NamedPart(_id_in(source, token), line_of(source, token.start))


def _id_in(source: str, token: Token) -> str:
    match = _NAMED.match(token.text)
    if match is None:
        line = line_of(source, token.start)
        raise TemplateError(f'line {line}: expected the id of a partial in quotes, as in {{% {token.name} "footer" %}}')
    return match[1] if match[1] is not None else match[2]


class Composer:
    """Puts partials into texts; ``used`` are those that it met, with their own."""

    def __init__(self, partials: Mapping[str, Partial]) -> None:
        self._partials = partials
        self._done: dict[tuple[str, bool], str] = {}
        self.used: dict[str, Partial] = {}

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The texts of the partials that were put in."""
        return tuple(Origin(f"partial {id_}", one.body) for id_, one in self.used.items())

    def expanded(self, source: str, *, by_line: bool = False) -> str:
        """The text with its partials.

        :param by_line: a tag alone on its line gets lines for what it shows, as Markdown needs it.
        :raises TemplateError: naming the line of a partial that is not there, shows itself, or makes it too long.
        """
        return self._expanded(source, by_line, ())

    def _expanded(self, source: str, by_line: bool, way: tuple[str, ...]) -> str:
        pieces: list[str] = []
        position = length = 0
        for token in tokens_in(source):
            if token.name not in PART_TAGS:
                continue
            shown = self._shown(source, token, by_line, way)
            pieces.extend((source[position : token.start], shown))
            position = token.end
            length += len(shown)
            if length > OUTPUT_BYTES_MAX:
                line = line_of(source, token.start)
                raise TemplateError(f"line {line}: with its partials the text has over {OUTPUT_BYTES_MAX:,} characters")
        return "".join([*pieces, source[position:]])

    def _shown(self, source: str, token: Token, by_line: bool, way: tuple[str, ...]) -> str:
        id_ = _id_in(source, token)
        line = line_of(source, token.start)
        if id_ in way:
            raise TemplateError(f"line {line}: partial {id_} shows itself: {' → '.join([*way[way.index(id_) :], id_])}")
        if len(way) == DEPTH_MAX:
            raise TemplateError(f"line {line}: partials show partials more than {DEPTH_MAX} deep")
        if id_ not in self._partials:
            raise TemplateError(f"line {line}: there is no partial {id_!r}")
        inside = self._inside(id_, by_line, way)
        closer = f"{{% end{token.name} {'-' if token.text.endswith('-%}') else ''}%}}"
        around = "\n" if by_line and _alone_on_its_line(source, token) else ""
        return f"{token.text}{around}{inside}{around}{closer}"

    def _inside(self, id_: str, by_line: bool, way: tuple[str, ...]) -> str:
        found = self._done.get((id_, by_line))
        if found is None:
            partial = self.used[id_] = self._partials[id_]
            try:
                found = self._expanded(partial.body.rstrip("\n"), by_line, (*way, id_))
            except TemplateError as error:
                raise TemplateError(f"partial {id_}: {error}") from error
            self._done[id_, by_line] = found
        return found


def _alone_on_its_line(source: str, token: Token) -> bool:
    start = source.rfind("\n", 0, token.start) + 1
    end = source.find("\n", token.end)
    return not source[start : token.start].strip() and not source[token.end : end if end >= 0 else None].strip()


def around(layout: Layout, shown: str, content: str) -> str:
    """A layout with what stands where it says ``{{ content }}``.

    :param shown: the layout's body with its partials.
    :raises TemplateError: where it says so nowhere, or twice.
    """
    places = _places_of_content(shown)
    if len(places) != 1:
        found = f"it stands there {len(places)} times" if places else "it stands nowhere"
        raise TemplateError(
            f"layout {layout.layout}: expected {{{{ content }}}} once, where the template goes; {found}"
        )
    (place,) = places
    return shown[: place.start] + content + shown[place.end :]


def check_content(layout: Layout) -> None:
    """See that a layout says once where the template goes.

    :raises TemplateError: where it does not.
    """
    places = _places_of_content(layout.body)
    if len(places) > 1:
        cause = "expected {{ content }} once, where the template goes; it comes again here"
        raise TemplateError(cause, line_of(layout.body, places[1].start))
    if not places:
        raise TemplateError("expected {{ content }} once, where the template goes; it stands nowhere")


def _places_of_content(source: str) -> list[Token]:
    return [token for token in tokens_in(source) if _CONTENT.fullmatch(token.text)]
