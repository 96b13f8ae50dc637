"""What pages of numbers are made of: tables with captions, bars, figures, a chart of days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from math import ceil, floor, log10
from typing import Final

from journeyflow.services.html_text import Child, Html, element, joined, void

COLOURS: Final = 8
DASH: Final = "–"
Cell = str | int | float | None


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], note: str | None = None) -> Html:
    """A table that scrolls where it is too wide; numbers are flush right, the first cell of a row is its header.

    An empty heading is that of a column of bars.
    """
    numeric = [bool(rows) and all(_is_number(row[place]) for row in rows) for place in range(len(columns))]
    kinds = [
        "meter" if not column else "number" if number else None for column, number in zip(columns, numeric, strict=True)
    ]
    head = joined(
        *(
            element("th", column, class_=kind, scope="col") if column else element("td", class_="meter")
            for column, kind in zip(columns, kinds, strict=True)
        )
    )
    body = joined(
        *(
            element(
                "tr",
                *(_cell(cell, kind, index == 0) for index, (cell, kind) in enumerate(zip(row, kinds, strict=True))),
            )
            for row in rows
        )
    )
    small = element("small", note) if note else ""
    whole = element(
        "table", element("caption", caption, small), element("thead", element("tr", head)), element("tbody", body)
    )
    return wide(whole, caption)


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float) or (isinstance(cell, str) and cell.endswith(("%", DASH)))


def _cell(cell: Cell, kind: str | None, header: bool) -> Html:
    return element("th", cell, class_=kind, scope="row") if header else element("td", cell, class_=kind)


def wide(child: Child, label: str) -> Html:
    """Something that may be wider than the page: it scrolls, by keyboard too."""
    return element("div", child, class_="wide", role="group", tabindex=0, aria_label=label)


def meter(value: float, most: float) -> Html:
    """A bar; the number stands beside it, so that the drawing itself says nothing to a screen reader."""
    share = 100 * value / most if most > 0 else 0.0
    return element(
        "svg",
        void("rect", width=100, height=10, rx=1, class_="kept"),
        void("rect", width=float(share), height=10, rx=1, class_="bar") if share > 0 else "",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def figures(pairs: Sequence[tuple[Cell, str]]) -> Html:
    """Numbers that are read first, each with its words."""
    return element(
        "ul",
        *(element("li", element("b", number), element("span", words)) for number, words in pairs),
        class_="figures",
    )


def percent(part: float, whole: float) -> str:
    """``12.5%``; a dash where there is nothing to be part of."""
    return f"{100 * part / whole:.1f}%" if whole else DASH


def folded(summary: str, child: Child) -> Html:
    """What is shown when somebody asks for it."""
    return element("details", element("summary", summary), child)


# --- days ------------------------------------------------------------------------------------------------------------

CHART_WIDTH, CHART_HEIGHT, LEFT, BOTTOM, TOP = 960, 250, 54, 30, 14


def day_chart(title: str, days: Mapping[date, Mapping[str, int]], series: Sequence[str], id_: str) -> Html:
    """Stacked bars, a day each, from the first to the last day with any; ``series`` are stacked in their order."""
    first, last = min(days), max(days)
    count = (last - first).days + 1
    ceiling, step = _ceiling(max(sum(values.values()) for values in days.values()))
    inner, height = CHART_WIDTH - LEFT - 6, CHART_HEIGHT - BOTTOM - TOP
    pace = inner / count
    bars: list[Html] = []
    for day, values in sorted(days.items()):
        bottom = float(TOP + height)
        x = LEFT + (day - first).days * pace
        for index, name in enumerate(series):
            tall = height * values.get(name, 0) / ceiling
            if tall:
                bottom -= tall
                bars.append(_bar(x, bottom, min(pace * 0.86, 22.0), tall, index))
    return wide(
        element(
            "svg",
            element("title", title, id=f"{id_}-title"),
            element("desc", "The table below the chart has the same numbers.", id=f"{id_}-words"),
            *_scale(ceiling, step, height),
            *bars,
            *_months(first, count, pace),
            class_="chart",
            role="img",
            aria_labelledby=f"{id_}-title {id_}-words",
            viewBox=f"0 0 {CHART_WIDTH} {CHART_HEIGHT}",
        ),
        title,
    )


def _bar(x: float, y: float, width: float, height: float, series: int) -> Html:
    return Html(
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" class="c{series % COLOURS}"/>'
    )


def _ceiling(most: int) -> tuple[int, int]:
    """A round number above all, and the distance of the lines below it."""
    rough = max(most / 4, 1)
    magnitude = 10 ** floor(log10(rough))
    step = int(
        next(one * magnitude for one in (1, 2, 2.5, 5, 10) if one * magnitude >= rough and one * magnitude % 1 == 0)
    )
    return ceil(most / step) * step, step


def _scale(ceiling: int, step: int, height: float) -> list[Html]:
    lines: list[Html] = []
    for value in range(0, ceiling + 1, step):
        y = TOP + height * (1 - value / ceiling)
        lines.append(void("line", x1=LEFT, x2=CHART_WIDTH - 6, y1=float(y), y2=float(y), class_="axis"))
        lines.append(element("text", value, x=LEFT - 8, y=float(y + 4), class_="right faint"))
    return lines


MARK_ROOM: Final = 66
"""A month with its year, and a gap."""
WEEKS_MAX: Final = 62
"""The axis of so many days at most is marked by weeks."""
MONTH_STEPS: Final = (1, 2, 3, 6)
YEAR_STEPS: Final = (1, 2, 5, 10, 20, 50, 100, 1000)


def _months(first: date, count: int, pace: float) -> list[Html]:
    """Where weeks, months or years begin, whatever has room."""
    days = [first + timedelta(days=index) for index in range(count)]
    found: list[Html] = []
    told: int | None = None
    for day in _marked(days):
        x = LEFT + (day - first).days * pace
        if x > CHART_WIDTH - 30:
            continue
        found.append(
            void(
                "line", x1=float(x), x2=float(x), y1=CHART_HEIGHT - BOTTOM, y2=CHART_HEIGHT - BOTTOM + 5, class_="axis"
            )
        )
        found.append(element("text", _mark(day, count, told), x=float(x), y=CHART_HEIGHT - 8, class_="faint"))
        told = day.year
    return found


def _marked(days: Sequence[date]) -> Sequence[date]:
    """The days that carry a mark, evenly spaced: every so many months, counted from January, or every so many years."""
    if len(days) <= WEEKS_MAX:
        return [day for day in days if day.weekday() == 0] or days[:1]
    most = (CHART_WIDTH - LEFT) // MARK_ROOM
    months = [day for day in days if day.day == 1]
    for step in MONTH_STEPS:
        marks = [day for day in months if (day.month - 1) % step == 0]
        if len(marks) <= most:
            return marks
    years = [day for day in months if day.month == 1]
    every = next(step for step in YEAR_STEPS if len(years) <= most * step)
    return [day for day in years if day.year % every == 0]


def _mark(day: date, count: int, told: int | None) -> str:
    """A month with its year where that is not the one told before; a week by its day."""
    if count <= WEEKS_MAX:
        return f"{day:%-d %b}"
    return f"{day:%b %Y}" if day.year != told else f"{day:%b}"


def legend(series: Sequence[tuple[str, int]]) -> Html:
    """What the colours mean, with each one's sum."""
    items = (
        element(
            "li",
            element(
                "svg",
                void("rect", width=10, height=10, rx=2, class_=f"c{index % COLOURS}"),
                viewBox="0 0 10 10",
                width=10,
                height=10,
                aria_hidden="true",
            ),
            f"{name} {number:,}",
        )
        for index, (name, number) in enumerate(series)
    )
    return element("ul", *items, class_="legend")
