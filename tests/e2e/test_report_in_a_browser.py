"""The report in a real browser: its style is let in, and it fits a phone as well as a desk."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from tests.cli.calls import done
from tests.e2e.browser import chromium, look
from tests.services.report_page import read_page

ROOT = Path(__file__).parents[2]
LONG = "a" * 200
FRAME = r"""<!doctype html><meta charset="utf-8"><iframe id="page" src="report.html" width="%d" height="900"></iframe>
<pre id="seen"></pre>
<script>
function brokenWords(cell) {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = [];
  for (let text = texts.nextNode(); text; text = texts.nextNode())
    for (const word of text.data.matchAll(/\p{L}+/gu)) {
      const range = cell.ownerDocument.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((line) => line.top)).size > 1) found.push(word[0]);
    }
  return found;
}
const frame = document.getElementById("page");
frame.onload = () => {
  const page = frame.contentDocument, root = page.documentElement, window_ = frame.contentWindow;
  const drawing = page.querySelector("section:last-of-type svg.graph").getBoundingClientRect();
  document.getElementById("seen").textContent = JSON.stringify({
    width: root.clientWidth, scroll: root.scrollWidth, graph: drawing.width,
    font: window_.getComputedStyle(page.querySelector("h1")).fontSize,
    bars: [...page.querySelectorAll("svg.chart rect")].filter((bar) => bar.getBoundingClientRect().height > 0).length,
    broken: [...page.querySelectorAll("tbody th")].flatMap(brokenWords),
    box: window_.getComputedStyle(page.querySelector(".node.message rect")).fill,
  });
};
</script>
"""


@pytest.fixture
def report(workplace: Path) -> Path:
    chromium()
    path = workplace / "report.html"
    people = [*(f"c{n}" for n in range(59)), LONG]
    events = [
        {"contact": contact, "event": "Order Completed", "occurred_at": f"2026-03-{n % 27 + 1:02}T10:00:00Z"}
        for n, contact in enumerate(people)
    ]
    (workplace / "events.jsonl").write_bytes(b"\n".join(map(orjson.dumps, events)))
    rows = "".join(f"{contact},c{n}@example.com\n" for n, contact in enumerate(people))
    (workplace / "contacts.csv").write_text(f"contact,email\n{rows}")
    journeys = ("--journey", "win-back", "--journey", "browse-abandonment")
    files = ("--events", "events.jsonl", "--contacts", "contacts.csv")
    done("simulate", ROOT / "flows", *files, *journeys, "--report", path)
    return path


@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_fits_its_window(report: Path, workplace: Path, width: int) -> None:
    frame = workplace / "frame.html"
    frame.write_text(FRAME % width)

    seen = orjson.loads(next(one.text for one in read_page(look(frame, workplace / "profile")).all("pre")))

    assert seen["scroll"] <= seen["width"] == width, "nothing is wider than the page; what is wide scrolls by itself"
    assert seen["graph"] > 200, "a graph is never squashed"
    assert seen["font"] != "32px", "the policy lets the page's own style in"
    assert seen["box"] != "rgb(0, 0, 0)"
    assert seen["bars"] > 20
    assert seen["broken"] == [LONG], "a word is broken only where it is wider than a column may be"
