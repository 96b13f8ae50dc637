from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journeyflow.core.check.problem import Problem
from journeyflow.services.folder import SUFFIXES, read_content, read_folder
from journeyflow.services.positions import BYTES_MAX


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def only_problem(problems: list[Problem]) -> Problem:
    assert len(problems) == 1
    return problems[0]


# --- which files are read --------------------------------------------------------------------------------------------


def test_a_folder_is_read_with_all_that_is_inside_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "workspace.yaml": "workspace: shop\n",
            "journeys/b.yml": "journey: b\n",
            "journeys/a.json": '{"journey": "a"}',
            "templates/deep/er/c.MD": "---\ntemplate: c\n---\nHello\n",
        },
    )

    folder = read_folder([tmp_path])

    assert folder.problems == []
    assert [(source.kind, source.id) for source in folder.sources] == [
        ("workspace", "shop"), ("journey", "a"), ("journey", "b"), ("template", "c"),
    ]  # fmt: skip
    assert folder.sources[1].file == (tmp_path / "journeys/a.json").as_posix()


def test_hidden_files_and_files_of_other_types_are_passed_over(tmp_path: Path) -> None:
    write(
        tmp_path,
        {".git/a.yaml": "x", ".hidden.yaml": "x", "a.yaml~": "x", "events.jsonl": "x", "notes.txt": "x", "yaml": "x"},
    )

    assert read_folder([tmp_path]).sources == []
    assert read_folder([tmp_path]).problems == []


@pytest.mark.parametrize("name", ["README.md", "journeys/readme.md", "templates/ReadMe.MD"])
def test_a_readme_is_passed_over_unless_it_has_front_matter(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: "# About these journeys\n\n---\n"})
    assert read_folder([tmp_path]).problems == []

    write(tmp_path, {name: "---\ntemplate: readme\n---\nHello"})
    assert [source.id for source in read_folder([tmp_path]).sources] == ["readme"]


def test_single_files_are_read_too_and_each_only_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "journey: a\n", "b.yaml": "journey: b\n"})

    folder = read_folder([tmp_path / "b.yaml", tmp_path, tmp_path / "b.yaml"])

    assert [source.id for source in folder.sources] == ["b", "a"]


def test_a_path_that_leads_nowhere_is_a_problem(tmp_path: Path) -> None:
    problem = only_problem(read_folder([tmp_path / "flows"]).problems)

    assert problem.code == "JF008"
    assert problem.file == str(tmp_path / "flows")
    assert problem.message.startswith("no such file or folder")


def test_a_named_file_of_another_type_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "journey: a"})

    assert only_problem(read_folder([tmp_path / "a.txt"]).problems).message.startswith("expected a folder, or a file")


def test_a_broken_link_is_a_problem_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"b.yaml": "journey: b\n"})
    (tmp_path / "a.yaml").symlink_to("nowhere")

    folder = read_folder([tmp_path])

    assert only_problem(folder.problems).file.endswith("a.yaml")
    assert [source.id for source in folder.sources] == ["b"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")

    assert only_problem(read_folder([tmp_path]).problems).message == "can't be read: it is no ordinary file"


def test_a_folder_that_contains_itself_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "journey: a\n"})
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)

    assert len(read_folder([tmp_path]).sources) == 1


def test_a_file_whose_name_is_no_text_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml"))
    path.write_text("- no document")

    assert str(only_problem(read_folder([tmp_path]).problems)).isprintable()


def test_a_name_that_no_file_can_have_is_a_problem() -> None:
    assert only_problem(read_folder([Path("a\0b.yaml")]).problems).code == "JF008"


# --- what is no text -------------------------------------------------------------------------------------------------


def test_what_is_not_utf8_is_told_with_line_and_position() -> None:
    problem = only_problem(read_content("a.yaml", b"journey: a\nname: \xff\n").problems)

    assert (problem.code, problem.line) == ("JF008", 2)
    assert problem.message == "expected UTF-8; the byte 0xff at position 17 (counted from 0) is none"


def test_utf16_is_not_utf8() -> None:
    assert only_problem(read_content("a.yaml", "journey: a".encode("utf-16")).problems).code == "JF008"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    folder = read_content("a.md", b"\xef\xbb\xbf---\r\ntemplate: a\r\n---\r\nHello\r\nAnn\r\n")

    assert folder.problems == []
    assert folder.sources[0].data["body"] == "Hello\nAnn\n"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_too_large_is_refused(tmp_path: Path, suffix: str) -> None:
    write(tmp_path, {f"a{suffix}": b"#" * (BYTES_MAX + 1)})

    problem = only_problem(read_folder([tmp_path]).problems)

    assert (problem.code, problem.message) == ("JF008", "expected at most 1 MB")


