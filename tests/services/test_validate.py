from __future__ import annotations

from typing import Annotated, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator

from journeyflow.core.check.problem import CODES
from journeyflow.core.documents import KINDS
from journeyflow.core.values import JSON, Duration, Model, Slug, TimeOfDay
from journeyflow.services.folder import read_content
from journeyflow.services.positions import DEPTH_MAX, PROBLEMS_MAX, VALUES_MAX
from journeyflow.services.validate import Validated, validate, validate_document


class Brew(Model):
    type: Literal["brew"]
    minutes: Annotated[int, Field(strict=True, ge=1, lt=60)]
    next: str | None = None


class Pour(Model):
    """Both amounts, or none."""

    type: Literal["pour"]
    cups: int | None = None
    into: Literal["cup", "pot"] = "cup"

    @model_validator(mode="after")
    def _enough(self) -> Pour:
        if self.cups == 13:
            raise ValueError("expected fewer cups than thirteen")
        return self


class Sweet(Model):
    sweet: Annotated[float, Field(gt=0)]


class Sour(Model):
    sour: bool
    by: Literal["lemon"] | None = None


class Both(Model):
    both: tuple[Taste, ...] = Field(min_length=1)


Taste = Annotated[
    Annotated[Sweet, Tag("sweet")] | Annotated[Sour, Tag("sour")] | Annotated[Both, Tag("both")],
    Discriminator(
        lambda data: next((key for key in ("sweet", "sour", "both") if isinstance(data, dict) and key in data), None)
    ),
]
Both.model_rebuild()


class Tea(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tea: Slug
    name: Annotated[str, StringConstraints(min_length=1, max_length=10)] | None = None
    hot: Annotated[bool, Field(strict=True)] = True
    leaves: str | Annotated[tuple[str, ...], Field(min_length=1)] = "green"
    steep: Duration | None = None
    served: TimeOfDay | None = None
    from_: str | None = Field(default=None, alias="from")
    steps: dict[
        Annotated[str, StringConstraints(pattern="^[a-z]+$")], Annotated[Brew | Pour, Field(discriminator="type")]
    ] = {}
    taste: Taste | None = None


TEAS = {"tea": Tea}


def checked(text: str, file: str = "a.yaml") -> Validated:
    return validate(read_content(file, text.encode()), TEAS)


def problems(text: str) -> list[str]:
    return [str(problem) for problem in checked(f"tea: a\n{text}").problems]


def test_a_right_document_is_given_as_its_model_beside_its_source() -> None:
    result = checked("tea: a\nsteep: 3m\nserved: 21:00\n")

    assert result.problems == []
    assert [(one.source.kind, one.source.id, one.source.file) for one in result.documents] == [("tea", "a", "a.yaml")]
    assert result.documents[0].model == Tea(tea="a", steep="3m", served="21:00")  # type: ignore[arg-type]  # read by the model
    assert result.documents[0].source.data == {"tea": "a", "steep": "3m", "served": "21:00"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nam: x", "a.yaml:2: JF004 nam: unknown key 'nam'; did you mean 'name'? (got \"x\")"),
        (
            "zzz: 1",
            "a.yaml:2: JF004 zzz: unknown key 'zzz'; expected one of "
            "from, hot, leaves, name, served, steep, steps, taste, tea (got 1)",
        ),
        ("frm: x", "a.yaml:2: JF004 frm: unknown key 'frm'; did you mean 'from'? (got \"x\")"),
        ("name: 12", "a.yaml:2: JF006 name: expected text; put it in quotes (got 12)"),
        ("name: [x]", 'a.yaml:2: JF006 name: expected text (got ["x"])'),
        ("name: ''", 'a.yaml:2: JF006 name: expected text that is not empty (got "")'),
        ("name: elevenchars", 'a.yaml:2: JF006 name: expected at most 10 characters (got "elevenchars")'),
        ("hot: yes", 'a.yaml:2: JF006 hot: expected true or false (got "yes")'),
        (
            "steep: 3 days",
            'a.yaml:2: JF006 steep: expected a duration such as 90s, 45m, 1h30m, 3d, 2w or P3DT12H (got "3 days")',
        ),
        *(
            (
                f"steep: {text}",
                "a.yaml:2: JF006 steep: expected each unit of a duration once, the longer before the shorter, "
                f'such as 1h30m (got "{text}")',
            )
            for text in ("1h1h", "5m1h", "1w30m2d")
        ),
        ("served: 9", 'a.yaml:2: JF006 served: expected a time of day such as "09:00" (got 9)'),
        ("leaves: 5", "a.yaml:2: JF006 leaves: expected text or a list (got 5)"),
        ("leaves: [green, 5]", "a.yaml:2: JF006 leaves[1]: expected text; put it in quotes (got 5)"),
        ("leaves: []", "a.yaml:2: JF006 leaves: expected text or at least 1, found 0 (got [])"),
        ("steps: [x]", 'a.yaml:2: JF006 steps: expected a mapping (got ["x"])'),
        ("steps:\n  a:\n    minutes: 1", "a.yaml:3: JF005 steps.a.type: missing key 'type'"),
        (
            "steps:\n  a: {type: bruw}",
            "a.yaml:3: JF006 steps.a.type: unknown type 'bruw'; did you mean 'brew'? (got \"bruw\")",
        ),
        ("steps:\n  a: {type: brew}", "a.yaml:3: JF005 steps.a.minutes: missing key 'minutes'"),
        (
            "steps:\n  a: {type: brew, minutes: 1, nxt: b}",
            "a.yaml:3: JF004 steps.a.nxt: unknown key 'nxt'; did you mean 'next'? (got \"b\")",
        ),
        (
            "steps:\n  a:\n    type: brew\n    minutes: 60",
            "a.yaml:5: JF006 steps.a.minutes: expected a number below 60 (got 60)",
        ),
        (
            "steps:\n  a: {type: brew, minutes: 0}",
            "a.yaml:3: JF006 steps.a.minutes: expected a number of at least 1 (got 0)",
        ),
        (
            "steps:\n  a: {type: pour, into: cupp}",
            "a.yaml:3: JF006 steps.a.into: expected 'cup' or 'pot'; did you mean 'cup'? (got \"cupp\")",
        ),
        (
            "steps:\n  a: {type: pour, cups: 13}",
            'a.yaml:3: JF006 steps.a: expected fewer cups than thirteen (got {"type": "pour", "cups": 13})',
        ),
        ("steps: {a: 5}", "a.yaml:2: JF006 steps.a: expected a mapping (got 5)"),
        (
            "steps: {A B: {type: pour}}",
            "a.yaml:2: JF006 steps[\"A B\"]: the key 'A B' can't be one: expected text that matches ^[a-z]+$ "
            '(got "A B")',
        ),
        ("taste: {sweet: 0}", "a.yaml:2: JF006 taste.sweet: expected a number above 0 (got 0)"),
        ("taste: {sour: true, by: lemn}", "a.yaml:2: JF006 taste.by: expected 'lemon' (got \"lemn\")"),
        (
            "taste:\n  both:\n    - sweet: 1\n    - sour: true\n      bye: lemon",
            "a.yaml:6: JF004 taste.both[1].bye: unknown key 'bye'; did you mean 'by'? (got \"lemon\")",
        ),
        (
            "taste: {both: [{both: [{sour: 2}]}]}",
            "a.yaml:2: JF006 taste.both[0].both[0].sour: expected true or false (got 2)",
        ),
        ("taste: {both: []}", "a.yaml:2: JF006 taste.both: expected at least 1, found 0 (got [])"),
    ],
)
def test_each_error_names_file_line_path_what_was_expected_and_the_value(text: str, told: str) -> None:
    assert problems(text) == [told]


