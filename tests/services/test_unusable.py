"""Which values of attributes can't be used."""

from __future__ import annotations

import pytest

from journeyflow.core.values import JSON, parse_path
from journeyflow.services.unusable import unusable

DATES = [("born", parse_path("born"), "birthday"), ("pet.born", parse_path("pet.born"), "pets")]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"email": " ann@example.com ", "phone": "+48 600 100 200", "push_token": "abc", "timezone": "Europe/Warsaw"},
        {"phone": 48600100200},
        {"email": None, "phone": "", "timezone": " ", "born": None, "pet": {"born": ""}},
        {"born": "1990-12-31", "pet": {"born": "2020-01-01T10:00:00Z"}},
        {"wedding": "soon", "pet": "cat"},
    ],
)
def test_what_can_be_used_or_is_missing_is_not_told(attributes: dict[str, JSON]) -> None:
    assert unusable(attributes, DATES) == []


@pytest.mark.parametrize(
    ("attributes", "begins"),
    [
        ({"email": "ann at example.com"}, "email: 'ann at example.com' is not a usable address"),
        ({"email": 5}, "email: 5 is not a usable address"),
        ({"phone": "call me"}, "phone: 'call me' is not a usable number"),
        ({"push_token": "a b"}, "push_token: 'a b' is not a usable token"),
        ({"timezone": "europe/warsaw"}, "timezone: 'europe/warsaw' is not a time zone"),
        ({"born": "31/12/1990"}, "born: '31/12/1990' is not a date such as 1990-12-31: journey birthday does not"),
        ({"pet": {"born": 2020}}, "pet.born: 2020 is not a date such as 1990-12-31: journey pets does not"),
    ],
)
def test_what_can_not_be_used_is_told_with_what_comes_of_it(attributes: dict[str, JSON], begins: str) -> None:
    (line,) = unusable(attributes, DATES)

    assert line.startswith(begins)
