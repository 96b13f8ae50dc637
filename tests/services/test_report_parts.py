"""What pages of numbers are made of."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from tests.services.report_page import Tag, read_page, tables

from journeyflow.services.html_text import Html, element, shorten, text, void
from journeyflow.services.report_parts import COLOURS, day_chart, figures, legend, meter, percent, table

START = date(2026, 3, 2)


def texts(page: Tag) -> list[str]:
    return [one.text for one in page.all("text")]


def test_what_is_not_html_is_escaped_wherever_it_stands() -> None:
    made = element("a", '<b> & "c"', href='"><script>', title=None, class_="x")

    assert made == '<a href="&quot;&gt;&lt;script&gt;" class="x">&lt;b&gt; &amp; &quot;c&quot;</a>'
    assert element("p", Html("<b>bold</b>"), 1_234, 2.5, None) == "<p><b>bold</b>1,2342.50</p>"
    assert void("rect", x=1.0, stroke_width=2) == '<rect x="1" stroke-width="2"/>'
    assert text("nul \x00, half \ud800") == "nul \ufffd, half \ufffd"


def test_long_words_are_shortened() -> None:
    assert shorten("abandoned-cart", 10) == "abandoned…"
    assert shorten("short", 10) == "short"


def test_a_table_has_its_numbers_flush_right_and_its_rows_headed() -> None:
    page = read_page(table("Things", ("thing", "times", "share", ""), [("a", 1_000, "50.0%", meter(1, 2))], "note"))

    kinds = [one.attributes.get("class") for one in page.all("td")]
    assert tables(page) == {"Things": [["a", "1,000", "50.0%"]]}
    assert kinds == ["meter", "number", "number", "meter"]
    assert [one.attributes["scope"] for one in page.all("th")] == ["col", "col", "col", "row"]


@pytest.mark.parametrize(("part", "whole", "told"), [(1, 8, "12.5%"), (0, 3, "0.0%"), (0, 0, "–")])
def test_shares_are_told_in_per_cent(part: int, whole: int, told: str) -> None:
    assert percent(part, whole) == told


@pytest.mark.parametrize(
    ("most", "lines"),
    [
        (1, ["0", "1"]),
        (3, ["0", "1", "2", "3"]),
        (95, ["0", "25", "50", "75", "100"]),
        (1_234, ["0", "500", "1,000", "1,500"]),
    ],
)
def test_a_chart_has_round_numbers_at_its_lines(most: int, lines: list[str]) -> None:
    page = read_page(day_chart("Days", {START: {"a": most}}, ["a"], "days"))

    assert texts(page)[: len(lines)] == lines


def test_bars_of_a_day_stand_on_each_other_and_add_up() -> None:
    page = read_page(
        day_chart("Days", {START: {"a": 10, "b": 30}, START + timedelta(2): {"b": 20}}, ["a", "b"], "days")
    )

    first, second, other = page.all("rect")
    heights = [float(one.attributes["height"]) for one in (first, second, other)]
    assert heights[1] == pytest.approx(3 * heights[0], abs=0.02)
    assert heights[2] == pytest.approx(2 * heights[0], abs=0.02)
    assert float(second.attributes["y"]) + heights[1] == pytest.approx(float(first.attributes["y"]), abs=0.02)
    assert float(other.attributes["x"]) > float(first.attributes["x"])
    assert [one.attributes["class"] for one in (first, second, other)] == ["c0", "c1", "c1"]


@pytest.mark.parametrize(("days", "marks"), [(10, ["2 Mar", "9 Mar"]), (80, ["Apr 2026", "May"])])
def test_the_time_axis_names_weeks_or_months(days: int, marks: list[str]) -> None:
    page = read_page(day_chart("Days", {START + timedelta(index): {"a": 1} for index in range(days)}, ["a"], "days"))

    assert texts(page)[-2:] == marks


@pytest.mark.parametrize(
    ("days", "first", "second"),
    [
        (365, "Apr 2026", "May"),
        (700, "May 2026", "Jul"),
        (5_350, "Jan 2028", "Jan 2030"),
        (30_000, "Jan 2030", "Jan 2040"),
    ],
)
def test_marks_of_the_time_axis_are_evenly_spaced_and_do_not_touch(days: int, first: str, second: str) -> None:
    page = read_page(day_chart("Days", {START: {"a": 1}, START + timedelta(days - 1): {"a": 1}}, ["a"], "days"))

    marks = [one for one in page.all("text") if one.attributes["y"] == "242"]
    places = [float(one.attributes["x"]) for one in marks]
    gaps = [after - before for before, after in pairwise(places)]
    assert [one.text for one in marks][:2] == [first, second]
    assert min(gaps) >= 60
    assert max(gaps) <= min(gaps) * 1.12  # months differ by three days


def test_a_legend_has_each_colour_once_for_so_many_series() -> None:
    page = read_page(legend([(f"j{index}", index) for index in range(COLOURS)]))

    assert [one.text for one in page.all("li")][:2] == ["j0 0", "j1 1"]
    assert len({one.attributes["class"] for one in page.all("rect")}) == COLOURS


def test_figures_are_a_list() -> None:
    assert [one.text for one in read_page(figures([(1_000, "messages"), ("x", "y")])).all("li")] == [
        "1,000messages",
        "xy",
    ]