def test_the_id_is_checked_like_every_value() -> None:
    told = [str(problem) for problem in checked("tea: Green Tea\n---\ntea: 2024\n").problems]

    assert told == [
        'a.yaml:1: JF006 tea: expected an id: lower-case letters, digits and dashes, at most 64 (got "Green Tea")',
        "a.yaml:3: JF006 tea: expected text; put it in quotes (got 2024)",
    ]


def test_all_errors_of_all_documents_come_at_once_in_order_of_lines() -> None:
    result = checked("tea: a\nhot: 5\nnam: x\nhot: 6\n---\nte: b\n---\ntea: c\n---\ntea: d\nzzz: 1\n")

    assert [(found.line, found.code) for found in result.problems] == [
        (2, "JF006"), (3, "JF004"), (4, "JF002"), (6, "JF003"), (11, "JF004"),
    ]  # fmt: skip
    assert [one.source.id for one in result.documents] == ["c"]
    assert {found.code for found in result.problems} <= CODES.keys()


def test_what_could_not_be_read_is_told_of_once() -> None:
    assert [found.message for found in checked("tea: a\nhot: .nan\nname: !x 5\n").problems] == [
        "expected a finite number, or text in quotes",
        "tags are not read; take it out, or put the text in quotes",
    ]


# --- kinds and ids ---------------------------------------------------------------------------------------------------


def test_an_unknown_kind_is_refused_with_what_was_probably_meant() -> None:
    assert [str(found) for found in checked("tee: a").problems] == [
        "a.yaml:1: JF003 tee: unknown kind of document 'tee'; did you mean 'tea'? (got \"a\")"
    ]


def test_the_kind_must_be_the_first_key() -> None:
    assert [str(found) for found in checked("name: x\ntea: a\n").problems] == [
        "a.yaml:1: JF003 name: expected 'tea' as the first key: a document says what it is by its first key (got \"x\")"
    ]


def test_an_id_that_two_files_use_is_refused_naming_both() -> None:
    folder = read_content("a.yaml", b"# first\ntea: x\n")
    folder.add(read_content("b.yaml", b"tea: x\n"))

    result = validate(folder, TEAS)

    assert [str(found) for found in result.problems] == [
        "b.yaml:1: JF007 tea: the tea 'x' is also in a.yaml:2 (got \"x\")"
    ]
    assert [one.source.file for one in result.documents] == ["a.yaml"]


