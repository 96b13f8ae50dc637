"""Reading folders of documents: YAML, JSON, and message files with YAML front matter.

Nothing here raises: whatever is wrong with a file is a :class:`Problem`, and the other files are read all the same.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from journeyflow.core.check.broken import ANY_KIND
from journeyflow.core.check.problem import Problem, shortened
from journeyflow.core.check.source import Source
from journeyflow.core.values import JSON, PathKeys
from journeyflow.services.json_text import read_json
from journeyflow.services.positions import BYTES_MAX, RawDocument, Unreadable
from journeyflow.services.yaml_text import read_yaml

FILES_MAX: Final = 10_000

MESSAGE_FORMATS: Final = {".mjml": "mjml", ".liquid": "html", ".md": "markdown"}
"""Files whose front matter is the document and whose body is the message."""
SUFFIXES: Final = (".yaml", ".yml", ".json", *MESSAGE_FORMATS)


@dataclass(slots=True)
class Folder:
    """What was read: the documents, and every problem with the form of the files.

    ``lost`` are the (kind, id) of documents that seem to stand in files, or parts of them, that can't be read.
    """

    sources: list[Source] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lost: set[tuple[str, str]] = field(default_factory=set)

    def add(self, other: Folder) -> None:
        """Take over what was read elsewhere."""
        self.sources.extend(other.sources)
        self.problems.extend(other.problems)
        self.lost |= other.lost


def read_folder(paths: Sequence[Path]) -> Folder:
    """All documents of these files and folders, folders with all that is inside them.

    Hidden files, files of other types, and a README.md without front matter are passed over. Problems are in order of
    file and line.
    """
    folder = Folder()
    seen: set[Path] = set()
    for path in _files(paths, folder.problems):
        if len(seen) == FILES_MAX:
            folder.problems.append(
                _unreadable(path, f"expected at most {FILES_MAX:,} files; from here on none is read")
            )
            break
        place = path.absolute()
        if place not in seen:
            seen.add(place)
            folder.add(_read_file(path))
    folder.problems.sort(key=lambda problem: problem.order)
    return folder


def nothing_in(paths: Iterable[Path]) -> list[Problem]:
    """What is wrong with files and folders in which there is no document at all."""
    expected = f"expected files that end in {', '.join(SUFFIXES)}"
    return [_unreadable(path, f"no documents in it; {expected}") for path in paths]


def read_content(file: str, content: bytes) -> Folder:
    """The documents of one file's bytes, such as the body of a request; the end of ``file`` says how to read them."""
    try:
        documents, problems = _documents(file, Path(file).suffix.lower(), content)
    except Unreadable as error:
        return Folder([], [error.problem(file)], _named_in(content))
    folder = Folder([], problems, _named_in(content) if problems else set())
    for document in documents:
        folder.add(_source(file, document))
    return folder


# --- files -----------------------------------------------------------------------------------------------------------


