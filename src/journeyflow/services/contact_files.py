"""Writing contacts, as many as there are, into files that imports and simulations read; none is kept in memory."""

from __future__ import annotations

import gzip
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final, cast

import orjson

from journeyflow.core.errors import InvalidInput, SystemFailure
from journeyflow.core.values import JSON
from journeyflow.services.contact_lines import BESIDE, read_cell, split
from journeyflow.services.csv_files import csv_line
from journeyflow.services.parquet_files import pyarrow_for
from journeyflow.services.records import JSON_SUFFIXES

Contact = Mapping[str, JSON]
_Maker = Callable[[IO[bytes], ExitStack], "ContactWriter"]
STDOUT: Final = Path("-")
ROWS_AT_ONCE: Final = 10_000


class ContactWriter(ABC):
    """Takes contacts as :mod:`.exports` gives them, one after the other; ``count`` is how many there were."""

    count = 0

    def write(self, contact: Contact) -> None:
        """Take the next one."""
        self.count += 1
        self._write(contact)

    @abstractmethod
    def _write(self, contact: Contact) -> None: ...

    def finish(self) -> None:  # noqa: B027  # most have nothing left to do
        """That was the last one."""

    def notes(self) -> list[str]:
        """What the file could not keep."""
        return []


@contextmanager
def writing(target: Path) -> Iterator[ContactWriter]:
    """A file of contacts in the form that its name says; ``-`` is standard output, as JSON Lines.

    It has its name only when it is whole: until then it is called ``NAME.partial``.

    :raises InvalidInput: when the name says no form.
    :raises SystemFailure: when it can't be written.
    """
    if target == STDOUT:
        yield _JSONLines(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    make = _maker(target)
    partial = target.with_name(f"{target.name}.partial")
    try:
        with partial.open("wb", buffering=1 << 20) as raw, _packed(raw, target) as file, ExitStack() as stack:
            writer = make(file, stack)
            yield writer
            writer.finish()
        partial.replace(target)
    except OSError as error:
        raise SystemFailure(f"{target} can't be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _maker(target: Path) -> _Maker:
    names = [suffix.lower() for suffix in target.suffixes]
    form = names[-2] if names[-1:] == [".gz"] and len(names) > 1 else names[-1] if names else ""
    if form in JSON_SUFFIXES:
        return lambda file, _: _JSONLines(file)
    if form == ".csv":
        return _CSV
    if form == ".parquet" and names[-1] != ".gz":
        pyarrow_for(target, "writing")
        return _Parquet
    raise InvalidInput(f"{target}: expected a name that ends in .jsonl, .csv (or these with .gz) or .parquet")


@contextmanager
def _packed(raw: IO[bytes], target: Path) -> Iterator[IO[bytes]]:
    if target.suffix.lower() != ".gz":
        yield raw
        return
    # Without name and time the same contacts give the same bytes.
    with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        yield cast("IO[bytes]", file)


class _JSONLines(ContactWriter):
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def _write(self, contact: Contact) -> None:
        self._file.write(_line(contact))


def _line(contact: Contact) -> bytes:
    return orjson.dumps(contact, option=orjson.OPT_APPEND_NEWLINE)


# --- CSV -------------------------------------------------------------------------------------------------------------


class _CSV(ContactWriter):
    """The columns are known only when all contacts are: until then these wait in a file without a name."""

    def __init__(self, file: IO[bytes], stack: ExitStack) -> None:
        self._file = file
        self._waiting = stack.enter_context(TemporaryFile())  # noqa: SIM115  # the stack closes it
        self._attributes: set[str] = set()
        self._beside: set[str] = set()
        self._lost: dict[str, tuple[int, str]] = {}

    def _write(self, contact: Contact) -> None:
        self._waiting.write(_line(contact))
        self._attributes.update(_attributes(contact))
        self._beside.update(name for name, field in BESIDE.items() if field in contact)

    def finish(self) -> None:
        beside = [name for name in BESIDE if name in self._beside]
        columns = sorted(name for name in self._attributes if _is_column(name))
        text = TextIOWrapper(self._file, encoding="utf-8", newline="", write_through=True)
        text.write(csv_line(["contact", "tags", *beside, *columns]))
        self._waiting.seek(0)
        for line in self._waiting:
            text.write(csv_line(self._row(orjson.loads(line), beside, columns)))
        text.detach()

    def _row(self, contact: Contact, beside: list[str], columns: list[str]) -> list[str]:
        key, attributes = str(contact["contact"]), _attributes(contact)
        for name in attributes.keys() - set(columns):
            self._lose(name, key)
        fields = [self._cell(name, contact.get(BESIDE[name]), key) for name in beside]
        cells = [self._cell(name, attributes.get(name), key) for name in columns]
        return [key, self._cell("tags", contact["tags"], key), *fields, *cells]

    def _cell(self, name: str, value: JSON, key: str) -> str:
        if name in _LISTS:
            texts = [str(one) for one in value] if isinstance(value, list) else []
            cell = ";".join(texts)
            if split(cell) != tuple(texts):
                self._lose(name, key)
            return cell
        cell = "" if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()
        if value is not None and (not cell or read_cell(cell) != value):
            self._lose(name, key)
        return cell

    def _lose(self, name: str, key: str) -> None:
        count, first = self._lost.get(name, (0, key))
        self._lost[name] = (count + 1, first)

    def notes(self) -> list[str]:
        return [
            f"{name}: of {count:,} {'contact' if count == 1 else 'contacts'} (such as {key}) an import of this CSV "
            "would read something else, or nothing; JSON Lines and Parquet keep it"
            for name, (count, key) in sorted(self._lost.items())
        ]


def _is_column(name: str) -> bool:
    """Whether a CSV with such a column gives the attribute back."""
    return name != "" and name == name.strip() and name not in ("contact", "tags", *BESIDE)


_LISTS: Final = frozenset({"tags", "$unsubscribed", "$suppressed"})
"""The columns that split at ``;``."""


def _attributes(contact: Contact) -> dict[str, JSON]:
    return cast("dict[str, JSON]", contact["attributes"])


# --- Parquet ---------------------------------------------------------------------------------------------------------


class _Parquet(ContactWriter):
    """Attributes and topics, which are others in each contact, are JSON as text."""

    def __init__(self, file: IO[bytes], stack: ExitStack) -> None:
        import pyarrow  # noqa: PLC0415  # an extra, which need not be there
        from pyarrow.parquet import ParquetWriter  # noqa: PLC0415  # as above

        text, texts = pyarrow.string(), pyarrow.list_(pyarrow.string())
        self._table = pyarrow.Table
        self._schema = pyarrow.schema(
            {
                "contact": text, "created_at": pyarrow.timestamp("us", "UTC"), "attributes": text, "tags": texts,
                "topics": text, "unsubscribed": texts, "suppressed": texts, "anonymous": pyarrow.bool_(),
            }
        )  # fmt: skip
        self._writer = stack.enter_context(ParquetWriter(file, self._schema))
        self._rows: list[dict[str, Any]] = []  # Any: what Arrow takes

    def _write(self, contact: Contact) -> None:
        texts = {name: orjson.dumps(contact[name]).decode() for name in ("attributes", "topics") if name in contact}
        created_at = datetime.fromisoformat(str(contact["created_at"]))
        self._rows.append({**contact, **texts, "created_at": created_at})
        if len(self._rows) >= ROWS_AT_ONCE:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, self._schema))
        self._rows = []
