"""Every rule of the semantics has a test that bears its number, or is deferred to a named issue.

A test of rule 4.3 is called `test_rule_4_3_...`. `rules.toml` lists the rules, `rules_deferred.toml` those that a later
issue brings.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
NUMBERED = re.compile(r"test_rule_(\d+)_(\d+)(?:_|$)")


def rules() -> dict[str, str]:
    return _strings(TESTS / "rules.toml")


def deferred() -> dict[str, int]:
    document = tomllib.loads((TESTS / "rules_deferred.toml").read_text())
    return {rule: int(issue) for rule, issue in document.items()}


@cache
def with_a_test() -> set[str]:
    return {rule for path in TESTS.rglob("test_*.py") for rule in _numbers_in(path.read_text())}


def _strings(path: Path) -> dict[str, str]:
    return {key: str(value) for key, value in tomllib.loads(path.read_text()).items()}


def _numbers_in(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (match := NUMBERED.match(node.name)):
            yield f"{match[1]}.{match[2]}"


def test_every_rule_is_tested_or_deferred() -> None:
    left_out = {rule: title for rule, title in rules().items() if rule not in with_a_test() | deferred().keys()}

    assert left_out == {}


def test_no_rule_is_tested_and_deferred() -> None:
    assert sorted(with_a_test() & deferred().keys()) == []


def test_tests_and_deferrals_name_rules_that_exist() -> None:
    assert sorted((with_a_test() | deferred().keys()) - rules().keys()) == []


def test_numbers_are_read_from_functions_methods_and_coroutines() -> None:
    source = """
def test_rule_4_3_a_wait_of_two_days_is_48_hours(): ...
class TestMessages:
    def test_rule_5_1_gates_are_asked_in_order(self): ...
async def test_rule_5_10(): ...
def test_rules(): ...
def rule_1_1(): ...
"""

    assert sorted(_numbers_in(source)) == ["4.3", "5.1", "5.10"]
