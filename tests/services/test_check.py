"""A folder's errors are told at once: those of each document by itself, and what the right ones say of each other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from journeyflow.core.values import JSON
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_data, check_folder

TEMPLATE = "template: hello\nsubject: Hello\nbody: <p>Hello</p>\n"


def journey(id_: str, node: str, **others: str) -> str:
    nodes = "".join(f"  {name}: {text}\n" for name, text in {"first": node, **others}.items())
    return f"journey: {id_}\nstart: first\nnodes:\n{nodes}"


def told(folder: Path, **files: str) -> list[tuple[str, str, str]]:
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(text)
    problems = check_folder([folder], LiquidRenderer()).problems
    return [(Path(one.file).name, one.code, one.path) for one in problems]


def test_what_the_right_documents_say_of_each_other_is_told_beside_a_broken_one(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        a_yaml=journey("a", "{type: email, template: helo}"),
        b_yaml=journey("b", "{type: email, template: hello, colour: red}"),
        c_yaml=TEMPLATE + "---\n" + "template: shout\nsubject: '{{ x | shout }}'\nbody: <p>Hello</p>\n",
        d_yaml=journey("d", "{type: tag, add: [x], next: first}"),
    )

    assert found == [
        ("a.yaml", "JF012", "nodes.first.template"),
        ("b.yaml", "JF004", "nodes.first.colour"),
        ("c.yaml", "JF013", "subject"),
        ("d.yaml", "JF011", "nodes.first"),
    ]


@pytest.mark.parametrize(
    ("file", "text", "code"),
    [
        ("t_yaml", TEMPLATE + "colour: red\n", "JF004"),
        ("t_yaml", TEMPLATE + "  indented: badly\n", "JF001"),
        ("t_yaml", "template: other\n  x: : y\n---\n" + TEMPLATE, "JF001"),
        ("t_md", "---\ntemplate: hello\nsubject: [\n---\nHello\n", "JF001"),
        ("t_json", '{"template": "hello", "subject": "Hello",}', "JF001"),
        ("t_yaml", TEMPLATE + "body: again\n", "JF002"),
        ("t_yaml", "template: hello\nsubject: Hello\nbody: {}\n", "JF006"),
    ],
)
def test_a_document_that_is_broken_by_itself_is_not_unknown(tmp_path: Path, file: str, text: str, code: str) -> None:
    found = told(tmp_path, a_yaml=journey("a", "{type: email, template: hello}"), **{file: text})

    assert {one[1] for one in found} == {code}


def test_a_file_that_can_not_be_read_counts_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "hello.md").symlink_to(tmp_path / "nowhere")

    assert {one[1] for one in told(tmp_path, a_yaml=journey("a", "{type: email, template: hello}"))} == {"JF008"}


def test_the_topics_of_a_broken_workspace_are_known_as_far_as_they_can_be_read(tmp_path: Path) -> None:
    offers = "{type: email, template: hello, topic: offers, next: second}"
    documents = journey("a", offers, second="{type: email, template: hello, topic: news}") + "---\n" + TEMPLATE

    found = told(tmp_path, a_yaml=documents, w_yaml="workspace: shop\ncolour: red\ntopics: [{id: offers}]\n")

    assert found == [
        ("a.yaml", "JF012", "nodes.second.topic"),
        ("w.yaml", "JF004", "colour"),
        ("w.yaml", "JF005", "topics[0].name"),
    ]


@pytest.mark.parametrize("text", ["workspace: shop\ntopics: soon\n", "workspace: shop\ntopics: [\n"])
def test_topics_that_nobody_can_read_are_not_judged(tmp_path: Path, text: str) -> None:
    documents = journey("a", "{type: email, template: hello, topic: news}") + "---\n" + TEMPLATE

    assert "JF012" not in {one[1] for one in told(tmp_path, a_yaml=documents, w_yaml=text)}


def test_documents_that_came_as_data_are_judged_together_as_well() -> None:
    data: list[JSON] = [
        {"template": "hello", "subject": "x", "body": "x", "colour": "red"},
        {"journey": "a", "start": "go", "nodes": {"go": {"type": "email", "template": "hello", "next": "gone"}}},
    ]
    installed: list[tuple[str, dict[str, JSON]]] = [
        ("journey", {"journey": "b", "start": "go", "nodes": {"go": {"type": "email", "template": "hello"}}})
    ]

    problems = check_data(data, installed, LiquidRenderer()).problems

    assert [(one.file, one.code, one.path) for one in problems] == [
        ("documents[0]", "JF004", "colour"),
        ("documents[1]", "JF010", "nodes.go.next"),
    ]


# --- Liquid ----------------------------------------------------------------------------------------------------------


def test_liquid_errors_name_the_part_and_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "template: a\nsubject: '{{ a | shout }}'\npreheader: '{% if %}'\nbody: |\n  fine\n  {{ b | shout }}\n"
        "text: |-\n  fine\n  fine\n  {% for %}\n"
    )
    (tmp_path / "b.md").write_text("---\ntemplate: b\nsubject: Hello\n---\nfine\n\n{{ c | shout }}\n")

    problems = check_folder([tmp_path], LiquidRenderer()).problems

    assert [(Path(one.file).name, one.line, one.path) for one in problems] == [
        ("a.yaml", 2, "subject"),
        ("a.yaml", 3, "preheader"),
        ("a.yaml", 6, "body"),
        ("a.yaml", 10, "text"),
        ("b.md", 7, "body"),
    ]
    assert problems[2].message.startswith("expected Liquid that compiles: line 2: unknown filter 'shout'")
    assert problems[2].value == "{{ b | shout }}"


def told_of(document: str) -> list[str]:
    return [
        f"{one.path}: {one.message}" for one in check_data([yaml.safe_load(document)], [], LiquidRenderer()).problems
    ]


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("ftp://shop.example/x", True),
        ("not a url", True),
        ("https://", True),
        ("ftp://shop.example/{{ contact.id }}", True),
        ("https://shop.example/x", False),
        ("http://10.0.0.1:8080/x?y=z", False),
        ("https://{{ contact.host }}/x", False),
        ("{{ contact.url }}", False),
        ("{% if contact.vip %}https://a.example{% endif %}", False),
    ],
)
def test_a_webhook_calls_what_can_be_called(url: str, wrong: bool) -> None:
    document = f"{{journey: call, start: it, nodes: {{it: {{type: webhook, url: '{url}'}}}}}}"

    assert told_of(document) == (["nodes.it.url: expected http://... or https://..."] if wrong else [])


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            "{type: wait, for: 1d, until_time: {at: '10:00'}}",
            "expected only one of for, until, until_time; found for and until_time",
        ),
        ("{type: wait}", "expected one of for, until, until_time"),
        ("{type: sms, template: a, text: b}", "expected only one of template, text; found template and text"),
    ],
)
def test_too_many_are_told_apart_from_none(node: str, message: str) -> None:
    assert told_of(f"{{journey: call, start: it, nodes: {{it: {node}}}}}")[0] == f"nodes.it: {message}"


def test_the_condition_that_was_probably_meant_is_named() -> None:
    (told,) = told_of("{segment: vips, when: {tga: vip}}")

    assert told.startswith("when: expected a condition: a mapping with one of all, any, not, event")
    assert told.endswith("; did you mean 'tag'?")


def test_a_name_that_is_not_much_like_another_is_not_taken_for_it() -> None:
    document = "{journey: call, start: it, nodes: {it: {type: email, template: vip-1}}}"
    known = [("template", yaml.safe_load("{template: review-1, subject: x, body: x}"))]

    (problem,) = check_data([yaml.safe_load(document)], known, LiquidRenderer()).errors

    assert problem.message == "expected the id of a template; there are review-1"


def test_a_list_of_what_there_is_says_how_much_more_there_is() -> None:
    document = "{journey: call, start: it, nodes: {it: {type: email, template: zzz}}}"
    template = "{template: t-%02d, subject: x, body: x}"
    known = [("template", yaml.safe_load(template % number)) for number in range(20)]

    (problem,) = check_data([yaml.safe_load(document)], known, LiquidRenderer()).errors

    assert problem.message == (
        "expected the id of a template; there are t-00, t-01, t-02, t-03, t-04, t-05, t-06, t-07, and 12 more"
    )


@pytest.mark.parametrize("again", ["shop", "other"])
def test_a_second_workspace_that_is_wrong_hides_no_unknown_topic(again: str) -> None:
    first: JSON = {"workspace": "shop", "topics": [{"id": "offers", "name": "Offers"}]}
    second: JSON = {"workspace": again, "topics": "none"}
    asking: JSON = {"segment": "gold", "when": {"topic": "news"}}

    told = [(one.file, one.code, one.path) for one in check_data([first, second, asking], [], LiquidRenderer()).errors]

    assert told == [
        ("documents[1]", "JF006", "topics"),
        ("documents[1]", "JF007", "workspace"),
        ("documents[2]", "JF012", "when.topic"),
    ]


@pytest.mark.parametrize("again", ["shop", "other"])
def test_of_a_folder_the_same(tmp_path: Path, again: str) -> None:
    found = told(
        tmp_path,
        a_yaml="workspace: shop\ntopics: [{id: offers, name: Offers}]\n",
        b_yaml=f"workspace: {again}\ntopics: none\n",
        c_yaml="segment: gold\nwhen: {topic: news}\n",
    )

    assert found == [
        ("b.yaml", "JF007", "workspace"),
        ("b.yaml", "JF006", "topics"),
        ("c.yaml", "JF012", "when.topic"),
    ]
