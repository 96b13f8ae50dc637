from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyflow.core.check.problem import CODES, VALUE_LENGTH_MAX, Problem, path_text, shortened
from journeyflow.core.check.source import Source
from journeyflow.core.values import PathKeys, parse_path


def test_a_problem_reads_as_place_code_path_message_and_value() -> None:
    problem = Problem("JF004", "unknown key 'nxt'", "flows/a.yaml", 7, "nodes.first.nxt", '"second"')

    assert str(problem) == "flows/a.yaml:7: JF004 nodes.first.nxt: unknown key 'nxt' (got \"second\")"


def test_a_problem_says_only_what_it_knows() -> None:
    assert str(Problem("JF008", "can't be read", "flows/a.yaml")) == "flows/a.yaml: JF008 can't be read"


def test_problems_are_ordered_by_file_and_line() -> None:
    places = [("b.yaml", 1), ("a.yaml", 10), ("a.yaml", 9)]
    problems = [Problem("JF006", "wrong", file, line) for file, line in places]

    ordered = sorted(problems, key=lambda problem: problem.order)

    assert [(problem.file, problem.line) for problem in ordered] == [("a.yaml", 9), ("a.yaml", 10), ("b.yaml", 1)]


def test_every_code_has_a_title_and_one_line_of_advice() -> None:
    assert all(name == code.code and code.title and "\n" not in code.advice for name, code in CODES.items())


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ((), ""),
        (("nodes", "first", "template"), "nodes.first.template"),
        (("triggers", 0, "where"), "triggers[0].where"),
        ((0, 1), "[0][1]"),
        (("nodes", "a.b", "next"), 'nodes["a.b"].next'),
        (("nodes", "", "next"), 'nodes[""].next'),
        (("nodes", "\ud800"), 'nodes["\\ud800"]'),
        (("größe",), "größe"),
    ],
)
def test_a_path_reads_as_in_the_format(keys: PathKeys, text: str) -> None:
    assert path_text(keys) == text


@given(st.lists(st.from_regex(r"[a-z_-]{1,9}", fullmatch=True) | st.integers(0, 99), min_size=1, max_size=5))
def test_a_path_of_plain_keys_can_be_read_back(keys: list[str | int]) -> None:
    path: PathKeys = ("root", *keys)

    assert parse_path(path_text(path)) == path


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'), (1.5, "1.5"), (None, "null"), (True, "true"), ({"a": [1, "zoë"]}, '{"a": [1, "zoë"]}'),
        ("\x1b[31m\n", '"\\u001b[31m\\n"'), ("\u202e", '"\\u202e"'), ("\ud800", '"\\ud800"'),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_json_that_can_be_printed(value: object, text: str) -> None:
    assert shortened(value) == text


@pytest.mark.parametrize("value", ["x" * 1_000_000, ["x"] * 1_000_000, {"a": "x" * 100}])
def test_a_long_value_is_cut(value: object) -> None:
    text = shortened(value)

    assert len(text) == VALUE_LENGTH_MAX
    assert text.endswith("…")


@given(st.recursive(st.none() | st.text(st.characters()) | st.floats(), st.lists))
def test_every_value_can_be_shown_on_one_line(value: object) -> None:
    assert shortened(value).isprintable()
    assert shortened(value).encode()


def a_source() -> Source:
    positions: dict[PathKeys, int] = {(): 1, ("nodes",): 3, ("nodes", "first"): 4, ("nodes", "first", "next"): 5}
    return Source("a.yaml", "journey", "a", {"journey": "a", "nodes": {"first": {"next": [None]}}}, positions)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1), (("start",), 1), (("nodes", "first"), 4), (("nodes", "first", "template"), 4),
        (("nodes", "first", "next", 0), 5), ("nodes.first.next[0]", 5), ("nodes.second", 3), ("", 1), ("a..b", 1),
    ],
)  # fmt: skip
def test_a_place_without_a_line_of_its_own_has_that_of_what_is_around_it(path: PathKeys | str, line: int) -> None:
    assert a_source().line_of(path) == line


def test_a_document_that_came_as_data_has_no_lines() -> None:
    assert Source("(request)", "journey", "a", {"journey": "a"}).line_of(("journey",)) == 0


def test_a_source_makes_problems_with_their_place_and_value() -> None:
    problem = a_source().problem("JF010", ("nodes", "first", "next", 0), "unknown node", severity="warning")

    assert problem == Problem("JF010", "unknown node", "a.yaml", 5, "nodes.first.next[0]", "null", "warning")


def test_a_missing_key_has_no_value_to_show() -> None:
    assert a_source().problem("JF005", ("nodes", "first", "template"), "missing key 'template'").value is None
