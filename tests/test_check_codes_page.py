"""The page of check codes: a section for each code, whose bad example yields it and whose good one yields nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from journeyflow.core.check.problem import CODES
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_folder

PAGE = Path(__file__).parents[1] / "docs" / "check-codes.md"


class Section(NamedTuple):
    code: str
    title: str
    bad: bytes
    good: bytes


def sections() -> list[Section]:
    found = []
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        code, title = part.partition("\n")[0].split(" ", 1)
        found.append(Section(code, title, example(part, "Bad"), example(part, "Good")))
    return found


def example(section: str, verdict: str) -> bytes:
    match = re.search(rf"^{verdict}:\n\n```yaml(?: saved as (\S+))?\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert match is not None, f"no example: {verdict} in {section[:40]}"
    return match[2].encode(match[1] or "utf-8")


def codes(folder: Path, content: bytes) -> set[str]:
    (folder / "example.yaml").write_bytes(content)
    return {problem.code for problem in check_folder([folder], LiquidRenderer()).problems}


def test_every_code_has_its_section_with_its_title_in_order() -> None:
    told = [(section.code, section.title) for section in sections()]

    assert told == sorted((code.code, code.title) for code in CODES.values())


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.code)
def test_the_bad_example_yields_the_code(section: Section, tmp_path: Path) -> None:
    assert codes(tmp_path, section.bad) == {section.code}


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.code)
def test_the_good_example_is_without_fault(section: Section, tmp_path: Path) -> None:
    assert codes(tmp_path, section.good) == set()
