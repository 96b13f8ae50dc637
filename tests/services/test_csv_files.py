"""CSV as people write it: blanks after commas, quotes, and those that were forgotten."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyflow.services.csv_files import CSVRows, csv_line
from journeyflow.services.simulate_errors import BrokenFile

LONG = "x" * 140_000


def rows(text: str) -> list[tuple[int, list[str]]]:
    kept = CSVRows(BytesIO(text.encode()), Path("a.csv"))
    return [*kept]


def test_blanks_after_a_comma_mean_nothing_but_inside_quotes() -> None:
    assert rows('contact, "email",  name\nann, "a@b.c", " Ann, of Ghent"\n') == [
        (1, ["contact", "email", "name"]),
        (2, ["ann", "a@b.c", " Ann, of Ghent"]),
    ]


def test_blanks_before_a_comma_and_at_the_end_mean_nothing_but_in_a_row_with_quotes() -> None:
    assert rows("contact , email , name  \nann , a@b.c,Ann of Ghent \r\nbob,,") == [
        (1, ["contact", "email", "name"]),
        (2, ["ann", "a@b.c", "Ann of Ghent"]),
        (3, ["bob", "", ""]),
    ]
    assert rows('"ann ","x\ny , z "\n') == [(1, ["ann ", "x\ny , z "])]


def test_very_many_blanks_take_no_time() -> None:
    assert rows(f"a{' ' * 100_000}b\n") == [(1, [f"a{' ' * 100_000}b"])]


def test_a_row_has_the_line_in_which_it_begins() -> None:
    assert rows('a\n"two\nlines"\r\n\nb') == [(1, ["a"]), (2, ["two\nlines"]), (4, []), (5, ["b"])]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('a,b\n1,"2\n3,4\n', "a.csv:2: the quote that begins here never ends"),
        ('a,b\n1,  "2\n3,4\n', "a.csv:2: the quote that begins here never ends"),
        ('a,b\n"1\n2", 5" pipe,"3 ""x""\n4\n', "a.csv:3: the quote that begins here never ends"),
        ('a,"b\n"c",d\n', "a.csv:1: the quote that begins here ends in line 2, where no comma follows"),
        ('a\n"b"c\n', "a.csv:2: the quote that begins here ends in line 2, where no comma follows"),
        (
            f'a\r\nb,"c\r\n{LONG}\n',
            "a.csv:2: expected at most 131,072 characters in the cell that begins here; is a quote missing at its end?",
        ),
        (
            f"a\n{LONG}\n",
            "a.csv:2: expected at most 131,072 characters in the cell that begins here; is a quote missing at its end?",
        ),
        (
            f'a\n"{LONG}"\n',
            "a.csv:2: expected at most 131,072 characters in the cell that begins here; is a quote missing at its end?",
        ),
    ],
)
def test_where_a_cell_goes_wrong_its_beginning_is_named(text: str, told: str) -> None:
    with pytest.raises(BrokenFile) as caught:
        rows(text)

    assert str(caught.value) == told


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2))
def test_what_is_written_is_read_again(cells: list[str]) -> None:
    assert rows(csv_line(cells)) == [(1, cells)]
