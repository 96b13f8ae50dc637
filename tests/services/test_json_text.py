from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyflow.core.check.problem import Problem
from journeyflow.core.values import JSON, PathKeys
from journeyflow.services.json_text import read_json
from journeyflow.services.positions import DEPTH_MAX, VALUES_MAX, RawDocument


def one(text: str) -> tuple[RawDocument, list[Problem]]:
    documents, problems = read_json(text, "a.json")
    assert len(documents) == 1
    return documents[0], problems


def problem(text: str) -> Problem:
    documents, problems = read_json(text, "a.json")
    assert documents == []
    assert len(problems) == 1
    return problems[0]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    max_leaves=10,
)  # fmt: skip


@given(json_values, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_json_however_written_is_read_as_what_it_says(value: Any, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)

    document, problems = one(text)

    assert document.data == value
    assert problems == []


@given(json_values)
def test_every_part_has_the_line_it_stands_on(value: JSON) -> None:
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    lines = text.split("\n")

    for path, line in one(text)[0].positions.items():
        if path and isinstance(path[-1], str):
            assert lines[line - 1].strip().startswith(orjson.dumps(path[-1]).decode())


def test_lines_count_from_one() -> None:
    expected: dict[PathKeys, int] = {(): 1, ("a",): 2, ("a", 0): 3, ("b",): 5}

    assert one('{\n"a": [\n1\n],\n"b": 2}')[0].positions == expected


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert one('"\\ud83d\\ude00\\/"')[0].data == "😀/"


def test_a_key_that_comes_twice_is_refused_with_both_lines() -> None:
    document, problems = one('{\n"a": 1,\n"\\u0061": 2\n}')

    assert document.data == {"a": 1}
    assert [(found.code, found.line, found.path, found.message) for found in problems] == [
        ("JF002", 3, "a", "the key is on line 2 already")
    ]


@pytest.mark.parametrize("number", ["1e999", "18446744073709551616", "9" * 5000])
def test_a_number_that_is_too_large_is_refused(number: str) -> None:
    _, problems = one(f'{{"a": {number}}}')

    assert [(found.code, found.path) for found in problems] == [("JF006", "a")]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "the end of the file"),
        ("{", 1, "the end of the file"),
        ('{"a": 1,\n}', 2, 'expected a key in double quotes, found "}"'),
        ('{"a" 1}', 1, "expected ':'"),
        ("[1 2]", 1, "expected ',' or ']'"),
        ("[1,]", 1, 'expected a value, found "]"'),
        ("{'a': 1}", 1, 'found "\'"'),
        ("[NaN]", 1, 'found "N"'),
        ("[-Infinity]", 1, "expected a value"),
        ("[01]", 1, "expected ',' or ']'"),
        ("[+1]", 1, 'found "+"'),
        ("[.5]", 1, 'found "."'),
        ("[tru]", 1, 'found "t"'),
        ('\n["a\nb"]', 2, "a double quote, before the end of the line"),
        ('["a', 1, "a double quote"),
        ('\n["\\q"]', 2, "a backslash begins an escape"),
        ('["\\u12"]', 1, "a backslash begins an escape"),
        ("1 // no comments", 1, "expected the end of the file"),
        ("{} {}", 1, "one document"),
    ],
)
def test_malformed_json_is_told_in_plain_words_with_its_line(text: str, line: int, words: str) -> None:
    found = problem(text)

    assert found.code == "JF001"
    assert found.line == line
    assert words in found.message


@pytest.mark.parametrize("text", ["[" * (DEPTH_MAX + 1), "[" * 500_000, '{"a":' * 200_000])
def test_levels_without_end_are_refused_at_once(text: str) -> None:
    assert problem(text).code == "JF008"


@pytest.mark.parametrize("end", ["\n", "", "\\", "\x01"])
def test_a_text_without_an_end_is_refused_at_once(end: str) -> None:
    """However long it is: looking for an end in all ways at once took ages for forty letters."""
    assert problem('{"a": "' + "x" * 50_000 + end).code == "JF001"


def test_more_values_than_allowed_are_refused() -> None:
    assert problem(f"[{'0,' * VALUES_MAX}0]").code == "JF008"


@given(st.text(alphabet=st.sampled_from(list('{}[],:"\\truefalsn0123.-+eE \n\tu')), max_size=60))
def test_a_text_is_read_exactly_where_it_is_json(text: str) -> None:
    documents, problems = read_json(text, "a.json")

    try:
        value = json.loads(text, parse_constant=pytest.fail)
    except (ValueError, pytest.fail.Exception):
        assert documents == []
        assert len(problems) >= 1
    else:
        assert problems or documents[0].data == value
