"""Whatever an author writes, filling it in ends soon: with the text, or with an error."""

from __future__ import annotations

import time

import pytest

from journeyflow.core.errors import TemplateError
from journeyflow.core.values import JSON
from journeyflow.rendering.limits import ITERATIONS_MAX, OUTPUT_BYTES_MAX
from journeyflow.rendering.liquid import Liquid

LIQUID = Liquid()
CPU_SECONDS_MAX = 1.0

LONG = 100_000
VALUES: dict[str, JSON] = {
    "contact": {
        "name": "Ann",
        "n": 10**9,
        "long": "x" * LONG,
        "other": "x" * (LONG - 1) + "y",
        "numbers": list(range(1_000)),
        "objects": [{"k": "v" * 100} for _ in range(200)],
        "ampersands": "&a" * (LONG // 2),
        "tags": "<a" * (LONG // 2),
        "scripts": "<script>" * (LONG // 8),
        "spaces": " a" * (LONG // 2),
        "breaks": "\n" * LONG,
        "quotes": "\"'" * (LONG // 2),
    },
    "now": "2026-11-22T10:00:00Z",
}


def loop(body: str, times: int = ITERATIONS_MAX) -> str:
    return f"{{% for i in (1..{times}) %}}{body}{{% endfor %}}"


RANGES = {
    "a loop over a huge range": loop("x", 1_000_000_000),
    "a huge range, backwards": "{% for i in (1..1000000000) reversed %}x{% endfor %}",
    "a range whose end is a value": "{% for i in (1..contact.n) %}x{% endfor %}",
    "a huge range joined": "{{ (1..1000000000) | join }}",
    "a huge range searched": '{% if (1..1000000000) contains "a" %}{% endif %}',
    "a huge range cut": "{{ (1..1000000000) | slice: 0, 1000000000 }}",
    "a huge range assigned": "{% assign r = (1..1000000000) %}{{ r | reverse | size }}",
}
LOOPS = {
    "loops inside loops": loop(loop(loop("x", 1_000), 1_000), 1_000),
    "loops one after the other": loop("x", 9_000) * 100,
    "loops inside a liquid tag": "{% liquid\nfor i in (1..9000)\nfor j in (1..9000)\necho i\nendfor\nendfor\n%}",
    "a table row for each number": "{% tablerow i in (1..10000) %}x{% endtablerow %}" * 3,
    "a loop over letters": '{% assign a = contact.long | split: "" %}{% for i in a %}{% endfor %}',
}
GROWTH = {
    "a text that doubles": "{% assign x = 'ab' %}" + loop("{% assign x = x | append: x %}", 40),
    "a text that doubles without a loop": "{% assign x = 'ab' %}" + "{% assign x = x | prepend: x %}" * 60,
    "a text that doubles by capture": "{% assign x = 'ab' %}"
    + loop("{% capture x %}{{ x }}{{ x }}{% endcapture %}", 40),
    "a list that doubles": "{% assign x = 'a,b' | split: ',' %}" + loop("{% assign x = x | concat: x %}", 40),
    "a text that squares": "{{ contact.long | replace: 'x', contact.long }}",
    "a text put between all letters": "{{ contact.long | replace: '', contact.long }}",
    "a text put between all numbers": "{{ contact.numbers | join: contact.long }}",
    "a number that squares": "{% assign x = 10 %}" + loop("{% assign x = x | times: x %}", 40),
    "a long output": loop("{{ contact.long }}", 100),
    "an output of objects": loop("{{ contact.objects }}"),
    "a long cycle": loop("{% cycle contact.long, 'b' %}"),
    "a date pattern that doubles": "{% assign f = '%d' %}"
    + loop("{% assign f = f | append: f %}", 14)
    + "{{ now | date: f }}",
    "the same changes again": loop("{% ifchanged %}{{ contact.long }}{{ i }}{% endifchanged %}"),
}
WORK = {
    "long texts compared": loop("{% if contact.long == contact.other %}{% endif %}"),
    "long lists compared": "{% assign a = contact.long | split: '' %}" + loop("{% if a == a %}{% endif %}"),
    "a long text searched": loop("{% if contact.long contains 'yyy' %}{% endif %}"),
    "branches that show nothing": loop("{% if 1 == 2 %}{% endif %}" * 1_000),
    "long conditions": loop("{% if " + " or ".join(["1 == 2"] * 100) + " %}{% endif %}"),
    "assignments": loop("{% assign x = 1 %}" * 1_000),
    "look-ups": loop("{{ contact.name }}" * 100),
    "filters": loop("{{ contact.name | upcase | downcase }}" * 20),
    "dates": loop("{{ now | date: '%d %B' }}" * 5),
    "amounts": loop("{{ i | money: 'GBP' }}"),
    "counters": loop("{% increment c %}" * 100),
    "duplicates of a long list": "{{ contact.long | split: '' | uniq | size }}",
    "a filter over objects": loop("{% assign x = contact.objects | where: 'k', 'v' %}"),
    "sums": loop("{% assign x = contact.numbers | sum %}"),
    "cases": loop("{% case contact.long %}{% when contact.other %}{% endcase %}"),
}
DEAR_FILTERS = {
    name: "{% assign s = contact." + value + " %}" + loop("{% assign x = s | " + name + " %}")
    for name, value in {
        "escape_once": "ampersands",
        "escape": "quotes",
        "escapejs": "quotes",
        "newline_to_br": "breaks",
        "strip_newlines": "breaks",
        "squish": "spaces",
        "truncatewords: 1000000": "spaces",
        "strip_html": "tags",
        "strip_html | upcase": "scripts",
        "url_encode": "tags",
        "url_encode | url_decode": "quotes",
        "split: ' ' | sort": "spaces",
        "split: ' ' | sort_natural": "spaces",
        "base64_encode | base64_decode": "long",
        "remove: 'a'": "tags",
        "capitalize": "long",
    }.items()
}
NESTED = {
    "a deep path": "{{ contact" + "[a" * 200 + "]" * 200 + " }}",
    "a wide date": "{{ now | date: '%999999999d' }}",
}


@pytest.mark.parametrize("html", [False, True], ids=["plain", "html"])
@pytest.mark.parametrize(
    "source",
    [pytest.param(source, id=name) for name, source in (RANGES | LOOPS | GROWTH | WORK | DEAR_FILTERS).items()],
)
def test_what_would_take_for_ever_is_stopped_within_a_second(source: str, html: bool) -> None:
    text = LIQUID.compile(source, html=html)

    began = time.process_time()
    with pytest.raises(TemplateError):
        text.render(VALUES)

    assert time.process_time() - began < CPU_SECONDS_MAX


@pytest.mark.parametrize("source", [pytest.param(source, id=name) for name, source in NESTED.items()])
def test_what_only_looks_dangerous_is_quick_as_well(source: str) -> None:
    text = LIQUID.compile(source)

    began = time.process_time()
    text.render(VALUES)

    assert time.process_time() - began < CPU_SECONDS_MAX


@pytest.mark.parametrize(
    "source",
    [
        "{% raw %}" * 30_000,
        "{{" * 100_000,
        "{% " * 100_000,
        "{" * 300_000,
        "{% comment %}" * 30_000,
        "{{ a" + " " * 300_000,
    ],
    ids=["raw", "outputs", "tags", "braces", "comments", "spaces"],
)
def test_what_is_never_closed_is_refused_at_once(source: str) -> None:
    began = time.process_time()
    with pytest.raises(TemplateError):
        LIQUID.compile(source)

    assert time.process_time() - began < CPU_SECONDS_MAX


def test_the_limits_leave_room_for_a_long_honest_mail() -> None:
    products: list[JSON] = [
        {"name": f"Tea {n}", "price": n / 2, "url": f"https://shop.example/{n}"} for n in range(300)
    ]
    row = (
        "<tr><td>{{ forloop.index }}</td><td><a href='{{ p.url }}'>{{ p.name | escape }}</a></td>"
        "<td>{{ p.price | money: 'GBP' }}</td></tr>"
    )
    source = "<p>text</p>" * 5_000 + "{% for p in trigger.products %}" + row + "{% endfor %}"

    assert LIQUID.compile(source, html=True).render({"trigger": {"products": products}}).count("</tr>") == 300


def test_a_text_may_be_exactly_as_long_as_the_limit() -> None:
    text = LIQUID.compile("{{ contact.long }}")

    assert len(text.render({"contact": {"long": "x" * OUTPUT_BYTES_MAX}})) == OUTPUT_BYTES_MAX
    with pytest.raises(TemplateError, match="grows over 1,000,000 bytes"):
        text.render({"contact": {"long": "x" * OUTPUT_BYTES_MAX + "y"}})
    with pytest.raises(TemplateError, match="grows over 1,000,000 bytes"):
        text.render({"contact": {"long": "ż" * (OUTPUT_BYTES_MAX // 2 + 1)}})


def test_loops_may_run_ten_thousand_times_in_all() -> None:
    assert LIQUID.compile(loop("x", 5_000) * 2).render({}) == "x" * 10_000
    with pytest.raises(TemplateError, match="loops run more than 10,000 times"):
        LIQUID.compile(loop("x", 5_000) * 2 + loop("x", 1)).render({})
