"""The title of an HTML mail, which screen readers and browsers tell first."""

from __future__ import annotations

import re
from html import escape
from typing import Final

_EMPTY: Final = re.compile(r"(<title\b[^>]*>)\s*(?=</title\s*>)", re.IGNORECASE)
_HEAD_ENDS: Final = re.compile(r"</head\b|<body\b", re.IGNORECASE)


def with_title(html: str, subject: str) -> str:
    """The document with the subject as its title, where it has an empty one; others and fragments stay as they are."""
    found = _EMPTY.search(html)
    if found is None or not subject:
        return html
    end = _HEAD_ENDS.search(html)
    if end is not None and end.start() < found.start():  # the title of a picture
        return html
    return "".join((html[: found.end(1)], escape(subject, quote=False), html[found.end() :]))
