"""HTML and SVG written by code: whatever is not :class:`Html` already is escaped, so that nothing is forgotten."""

from __future__ import annotations

import re
from html import escape
from typing import Final

_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What no HTML document may hold."""


class Html(str):
    """Text that is HTML: it was escaped, or written here."""

    __slots__ = ()


Child = str | int | float | None
Attribute = str | int | float | None


def text(value: Child) -> Html:
    """A value as HTML text; numbers with separators, ``None`` as nothing."""
    if value is None:
        return Html()
    if isinstance(value, Html):
        return value
    if isinstance(value, int):
        return Html(f"{value:,}")
    if isinstance(value, float):
        return Html(f"{value:,.2f}")
    return Html(escape(_CONTROLS.sub("\ufffd", value)))


def element(name: str, *children: Child, **attributes: Attribute) -> Html:
    """An element; ``class_`` is ``class``, other ``_`` become ``-``; an attribute of ``None`` is left out."""
    return Html(f"<{name}{_attributes(attributes)}>{joined(*children)}</{name}>")


def void(name: str, **attributes: Attribute) -> Html:
    """An element that holds nothing."""
    return Html(f"<{name}{_attributes(attributes)}/>")


def joined(*children: Child) -> Html:
    """Several pieces one after the other."""
    return Html("".join(text(child) for child in children))


def _attributes(attributes: dict[str, Attribute]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for name, value in attributes.items()
        if value is not None
    )


def _value(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return escape(_CONTROLS.sub("\ufffd", str(value)))


def shorten(value: str, longest: int) -> str:
    """Text of at most so many characters, with an ellipsis where something is missing."""
    return value if len(value) <= longest else f"{value[: longest - 1].rstrip()}…"
