"""Whatever is wrong with a folder, `check` tells where: documents that are right, with something in them made wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.golden.cases import ROOT

from journeyflow.core.check.problem import CODES
from journeyflow.core.values import JSON
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_data, check_folder
from journeyflow.services.folder import read_folder

RIGHT = [source.data for source in read_folder([ROOT / "flows", ROOT / "tests/golden/between"]).sources]
WORDS = [
    "type", "event", "when", "where", "next", "nodes", "cases", "start", "goal", "status", "id", "topic", "template",
    "within", "count", "sum", "for", "at", "until", "timeout", "", "a.b", "not", "all", "eq", "set", "body", "stages",
    "topics", "retention", "codes", "choices", "triggers", "reentry", "ref",
]  # fmt: skip
ODD: list[JSON] = [
    None, True, 0, -1, 1e308, 10**30, "", " ", "*", "end", "\x00", "\u202e", "{{", "{% if %}", "{{ x | date: '%' }}",
    "-3d", "1d", "99999999999d", "09:00", "2026-02-30", [], {}, [[]], [{}], {"": ""}, {"ref": "contact.x"}, {"ref": 5},
    {"ref": "vars."}, {"all": []}, {"event": "Go"}, {"tag": 5}, {"type": "wait"}, {"type": []}, ["a", "a"], "a" * 5000,
    {"a" * 300: 1}, "((((", "(a+)+$", "* * * * *", "0 0 30 2 *",
]  # fmt: skip


def places(value: JSON, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where something stands inside a document."""
    keys: list[Any] = [*value] if isinstance(value, dict) else [*range(len(value))] if isinstance(value, list) else []
    return [path, *(place for key in keys for place in places(value[key], (*path, key)))]  # type: ignore[index]  # a key of this very value


@st.composite
def broken_documents(draw: st.DrawFn) -> dict[str, JSON]:
    document: Any = copy.deepcopy(draw(st.sampled_from(RIGHT)))  # Any: a document that is no longer one
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(document)[1:] or [("x",)]))
        holder = document
        for key in way:
            holder = holder[key]
        change = draw(st.sampled_from(["replace", "remove", "rename", "add"]))
        odd = copy.deepcopy(draw(st.sampled_from(ODD)))
        if change == "replace":
            holder[last] = odd
        elif isinstance(holder, list):
            holder.append(odd)
        elif change == "add":
            holder[draw(st.sampled_from(WORDS))] = odd
        elif last in holder:
            value = holder.pop(last)
            if change == "rename":
                holder[draw(st.sampled_from(WORDS))] = value
    return document  # type: ignore[no-any-return]  # as above


@settings(max_examples=150)
@given(st.lists(broken_documents(), min_size=1, max_size=3))
def test_every_error_of_a_broken_folder_has_its_file_line_path_value_and_what_was_expected(
    tmp_path_factory: pytest.TempPathFactory, documents: list[dict[str, JSON]]
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    for number, document in enumerate(documents):
        (folder / f"{number}.json").write_text(json.dumps(document, indent=1))

    for problem in check_folder([folder], LiquidRenderer()).problems:
        assert str(problem).isprintable()
        assert (problem.code in CODES, problem.file != "", problem.message != "") == (True, True, True)
        if problem.severity == "error":
            assert problem.line > 0
            assert problem.path or problem.code in ("JF001", "JF003", "JF008")
            assert problem.value is not None or problem.code in ("JF001", "JF002", "JF003", "JF005", "JF008", "JF013")


def test_what_is_no_id_is_not_offered_for_one() -> None:
    odd: list[JSON] = [{"segment": "\u202e", "when": {"tag": "x"}}, {"segment": "a text\n" * 50, "when": {"tag": "x"}}]
    asking: JSON = {"journey": "a", "enter_if": {"segment": "gold"}, "start": "b", "nodes": {"b": {"type": "end"}}}

    found = [one for one in check_data([*odd, asking], [], LiquidRenderer()).errors if one.code == "JF012"]

    assert [one.message for one in found] == ["expected the id of a segment; there are none"]
