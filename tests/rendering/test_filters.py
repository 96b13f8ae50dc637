"""Dates, money, and what is promised of the other filters."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from liquid import Environment

from journeyflow.core.errors import TemplateError
from journeyflow.core.values import JSON
from journeyflow.rendering.compose import Origin
from journeyflow.rendering.filters import CAN_FAIL, CANNOT_FAIL, add_filters, strip_html
from journeyflow.rendering.liquid import Kind, Liquid

LIQUID = Liquid()
NOW = "2026-11-22T22:30:00.000000Z"


def filled(source: str, **values: JSON) -> str:
    return LIQUID.compile(source).render({"now": NOW, **values})


def error(source: str, **values: JSON) -> str:
    with pytest.raises(TemplateError) as caught:
        filled(source, **values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-03-02T10:05:00Z", "2 March 2026 10:05"),
        ("2026-03-02T10:05:00+02:00", "2 March 2026 10:05"),
        ("2026-03-02", "2 March 2026 00:00"),
        (1772445900, "2 March 2026 10:05"),
        ("now", "22 November 2026 22:30"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_date_is_read_from_iso_text(value: JSON, shown: str) -> None:
    assert filled("{{ contact.at | date: '%-d %B %Y %H:%M' }}", contact={"at": value}) == shown


def test_a_date_is_shown_in_the_zone_that_is_asked_for() -> None:
    values: dict[str, JSON] = {
        "contact": {"timezone": "Europe/Warsaw", "broken": "Mars/Base", "path": "../../etc/passwd"}
    }

    assert filled("{{ now | date: '%d %H:%M', contact.timezone }}", **values) == "22 23:30"
    assert filled("{{ now | date: '%d %H:%M', contact.broken }}", **values) == "22 22:30"
    assert filled("{{ now | date: '%d %H:%M', contact.path }}", **values) == "22 22:30"
    assert filled("{{ now | date: '%d %H:%M', contact.broken }}", timezone="Asia/Tokyo", **values) == "23 07:30"
    assert filled("{{ now | date: '%d %H:%M' }}", timezone="Asia/Tokyo") == "23 07:30"
    assert filled("{{ '2026-03-02' | date: '%d %H:%M' }}", timezone="Asia/Tokyo") == "02 00:00"


@pytest.mark.parametrize("value", ["soon", "10:30", "2026-13-45", True, [1], {"a": 1}, 1e300, "2026-03-02T99:00Z"])
def test_what_is_no_date_is_an_error(value: JSON) -> None:
    assert "expected a date in ISO 8601" in error("{{ contact.at | date: '%Y' }}", contact={"at": value})


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('{{ 12.5 | money: "GBP" }}', "£12.50"),
        ('{{ "7" | money: "eur" }}', "€7.00"),
        ('{{ 1234567.891 | money: "USD", "en_US" }}', "$1,234,567.89"),
        ('{{ 1234.5 | money: "PLN", "pl-PL" }}', "1\xa0234,50\xa0zł"),
        ('{{ 500 | money: "JPY" }}', "JP¥500"),
        ('{{ 12.5 | money: "GBP", "xx-yy" }}', "£12.50"),
        ("{{ 12.5 | money }}", "12.50"),
        ("[{{ contact.spent | money: 'GBP' }}]", "[]"),
        ("{{ 0 | money: 'GBP' }}", "£0.00"),
        ("{{ -3 | money: 'GBP' }}", "-£3.00"),
    ],
)
def test_money_is_written_as_the_place_does(source: str, shown: str) -> None:
    assert filled(source, contact={}) == shown


def test_money_takes_currency_and_locale_from_the_values_where_the_template_is_silent() -> None:
    assert filled("{{ 1234.5 | money }}", currency="PLN", locale="pl_PL") == "1\xa0234,50\xa0zł"


@pytest.mark.parametrize("value", ["twelve", True, [1], "NaN", "inf", "1e15", 10**30, "1" * 100])
def test_what_is_no_amount_is_an_error(value: JSON) -> None:
    assert "expected an amount" in error("{{ contact.spent | money: 'GBP' }}", contact={"spent": value})


def test_what_is_no_currency_is_an_error() -> None:
    assert "expected a currency such as GBP" in error("{{ 1 | money: 'pounds' }}")


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Hello <b class='a'>you</b></p>", "Hello you"),
        ("a < b and 3 <4", "a < b and 3 <4"),
        ("x<script>alert('<b>')</script >y<style>p{}</style>z", "xyz"),
        ("a<!-- <b> -->c", "ac"),
        ("half <b", "half <b"),
        ("<scripted>x</scripted>", "x"),
        ("<script>never closed", "<script>never closed"),
        ("", ""),
        (None, ""),
    ],
)
def test_strip_html_leaves_the_text(markup: JSON, text: str) -> None:
    assert strip_html(markup) == text


def test_nothing_and_yes_are_not_written_as_python_does() -> None:
    values: dict[str, JSON] = {"contact": {"none": None, "yes": True, "list": ["a", None, False]}}

    assert filled("{{ 'a' | append: contact.none }}{{ contact.yes | append: '!' }}", **values) == "atrue!"
    assert filled("{{ contact.list | join: ',' }}", **values) == "a,,false"


def test_every_filter_is_known_to_be_able_to_fail_or_not() -> None:
    environment = Environment()
    add_filters(environment, from_html=False)

    assert CANNOT_FAIL | CAN_FAIL.keys() == environment.filters.keys()
    assert CANNOT_FAIL & CAN_FAIL.keys() == set()


ARGUMENTS = {"append": 1, "default": 1, "join": 1, "prepend": 1, "remove": 1, "remove_first": 1, "split": 1}
ARGUMENTS |= {"replace": 2, "replace_first": 2}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=500)
@given(name=st.sampled_from(sorted(CANNOT_FAIL)), value=ANY_JSON, first=ANY_JSON, second=ANY_JSON, html=st.booleans())
def test_a_filter_that_cannot_fail_takes_whatever_comes(
    name: str, value: JSON, first: JSON, second: JSON, html: bool
) -> None:
    arguments = ": " + ", ".join(["first", "second"][: ARGUMENTS[name]]) if name in ARGUMENTS else ""
    text = LIQUID.compile(f"{{{{ value | {name}{arguments} }}}}{{{{ missing | {name}{arguments} }}}}", html=html)

    assert not text.can_fail
    text.render({"value": value, "first": first, "second": second})


def test_what_makes_html_leaves_the_plain_text_part_alone() -> None:
    source = "{{ a | escape }} {{ a | newline_to_br }} {{ b | safe }} {{ a | escape_once }}"
    text = LIQUID.compile_composed(source, Kind.FROM_HTML, (Origin("", source),))

    assert text.render({"a": "1 < 2\n", "b": "<b>x</b> &amp; y"}) == "1 < 2\n 1 < 2\n x & y 1 < 2\n"
