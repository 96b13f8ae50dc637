"""Where runs go in the newest version of their journey: which maps will do (rule 8.4)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from journeyflow.core.errors import InvalidMap
from journeyflow.core.instructions import Migration
from journeyflow.core.places import Crowd, OlderVersions

NODES = {1: ["pause", "mail", "old"], 2: ["pause", "mail", "other"], 3: ["pause", "mail", "new"]}


def versions(*pending: Migration, **standing: int) -> OlderVersions:
    """Three versions; ``v1_pause=2`` says that two runs stand at ``pause`` in the first."""
    found = {(int(name[1]), name[3:]): count for name, count in standing.items()}
    return OlderVersions(NODES, 3, found, pending)


def to_second(**places: str | None) -> Migration:
    """A migration to the second version that is not done yet."""
    return Migration("walk", datetime(2026, 3, 2, tzinfo=UTC), 2, places)


def refused(these: OlderVersions, **given: str) -> dict[str, str]:
    with pytest.raises(InvalidMap) as error:
        these.places(given)
    return error.value.parts


def test_each_node_of_a_version_that_runs_are_on_needs_a_place_even_if_nobody_stands_there_now() -> None:
    assert refused(versions(v1_pause=2)) == {
        "map.old": "version 3 has no such node; say where it goes, or exit (0 runs stand there now)"
    }


def test_all_that_are_missing_are_told_at_once_and_how_many_stand_there() -> None:
    found = refused(versions(v1_old=1, v2_other=1_200))

    assert [*found] == ["map.old", "map.other"]
    assert found["map.old"].endswith("(1 run stands there now)")
    assert found["map.other"].endswith("(1,200 runs stand there now)")


def test_a_version_that_no_run_is_on_needs_nothing() -> None:
    assert versions(v2_pause=0, v3_new=4).places({}) == {}
    assert versions(v2_pause=0, v3_new=4).left() == []


def test_a_version_that_runs_are_on_their_way_to_counts_as_one_that_they_are_on() -> None:
    assert [*refused(versions(to_second(old="other"), v1_pause=1))] == ["map.other"]


def test_runs_follow_first_what_is_pending() -> None:
    these = versions(to_second(pause="other", old=None), v1_pause=3, v1_old=1, v2_mail=2)
    places = these.places({"other": "new"})

    assert these.crowds(places) == [Crowd(1, "old", None, 1), Crowd(1, "pause", "new", 3), Crowd(2, "mail", "mail", 2)]


def test_who_is_on_the_way_to_the_newest_version_goes_where_that_was_said() -> None:
    pending = Migration("walk", datetime(2026, 3, 2, tzinfo=UTC), 3, {"old": "new"})

    assert versions(pending, v1_old=1).crowds({"new": "pause", "old": "mail"}) == [Crowd(1, "old", "new", 1)]
    assert versions(pending, v1_old=1).left() == []


def test_entries_say_where_to_or_out() -> None:
    these = versions(v1_old=1, v1_pause=2, v3_new=9)
    places = these.places({"old": "exit", "mail": "new"})

    assert places == {"old": None, "mail": "new"}
    assert these.crowds(places) == [Crowd(1, "old", None, 1), Crowd(1, "pause", "pause", 2)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("elsewhere", "new", "no older version has such a node"),
        ("new", "pause", "no older version has such a node"),
        ("old", "elsewhere", "expected a node of version 3, or exit, found 'elsewhere'"),
        ("old", "other", "expected a node of version 3, or exit, found 'other'"),
        ("old", "end", "expected a node of version 3, or exit, found 'end'"),
    ],
)
def test_an_entry_from_or_to_where_there_is_nothing_is_refused(old: str, new: str, message: str) -> None:
    assert refused(versions(v1_pause=1), **{"old": "new", old: new}) == {f"map.{old}": message}


def test_what_is_wrong_and_what_is_missing_is_told_together() -> None:
    found = refused(versions(v1_pause=1), mail="nowhere")

    assert [*found] == ["map.mail", "map.old"]


def test_a_node_that_is_called_exit_is_not_mistaken_for_leaving() -> None:
    these = OlderVersions({1: ["exit", "old"], 2: ["exit"]}, 2, {(1, "exit"): 3, (1, "old"): 1})

    assert "not clear which is meant" in refused(these, old="exit")["map.old"]
    named = OlderVersions({1: ["exit"], 2: ["exit"]}, 2, {(1, "exit"): 3})
    assert named.crowds(named.places({})) == [Crowd(1, "exit", "exit", 3)]


def test_the_error_begins_with_one_line() -> None:
    one, two = InvalidMap({"map.a": "wrong"}), InvalidMap({"map.a": "wrong", "map.b": "missing"})

    assert str(one) == "map.a: wrong"
    assert str(two) == "2 entries of the map are wrong or missing\nmap.a: wrong\nmap.b: missing"
