"""``segments``."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.calls import call, data, done


@pytest.fixture
def applied(flows: Path) -> Path:
    (flows / "vip.yaml").write_text("segment: vip\nname: Very important\nwhen: {tag: vip}\n")
    done("apply", flows)
    Path("c.csv").write_text("contact,tags\nann,vip\nbob,\ncid,vip\n")
    done("contacts", "import", "c.csv")
    return flows


def test_segments_are_listed_with_how_many_are_in_them(applied: Path) -> None:
    assert done("segments", "list").split() == ["SEGMENT", "NAME", "CONTACTS", "vip", "Very", "important", "2"]
    assert data("segments", "list", "--json") == [
        {"id": "vip", "name": "Very important", "description": None, "version": 1, "count": 2}
    ]


def test_the_contacts_of_a_segment_are_counted_and_listed(applied: Path) -> None:
    assert done("segments", "count", "vip") == "2\n"
    assert data("segments", "count", "vip", "--json") == {"segment": "vip", "count": 2}
    assert sorted(done("segments", "contacts", "vip").split()) == ["ann", "cid"]


def test_an_empty_segment_is_told_beside_the_answer(applied: Path) -> None:
    (applied / "vip.yaml").write_text("segment: vip\nwhen: {tag: nobody}\n")
    done("apply", applied)

    told, silent = call("segments", "contacts", "vip"), call("segments", "contacts", "vip", "--json")

    assert (told.exit_code, told.stdout, told.stderr) == (0, "", "nobody is in segment vip\n")
    assert (silent.exit_code, silent.stdout, silent.stderr) == (0, "", "")


def test_a_segment_that_is_not_there_is_an_error(applied: Path) -> None:
    result = call("segments", "count", "vips")

    assert (result.exit_code, result.stderr) == (1, "error: there is no segment vips\n")
