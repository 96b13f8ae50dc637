"""What holds for every command: how errors are told, and where answers come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.calls import call, data, done, serving

from journeyflow.cli import check


def test_the_version_is_shown() -> None:
    assert done("--version").startswith("journeyflow 0.")


@pytest.mark.parametrize(
    "command",
    ["serve", "migrate", "check", "plan", "apply", "simulate", "explain", "schema", "doctor", "backup", "restore"],
)
def test_every_command_explains_itself(command: str) -> None:
    assert "Usage: " in done(command, "--help")


@pytest.mark.parametrize("arguments", [["explain"], ["nonsense"], ["check", "--format", "xml", "."]])
def test_wrong_usage_is_exit_code_2_and_goes_to_standard_error(arguments: list[str]) -> None:
    result = call(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError("division by zero")


def test_what_nobody_expected_is_one_line_and_exit_code_3(flows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_summary", broken)

    result = call("check", flows)

    assert result.exit_code == 3
    assert result.stderr.splitlines()[0] == "error: ZeroDivisionError: division by zero"
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_traceback_is_shown_to_who_debugs(flows: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(check, "_summary", broken)
    if how == "environment":
        monkeypatch.setenv("JOURNEYFLOW_DEBUG", "1")

    result = call(*(["--debug"] if how == "option" else []), "check", flows)

    assert "Traceback" in result.stderr


def test_a_server_that_is_not_there_is_a_failure_of_the_system() -> None:
    result = call("explain", "ann", "--server", "http://127.0.0.1:1", "--key", "k")

    assert result.exit_code == 3
    assert result.stderr.startswith("error: http://127.0.0.1:1 does not answer")


@pytest.mark.parametrize(
    "arguments",
    [["--server", "http://127.0.0.1:1"], ["--server", "127.0.0.1:1", "--key", "k"],
     ["--server", "http://127.0.0.1:1", "--key", "k", "--database-url", "x.db"]],
)  # fmt: skip
def test_how_to_reach_it_has_to_make_sense(arguments: list[str]) -> None:
    assert call("explain", "ann", *arguments).exit_code == 2


def test_commands_do_over_http_what_they_do_on_the_database(
    flows: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "c.csv").write_text("contact,email,vip\nann,ann@example.com,true\n,,\n")
    with serving("--database-url", "elsewhere.db") as server:
        monkeypatch.setenv("JOURNEYFLOW_URL", server.address)
        monkeypatch.setenv("JOURNEYFLOW_KEY", server.told("admin key: "))

        assert done("apply", flows).endswith("3 added\n")
        assert call("contacts", "import", "c.csv").stdout == "1 contact imported, 1 line rejected\n"
        done("journeys", "enroll", "welcome", "ann")

        assert data("contacts", "show", "ann", "--json")["tags"] == ["good"]
        assert "message hello queued to ann@example.com" in done("explain", "ann")
        assert call("explain", "bob").exit_code == 1
        monkeypatch.setenv("JOURNEYFLOW_KEY", server.told("write key: "))
        refused = call("journeys", "list")
        assert (refused.exit_code, refused.stderr.partition(";")[0]) == (
            1, "error: a key of scope write does not permit this",
        )  # fmt: skip
    assert not (workplace / "journeyflow.db").exists()


def test_a_broken_file_of_settings_is_named(workplace: Path) -> None:
    (workplace / "journeyflow.toml").write_text("port = \n")

    result = call("doctor")

    assert result.exit_code == 1
    assert "journeyflow.toml can't be read" in result.stderr
