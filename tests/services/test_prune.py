"""A document that is wrong by itself: what the rest of it says of others is judged as well, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from journeyflow.core.values import JSON
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_data, check_folder

HELLO = "template: hello\nsubject: Hello\nbody: <p>Hello</p>\n"
BEGIN = "journey: a\nstart: a\nnodes:\n"


def told(folder: Path, *documents: str) -> list[tuple[str, str, str | None]]:
    (folder / "a.yaml").write_text("\n---\n".join(documents))
    return [(one.code, one.path, one.value) for one in check_folder([folder], LiquidRenderer()).problems]


def places(folder: Path, *documents: str) -> list[tuple[str, str]]:
    return sorted((code, path) for code, path, _ in told(folder, *documents))


def test_an_unknown_key_hides_no_reference(tmp_path: Path) -> None:
    node = "  a: {type: email, template: zz, topic: nope, next: ghost, foo: 1}\n"

    assert places(tmp_path, BEGIN + node) == [
        ("JF004", "nodes.a.foo"),
        ("JF010", "nodes.a.next"),
        ("JF012", "nodes.a.template"),
        ("JF012", "nodes.a.topic"),
    ]


def test_nor_a_loop_nor_liquid_that_does_not_compile(tmp_path: Path) -> None:
    nodes = (
        "  a: {type: tag, add: [x], next: b, foo: 1}\n"
        "  b: {type: webhook, url: 'https://x.org/{{ x | shout }}', timeout: soon, next: a}\n"
    )

    assert places(tmp_path, BEGIN + nodes) == [
        ("JF004", "nodes.a.foo"),
        ("JF006", "nodes.b.timeout"),
        ("JF011", "nodes.a"),
        ("JF013", "nodes.b.url"),
    ]


@pytest.mark.parametrize(
    ("node", "hidden"),
    [
        ("{type: wait, for: 3 days, next: ghost}", ["next"]),
        ("{type: wait, next: ghost}", ["next"]),
        ("{type: wait, for: 1h, until_time: {at: '10:00'}, next: ghost}", ["next"]),
        ("{type: wait, until: {attribute: x, at: 9}, next: end, on_past: ghost}", ["on_past"]),
        ("{type: wait_for, cases: [{event: X, next: ghost}], timeout: soon, on_timeout: ghost}",
         ["cases[0].next", "on_timeout"]),
        ("{type: wait_for, timeout: 1d, next: ghost}", ["next"]),
        ("{type: wait_for, cases: [{event: X, when: {segment: none}, next: ghost}], timeout: 1d}",
         ["cases[0].next", "cases[0].when.segment"]),
        ("{type: branch, cases: [{when: {attribut: x}, next: ghost}], else: ghost}", ["cases[0].next", "else"]),
        ("{type: branch, cases: 5, else: ghost}", ["else"]),
        ("{type: split, arms: [{weight: half, next: ghost}, {weight: 1, name: 5, next: ghost}]}",
         ["arms[0].next", "arms[1].next"]),
        ("{type: split, arms: [{weight: 1, name: x, next: ghost}, {weight: 1, name: x}]}", ["arms[0].next"]),
        ("{type: email, topic: nope, on_skip: ghost, next: ghost}", ["next", "on_skip", "topic"]),
        ("{type: sms, topic: nope, next: ghost}", ["next", "topic"]),
        ("{type: webhook, url: 5, on_failure: ghost, next: ghost}", ["next", "on_failure"]),
        ("{type: coupon, pool: none, save_as: a-b, on_empty: ghost}", ["on_empty", "pool"]),
        ("{type: tag, next: ghost, only_if: {segment: none}}", ["next", "only_if.segment"]),
        ("{type: enroll, journey: 5, next: ghost}", ["next"]),
        ("{type: emial, next: ghost}", ["next"]),
        ("{type: tag, add: [x], only_if: {event: 5, where: {all: [{segment: none}, {tga: x}]}}}",
         ["only_if.where.all[0].segment"]),
        ("{type: tag, add: [x], only_if: {message: {chanel: email, template: none}}}", ["only_if.message.template"]),
    ],
)  # fmt: skip
def test_a_wrong_value_hides_no_reference_beside_it(tmp_path: Path, node: str, hidden: list[str]) -> None:
    found = places(tmp_path, BEGIN + f"  a: {node}\n")

    assert any(code in ("JF004", "JF005", "JF006") for code, _ in found)
    assert sorted(path for code, path in found if code in ("JF010", "JF012")) == [f"nodes.a.{one}" for one in hidden]


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("triggers: [{type: segment, entered: none, left: none}]", "triggers[0].entered"),
        ("triggers: [{type: schedule, segment: none}]", "triggers[0].segment"),
        ("triggers: [{type: schedule, cron: 5, segment: none}]", "triggers[0].segment"),
        ("triggers: [{type: event, where: {segment: none}}]", "triggers[0].where.segment"),
        ("triggers: [{type: inactivity, event: X, for: long, where: {segment: none}}]", "triggers[0].where.segment"),
        ("exit_on: [{where: {segment: none}}]", "exit_on[0].where.segment"),
        ("goal: {within: ever, where: {segment: none}}", "goal.where.segment"),
    ],
)
def test_triggers_exits_and_goals_are_judged_the_same(tmp_path: Path, line: str, hidden: str) -> None:
    found = places(tmp_path, f"journey: a\n{line}\nstart: a\nnodes: {{a: {{type: end}}}}\n")

    assert any(code in ("JF005", "JF006") for code, _ in found)
    assert [path for code, path in found if code == "JF012"] == [hidden]


def test_segments_and_stages_are_judged_the_same(tmp_path: Path) -> None:
    segment = "segment: s\nname: 5\nwhen: {all: [{segment: none}, {tga: x}]}\n"
    workspace = "workspace: w\nstages: [{id: A B, when: {segment: none}}]\n"

    found = places(tmp_path, segment, workspace)

    assert [path for code, path in found if code == "JF012"] == ["stages[0].when.segment", "when.all[0].segment"]


def test_templates_are_judged_the_same(tmp_path: Path) -> None:
    found = places(tmp_path, "template: a\nfoo: 1\nlayout: none\nbody: x\n---\ntemplate: b\nbody: '{{ x | shout }}'\n")

    assert found == [
        ("JF004", "foo"),
        ("JF005", "subject"),
        ("JF005", "subject"),
        ("JF012", "layout"),
        ("JF013", "body"),
    ]


def test_places_in_lists_are_those_of_the_document_as_it_was_written(tmp_path: Path) -> None:
    triggers = "triggers:\n- {type: evnt}\n- {type: event}\n- {type: segment, entered: none}\n- 5\n"
    cases = (
        "  a:\n    type: branch\n    cases:\n    - {when: {attribut: x}}\n    - {when: {segment: none}, next: ghost}\n"
    )

    found = told(tmp_path, "journey: a\n" + triggers + "start: a\nnodes:\n" + cases)

    assert [one for one in found if one[0] in ("JF010", "JF012")] == [
        ("JF012", "triggers[2].entered", "none"),
        ("JF010", "nodes.a.cases[1].next", "ghost"),
        ("JF012", "nodes.a.cases[1].when.segment", "none"),
    ]


@pytest.mark.parametrize(
    "nodes",
    [
        "  a: {type: tag, add: [x], next: b}\n  b: {type: tagg, next: a}\n",
        "  a: {type: tag, add: [x], next: b}\n  b: {type: email, subject: 5, body: 6}\n",
        "  a: {type: tag, add: [x], next: b}\n  b: 5\n",
        # What was meant by the key may lead elsewhere than next, which is a way only without it.
        "  a: {type: branch, cases: [{when: {tag: x}}], els: end, next: a}\n",
        "  a: {type: split, arms: [{weight: 1, nxt: end}], next: a}\n",
        "  a: {type: email, template: hello, to: '{{ contact.email }}', transactonal: true}\n",
        "  a: {type: tag, add: [x], next: A B}\n  A B: {type: end}\n",
    ],
)
def test_nothing_is_told_for_what_was_taken_out(tmp_path: Path, nodes: str) -> None:
    codes = {code for code, _ in places(tmp_path, BEGIN + nodes, HELLO)}

    assert codes
    assert codes <= {"JF004", "JF005", "JF006"}


def test_a_missing_start_hides_nothing_and_no_warning_is_given(tmp_path: Path) -> None:
    nodes = "  a: {type: end}\n  b: {type: tag, add: [x], next: ghost}\n"

    assert places(tmp_path, "journey: a\nnodes:\n" + nodes) == [("JF005", "start"), ("JF010", "nodes.b.next")]


@pytest.mark.parametrize(
    ("nodes", "wrong"),
    [
        ("", ("JF005", "nodes")),
        ("nodes: []\n", ("JF006", "nodes")),
        ("nodes: {}\n", ("JF006", "nodes")),
        ("nodes: {end: {type: end}}\n", ("JF006", "nodes.end")),
    ],
)
def test_missing_or_wrong_nodes_hide_nothing_else(tmp_path: Path, nodes: str, wrong: tuple[str, str]) -> None:
    rest = "triggers: [{type: segment, entered: gold}]\nexit_on: [{event: Left, where: {segment: silver}}]\n"

    found = places(tmp_path, f"journey: a\n{rest}start: b\n{nodes}")

    assert found == sorted([("JF012", "exit_on[0].where.segment"), ("JF012", "triggers[0].entered"), wrong])


def test_a_document_that_is_right_is_not_judged_by_what_remains_of_another(tmp_path: Path) -> None:
    node = "  a: {type: sms, template: short}\n"

    assert places(tmp_path, BEGIN + node, "template: short\nchanel: sms\nsubject: x\nbody: x\n") == [
        ("JF004", "chanel")
    ]


def test_what_remains_of_a_document_is_not_worked_with(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HELLO + "foo: 1\n")

    checked = check_folder([tmp_path], LiquidRenderer())

    assert not checked.documents.templates
    assert not checked.sources


# --- wrong ids -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", ["My Journey", "7", "null", "[a]"])
def test_a_wrong_id_hides_no_reference(tmp_path: Path, id_: str) -> None:
    nodes = "  a: {type: email, template: zz, topic: nope, next: ghost}\n"

    assert places(tmp_path, f"journey: {id_}\nstart: a\nnodes:\n{nodes}") == [
        ("JF006", "journey"),
        ("JF010", "nodes.a.next"),
        ("JF012", "nodes.a.template"),
        ("JF012", "nodes.a.topic"),
    ]


@pytest.mark.parametrize(
    ("document", "hidden"),
    [
        ("segment: A B\nwhen: {segment: none}\n", ["when.segment"]),
        ("template: A B\nsubject: x\nlayout: none\nbody: x\n", ["layout"]),
        ("workspace: A B\nstages: [{id: a, when: {segment: none}}]\n", ["stages[0].when.segment"]),
        ("layout: A B\nbody: '{% render \"none\" %}{{ content }}'\n", ["body"]),
        ("partial: A B\nbody: '{% render \"none\" %}'\n", ["body"]),
        ("survey: A B\nquestion: x\nchoices: [{id: x, label: x}, {id: y, label: y}]\n", []),
        ("coupon_pool: A B\ncodes: [A]\n", []),
    ],
)
def test_nor_does_that_of_any_kind(tmp_path: Path, document: str, hidden: list[str]) -> None:
    kind = document.partition(":")[0]

    assert places(tmp_path, document) == [("JF006", kind), *(("JF012", path) for path in hidden)]


def test_documents_whose_ids_are_wrong_are_each_judged(tmp_path: Path) -> None:
    documents: list[JSON] = [{"journey": id_, "start": "ghost", "nodes": {"a": {"type": "end"}}} for id_ in (7, None)]

    assert [code for code, _, _ in told(tmp_path, *map(json.dumps, documents))] == ["JF006", "JF010"] * 2
    assert [one.code for one in check_data(documents, [], LiquidRenderer()).problems] == ["JF006", "JF010"] * 2


@pytest.mark.parametrize("id_", ["A B", "a"])
def test_an_id_that_comes_twice_hides_nothing_either(tmp_path: Path, id_: str) -> None:
    documents: list[JSON] = [
        {"journey": id_, "start": start, "nodes": {"a": {"type": "enroll", "journey": "none"}}, **more}
        for start, more in (("ghost", {}), ("ghoul", {}), ("ghast", {"foo": 1}))
    ]
    unknown = [("JF010", "start"), ("JF012", "nodes.a.journey")]

    folder = places(tmp_path, *map(json.dumps, documents))
    assert [one for one in folder if one[0] in ("JF010", "JF012")] == sorted(unknown * 3)
    assert folder.count(("JF007", "journey")) == 2

    data = check_data(documents, [], LiquidRenderer()).problems
    assert sorted((one.code, one.path) for one in data) == folder


def test_what_stands_in_for_an_id_is_neither_found_nor_offered(tmp_path: Path) -> None:
    nodes = "  a: {type: enroll, journey: 1d, next: b}\n  b: {type: enroll, journey: none, foo: 1}\n"

    found = told(tmp_path, f"{BEGIN}{nodes}", f"journey: {{}}\nstart: a\nnodes:\n{nodes}")

    unknown = [("JF012", "nodes.a.journey", "1d"), ("JF012", "nodes.b.journey", "none")]
    assert [one for one in found if one[0] == "JF012"] == unknown * 2
    messages = {one.message for one in check_folder([tmp_path], LiquidRenderer()).problems if one.code == "JF012"}
    assert messages == {"expected the id of a journey; there are a"}


# --- places of errors ------------------------------------------------------------------------------------------------


def test_a_node_named_end_is_told_of_at_its_place(tmp_path: Path) -> None:
    found = told(tmp_path, BEGIN + "  a: {type: tag, add: [x], next: ghost}\n  end: {type: end}\n")

    assert found == [("JF010", "nodes.a.next", "ghost"), ("JF006", "nodes.end", '"end"')]


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("coupon_pool: a\ncodes: [A, B, A]\n", "codes[2]", '"A"'),
        (
            "survey: a\nquestion: x\nchoices: [{id: x, label: x}, {id: y, label: y}, {id: x, label: z}]\n",
            "choices[2].id",
            '"x"',
        ),
        ("workspace: a\ntouchpoints: [{id: x}, {id: x}]\n", "touchpoints[1].id", '"x"'),
    ],
)
def test_what_comes_twice_is_told_of_where_it_comes_again(tmp_path: Path, text: str, path: str, value: str) -> None:
    assert told(tmp_path, text) == [("JF006", path, value)]


def test_every_wrong_reference_inside_a_value_is_told_of_at_its_place(tmp_path: Path) -> None:
    node = "  a: {type: webhook, url: 'https://x.org', json: {b: [1, {ref: nope.x}], c: {ref: x}, d: {ref: vars.x}}}\n"

    assert told(tmp_path, BEGIN + node) == [
        ("JF006", "nodes.a.json.b[1].ref", '"nope.x"'),
        ("JF006", "nodes.a.json.c.ref", '"x"'),
    ]
