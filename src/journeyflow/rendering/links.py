"""Links of a mail that is filled in: each is looked at once and may become another."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from typing import Final

Change = Callable[[str], str]
"""The address to link to instead of one; the same where it stays."""

# Also the shapes that Outlook draws for buttons, which stand in comments.
_HREF: Final = re.compile(
    r"""(<(?:a|area|v:[a-z]+)(?=\s)(?:[^<>"']|"[^"]*"|'[^']*')*?\shref\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)""",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_AFTER_ADDRESS: Final = ".,;:!?)]}'*"
_BODY_END: Final = re.compile(r"</body\s*>", re.IGNORECASE)


def with_html_links(html: str, change: Change) -> str:
    """The HTML with every link changed, and nothing else."""

    def changed(match: re.Match[str]) -> str:
        written = match[2]
        address = unescape(written[1:-1] if written[0] in "\"'" else written).strip()
        instead = change(address)
        return match[0] if instead == address else f'{match[1]}"{escape(instead)}"'

    return _HREF.sub(changed, html)


def with_text_links(text: str, change: Change) -> str:
    """The plain text with every address of a web page changed."""

    def changed(match: re.Match[str]) -> str:
        address = match[0].rstrip(_AFTER_ADDRESS)
        return change(address) + match[0][len(address) :]

    return _ADDRESS.sub(changed, text)


def with_image(html: str, address: str) -> str:
    """The HTML with an image at its end that nobody sees."""
    image = f'<img src="{escape(address)}" width="1" height="1" alt="" style="display:block;border:0">'
    ends = list(_BODY_END.finditer(html))
    position = ends[-1].start() if ends else len(html)
    return html[:position] + image + html[position:]
