"""Style sheets written into the elements that they speak of, because some mail programs read nothing else.

The sheets themselves stay where they are, for media queries and ``:hover``. Nothing is fetched.
"""

from __future__ import annotations

from html import escape
from typing import Final

import css_inline

from journeyflow.core.errors import TemplateError
from journeyflow.rendering.markup import Piece, pieces

_MARK: Final = "data-journeyflow-mark"


def inline_css(html: str, extra_css: str = "", *, own_sheets: bool = True, base_css: str = "") -> str:
    """The HTML with ``style`` attributes, and not changed in anything else.

    The inliner parses HTML and writes it anew, which would move or drop what it thinks misplaced; so each tag gets a
    number, and only the styles are taken from what the inliner gives back.

    :param extra_css: a style sheet that is not in the HTML.
    :param own_sheets: whether the sheets in the HTML count.
    :param base_css: another one, which all others overrule; it counts where ``own_sheets`` do.
    :raises TemplateError: when the inliner can't cope.
    """
    parts = list(pieces(html))
    if not (extra_css + base_css).strip() and not (own_sheets and any(part.name == "style" for part in parts)):
        return html
    styles = _computed_styles(parts, extra_css, own_sheets, base_css)
    return "".join(
        _with_style(part, styles[number]) if number in styles else part.source for number, part in enumerate(parts)
    )


def _computed_styles(parts: list[Piece], extra_css: str, own_sheets: bool, base_css: str) -> dict[int, str]:
    """By number of the piece, the styles of the elements that have any."""
    marked = (f"<style>{base_css}</style>" if base_css else "") + "".join(
        _inserted(part, f' {_MARK}="{number}"') if part.kind == "open" else part.source
        for number, part in enumerate(parts)
    )
    try:
        inlined = css_inline.inline(
            marked, extra_css=extra_css or None, inline_style_tags=own_sheets, load_remote_stylesheets=False
        )
    except ValueError as error:
        raise TemplateError(f"style sheet: {error}") from error
    styles: dict[int, str] = {}
    for part in pieces(inlined):
        if part.kind == "open" and (number := part.attribute(_MARK)) and (style := part.attribute("style")):
            styles.setdefault(int(number), style)
    return styles


def _inserted(part: Piece, text: str) -> str:
    """The tag with an attribute put first."""
    after_name = 1 + len(part.name)
    return part.source[:after_name] + text + part.source[after_name:]


def _with_style(part: Piece, style: str) -> str:
    attribute = f'style="{escape(style, quote=False).replace(chr(34), "&quot;")}"'
    span = part.attribute_span("style")
    if span is None:
        return _inserted(part, f" {attribute}")
    return part.source[: span[0]] + attribute + part.source[span[1] :]