def _files(paths: Iterable[Path], problems: list[Problem]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from _files_inside(path, problems)
        elif path.suffix.lower() in SUFFIXES:
            yield path
        else:
            expected = f"expected a folder, or a file that ends in {', '.join(SUFFIXES)}"
            problems.append(_unreadable(path, expected if path.exists() else f"no such file or folder; {expected}"))


def _files_inside(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        problems.append(_unreadable(Path(error.filename), f"can't be opened: {error.strerror}"))

    for place, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield Path(place, name)


def _unreadable(path: Path, message: str) -> Problem:
    return Problem("JF008", message, _printable(str(path)), 0)


def _printable(name: str) -> str:
    """The name of a file; it may hold bytes that are no text."""
    return name.encode("utf-8", "backslashreplace").decode()


def _read_file(path: Path) -> Folder:
    try:
        content = _content(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return Folder([], [_unreadable(path, f"can't be read: {reason}")], {(ANY_KIND, _printable(path.stem))})
    if path.name.lower() == "readme.md" and not _FRONT.match(content):
        return Folder()
    return read_content(_printable(path.as_posix()), content)


def _content(path: Path) -> bytes:
    # A pipe or a device would be waited for, or never end.
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no ordinary file")
    with path.open("rb") as file:
        return file.read(BYTES_MAX + 1)


_NAME: Final = re.compile(rb"""(?:^|\{\s*")([a-z_]+)"?[ \t]*:\s*["']?([a-z0-9][a-z0-9-]{0,63})\b""", re.MULTILINE)


def _named_in(content: bytes) -> set[tuple[str, str]]:
    """What a file that is not read to its end may hold: each key that begins a line, or an object, with its id."""
    return {(kind.decode(), id_.decode()) for kind, id_ in _NAME.findall(content[:BYTES_MAX])}


# --- texts -----------------------------------------------------------------------------------------------------------


def _documents(file: str, suffix: str, content: bytes) -> tuple[list[RawDocument], list[Problem]]:
    text = _text(content)
    if suffix == ".json":
        return read_json(text, file)
    if suffix in MESSAGE_FORMATS:
        return _message(file, suffix, text)
    documents, problems = read_yaml(text, file)
    if not documents and not problems:
        raise Unreadable(1, _EMPTY, "JF003")
    return documents, problems


_EMPTY: Final = "expected a document; its first key says what it is, such as journey: welcome"


def _text(content: bytes) -> str:
    if len(content) > BYTES_MAX:
        raise Unreadable(0, f"expected at most {BYTES_MAX // 1_000_000} MB", "JF008")
    try:
        return content.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{content[error.start]:02x} at position {error.start}"
        raise Unreadable(line, f"expected UTF-8; the {byte} (counted from 0) is none", "JF008") from None


_FRONT: Final = re.compile(rb"(?:\xef\xbb\xbf)?---[ \t]*\r?\n")
_FRONT_MATTER: Final = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


def _message(file: str, suffix: str, text: str) -> tuple[list[RawDocument], list[Problem]]:
    front = _FRONT_MATTER.match(text)
    if front is None:
        raise Unreadable(1, "expected YAML front matter: a line ---, the document, a line ---, then the message")
    documents, problems = read_yaml(front[1], file, first_line=2)
    body_line = text.count("\n", 0, front.end()) + 1
    if not documents and not problems:
        raise Unreadable(2, _EMPTY, "JF003")
    for document in documents[:1]:
        if isinstance(document.data, dict):
            problems.extend(_with_body(document, document.data, text[front.end() :], body_line, file))
            _with_format(document.data, MESSAGE_FORMATS[suffix])
    return documents[:1], problems


def _with_body(document: RawDocument, data: dict[str, JSON], body: str, line: int, file: str) -> Iterator[Problem]:
    if "body" in data:
        again = f"the key comes twice: the message after the front matter, from line {line} on, is the body"
        yield Problem("JF002", again, file, document.positions.get(("body",), line), "body", shortened(data["body"]))
        return
    data["body"] = body
    document.positions["body",] = document.blocks["body",] = line


def _with_format(data: dict[str, JSON], default: str) -> None:
    # Only what can be an e-mail has a format; other messages are plain text. A layout in Markdown there is not.
    if ("template" in data and data.get("channel", "email") == "email") or ("layout" in data and default != "markdown"):
        data.setdefault("format", default)


# --- documents -------------------------------------------------------------------------------------------------------

_HALF_SURROGATE_OR_NUL: Final = re.compile("[\x00\ud800-\udfff]")


def _source(file: str, document: RawDocument) -> Folder:
    data = document.data
    if not isinstance(data, dict) or not data:
        return Folder([], [Problem("JF003", _EMPTY, file, document.positions.get((), 0), "", shortened(data))])
    kind = next(iter(data))
    value = data[kind]
    source = Source(file, kind, value if isinstance(value, str) else "", data, document.positions, document.blocks)
    return Folder([source], list(text_problems(source)))


def text_problems(source: Source) -> Iterator[Problem]:
    """Every text of a document that databases and UTF-8 can't hold."""
    for path, text in _texts(source.data, ()):
        found = _HALF_SURROGATE_OR_NUL.search(text)
        if found is not None:
            sign = f"U+{ord(found[0]):04X}"
            yield source.problem(
                "JF006", path, f"expected text without {sign}, which is no character that can be stored"
            )


def _texts(value: JSON, path: PathKeys) -> Iterator[tuple[PathKeys, str]]:
    """Every key and text, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _texts(part, (*path, index))
    elif isinstance(value, dict):
        for key, part in value.items():
            yield (*path, key), key
            yield from _texts(part, (*path, key))
