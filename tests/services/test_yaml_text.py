from __future__ import annotations

from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from journeyflow.core.check.problem import Problem
from journeyflow.core.values import JSON, PathKeys
from journeyflow.services import yaml_text
from journeyflow.services.positions import DEPTH_MAX, PROBLEMS_MAX, VALUES_MAX, RawDocument
from journeyflow.services.yaml_text import read_yaml


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def _either_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML may have been built without libyaml; what is read must not depend on it."""
    monkeypatch.setattr(yaml_text, "_LOADER", getattr(yaml, request.param))


def data(text: str) -> JSON:
    document, problems = one(text)
    assert problems == []
    return document.data


def one(text: str) -> tuple[RawDocument, list[Problem]]:
    documents, problems = read_yaml(text, "a.yaml")
    assert len(documents) == 1
    return documents[0], problems


def problem(text: str) -> Problem:
    _, problems = read_yaml(text, "a.yaml")
    assert len(problems) == 1
    return problems[0]


# --- scalars ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "yes", "no", "on", "off", "Yes", "NO", "y", "n",
        "21:00", "09:00", "1:30:00", "2026-03-02", "2026-03-02T10:00:00Z", "2026-03-02 10:00:00",
        "010", "0o17", "0x1F", "0b11", "007", "+48601234567", "+5", "1_000", "1,5", "1.2.3", ".", "..", "1e", "e5",
        "=", "NaN", "Infinity", "tRUE", "nULL", "10%", "v1", "1h30m", "90s",
    ],
)  # fmt: skip
def test_what_other_readers_of_yaml_take_for_something_else_is_text(text: str) -> None:
    assert data(f"eq: {text}") == {"eq": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("false", False), ("True", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("0", 0), ("-7", -7), ("12", 12), ("1.50", 1.5), ("-0.5", -0.5), (".5", 0.5), ("1e3", 1000.0),
        ("18446744073709551615", 2**64 - 1), ("-9223372036854775808", -(2**63)),
    ],
)  # fmt: skip
def test_only_these_are_no_text(text: str, value: JSON) -> None:
    assert data(f"eq: {text}") == {"eq": value}
    assert type(one(f"eq: {text}")[0].data) is dict


@pytest.mark.parametrize("text", ["true", "5", "null", "1.5", "~", "2026-01-01"])
def test_what_stands_in_quotes_is_text(text: str) -> None:
    assert data(f"a: '{text}'\nb: \"{text}\"\nc: |-\n  {text}\n") == {"a": text, "b": text, "c": text}


def test_keys_are_text_as_they_are_spelled() -> None:
    assert data("{on: 1, true: 2, 5: 3, 1.0: 4, 09:00: 5, null: 6}") == {
        "on": 1, "true": 2, "5": 3, "1.0": 4, "09:00": 5, "null": 6,
    }  # fmt: skip


@pytest.mark.parametrize("text", [".nan", ".NaN", ".inf", "-.inf", "+.INF", "1e999", "-1e999"])
def test_a_number_that_is_not_finite_is_refused(text: str) -> None:
    found = problem(f"a: 1\neq: {text}")

    assert (found.code, found.line, found.path) == ("JF006", 2, "eq")


@pytest.mark.parametrize("text", ["18446744073709551616", "-9223372036854775809", "9" * 5000])
def test_an_integer_beyond_64_bits_is_refused(text: str) -> None:
    assert problem(f"eq: {text}").message == "expected a number of at most 64 bits; put it in quotes if it is a name"


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!binary", "!!str", "!own", "!!set"])
def test_tags_are_refused(tag: str) -> None:
    found = problem(f"a: {tag} x")

    assert (found.code, found.path) == ("JF001", "a")
    assert found.value == f'"{tag}"'


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00")))
def test_json_of_any_text_in_yaml_is_that_text(text: str) -> None:
    quoted = orjson.dumps(text).decode()

    documents, problems = read_yaml(f"a: {quoted}\n", "a.yaml")

    if problems:  # signs that a YAML file can't hold as they are
        assert "can't be part of a YAML file" in problems[0].message
    elif not any(sign in text for sign in "\u0085\u2028\u2029"):  # these YAML folds like line ends
        assert documents[0].data == {"a": text}


# --- keys that come twice --------------------------------------------------------------------------------------------


def test_a_key_that_comes_twice_is_refused_with_both_lines() -> None:
    document, problems = one("name: x\nnodes:\n  a: 1\n  b: 2\n  a: 3\nname: y\n")

    assert document.data == {"name": "x", "nodes": {"a": 1, "b": 2}}
    assert [(found.code, found.line, found.path, found.message) for found in problems] == [
        ("JF002", 5, "nodes.a", "the key is on line 3 already"),
        ("JF002", 6, "name", "the key is on line 1 already"),
    ]


def test_a_key_spelled_otherwise_comes_twice_all_the_same() -> None:
    assert problem("{'a': 1, a: 2}").message == "the key comes twice on line 1"


# --- aliases ---------------------------------------------------------------------------------------------------------


def test_an_alias_repeats_a_value_without_sharing_it() -> None:
    read: Any = data("a: &x {b: [1]}\nc: *x\n")  # Any: the test changes what it knows to be there

    read["a"]["b"].append(2)

    assert read["c"] == {"b": [1]}


@pytest.mark.parametrize("text", ["a: *x", "a: &x [*x]", "a: &x {b: *x}", "&x a: 1\nb: *x"])
def test_an_alias_to_nothing_or_to_itself_is_refused(text: str) -> None:
    assert problem(text).message.startswith("the alias *x names no value")


def test_an_anchor_ends_with_its_document() -> None:
    assert problem("a: &x 1\n---\nb: *x\n").line == 3


def test_aliases_can_not_make_a_small_file_large() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")

    found = problem("\n".join(lines))

    assert (found.code, found.message) == ("JF008", f"expected at most {VALUES_MAX:,} values in one file")


def test_aliases_can_not_repeat_a_long_text_for_ever() -> None:
    assert problem(f"a: &a {'x' * 100_000}\nb: [{'*a, ' * 1000}]").code == "JF008"


def test_merging_is_refused() -> None:
    found = problem("a: &a {x: 1}\nb:\n  <<: *a\n")

    assert (found.line, found.path) == (3, "b.<<")


# --- limits ----------------------------------------------------------------------------------------------------------


def test_as_many_levels_as_allowed_are_read() -> None:
    assert data("[" * DEPTH_MAX + "]" * DEPTH_MAX) is not None


@pytest.mark.parametrize(
    "text", ["[" * (DEPTH_MAX + 1), "[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000, "[{? [" * 50_000]
)
def test_levels_without_end_are_refused_at_once(text: str) -> None:
    assert problem(text).code in {"JF001", "JF008"}


def test_an_alias_can_not_go_deeper_than_allowed() -> None:
    deep = "[" * 60 + "]" * 60

    assert problem(f"a: &a {deep}\nb: {'[' * 60}*a{']' * 60}").code == "JF008"


def test_more_values_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "VALUES_MAX", 1_000)

    assert data(f"a: [{'0,' * 997}]") == {"a": [0] * 997}  # with the root, the key and the list
    assert problem(f"a: [{'0,' * 1_000}]").code == "JF008"


def test_a_file_full_of_problems_is_given_up() -> None:
    _, problems = read_yaml("a: 1\n" * 5_000, "a.yaml")

    assert len(problems) == PROBLEMS_MAX + 2
    assert problems[-1].message.startswith("more than 1,000 problems")


# --- malformed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\n\tb: 2\n", 2, "a tab can't indent"),
        ("é: ü\na:\n\t- 1\n", 3, "a tab can't indent"),
        ("a:\n\tb: 2\n", 2, "a tab can't indent"),
        ("a: 1\n---\n\tb: 2\n", 3, "a tab can't indent"),
        ("a: b: c\n", 1, "a ': ' can't stand here"),
        ("a: [1, 2\nb: 3\n", 2, "expected ',' or the closing bracket (of what begins on line 1)"),
        ('a: 1\nb: "x\n', 2, "the text ends inside quotes"),
        ('a: "\\q"\n', 1, "a backslash in double quotes"),
        ("a: @b\n", 1, "a value can't begin with this sign (%, @ or `)"),
        ("a:\n  - x\n y: 1\n", 3, "indented otherwise"),
        ("a: x\x01\n", 1, "the character U+0001"),
        ("a: 1\nb: [\x00]\n", 2, "the character U+0000"),
    ],
)
def test_malformed_yaml_is_told_in_plain_words_with_its_line(text: str, line: int, words: str) -> None:
    found = problem(text)

    assert found.code == "JF001"
    assert found.line == line
    assert words in found.message


@pytest.mark.parametrize("text", ["[a]: 1", "{[a]: 1}", "{a: 1}: 2", "? [a]\n: 1", "a: &a x\n*a : 1"])
def test_a_key_that_is_no_text_is_refused(text: str) -> None:
    assert problem(text).message.startswith("expected a key, which is text")


def test_documents_before_an_error_are_kept() -> None:
    documents, problems = read_yaml("a: 1\n---\nb: [\n", "a.yaml")

    assert [document.data for document in documents] == [{"a": 1}]
    assert len(problems) == 1


# --- documents and lines ---------------------------------------------------------------------------------------------


def test_one_text_may_hold_several_documents_and_empty_ones_do_not_count() -> None:
    documents, problems = read_yaml("---\na: 1\n---\n# nothing\n---\nb: 2\n---\n", "a.yaml")

    assert [document.data for document in documents] == [{"a": 1}, {"b": 2}]
    assert problems == []


def test_every_part_has_its_line() -> None:
    document, _ = one("# first\na: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n")
    expected: dict[PathKeys, int] = {
        (): 2, ("a",): 2, ("b",): 3, ("b", 0): 4, ("b", 1): 5, ("b", 1, "c"): 5, ("b", 1, "d"): 6,
    }  # fmt: skip

    assert document.positions == expected


def test_lines_count_from_where_the_text_begins() -> None:
    documents, _ = read_yaml("a: 1\nb: 2\n", "a.md", first_line=2)

    assert documents[0].positions["b",] == 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    lambda part: st.lists(part) | st.dictionaries(st.text(st.characters(min_codepoint=32, max_codepoint=126)), part),
    max_leaves=10,
)  # fmt: skip


@given(
    st.dictionaries(st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1), json_values, min_size=1)
)
def test_the_same_thing_as_json_is_read_as_the_same(value: dict[str, Any]) -> None:  # Any: JSON of every shape
    assert data(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()) == value


@given(st.text(alphabet=st.sampled_from(list("ab:-[]{},?!&*|>'\"#%@ \n\t~.0<")), max_size=60))
def test_no_text_raises(text: str) -> None:
    documents, problems = read_yaml(text, "a.yaml")

    last = text.count("\n") + 1
    assert all(0 < found.line <= last for found in problems)
    assert all(0 < line <= last for document in documents for line in document.positions.values())