# --- documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a.yaml", ""), ("a.yaml", "# nothing\n"), ("a.yaml", "---\n---\n"), ("a.yaml", "just text"),
        ("a.yaml", "- journey: a"), ("a.yaml", "{}"), ("a.json", "[]"), ("a.json", "null"), ("a.json", "{}"),
        ("a.md", "---\n---\nHello"), ("a.md", "---\n- x\n---\nHello"),
    ],
)  # fmt: skip
def test_a_file_without_a_document_is_a_problem(file: str, content: str) -> None:
    folder = read_content(file, content.encode())

    assert folder.sources == []
    assert only_problem(folder.problems).code == "JF003"


def test_the_first_key_is_the_kind_and_its_value_the_id() -> None:
    folder = read_content("a.yaml", b"journey: welcome\nname: Hello\n---\nsegment: 5\n")

    assert [(source.kind, source.id) for source in folder.sources] == [("journey", "welcome"), ("segment", "")]
    assert [source.line_of(("name",)) for source in folder.sources] == [2, 4]


def test_text_that_databases_can_not_hold_is_refused() -> None:
    folder = read_content("a.json", b'{"journey": "a",\n"name": "x\\u0000",\n"\\ud800": 1}')

    assert [(problem.code, problem.line, problem.path) for problem in folder.problems] == [
        ("JF006", 2, "name"), ("JF006", 3, '["\\ud800"]'),
    ]  # fmt: skip


# --- front matter ----------------------------------------------------------------------------------------------------

MESSAGE = "---\ntemplate: hi\nsubject: Hi\n---\n\n{% if contact.name %}\n---\n"


@pytest.mark.parametrize(("suffix", "form"), [(".md", "markdown"), (".mjml", "mjml"), (".liquid", "html")])
def test_what_follows_the_front_matter_is_the_body_in_the_format_of_the_file(suffix: str, form: str) -> None:
    folder = read_content(f"hi{suffix}", MESSAGE.encode())

    assert folder.problems == []
    assert folder.sources[0].data == {
        "template": "hi", "subject": "Hi", "body": "\n{% if contact.name %}\n---\n", "format": form,
    }  # fmt: skip
    assert folder.sources[0].line_of(("subject",)) == 3
    assert folder.sources[0].line_of(("body",)) == 5


def test_a_format_that_is_given_counts() -> None:
    folder = read_content("hi.liquid", b"---\ntemplate: hi\nformat: markdown\n---\nHello")

    assert folder.sources[0].data["format"] == "markdown"


@pytest.mark.parametrize("head", ["template: hi\nchannel: sms", "partial: hi"])
def test_what_is_no_email_has_no_format(head: str) -> None:
    assert "format" not in read_content("hi.liquid", f"---\n{head}\n---\nHello".encode()).sources[0].data


def test_a_body_in_the_front_matter_and_after_it_comes_twice() -> None:
    folder = read_content("hi.md", b"---\ntemplate: hi\nbody: x\n---\nHello")

    problem = only_problem(folder.problems)
    assert (problem.code, problem.line, problem.path) == ("JF002", 3, "body")
    assert "from line 5 on" in problem.message


@pytest.mark.parametrize(
    "content", ["", "Hello", "---\ntemplate: hi\n", " ---\ntemplate: hi\n---\n", "----\na: 1\n---\n"]
)
def test_a_message_without_front_matter_is_a_problem(content: str) -> None:
    assert only_problem(read_content("hi.liquid", content.encode()).problems).message.startswith("expected YAML front")


def test_malformed_front_matter_is_told_with_its_line_in_the_file() -> None:
    assert only_problem(read_content("hi.md", b"---\ntemplate: hi\nname: a: b\n---\nHello").problems).line == 3


def test_an_empty_body_is_a_body() -> None:
    assert read_content("hi.md", b"---\ntemplate: hi\n---").sources[0].data["body"] == ""


# --- whatever comes --------------------------------------------------------------------------------------------------

pieces = st.lists(
    st.binary(max_size=20)
    | st.sampled_from(
        [b"---\n", b"journey: a\n", b"nodes:\n", b"  ", b"- ", b"{", b"}", b'"', b"\xef\xbb\xbf", b"&a ", b"*a"]
    )
)


@given(st.sampled_from(SUFFIXES), pieces)
def test_no_bytes_make_reading_raise(suffix: str, content: list[bytes]) -> None:
    folder = read_content(f"a{suffix}", b"".join(content))

    assert folder.sources or folder.problems
    assert all(str(problem).isprintable() for problem in folder.problems)


@given(st.sampled_from([*SUFFIXES, ".txt", ""]), st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_no_file_makes_reading_a_folder_raise(tmp_path: Path, suffix: str, content: bytes) -> None:
    write(tmp_path, {f"a{suffix}": content})

    for paths in ([tmp_path], [tmp_path / f"a{suffix}"]):
        assert all(problem.code for problem in read_folder(paths).problems)
