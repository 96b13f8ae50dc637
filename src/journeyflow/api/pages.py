"""The look of the pages that people see: readable on a phone and by a screen reader, nothing loaded from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from typing import Final

from starlette.responses import HTMLResponse

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1c1e; --paper: #fff; --faint: #5c5f66; --line: #8a8d93; --act: #1a56c4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f2f2f4; --paper: #17181b; --faint: #b0b3ba; --line: #7c7f86; --act: #8ab4ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 34rem; margin: 0 auto; padding: 3rem 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
p { margin: 0 0 1rem; }
a { color: var(--act); }
.faint { color: var(--faint); }
fieldset { border: 0; margin: 0 0 1rem; padding: 0; }
legend { padding: 0; margin-bottom: .5rem; font-weight: 600; }
label { display: flex; gap: .75rem; padding: .6rem 0; border-bottom: 1px solid var(--line); cursor: pointer; }
input { width: 1.4rem; height: 1.4rem; flex: none; margin: .1rem 0 0; accent-color: var(--act); }
button { font: inherit; font-weight: 600; min-height: 2.9rem; padding: .5rem 1.4rem; margin: 0 .5rem .75rem 0;
  border: 2px solid var(--act); border-radius: .5rem; background: var(--act); color: var(--paper); cursor: pointer; }
button.second { background: transparent; color: var(--act); }
:focus-visible { outline: 3px solid var(--act); outline-offset: 3px; }
[role=status] { border-left: .3rem solid var(--act); padding: .3rem 0 .3rem .9rem; }
"""
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()

PRIVATE: Final = {
    # The address of such a page may be the right to change something: it goes nowhere else.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
_HEADERS: Final = {
    **PRIVATE,
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


def is_page(path: str) -> bool:
    """Whether people, not programs, look at what this path answers."""
    return path.startswith(("/u/", "/p/", "/s/", "/t/c/"))


def page(title: str, body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """A whole page; ``title`` is text, ``body`` is HTML whose values are escaped."""
    html = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )
    return HTMLResponse(html, status, {**_HEADERS, **(headers or {})})


def test_page(what: str) -> HTMLResponse:
    """Where the links of a message lead that was sent to look at; ``what`` is what its contact could do here."""
    return page("This was a test", f"<p>In the message itself this link lets the contact {what}. Nothing changed.</p>")


def sorry(status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """What a contact sees when something is wrong."""
    if status == 404:
        text = "It may have been cut off, or be too old. Please use the link in our latest e-mail."
        return page("This link does not work", f"<p>{text}</p>", status, headers)
    if status < 500:
        return page("That did not work", "<p>Please go back and try again.</p>", status, headers)
    return page(
        "Not now, please", "<p>Something went wrong on our side. Please try again in a minute.</p>", status, headers
    )