def test_documents_of_different_kinds_may_share_an_id() -> None:
    folder = read_content("a.yaml", b"tea: x\n---\nsweet: x\n")

    assert [found.code for found in validate(folder, {**TEAS, "sweet": Sweet}).problems] == ["JF006"]


# --- data ------------------------------------------------------------------------------------------------------------


def test_a_document_that_came_as_data_is_judged_the_same() -> None:
    result = validate_document({"tea": "a", "hot": 5, "nam": "x"}, TEAS)

    assert [str(found) for found in result.problems] == [
        "(request): JF006 hot: expected true or false (got 5)",
        "(request): JF004 nam: unknown key 'nam'; did you mean 'name'? (got \"x\")",
    ]
    assert result.documents == []


def test_right_data_is_given_as_its_model() -> None:
    result = validate_document({"tea": "a", "name": "zoë"}, TEAS)

    assert result.problems == []
    assert result.documents[0].model == Tea(tea="a", name="zoë")


@pytest.mark.parametrize("data", [None, 5, "tea", [], {}, [{"tea": "a"}]])
def test_data_that_is_no_document_is_refused(data: JSON) -> None:
    assert [found.code for found in validate_document(data, TEAS).problems] == ["JF003"]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_can_not_be_stored_is_refused_once(text: str) -> None:
    result = validate_document({"tea": "a", "leaves": ["x", text]}, TEAS)

    assert [(found.code, found.path) for found in result.problems] == [("JF006", "leaves[1]")]
    assert result.documents == []


def deep(levels: int) -> JSON:
    value: JSON = {"sweet": 1}
    for _ in range(levels):
        value = {"both": [value]}
    return value


def test_data_may_be_nested_as_deep_as_a_file() -> None:
    assert validate_document({"tea": "a", "taste": deep(DEPTH_MAX // 2 - 2)}, TEAS).problems == []


@pytest.mark.parametrize("levels", [DEPTH_MAX // 2, 1_000, 100_000])
def test_data_that_is_nested_too_deep_is_refused(levels: int) -> None:
    assert [found.code for found in validate_document({"tea": "a", "taste": deep(levels)}, TEAS).problems] == ["JF008"]


def test_data_of_too_many_values_is_refused() -> None:
    leaves: JSON = ["x"] * VALUES_MAX

    assert [found.code for found in validate_document({"tea": "a", "leaves": leaves}, TEAS).problems] == ["JF008"]


def test_more_problems_than_anybody_reads_are_counted() -> None:
    data: dict[str, JSON] = {"tea": "a", **{f"key{number}": number for number in range(5_000)}}

    found = validate_document(data, TEAS).problems

    assert len(found) == PROBLEMS_MAX + 1
    assert found[0].message == "5,000 problems; the first 1,000 are listed"


# --- the real documents ----------------------------------------------------------------------------------------------

WORDS = [
    "journey",
    "type",
    "event",
    "wait",
    "for",
    "next",
    "nodes",
    "where",
    "attribute",
    "not",
    "all",
    "eq",
    "end",
    "1h",
]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), part),
    max_leaves=15,
)


@settings(max_examples=50)
@example("journey", {"[key]": 1})
@given(st.sampled_from(list(KINDS)), st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), anything))
def test_no_data_makes_validation_raise(kind: str, data: dict[str, JSON]) -> None:
    result = validate_document({kind: "a", **data}, KINDS)

    assert result.documents or result.problems
    assert all(str(problem).isprintable() for problem in result.problems)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"journey": "a", "start": "b", "nodes": {"b": {"type": "end"}}, "type": "type"}, "type"),
        ({"segment": "a", "when": {"tag": "vip"}, "": 1, "type": ""}, '[""]'),
        ({"journey": "a", "start": "b", "nodes": {"b": {"type": "end", "end": 1}}}, "nodes.b.end"),
        ({"journey": "a", "start": "b", "nodes": {"type": "A B", "A B": {"type": "end"}}}, 'nodes["A B"]'),
    ],
)
def test_a_key_called_like_the_type_beside_it_is_told_with_its_own_place(data: dict[str, JSON], path: str) -> None:
    assert path in [problem.path for problem in validate_document(data, KINDS).problems]


def test_a_node_of_a_journey_is_told_of_by_its_keys_alone() -> None:
    text = """
journey: a
start: first
stay_if:
  not: {all: [{attribute: plan, eqq: free}]}
nodes:
  first:
    type: wait_for
    timeout: 1d
    cases:
      - {event: Order Completed, where: {property: total, gte: 5, minimum: 3}, nxt: end}
"""
    result = validate(read_content("a.yaml", text.encode()), KINDS)

    assert [(found.line, found.path, found.message.partition(";")[0]) for found in result.problems] == [
        (5, "stay_if.not.all[0].eqq", "unknown key 'eqq'"),
        (11, "nodes.first.cases[0].nxt", "unknown key 'nxt'"),
        (11, "nodes.first.cases[0].where.minimum", "unknown key 'minimum'"),
    ]
