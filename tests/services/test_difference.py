"""What a plan shows of a change."""

from __future__ import annotations

from typing import Final

import pytest

from journeyflow.core.values import JSON
from journeyflow.services.difference import difference

LONG: Final = "Hi {{ contact.first_name | default: 'you' }}, thank you very much. You ordered two things."
LINES: Final = [f"line {number}" for number in range(40)]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("2d", "3d", "'2d' → '3d'"),
        (True, 1, "True → 1"),
        (
            LONG,
            LONG.replace("two", "three"),
            "…' much. You ordered two things.' → …' much. You ordered three things.'",
        ),
        (LONG, f"{LONG}\n", "…' ordered two things.' → …' ordered two things.\\n'"),
        (LONG, "Hi", "\"Hi {{ contact.first_name | default: 'you' }}, thank you very\"… → 'Hi'"),
        ("\n".join(LINES), "\n".join([*LINES[:20], "new", *LINES[21:]]), "…'line 20'… → …'new'…"),
        ("\n".join(LINES), "\n".join([*LINES[:20], *LINES[21:]]), "…'line 20\\nline 21'… → …'line 21'…"),
        ([*range(100, 140)], [*range(100, 141)], "…, 136, 137, 138, 139] → …, 136, 137, 138, 139, 140]"),
        (LONG, [LONG], f'"{LONG[:59]}… → ["{LONG[:58]}…'),
    ],
)
def test_of_a_long_value_the_part_that_differs_is_shown(before: JSON, after: JSON, told: str) -> None:
    assert [*difference({"body": before}, {"body": after})] == [f"body: {told}"]


def test_of_a_long_line_that_differs_far_in_the_beginning_is_left_out() -> None:
    before, after = (f"first\n{'x' * 200}{sign}{'y' * 200}\nlast" for sign in "ab")

    assert [*difference(before, after, "body")] == [
        f"body: …'{'x' * 20}a{'y' * 39}'… → …'{'x' * 20}b{'y' * 39}'…",
    ]


def test_each_place_has_a_line() -> None:
    before: JSON = {"a": {"b": [1, 2]}, "gone": "x" * 80, "same": 1}
    after: JSON = {"a": {"b": [1, 3]}, "same": 1, "new": {"c": 1}}

    assert [*difference(before, after)] == [
        "a.b[1]: 2 → 3",
        f"gone: removed '{'x' * 59}…",
        "new: added {'c': 1}",
    ]
