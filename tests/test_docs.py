"""The pages for users say what is so: examples are right, tables are complete, links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from pydantic import BaseModel

from journeyflow.cli.doctor import OF_THE_COMMAND_LINE
from journeyflow.core.check.problem import Problem
from journeyflow.core.documents import KINDS
from journeyflow.core.nodes.base import Node
from journeyflow.core.triggers import TriggerBase
from journeyflow.rendering.filters import CAN_FAIL, CAN_FAIL_BY_ARGUMENT
from journeyflow.rendering.liquid import Liquid
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_folder
from journeyflow.services.validate import validate_document
from journeyflow.settings import Settings
from journeyflow.testing import JourneyTest
from journeyflow.worker.dispatcher import BATCH

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CODES_PAGE = "check-codes.md"  # its bad examples are wrong on purpose, and have their own test


class Block(NamedTuple):
    """A fenced block: its page, the words behind the fence, and what is in it."""

    page: str
    words: str
    text: str


def blocks(*pages: Path) -> list[Block]:
    fence = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [Block(page.name, *match) for page in pages for match in fence.findall(page.read_text())]


def of_kind(words: str) -> list[Block]:
    return [block for block in blocks(*PAGES) if block.words == words and block.page != CODES_PAGE]


def problems_of(document: dict[str, Any]) -> list[Problem]:  # Any: what YAML holds
    return validate_document(document, KINDS).problems


def name_of(block: Block) -> str:
    return f"{block.page}:{block.text.partition(chr(10))[0][:30]}"


@pytest.mark.parametrize("page", sorted({block.page for block in of_kind("yaml")}))
def test_documents_on_a_page_are_right_beside_those_of_the_starters(page: str, tmp_path: Path) -> None:
    examples = [block.text for block in of_kind("yaml") if block.page == page]
    kept = "\n---\n".join(text for text in examples if not text.startswith("workspace:"))
    (tmp_path / "examples.yaml").write_text(kept)
    (tmp_path / "mail.md").write_text("".join(block.text for block in of_kind("markdown") if block.page == page))
    files = [file for file in tmp_path.iterdir() if file.read_text()]

    assert check_folder([ROOT / "flows", *files], LiquidRenderer()).problems == []


@pytest.mark.parametrize("block", [one for one in of_kind("yaml") if one.text.startswith("workspace:")], ids=name_of)
def test_a_workspace_on_a_page_is_right(block: Block) -> None:
    assert problems_of(yaml.safe_load(block.text)) == []


@pytest.mark.parametrize("block", of_kind("yaml nodes"), ids=name_of)
def test_nodes_on_a_page_are_a_graph(block: Block, tmp_path: Path) -> None:
    nodes = yaml.safe_load(block.text)
    document = {"journey": "example", "start": next(iter(nodes)), "nodes": nodes}
    (tmp_path / "example.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    assert check_folder([ROOT / "flows", tmp_path], LiquidRenderer()).errors == []


@pytest.mark.parametrize("block", of_kind("yaml triggers"), ids=name_of)
def test_triggers_on_a_page_are_right(block: Block) -> None:
    nodes = {"mark": {"type": "tag", "add": ["seen"]}}
    document = {"journey": "example", "start": "mark", "nodes": nodes, "triggers": yaml.safe_load(block.text)}

    assert problems_of(document) == []


@pytest.mark.parametrize("block", of_kind("yaml conditions"), ids=name_of)
def test_conditions_on_a_page_are_right(block: Block) -> None:
    nodes = {"mark": {"type": "tag", "add": ["seen"]}}
    document = {"journey": "example", "start": "mark", "nodes": nodes, "enter_if": {"all": yaml.safe_load(block.text)}}

    assert problems_of(document) == []


@pytest.mark.parametrize("block", of_kind("liquid"), ids=name_of)
def test_liquid_on_a_page_compiles(block: Block) -> None:
    assert Liquid().compile(block.text, html=True).reads


def python_with(text: str) -> list[Block]:
    return [block for block in of_kind("python") if text in block.text]


@pytest.mark.parametrize("block", python_with("def test_"), ids=name_of)
def test_a_test_on_a_page_passes(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found: dict[str, Any] = {}  # Any: whatever the example defines
    exec(compile(block.text, block.page, "exec"), found)
    tests = [value for name, value in found.items() if name.startswith("test_")]

    assert tests
    for test in tests:
        test(JourneyTest)


# --- completeness ----------------------------------------------------------------------------------------------------


def fields_of(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def models() -> Iterator[type[BaseModel]]:
    """Every model that an author writes: documents, nodes, triggers and what is inside them."""
    waiting: list[type[BaseModel]] = [*KINDS.values(), *Node.__subclasses__(), *TriggerBase.__subclasses__()]
    seen: set[type[BaseModel]] = set()
    while waiting:
        model = waiting.pop()
        if model in seen or not model.__module__.startswith("journeyflow."):
            continue
        seen.add(model)
        waiting.extend(model.__subclasses__())
        for field in model.model_fields.values():
            waiting.extend(_models_in(field.annotation))
        yield model


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)


def test_every_field_that_an_author_can_write_is_on_the_pages() -> None:
    told = (ROOT / "docs/journeys.md").read_text() + (ROOT / "docs/templates.md").read_text()
    named = set(re.findall(r"[a-z_]+", told))
    fields = {field for model in models() for field in fields_of(model)}

    assert sorted(fields - named) == []


def test_every_setting_is_on_the_page() -> None:
    told = (ROOT / "docs/operating.md").read_text()

    assert [name for name in Settings.model_fields if f"JOURNEYFLOW_{name.upper()}" not in told] == []


def test_the_page_lists_the_filters_that_can_fail() -> None:
    told = " ".join((ROOT / "docs/templates.md").read_text().split()).partition("**These filters**: ")[2]
    listed, _, by_argument = told.partition(" Of these,")

    assert re.findall(r"`(\w+)`", listed) == sorted(CAN_FAIL)
    assert re.findall(r"`(\w+)`", by_argument.partition("cannot")[0]) == sorted(CAN_FAIL_BY_ARGUMENT)


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("{% if trigger.a < 3 %}x{% endif %}", True),
        ("{% if trigger.a contains 3 %}x{% endif %}", True),
        ("{% if trigger.a == 3 or trigger.a != 4 or trigger.a <= 3 or trigger.a >= 4 %}x{% endif %}", False),
        ("{% for item in trigger.products %}x{% endfor %}", True),
        ("{% for item in trigger.products limit: 5 %}x{% endfor %}", False),
        ("{% for item in (1..5) %}{% break %}{% endfor %}", False),
        ("{% break %}", True),
        ("{% cycle 'a', 'b' %}", True),
        ("{% increment a %}", True),
        ("{{ trigger.a | truncate: 20 }}", False),
        ("{{ trigger.a | truncate: trigger.b }}", True),
        ("{{ trigger.a | default: 'there' | upcase }}{% assign b = trigger.c %}{% raw %}{{{% endraw %}", False),
    ],
)
def test_the_page_says_rightly_what_can_fail(source: str, verdict: bool) -> None:
    assert Liquid().compile(source).can_fail is verdict


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in target]
    lost = []
    for target in targets:
        file, _, anchor = target.partition("#")
        found = (page.parent / file) if file else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            lost.append(target)

    assert lost == []


def test_the_page_of_codes_names_every_kind_of_document() -> None:
    (section,) = re.findall(r"^## JF003.*?^## ", (ROOT / "docs" / CODES_PAGE).read_text(), re.MULTILINE | re.DOTALL)

    assert [kind for kind in KINDS if f"`{kind}`" not in section] == []


def test_the_page_says_how_many_messages_can_go_out_twice() -> None:
    assert f"picks up at most {BATCH} messages at a time" in (ROOT / "docs" / "operating.md").read_text()


def test_the_variables_of_the_command_line_are_on_the_page() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()

    assert [name for name in sorted(OF_THE_COMMAND_LINE.keys() - {"DEBUG"}) if f"JOURNEYFLOW_{name}" not in page] == []


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()

    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"(docs/{page.name})" not in readme] == []
