"""Reading files of data, plain or gzip: lines of JSON, rows of CSV, and what each of them has to be."""

from __future__ import annotations

import gzip
import re
import zlib
from codecs import utf_8_decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Final, cast
from zoneinfo import ZoneInfo

import orjson

from journeyflow.core.errors import InvalidInput
from journeyflow.core.values import DEPTH_MAX, JSON, parse_instant, too_deep
from journeyflow.services.simulate_errors import BadLine

LINE_BYTES_MAX: Final = 1_000_000
KEY_LENGTH_MAX: Final = 255
NAME_LENGTH_MAX: Final = 200
YEARS: Final = range(1000, 9000)
"""Far enough from the ends of the calendar for every wait (at most 100 years)."""
TOO_DEEP: Final = f"expected at most {DEPTH_MAX} lists and objects inside each other"
SAVE_AS_UTF_8: Final = "save the file as UTF-8 (spreadsheets call it CSV UTF-8)"
INSTANT: Final = "an instant in ISO 8601 such as 2026-03-02T10:00:00Z"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked where it is gzip.

    :raises InvalidInput: when it can't be read.
    """
    try:
        with path.open("rb") as raw:
            if raw.peek(2)[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield cast("IO[bytes]", unpacked)
            else:
                yield raw
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InvalidInput(f"{path}: can't be read: {reason}") from None


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines of at most :data:`LINE_BYTES_MAX` bytes; of a longer one only its beginning, which is longer than that."""
    read = partial(file.readline, LINE_BYTES_MAX + 1)
    while line := read():
        yield line
        while len(line) > LINE_BYTES_MAX and not line.endswith(b"\n"):
            line = read()


def parsed(line: bytes) -> dict[str, JSON]:
    """The JSON object of a line.

    :raises BadLine: when it is too long, or none.
    """
    if len(line) > LINE_BYTES_MAX:
        raise BadLine(f"expected at most {LINE_BYTES_MAX:,} bytes in a line")
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        demand_text(line)
        raise BadLine(f"expected a JSON object: {error}") from None
    # Without so many brackets it can't be: most lines are looked at no further.
    if line.count(b"{") + line.count(b"[") > DEPTH_MAX and too_deep(data):
        raise BadLine(TOO_DEEP)
    if not isinstance(data, dict):
        raise BadLine.at("line", "a JSON object", data)
    return data


_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_OBJECT: Final = re.compile(rb'\s*{\s*"')


def demand_text(line: bytes) -> None:
    """See that a line can be one of JSON at all; the files of spreadsheets, for example, have none.

    :raises BadLine: when it is no UTF-8, or has control characters, which JSON writes otherwise.
    """
    control = _CONTROL.search(line)
    if not _is_utf_8(line) or (control is not None and _OBJECT.match(line) is None):
        shown = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
        raise BadLine(f"{BadLine.at('line', 'text in UTF-8', shown)}; {SAVE_AS_UTF_8}")
    if control is not None:
        place, code = len(line[: control.start()].decode()) + 1, ord(control[0])
        written = f"U+{code:04X}, which JSON writes \\u{code:04x}"
        raise BadLine(f"line, character {place}: expected no control characters, found {written}")


def _is_utf_8(line: bytes) -> bool:
    try:
        utf_8_decode(line, "strict", False)  # a line that is too long may be cut inside a character
    except UnicodeDecodeError:
        return False
    return True


def is_text(cell: str) -> bool:
    """Whether a cell was UTF-8."""
    return cell.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in cell)


def readable(cell: str) -> str:
    """The cell with the bytes that are no UTF-8 written out."""
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def instant(field: str, value: JSON, local: ZoneInfo) -> datetime:
    """An instant, local where it has no offset.

    :raises BadLine: when it is none, or too far away.
    """
    found = parse_instant(value, local)
    if found is None:
        raise BadLine.at(field, INSTANT, value)
    if found.year not in YEARS:
        raise BadLine.at(field, f"an instant in the years {YEARS.start} to {YEARS.stop - 1}", value)
    return found
