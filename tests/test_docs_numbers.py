"""The numbers in the documentation are what the starters do with the examples today.

With ``JOURNEYFLOW_GOLDEN=write`` the table is written anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

import pytest
from tests.cli.calls import data

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "testing.md"
TABLE: Final = re.compile(r"(?<=<!-- numbers of the examples -->\n)(.*?)(?=<!-- end of the numbers -->)", re.DOTALL)
COLUMNS: Final = ("events", "journey", "entered", "refused", "exited", "completed", "converted")
SHOPS: Final = ("onlineretail", "ecom5", "otto")


def simulated(shop: str) -> dict[str, Any]:  # Any: the JSON object of the summary
    files = [f"{ROOT}/examples/{shop}.{what}" for what in ("events.jsonl.gz", "contacts.csv")]
    found: dict[str, Any] = data(  # Any: as above
        "simulate", ROOT / "flows", "--events", files[0], "--contacts", files[1], "--json"
    )
    return found


def table() -> str:
    rows = [COLUMNS, tuple("---" if column in COLUMNS[:2] else "---:" for column in COLUMNS)]
    for shop in SHOPS:
        for id_, numbers in simulated(shop)["journeys"].items():
            refused, exited = sum(numbers["refused"].values()), sum(numbers["exited"].values())
            if numbers["entered"] or refused:
                counts = (numbers["entered"], refused, exited, numbers["completed"], numbers["converted"])
                rows.append((f"`{shop}`", f"`{id_}`", *(f"{count:,}" for count in counts)))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def test_the_table_of_the_examples_is_what_they_give() -> None:
    made, page = table(), PAGE.read_text()
    if os.environ.get("JOURNEYFLOW_GOLDEN") == "write":
        PAGE.write_text(TABLE.sub(lambda _: made, page))
        return

    (written,) = TABLE.findall(page)

    assert written == made, "the starters do something else now; JOURNEYFLOW_GOLDEN=write writes the table anew"


@pytest.mark.parametrize("shop", SHOPS)
def test_every_example_names_where_it_comes_from(shop: str) -> None:
    readme = (ROOT / "examples" / "README.md").read_text()

    assert any(line.startswith(f"| `{shop}` |") and len(line.split("|")) == 5 for line in readme.splitlines())


def test_the_examples_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "examples").iterdir()}

    assert {name: size for name, size in sizes.items() if size > 150_000} == {}
