"""Every operator against every kind of value (format.md, "Conditions")."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tests.core.asking import Asked, condition

from journeyflow.core.conditions import leaves
from journeyflow.core.values import JSON

HELD_WITHOUT_A_VALUE = {"ne", "not_in", "exists: false"}
"""The only questions that a missing value answers with yes; of a value of another kind only the first two."""

QUESTIONS: dict[str, dict[str, JSON]] = {
    "eq": {"eq": 5},
    "eq null": {"eq": None},
    "ne": {"ne": 5},
    "gt": {"gt": 5},
    "gte": {"gte": 5},
    "lt": {"lt": 5},
    "lte": {"lte": 5},
    "lt instant": {"lt": "2026-03-01"},
    "in": {"in": [5, 6]},
    "in nothing": {"in": []},
    "not_in": {"not_in": [5, 6]},
    "contains": {"contains": "a"},
    "starts_with": {"starts_with": "a"},
    "ends_with": {"ends_with": "a"},
    "matches": {"matches": "a"},
    "exists: true": {"exists": True},
    "exists: false": {"exists": False},
    "before": {"before": "2026-03-01"},
    "after": {"after": "-30d"},
    "anniversary_in": {"anniversary_in": "7d"},
}
KINDS: dict[str, JSON] = {
    "number": 7,
    "true": True,
    "text": "zebra",
    "number in text": "5",
    "list": [1, "zebra"],
    "mapping": {"a": 1},
    "date": "2026-02-20",
}
FITTING: dict[str, set[str]] = {
    "eq": {"number"},
    "ne": {"number"},
    "gt": {"number"},
    "gte": {"number"},
    "lt": {"number"},
    "lte": {"number"},
    "lt instant": {"date"},
    "in": {"number"},
    "not_in": {"number"},
    "contains": {"text", "number in text", "list", "date"},
    "starts_with": {"text", "number in text", "date"},
    "ends_with": {"text", "number in text", "date"},
    "matches": {"text", "number in text", "date"},
    "before": {"date"},
    "after": {"date"},
    "anniversary_in": {"date"},
}


def holds(operators: dict[str, JSON], seen: JSON, **attributes: JSON) -> bool:
    return Asked({"seen": seen, **attributes}).holds(condition({"attribute": "seen", **operators}))


# --- missing values, and values of another kind ----------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("attributes", [{}, {"seen": None}], ids=["missing", "null"])
def test_a_missing_value_never_matches(question: str, attributes: dict[str, JSON]) -> None:
    asked = condition({"attribute": "seen", **QUESTIONS[question]})

    assert Asked(attributes).holds(asked) is (question in HELD_WITHOUT_A_VALUE)
    assert Asked(attributes).sees(asked) == "missing"


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("attributes", [{}, {"seen": None}], ids=["missing", "null"])
def test_not_turns_the_answer_of_a_missing_value_round(question: str, attributes: dict[str, JSON]) -> None:
    asked = condition({"not": {"attribute": "seen", **QUESTIONS[question]}})

    assert Asked(attributes).holds(asked) is (question not in HELD_WITHOUT_A_VALUE)


@pytest.mark.parametrize("question", FITTING)
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_of_another_kind_never_matches_and_the_trail_says_so(question: str, kind: str) -> None:
    asked = condition({"attribute": "seen", **QUESTIONS[question]})
    contact = Asked({"seen": KINDS[kind]})

    fits = kind in FITTING[question]
    assert str(contact.sees(asked)).startswith("type mismatch") is not fits
    if not fits:
        assert contact.holds(asked) is (question in HELD_WITHOUT_A_VALUE)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_but_null_exists(kind: str) -> None:
    assert holds({"exists": True}, KINDS[kind])
    assert not holds({"exists": False}, KINDS[kind])


@pytest.mark.parametrize("question", ["eq", "ne", "gt", "in", "not_in", "contains", "starts_with", "before", "after"])
@pytest.mark.parametrize("target", ["contact.none", "contact.null", "trigger.x", "event.x", "vars.x.y"])
def test_a_reference_that_leads_nowhere_is_missing_too(question: str, target: str) -> None:
    assert holds({question: {"ref": target}}, 5, null=None) is (question in HELD_WITHOUT_A_VALUE)


# --- what each operator says -----------------------------------------------------------------------------------------

ANSWERS: list[tuple[dict[str, JSON], JSON, bool]] = [
    ({"eq": 5}, 5, True),
    ({"eq": 5}, 5.0, True),
    ({"eq": 1}, True, False),
    ({"eq": True}, 1, False),
    ({"eq": True}, True, True),
    ({"eq": "5"}, 5, False),
    ({"eq": "a"}, "A", False),
    ({"eq": [1, 2]}, [1, 2], True),
    ({"eq": {"a": 1}}, {"a": 1}, True),
    ({"ne": 5}, 6, True),
    ({"ne": 5}, 5, False),
    ({"ne": "5"}, 5, True),
    ({"ne": None}, 5, True),
    ({"gt": 5}, 5, False),
    ({"gte": 5}, 5, True),
    ({"lt": 5}, 4.999, True),
    ({"lte": 5}, 5.001, False),
    ({"gt": "2026-03-01"}, "2026-03-01T00:00:00Z", False),
    ({"gte": "2026-03-01"}, "2026-03-01T00:00:00Z", True),
    ({"gt": "2026-03-01T10:00:00+02:00"}, "2026-03-01T08:00:00.000001Z", True),
    ({"gt": 5, "lt": 7}, 6, True),
    ({"gt": 5, "lt": 7}, 7, False),
    ({"in": [1, 2]}, 2, True),
    ({"in": [1, 2]}, 3, False),
    ({"in": ["1", 2]}, 1, False),
    ({"in": [True]}, 1, False),
    ({"in": []}, 1, False),
    ({"in": [None]}, None, False),
    ({"not_in": [1, 2]}, 3, True),
    ({"not_in": [1, 2]}, 2, False),
    ({"not_in": []}, 2, True),
    ({"not_in": ["a"]}, 2, True),
    ({"contains": "b"}, "abc", True),
    ({"contains": "B"}, "abc", False),
    ({"contains": ""}, "", True),
    ({"contains": 2}, [1, 2], True),
    ({"contains": "2"}, [1, 2], False),
    ({"contains": True}, [1, 2], False),
    ({"contains": "b"}, ["abc"], False),
    ({"contains": {"a": 1}}, [{"a": 1}], True),
    ({"starts_with": "ab"}, "abc", True),
    ({"starts_with": "bc"}, "abc", False),
    ({"ends_with": "bc"}, "abc", True),
    ({"ends_with": "ab"}, "abc", False),
    ({"matches": "^a.c$"}, "abc", True),
    ({"matches": "b"}, "abc", True),
    ({"matches": "^b"}, "abc", False),
    ({"matches": r"^\p{Lu}"}, "Żółw", True),
    ({"eq": "A", "ignore_case": True}, "a", True),
    ({"ne": "A", "ignore_case": True}, "a", False),
    ({"in": ["A", "B"], "ignore_case": True}, "b", True),
    ({"not_in": ["A", "B"], "ignore_case": True}, "b", False),
    ({"contains": "B", "ignore_case": True}, "abc", True),
    ({"contains": "B", "ignore_case": True}, ["a", "b"], True),
    ({"starts_with": "AB", "ignore_case": True}, "abc", True),
    ({"ends_with": "BC", "ignore_case": True}, "abc", True),
    ({"eq": "STRASSE", "ignore_case": True}, "straße", True),
    ({"matches": "^A.C$", "ignore_case": True}, "abc", True),
    ({"matches": r"^\D+$", "ignore_case": True}, "abc", True),
    ({"matches": r"^\D+$", "ignore_case": True}, "123", False),
    ({"gte": "2026-03-01T00:00:00Z", "ignore_case": True}, "2026-03-01T00:00:00Z", True),
    ({"before": "2026-03-01T00:00:00Z", "ignore_case": True}, "2026-02-01T00:00:00Z", True),
    ({"before": "P1D", "ignore_case": True}, "2026-03-02T10:00:00Z", True),
    ({"eq": 5, "ignore_case": True}, 5, True),
]


@pytest.mark.parametrize(("operators", "seen", "held"), ANSWERS)
def test_what_each_operator_says(operators: dict[str, JSON], seen: JSON, held: bool) -> None:
    assert holds(operators, seen) is held


@pytest.mark.parametrize(("operators", "seen", "held"), ANSWERS)
def test_it_says_the_same_of_a_property_and_of_a_variable(operators: dict[str, JSON], seen: JSON, held: bool) -> None:
    asked = Asked()
    asked.enter(asked.view().now, {})
    assert asked.run is not None
    asked.run.vars["seen"] = seen

    assert asked.holds(condition({"property": "seen", **operators}), event={"seen": seen}) is held
    assert asked.holds(condition({"var": "seen", **operators})) is held


NOW_IS_MONDAY_NINE: list[tuple[dict[str, JSON], JSON, bool]] = [
    ({"before": "2026-03-01"}, "2026-02-28T23:59:59.999999Z", True),
    ({"before": "2026-03-01"}, "2026-03-01", False),
    ({"after": "2026-03-01"}, "2026-03-01", False),
    ({"after": "2026-03-01"}, "2026-03-01T00:00:00.000001Z", True),
    ({"before": "-1d"}, "2026-03-01T08:59:59Z", True),
    ({"before": "-1d"}, "2026-03-01T09:00:00Z", False),
    ({"after": "-1d"}, "2026-03-01T09:00:00Z", False),
    ({"after": "-1d"}, "2026-03-01T09:00:00.000001Z", True),
    ({"before": "7d"}, "2026-03-09T08:59:59Z", True),
    ({"after": "7d"}, "2026-03-09T09:00:00.000001Z", True),
    ({"after": "2026-03-01", "before": "7d"}, "2026-03-05", True),
    ({"anniversary_in": "1d"}, "1980-03-02", True),
    ({"anniversary_in": "1d"}, "1980-03-03", True),
    ({"anniversary_in": "1d"}, "1980-03-04", False),
    ({"anniversary_in": "1d"}, "1980-03-01", False),
    ({"anniversary_in": "0d"}, "1980-03-02", True),
    ({"anniversary_in": "0d"}, "1980-03-03", False),
    ({"anniversary_in": "0d"}, "1980-03-01", False),
    ({"anniversary_in": "P1D"}, "1980-03-03", True),
    ({"anniversary_in": "365d"}, "1980-03-01", True),
    ({"anniversary_in": "300d"}, "1980-01-05", False),
    ({"anniversary_in": "320d"}, "1980-01-05", True),
    ({"anniversary_in": "1d"}, "1980-03-01T23:30:00-05:00", True),
    ({"anniversary_in": "1d"}, "1980-13-45", False),
    ({"anniversary_in": "1d"}, "1980", False),
]


@pytest.mark.parametrize(("operators", "seen", "held"), NOW_IS_MONDAY_NINE)
def test_instants_and_anniversaries(operators: dict[str, JSON], seen: JSON, held: bool) -> None:
    assert holds(operators, seen) is held


@pytest.mark.parametrize(("year", "held"), [("2026-02-28", True), ("2028-02-28", False), ("2028-02-29", True)])
def test_29_february_counts_as_28_in_other_years(year: str, held: bool) -> None:
    asked = condition({"attribute": "born", "anniversary_in": "1h"})
    contact = Asked({"born": "2000-02-29", "year": year})

    noon = contact.view().now.replace(year=int(year[:4]), month=2, day=int(year[-2:]), hour=12)
    assert contact.holds(asked, noon) is held


def test_an_instant_without_an_offset_is_where_the_contact_is() -> None:
    """09:00Z is 10:00 in Warsaw and 04:00 in New York."""
    asked = condition({"attribute": "seen", "before": "-1h"})

    assert Asked({"seen": "2026-03-02T08:30"}, timezone="Europe/Warsaw").holds(asked)
    assert not Asked({"seen": "2026-03-02T08:30"}).holds(asked)
    assert not Asked({"seen": "2026-03-02T08:30", "timezone": "UTC"}, timezone="Europe/Warsaw").holds(asked)
    assert Asked({"seen": "2026-03-02T08:30", "timezone": "no zone"}, timezone="Europe/Warsaw").holds(asked)


# --- references, paths, the contact itself ---------------------------------------------------------------------------


def test_references_reach_the_contact_the_trigger_the_event_and_variables() -> None:
    asked = Asked({"size": 3})
    asked.enter(asked.view().now, {"size": 1})
    assert asked.run is not None
    asked.run.vars["size"] = 4

    def seen(root: str) -> bool:
        return asked.holds(condition({"attribute": "size", "gt": {"ref": f"{root}.size"}}))

    assert [seen(root) for root in ("contact", "trigger", "event", "vars")] == [False, True, True, False]
    asked.run.event = {"size": 9}
    assert [seen(root) for root in ("trigger", "event")] == [True, False]


def test_a_list_may_have_references_among_its_values() -> None:
    listed: JSON = [1, {"ref": "contact.size"}, {"ref": "contact.none"}]

    assert [holds({"in": listed}, seen, size=5) for seen in (1, 5, 6)] == [True, True, False]
    assert [holds({"not_in": listed}, seen, size=5) for seen in (1, 5, 6)] == [False, False, True]
    assert holds({"eq": [{"ref": "contact.size"}]}, [5], size=5)
    assert holds({"in": [[{"ref": "contact.size"}]]}, [5], size=5)


def test_before_there_is_a_run_trigger_and_event_are_the_event_at_hand() -> None:
    for root in ("trigger", "event"):
        asked = condition({"property": "a", "eq": {"ref": f"{root}.b"}})
        assert Asked().holds(asked, event={"a": 1, "b": 1})


@pytest.mark.parametrize(
    ("path", "value"),
    [("address.city", "Sopot"), ("items[0].sku", "tea"), ("items[1].sku", "missing"), ("address.city.x", "missing")],
)
def test_a_path_leads_into_mappings_and_lists(path: str, value: JSON) -> None:
    attributes: dict[str, JSON] = {"address": {"city": "Sopot"}, "items": [{"sku": "tea"}]}

    assert Asked(attributes).sees(condition({"attribute": path, "exists": True})) == value


def test_what_the_contact_is_made_of_are_attributes_too() -> None:
    contact = Asked({"email": "ann@shop.example"})

    assert contact.sees(condition({"attribute": "created_at", "exists": True})) == "2026-03-02T09:00:00.000000Z"
    assert contact.holds(condition({"attribute": "email", "ends_with": "@shop.example"}))


@pytest.mark.parametrize("name", ["__class__", "__dict__", "keys", "constructor"])
def test_no_name_reaches_behind_the_data(name: str) -> None:
    asked = Asked()

    assert asked.sees(condition({"attribute": name, "exists": True})) == "missing"
    assert Asked({name: 1}).sees(condition({"attribute": name, "exists": True})) == 1


# --- logic -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "held"),
    [
        ({"all": []}, True),
        ({"any": []}, False),
        ({"not": {"any": []}}, True),
        ({"all": [{"tag": "a"}, {"tag": "b"}]}, False),
        ({"any": [{"tag": "a"}, {"tag": "b"}]}, True),
        ({"all": [{"tag": "a"}, {"not": {"tag": "b"}}]}, True),
        ({"not": {"all": [{"tag": "a"}, {"any": [{"tag": "b"}, {"tag": "a"}]}]}}, False),
    ],
)
def test_conditions_nest(document: JSON, held: bool) -> None:
    assert Asked(tags=["a"]).holds(condition(document)) is held


def test_all_that_is_inside_a_condition_is_found() -> None:
    document: JSON = {"all": [{"tag": "a"}, {"not": {"event": "X", "where": {"property": "n", "eq": 1}}}]}

    assert [type(part).__name__ for part in leaves(condition(document))] == [
        "All",
        "TagCondition",
        "Not",
        "EventCondition",
        "PropertyCondition",
    ]


# --- regular expressions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a*)*c", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_a_regular_expression_made_to_explode_answers_at_once(pattern: str) -> None:
    assert holds({"matches": pattern}, "a" * 99_999 + "!") is False


def test_a_text_that_is_too_long_for_a_regular_expression_does_not_match() -> None:
    assert holds({"matches": "a"}, "a" * 100_000)
    assert not holds({"matches": "a"}, "a" * 100_001)
    assert str(Asked({"seen": "a" * 100_001}).sees(condition({"attribute": "seen", "matches": "a"}))).startswith("type")


def test_half_a_surrogate_pair_does_not_match() -> None:
    assert not holds({"matches": "."}, "\ud800")


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "[z-a]", "a{1001}", "(a{1000}){1000}", "a" * 1001, "*"])
def test_an_expression_that_re2_does_not_understand_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="regular expression"):
        condition({"attribute": "seen", "matches": pattern})


# --- documents that are no conditions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"attribute": "a"},
        {"attribute": "a", "ignore_case": True},
        {"attribute": "a..b", "eq": 1},
        {"attribute": "a", "like": 1},
        {"attribute": "a", "in": 5},
        {"attribute": "a", "exists": "yes"},
        {"attribute": "a", "before": "soon"},
        {"attribute": "a", "after": 5},
        {"attribute": "a", "anniversary_in": "-1d"},
        {"attribute": "a", "anniversary_in": "-P1D"},
        {"attribute": "a", "anniversary_in": "P"},
        {"attribute": "a", "anniversary_in": 7},
        {"event": "Order *"},
        {"event": "*"},
        {"attribute": "a", "eq": {"ref": "somewhere.x"}},
        {"attribute": "a", "eq": {"ref": "contact."}},
        {"attribute": "a", "in": [1, {"ref": "somewhere.x"}]},
        {"event": "A", "gte": 5},
        {"event": "A", "sum": "total"},
        {"event": "A", "sum": "total", "avg": "total", "gte": 1},
        {"event": "A", "count": {}},
        {"event": "A", "count": {"gte": 1}, "sum": "n", "gt": 1},
        {"event": "A", "within": "0d"},
        {"event": "A", "since": "birth"},
        {"local_time": {"from": "24:00"}},
        {"local_time": {"weekdays": ["monday"]}},
        {"not": []},
        {"all": {}},
        "tag",
        None,
        [],
    ],
)
def test_what_is_no_condition_is_refused(document: JSON) -> None:
    with pytest.raises(ValidationError):
        condition(document)
