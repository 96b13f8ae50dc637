"""``check`` and ``schema``: what is wrong with documents, and what they may look like."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from tests.cli.calls import call, data, done

from journeyflow.cli.check import github_line
from journeyflow.core.check.problem import Problem
from journeyflow.core.documents import KINDS


@pytest.fixture
def broken(flows: Path) -> Path:
    (flows / "broken.yaml").write_text(
        "journey: broken\nstart: nowhere\nnodes:\n  a: {type: wait}\n  b: {type: emial}\n"
    )
    return flows


def test_a_right_folder_is_said_to_be_right(flows: Path) -> None:
    assert done("check", flows) == "3 documents: nothing is wrong\n"


def test_every_error_is_told_with_its_place_and_the_exit_code_is_1(broken: Path) -> None:
    result = call("check", broken)

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert len([line for line in lines if f"{broken}/broken.yaml:" in line]) >= 2
    assert lines[-1].endswith("errors")


def test_all_documents_are_counted_those_that_are_wrong_too(broken: Path) -> None:
    assert call("check", broken).stdout.splitlines()[-1].startswith("4 documents: ")
    assert call("check", broken / "broken.yaml").stdout.splitlines()[-1].startswith("1 document: ")


def test_a_folder_without_documents_is_an_error(workplace: Path) -> None:
    (workplace / "empty").mkdir()

    result = call("check", "empty")

    assert result.exit_code == 1
    assert result.stdout.startswith("empty: JF008 no documents in it; expected files that end in .yaml")
    assert call("apply", "empty", "--prune").exit_code == 1


def test_files_whose_folder_was_not_given_are_told_apart_from_wrong_ids(flows: Path) -> None:
    hint = "only these files were looked at; where what they name is in others, give the whole folder"

    assert hint in call("check", flows / "welcome.yaml").stdout.splitlines()
    for command in ("plan", "apply"):
        assert call(command, flows / "welcome.yaml").stderr.splitlines()[-1] == hint
    (flows / "hello.md").unlink()
    assert hint not in call("check", flows).stdout.splitlines()
    assert hint not in call("plan", flows).stderr.splitlines()


def test_as_json_each_problem_has_its_parts(broken: Path) -> None:
    result = call("check", broken, "--format", "json")

    found = orjson.loads(result.stdout)
    assert result.exit_code == 1
    assert found["errors"] == len(found["problems"]) >= 2
    assert {"severity", "code", "file", "line", "path", "message", "value"} == found["problems"][0].keys()


def test_for_github_each_problem_is_an_annotation(broken: Path) -> None:
    result = call("check", broken, "--format", "github")

    assert result.exit_code == 1
    assert all(line.startswith(f"::error file={broken}/broken.yaml,line=") for line in result.stdout.splitlines())


def test_an_annotation_can_hold_any_text() -> None:
    problem = Problem("JF006", "100 %\nof it", "a,b:c.yaml", 3, "nodes.a", '"x"')

    assert github_line(problem) == (
        '::error file=a%2Cb%3Ac.yaml,line=3,title=JF006::nodes.a: 100 %25%0Aof it (got "x")'
    )


def test_several_folders_and_files_are_one_set(flows: Path, workplace: Path) -> None:
    (flows / "welcome.yaml").rename(workplace / "welcome.yaml")

    assert call("check", "welcome.yaml").exit_code == 1
    assert done("check", "welcome.yaml", flows).startswith("3 documents")


def test_a_folder_that_is_not_there_is_an_error() -> None:
    result = call("check", "nowhere")

    assert result.exit_code == 1
    assert "nowhere" in result.stdout


def test_there_is_one_schema_for_all_kinds_and_one_for_each() -> None:
    every, one = data("schema"), data("schema", "journey")

    assert len(every["oneOf"]) == len(KINDS)
    assert every["$schema"] == one["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"journey", "start", "nodes"} <= set(one["required"])
    assert one["additionalProperties"] is False


def test_an_unknown_kind_names_those_there_are() -> None:
    result = call("schema", "newsletter")

    assert result.exit_code == 1
    assert ", ".join(KINDS) in result.stderr


# --- warnings --------------------------------------------------------------------------------------------------------


@pytest.fixture
def doubtful(flows: Path) -> Path:
    (flows / "lost.yaml").write_text("journey: lost\nstart: a\nnodes:\n  a: {type: end}\n  b: {type: end}\n")
    return flows


def test_a_warning_is_told_and_the_exit_code_is_0(doubtful: Path) -> None:
    place = f"{doubtful}/lost.yaml:5: JF101 (warning) nodes.b: no way from the start leads to this node (got b)"

    assert done("check", doubtful).splitlines() == [place, "4 documents: 1 warning"]


def test_as_json_and_for_github_a_warning_is_called_one(doubtful: Path) -> None:
    found = data("check", doubtful, "--format", "json")

    assert (found["errors"], found["warnings"], found["problems"][0]["severity"]) == (0, 1, "warning")
    assert done("check", doubtful, "--format", "github").startswith(f"::warning file={doubtful}/lost.yaml,line=5,")


def test_a_folder_with_warnings_is_applied_and_they_are_told(doubtful: Path) -> None:
    result = call("apply", doubtful)

    assert result.exit_code == 0
    assert "JF101 (warning) nodes.b" in result.stderr
