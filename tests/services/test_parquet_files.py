"""Events of Parquet files are read as the same lines of JSON would be."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from journeyflow.core.errors import InvalidInput
from journeyflow.core.inputs import Event
from journeyflow.services.simulate_input import read_timeline

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


def events(path: Path) -> list[Event]:
    arrivals = read_timeline([path], [], None, "Europe/Warsaw").arrivals
    return [item for _, _, item in arrivals if isinstance(item, Event)]


def written(folder: Path, **columns: object) -> Path:
    path = folder / "events.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_columns_are_the_fields_of_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        contact=["ann", "bob"],
        event=["Bought", "Came"],
        occurred_at=pyarrow.array([AT, AT], pyarrow.timestamp("ns", "UTC")),
        received_at=pyarrow.array([AT.replace(hour=11), None], pyarrow.timestamp("us", "UTC")),
        message_id=["m1", None],
        properties=[{"total": Decimal("5.50"), "items": [{"sku": "a"}]}, {"total": None, "items": None}],
        ignored=[1, 2],
    )

    came, bought = events(path)

    assert (bought.name, bought.at, bought.occurred_at, bought.message_id) == ("Bought", AT.replace(hour=11), AT, "m1")
    assert bought.properties == {"total": 5.5, "items": [{"sku": "a"}]}
    assert (came.at, came.properties, came.message_id) == (AT, {}, None)


def test_instants_may_be_text_or_local_and_properties_json_or_a_map(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        contact=["ann"],
        event=["Came"],
        occurred_at=["2026-03-02T10:00:00Z"],
        properties=['{"n": 1, "deep": {"x": [true]}}'],
    )
    assert (events(path)[0].at, events(path)[0].properties) == (AT, {"n": 1, "deep": {"x": [True]}})

    path = written(
        tmp_path,
        contact=["ann"],
        event=["Came"],
        occurred_at=pyarrow.array([datetime(2026, 3, 2, 11)], pyarrow.timestamp("us")),  # noqa: DTZ001  # local is meant
        properties=pyarrow.array([[("plan", "gold")]], pyarrow.map_(pyarrow.string(), pyarrow.string())),
    )
    assert (events(path)[0].at, events(path)[0].properties) == (AT, {"plan": "gold"})


def test_a_bad_row_is_told_with_its_number(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        contact=["ann", "", "bob"],
        event=["Came", "Came", "Came"],
        occurred_at=["2026-03-02T10:00:00Z"] * 3,
        properties=[None, None, "nope"],
    )

    with pytest.raises(InvalidInput) as caught:
        events(path)

    told = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert told[0] == "2 lines can't be taken"
    assert told[1].startswith("events.parquet:2: contact: expected text")
    assert told[2].startswith("events.parquet:3: properties: expected a JSON object")


def test_a_broken_file_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "events.parquet").write_bytes(b"PAR1 and no more")

    with pytest.raises(InvalidInput, match=r"events.parquet: can't be read"):
        events(tmp_path / "events.parquet")


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, contact=["ann"], event=["Came"], occurred_at=["2026-03-02T10:00:00Z"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(InvalidInput, match=r"journeyflow\[parquet\]"):
        events(path)
