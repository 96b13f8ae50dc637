"""The house rules that a machine can check and that ruff, mypy and import-linter do not."""

from __future__ import annotations

import ast
import graphlib
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500

# cronsim reckons with times that it is given; it reads no clock and no file.
CORE_MAY_IMPORT = {
    "annotated_types",
    "cronsim",
    "journeyflow",
    "orjson",
    "pydantic",
    "pydantic_core",
    "re2",
    "typing_extensions",
}

NOTHING_NAMES = {"util", "utils", "common", "helper", "helpers", "manager", "v2"}
PROMISES = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|\bfor " + r"now\b")
SILENCED_WITHOUT_REASON = re.compile(r"#\s*(type: ignore\[[^\]]+\]|noqa: [A-Z0-9, ]+)\s*$")
# Cut in two, so that this file does not name what it forbids.
REGISTRY = re.compile(
    "|".join(
        [
            r"py" + r"pi\.(org|python)",
            r"python" + r"hosted\.org",
            r"registry\.(npm" + r"js|yarn" + r"pkg)",
            r"crates" + r"\.io",
            r"proxy\.go" + r"lang\.org",
            r"(index|find|registry)" + r"[-_]?(url|links)?[\s=:]+(https?|file):",
            r"arti" + r"factory",
            r"/simple" + r"/",
        ]
    ),
    re.IGNORECASE,
)


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, in the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return tuple(path for name in names if name and (path := ROOT / name).is_file())


def python_files(*folders: str) -> tuple[Path, ...]:
    return tuple(path for path in repository_files() if path.suffix == ".py" and path_name(path).startswith(folders))


def path_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def syntax_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), path_name(path))


def comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported_names(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            return [module]
        case _:
            return []


def says_nothing(name: str) -> bool:
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)
    return any(word.lower() in NOTHING_NAMES for word in words)


def test_a_function_is_at_most_seventy_lines() -> None:
    too_long = [
        f"{path_name(path)}:{function.lineno} {function.name}"
        for path in python_files("src/", "tests/", "benchmarks/", "migrations/")
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES_MAX
    ]

    assert too_long == []


def test_a_file_is_at_most_five_hundred_lines() -> None:
    lengths = {
        path_name(path): len(path.read_text().splitlines())
        for path in python_files("src/", "tests/", "benchmarks/", "migrations/")
    }

    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_no_module_or_class_has_a_name_that_says_nothing() -> None:
    files = python_files("src/", "tests/", "benchmarks/")
    modules = {part for path in files for part in path.relative_to(ROOT).with_suffix("").parts}
    classes = {node.name for path in files for node in ast.walk(syntax_tree(path)) if isinstance(node, ast.ClassDef)}

    assert sorted(name for name in modules | classes if says_nothing(name)) == []


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("utils", True), ("StoreManager", True), ("api_v2", True), ("commonwealth", False), ("Trail", False)],
)
def test_names_are_judged_by_their_words(name: str, verdict: bool) -> None:
    assert says_nothing(name) is verdict


def test_no_comment_puts_work_off() -> None:
    promises = [
        f"{path_name(path)}:{line} {comment}"
        for path in python_files("")
        for line, comment in comments(path)
        if PROMISES.search(comment)
    ]

    assert promises == []


def test_what_silences_a_check_says_why() -> None:
    silent = [
        f"{path_name(path)}:{line} {comment}"
        for path in python_files("")
        for line, comment in comments(path)
        if SILENCED_WITHOUT_REASON.search(comment)
    ]

    assert silent == []


def test_every_public_module_says_what_it_is_for() -> None:
    public = [path for path in python_files("src/") if not path.stem.startswith("_") and path.stat().st_size]

    assert [path_name(path) for path in public if not ast.get_docstring(syntax_tree(path))] == []


def test_no_file_names_a_package_registry() -> None:
    named = [
        f"{path_name(path)}: {match[0]}"
        for path in repository_files()
        if (match := REGISTRY.search(path.read_text(errors="replace")))
    ]

    assert named == []


def test_no_test_sleeps() -> None:
    sleepers = [
        f"{path_name(path)}:{node.lineno}"
        for path in python_files("tests/")
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "asyncio.sleep", "sleep"}
    ]

    assert sleepers == []


def test_the_core_imports_few_packages() -> None:
    imported = {
        name.split(".")[0]
        for path in python_files("src/journeyflow/core/")
        for node in ast.walk(syntax_tree(path))
        for name in imported_names(node)
    }

    assert sorted(imported - CORE_MAY_IMPORT - sys.stdlib_module_names) == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph("journeyflow", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    graphlib.TopologicalSorter(imports).prepare()
