"""Documents sent as the YAML that a file of the flows folder holds."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.api.shop import Shop

WELCOME = """\
# what the shop says first
journey: welcome
triggers:
  - {type: event, event: Signed Up}
start: pause
nodes:
  pause: {type: wait, for: 2d, next: label}
  label: {type: tag, add: [welcomed]}
"""


def put(shop: Shop, path: str, text: str, media_type: str = "application/yaml") -> httpx.Response:
    headers = {"Content-Type": media_type}
    return shop.client("admin").request("PUT", f"/v1/documents/{path}", content=text.encode(), headers=headers)


def post(shop: Shop, what: str, text: str) -> httpx.Response:
    headers = {"Content-Type": "application/yaml; charset=utf-8"}
    return shop.client("admin").post(f"/v1/documents:{what}", content=text.encode(), headers=headers)


def told(problems: list[dict[str, Any]]) -> list[tuple[int, str, str]]:  # Any: JSON
    return [(one["line"], one["code"], one["path"]) for one in problems]


@pytest.mark.parametrize("media_type", ["application/yaml", "application/x-yaml", "text/yaml; charset=utf-8"])
def test_a_document_is_taken_as_the_yaml_of_its_file(shop: Shop, media_type: str) -> None:
    answer = put(shop, "journey/welcome", WELCOME, media_type)

    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    shown = shop.client("read").get("/v1/documents/journey/welcome").json()
    assert shown["nodes"]["pause"] == {"type": "wait", "for": "2d", "next": "label"}
    assert shop.client("read").get("/v1/journeys/welcome").json()["status"] == "live"


def test_its_errors_are_those_of_the_file_with_their_lines(shop: Shop) -> None:
    text = WELCOME.replace("for: 2d", "fro: 2d").replace("start: pause", "start: poause")

    answer = put(shop, "journey/welcome", text)

    assert answer.status_code == 422
    assert told(answer.json()["errors"]) == [(5, "JF010", "start"), (7, "JF004", "nodes.pause.fro")]


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ("journey: [", 1, "JF001"),
        ("journey: welcome\nstart: a\nstart: b\n", 3, "JF002"),
        ("journey: welcome\nstart: !x 5\n", 2, "JF001"),
        ("", None, "JF003"),
        ("- journey: welcome\n", 1, "JF003"),
        ("journey: other\n", 1, "JF006"),
        (WELCOME + "---\nsegment: vip\nwhen: {tag: vip}\n", 10, "JF003"),
    ],
    ids=["broken", "a key twice", "a tag", "empty", "a list", "another id", "a second document"],
)
def test_what_is_no_such_document_is_told_with_its_line(shop: Shop, text: str, line: int | None, code: str) -> None:
    answer = put(shop, "journey/welcome", text)

    (found,) = answer.json()["errors"]
    assert answer.status_code == 422
    assert found["code"] == code
    assert line is None or found["line"] == line


def test_yaml_that_says_it_is_json_is_none(shop: Shop) -> None:
    assert put(shop, "journey/welcome", WELCOME, "application/json").json()["errors"][0]["code"] == "JF001"


SET = """\
documents:
  - template: hello
    subject: Hello
    body: <p>Hello</p>
  - journey: welcome
    start: mail
    nodes:
      mail: {type: email, template: helo}
"""


@pytest.mark.parametrize("what", ["plan", "apply"])
def test_a_set_of_documents_may_be_yaml_too(shop: Shop, what: str) -> None:
    refused = post(shop, what, SET)
    done = post(shop, what, SET.replace("helo}", "hello}") + "prune: true\n")

    assert (refused.status_code, told(refused.json()["errors"])) == (422, [(8, "JF012", "nodes.mail.template")])
    assert [(one["kind"], one["what"]) for one in done.json()["changes"]] == [
        ("template", "added"),
        ("journey", "added"),
    ]


def test_checking_a_set_tells_the_line_of_each_problem(shop: Shop) -> None:
    twice = SET.replace("    subject: Hello\n", "    subject: Hello\n    subject: Hi\n")

    answer = post(shop, "check", twice).json()

    assert answer["valid"] is False
    assert [
        (one["document"], *place) for one, place in zip(answer["problems"], told(answer["problems"]), strict=True)
    ] == [
        ("documents[0]", 4, "JF002", "subject"),
        ("documents[1]", 9, "JF012", "nodes.mail.template"),
    ]


@pytest.mark.parametrize(
    "text", ["", "---\n", "documents: []\n---\ndocuments: []\n", "documents: {}\n", "[]\n", "a: [\n"]
)
def test_what_is_no_set_of_documents_is_refused(shop: Shop, text: str) -> None:
    answer = post(shop, "apply", text)

    assert (answer.status_code in (400, 422), bool(answer.json()["errors"])) == (True, True)


def test_the_line_of_json_is_told_as_well(shop: Shop) -> None:
    body = '{"documents": [\n' + '{"template": "hello", "subject": "x",\n "body": 5}\n]}'

    answer = shop.client("admin").post("/v1/documents:check", content=body).json()

    assert told(answer["problems"]) == [(3, "JF006", "body")]


def test_both_ways_to_write_are_described(shop: Shop) -> None:
    paths = shop.visitor().get("/openapi.json").json()["paths"]

    for path, method in (("/v1/documents/{kind}/{id}", "put"), ("/v1/documents:apply", "post")):
        assert {*paths[path][method]["requestBody"]["content"]} == {"application/json", "application/yaml"}
