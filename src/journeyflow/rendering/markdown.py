"""Markdown to a whole HTML mail: plain, responsive, fit for light and dark.

CommonMark with tables. Liquid tags on lines of their own steer what stands between them, paragraphs, list items and
table rows. A paragraph that is nothing but a bold link becomes a button: ``**[Back to your basket]({{ url }})**``.
"""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt

from journeyflow.rendering.inline_css import inline_css
from journeyflow.rendering.tokens import Protected

# No indented code: who indents what stands between two Liquid tags does not mean a listing.
_PARSER: Final = MarkdownIt("commonmark").enable("table").disable("code")

_BUTTON: Final = re.compile(r"<p><strong>(<a [^>]*>(?:(?!</a>).)*</a>)</strong></p>", re.DOTALL)
_COMMENT_WORD: Final = r"<!--({word})-->"


def to_html(protected: Protected) -> str:
    """The mail, still protected."""
    return inline_css(_LAYOUT.replace("<!-- body -->", fragment(protected)), _CSS, own_sheets=False)


def fragment(protected: Protected) -> str:
    """The HTML alone, still protected, for a layout of somebody's own."""
    body = _PARSER.render("\n".join(_with_marked_lines(protected)))
    body = _loops_inside_lists(protected, _loops_inside_tables(protected, body))
    body = re.sub(_COMMENT_WORD.format(word=protected.word.pattern), r"\1", body)
    return _BUTTON.sub(_button, body)


def _with_marked_lines(protected: Protected) -> list[str]:
    """Lines of nothing but steering Liquid become comments, which end a paragraph; between table rows they are rows."""
    lines: list[str] = []
    in_table = False
    for line in protected.text.split("\n"):
        words = list(protected.word.finditer(line))
        steers = bool(words) and not any(protected.token(word).prints for word in words)
        if steers and not protected.word.sub("", line).strip():
            shown = line.strip() if in_table else "".join(f"<!--{word[0]}-->" for word in words)
            lines.append(shown)
        else:
            in_table = line.lstrip().startswith("|")
            lines.append(line)
    return lines


def _loops_inside_tables(protected: Protected, html: str) -> str:
    """A row that is steering Liquid only is none."""

    def bare(match: re.Match[str]) -> str:
        words = list(protected.word.finditer(match[1]))
        return match[1] + "\n" if not any(protected.token(word).prints for word in words) else match[0]

    word = protected.word.pattern
    return re.sub(rf"<tr>\n<td[^>]*>((?:{word}\s*)+)</td>\n(?:<td[^>]*></td>\n)*</tr>\n", bare, html)


def _loops_inside_lists(protected: Protected, html: str) -> str:
    """A loop around a list's items goes around the items, not around a list for each."""
    word = protected.word.pattern
    around = re.compile(rf"<!--({word})-->\n<(ul|ol)>\n((?:(?!</?(?:ul|ol)>).)*)</\3>\n<!--({word})-->", re.DOTALL)

    def inside(match: re.Match[str]) -> str:
        first, last = (protected.token(found) for found in map(protected.word.fullmatch, (match[1], match[5])) if found)
        if (first.name, last.name) != ("for", "endfor"):
            return match[0]
        return f"<{match[3]}>\n{match[1]}\n{match[4]}{match[5]}\n</{match[3]}>"

    return around.sub(inside, html)


def _button(match: re.Match[str]) -> str:
    link = match[1].replace("<a ", '<a class="button" ', 1)
    return (
        '<table role="presentation" class="button" cellpadding="0" cellspacing="0" border="0">'
        f'<tr><td class="button" bgcolor="#1f2937">{link}</td></tr></table>'
    )


BUTTON_CSS: Final = """
table.button { margin: 8px 0 24px; }
td.button { border-radius: 6px; background-color: #1f2937; }
a.button { display: inline-block; padding: 12px 24px; color: #ffffff; font-weight: 600; text-decoration: none; }
"""
"""What makes a button look like one, wherever it stands."""

_CSS: Final = (
    """
body { margin: 0; padding: 0; background-color: #f3f4f6; -webkit-text-size-adjust: 100%; }
table.page { width: 100%; background-color: #f3f4f6; }
td.around { padding: 24px 12px; }
table.card { width: 100%; max-width: 600px; background-color: #ffffff; border-radius: 8px; }
td.card { padding: 32px; color: #1f2937; font-family: -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
  font-size: 16px; line-height: 1.5; word-break: break-word; }
h1 { margin: 0 0 16px; font-size: 26px; line-height: 1.25; }
h2 { margin: 32px 0 12px; font-size: 20px; line-height: 1.3; }
h3 { margin: 24px 0 8px; font-size: 17px; line-height: 1.35; }
p { margin: 0 0 16px; }
ul, ol { margin: 0 0 16px; padding-left: 24px; }
li { margin: 0 0 6px; }
a { color: #1d4ed8; }
hr { margin: 24px 0; border: 0; border-top: 1px solid #d1d5db; }
blockquote { margin: 0 0 16px; padding: 0 0 0 16px; border-left: 3px solid #d1d5db; color: #4b5563; }
code { font-family: Menlo, Consolas, monospace; font-size: 15px; letter-spacing: 0.5px; }
th, table:not([role]) td { padding: 8px 12px 8px 0; border-bottom: 1px solid #e5e7eb; text-align: left; }
table:not([role]) { width: 100%; margin: 0 0 16px; border-collapse: collapse; }
img { max-width: 100%; height: auto; border: 0; }
"""
    + BUTTON_CSS
)

_LAYOUT: Final = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title></title>
<style>
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (max-width: 480px) {
  td.around { padding: 0 !important; }
  table.card { border-radius: 0 !important; }
  td.card { padding: 24px 20px !important; }
}
@media (prefers-color-scheme: dark) {
  body, table.page { background-color: #111418 !important; }
  table.card { background-color: #1c2127 !important; }
  td.card { color: #e5e7eb !important; }
  td.card a { color: #93c5fd !important; }
  td.card blockquote { color: #9ca3af !important; border-color: #4b5563 !important; }
  td.card th, td.card td, td.card hr { border-color: #374151 !important; }
  td.button { background-color: #e5e7eb !important; }
  td.card a.button { color: #111418 !important; }
}
</style>
</head>
<body>
<table role="presentation" class="page" cellpadding="0" cellspacing="0" border="0"><tr>
<td class="around" align="center">
<!--[if mso]><table role="presentation" width="600" cellpadding="0" cellspacing="0"><tr><td><![endif]-->
<table role="presentation" class="card" cellpadding="0" cellspacing="0" border="0"><tr><td class="card">
<!-- body -->
</td></tr></table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
"""
