"""Rows of Parquet files, as the lines of JSON that they stand for; needs the extra ``journeyflow[parquet]``."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson

from journeyflow.core.errors import InvalidInput
from journeyflow.core.values import JSON
from journeyflow.services.simulate_errors import BadLine

MAGIC: Final = b"PAR1"
ROWS_AT_ONCE: Final = 10_000


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does; false for one that can't be opened, which is told where it is read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def pyarrow_for(path: Path, what: str) -> Any:  # Any: pyarrow has no types
    """The package, for reading or writing a file.

    :raises InvalidInput: when it is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415  # an extra, which need not be there
    except ImportError:
        raise InvalidInput(f"{path}: {what} Parquet needs the extra: pip install 'journeyflow[parquet]'") from None
    return pyarrow


# Any: whatever Arrow knows
def rows(path: Path, columns: frozenset[str] | None) -> Iterator[dict[str, Any]]:
    """The rows with the values of those columns (``None``: of all) that the file has; what is null is missing.

    :raises InvalidInput: when the file can't be read, or pyarrow is not installed.
    """
    pyarrow = pyarrow_for(path, "reading")
    try:
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415  # an extra, which need not be there

        with ParquetFile(path) as file:
            chosen = [name for name in file.schema_arrow.names if columns is None or name in columns]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=chosen):
                for row in _to_microseconds(batch, pyarrow).to_pylist(maps_as_pydicts="lossy"):
                    yield {name: value for name, value in row.items() if value is not None}
    except (OSError, pyarrow.ArrowException) as error:
        raise InvalidInput(f"{path}: can't be read: {error}") from None


def _to_microseconds(batch: Any, pyarrow: Any) -> Any:  # Any: pyarrow has no types
    """Python's instants end there, and pandas writes nanoseconds."""
    fields = [
        one.with_type(pyarrow.timestamp("us", one.type.tz)) if pyarrow.types.is_timestamp(one.type) else one
        for one in batch.schema
    ]
    return batch.cast(pyarrow.schema(fields), safe=False)


def plain(value: Any) -> JSON:  # Any: as above
    """A value as JSON has it.

    Instants become ISO 8601 (without an offset where the column has no time zone, so that they are local), structs and
    maps become objects, decimals numbers.

    :raises BadLine: when it is bytes.
    """
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        raise BadLine.at("row", "values that JSON has", value.hex())
    found: JSON = orjson.loads(orjson.dumps(value, default=str))
    return found
