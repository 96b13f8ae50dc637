"""Liquid as templates see it: what they reach, what is escaped, what is known of them before they are filled in."""

from __future__ import annotations

import pytest

from journeyflow.core.errors import TemplateError
from journeyflow.core.values import JSON
from journeyflow.rendering.liquid import Liquid

LIQUID = Liquid()


def filled(source: str, *, html: bool = False, **values: JSON) -> str:
    return LIQUID.compile(source, html=html).render(values)


def compile_error(source: str) -> str:
    with pytest.raises(TemplateError) as caught:
        LIQUID.compile(source)
    return str(caught.value)


def render_error(source: str, **values: JSON) -> str:
    with pytest.raises(TemplateError) as caught:
        LIQUID.compile(source).render(values)
    return str(caught.value)


def test_a_missing_variable_is_empty_text() -> None:
    assert filled("[{{ contact.name }}{{ nobody.at.all }}{{ contact.list[7] }}]", contact={"list": []}) == "[]"


@pytest.mark.parametrize("name", ["__class__", "__dict__", "upper", "format", "__init__.__globals__"])
def test_only_what_is_in_lists_and_objects_can_be_reached(name: str) -> None:
    assert filled(f"[{{{{ contact.name.{name} }}}}{{{{ contact.{name} }}}}]", contact={"name": "Ann"}) == "[]"


def test_an_attribute_called_like_a_python_name_is_an_attribute() -> None:
    assert filled("{{ contact.__class__ }}", contact={"__class__": "gold"}) == "gold"


def test_values_are_escaped_in_html_and_nowhere_else() -> None:
    source = "{{ contact.name }} {{ contact.name | append: '<b>' }}"

    assert filled(source, html=True, contact={"name": "<i>"}) == "&lt;i&gt; &lt;i&gt;<b>"
    assert filled(source, contact={"name": "<i>"}) == "<i> <i><b>"


def test_the_author_can_say_that_a_value_is_html() -> None:
    assert filled("{{ vars.banner | safe }}", html=True, vars={"banner": "<hr>"}) == "<hr>"


def test_there_is_no_clock_behind_the_values() -> None:
    assert filled("[{{ now }}{{ today }}]") == "[]"
    assert filled("{{ now }}", now="2026-03-02T10:00:00Z") == "2026-03-02T10:00:00Z"


def test_a_text_can_be_filled_in_again_and_again() -> None:
    text = LIQUID.compile("{% assign n = contact.n %}{% increment c %}{{ n }}")

    assert [text.render({"contact": {"n": n}}) for n in (1, 2, 3)] == ["01", "02", "03"]


def test_the_same_source_is_compiled_once() -> None:
    assert LIQUID.compile("{{ contact.name }}") is LIQUID.compile("{{ contact.name }}")
    assert LIQUID.compile("{{ contact.name }}") is not LIQUID.compile("{{ contact.name }}", html=True)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Hi\n{{ name", "line 2: {{ is never closed by }}"),
        ("{% if a %}\n\n{% for x in y %}\n{% endfor %}", "line 1: {% if %} is never closed by {% endif %}"),
        ("a\n{% endif %}", "line 2: {% endif %} closes nothing"),
        ("{% if a %}\n{% endfor %}", "line 2: {% endfor %} closes nothing"),
        ("{% raw %}\n{{ x }}", "line 1: {% raw %} is never closed by {% endraw %}"),
        ("a\n\n{{ name | shout }}", "line 3: unknown filter 'shout', in {{ name | shout }}"),
        ("{{ name | append }}", "line 1: filter 'append': missing a required argument: 'arg', in {{ name | append }}"),
        ("{{ name | upcase: 1, 2 }}", "filter 'upcase': too many positional arguments"),
        ("{% include 'secret' %}", "line 1: unexpected tag 'include'"),
        ("{% render 'secret' %}", "line 1: unexpected tag 'render'"),
        ("{{ a b c }}", "line 1: "),
        ("{{ a" + "[b" * 3_000 + "]" * 3_000 + " }}", "nested too deeply"),
        ("{% if a %}" * 40 + "{% endif %}" * 40, "nesting"),
        ("x" * 1_000_001, "at most 1,000,000 characters"),
    ],
)
def test_what_cannot_be_compiled_is_said_with_its_line(source: str, said: str) -> None:
    assert said in compile_error(source)


def test_what_fails_while_filling_in_is_said_with_line_and_tag() -> None:
    error = render_error("Dear\n{{ 10 | divided_by: contact.n }}", contact={"n": 0})

    assert error == "line 2: divided_by: can't divide by 0, in {{ 10 | divided_by: contact.n }}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ contact.n | modulo: 0 }}",
        "{{ 'soon' | date: '%d' }}",
        "{% if contact.n > 'a' %}{% endif %}",
        "{% if contact.n contains 'a' %}{% endif %}",
        "{{ contact.mixed | sort }}",
        "{{ 'inf' | ceil }}",
        "{% for x in (1..3) limit: contact.name %}{% endfor %}",
        "{% break %}",
        "{{ 'a' | slice: contact.name }}",
        "{{ contact.mixed | concat: 1 }}",
        "{{ 'ä' | base64_decode }}",
        "{{ '1e999' | money: 'GBP' }}",
        "{{ contact.mixed | sum }}",
    ],
)
def test_whatever_fails_is_a_template_error_and_was_known_to_be_able_to_fail(source: str) -> None:
    assert LIQUID.compile(source).can_fail
    render_error(source, contact={"n": 1, "name": "Ann", "mixed": [1, "a", None]})


@pytest.mark.parametrize(
    "source",
    [
        "Hello {{ contact.name | default: 'there' | capitalize }}",
        "{% if contact.vip == true and contact.name != blank or a <= 3 %}x{% elsif b %}y{% else %}z{% endif %}",
        "{% case contact.tier %}{% when 'gold', 'silver' %}g{% else %}o{% endcase %}",
        "{% unless a %}{% endunless %}{% capture c %}{{ d }}{% endcapture %}{% assign e = 'x' | upcase %}",
        "{% comment %}{{ 1 | divided_by: 0 }}{% endcomment %}{% # note %}{% raw %}{{ x }}{% endraw %}",
        "{{ contact.name | truncate: 20, '…' }}{{ contact.code | slice: 0, 4 }}{{ contact.bio | truncatewords: 9 }}",
        "{% for p in trigger.products limit: 3 %}{{ p.name }}{% endfor %}",
        "{% for i in (1..5) %}{% for j in (1..5) %}{{ i }}{% break %}{% endfor %}{% endfor %}",
        "{% liquid\n  assign a = contact.b\n  echo a\n%}",
    ],
)
def test_what_cannot_fail_is_known(source: str) -> None:
    text = LIQUID.compile(source)

    assert not text.can_fail
    text.render({})
    text.render({"contact": {"name": 1, "vip": [], "tier": {}, "bio": None}, "trigger": {"products": {"a": 1}}})


@pytest.mark.parametrize(
    "source",
    [
        "{% for p in trigger.products %}{% endfor %}",
        "{% for i in (1..contact.n) %}{% endfor %}",
        "{% for i in (1..2000) %}{% endfor %}",
        "{% for i in (1..200) %}{% for j in (1..200) %}{% endfor %}{% endfor %}",
        "{% for p in trigger.products limit: contact.n %}{% endfor %}",
        "{% tablerow p in trigger.products %}{% endtablerow %}",
        "{{ contact.n | divided_by: 2 }}",
        "{{ contact.date | date: '%d %B' }}",
        "{% if contact.orders > 3 %}{% endif %}",
        "{% cycle 'a', 'b' %}",
        "{{ contact.name | truncate: contact.n }}",
    ],
)
def test_loops_without_a_bound_division_dates_and_the_unknown_can_fail(source: str) -> None:
    assert LIQUID.compile(source).can_fail


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("no Liquid at all", ()),
        ("{{ contact.first_name }} {{ contact.first_name }}", (("contact", "first_name"),)),
        ("{{ contact.address.city }}", (("contact", "address", "city"),)),
        ("{{ contact['last name'] }}", (("contact", "last name"),)),
        ("{{ trigger.items[0].sku }}", (("trigger", "items"),)),
        ("{{ trigger.items.size }}{{ trigger.items.first.sku }}", (("trigger", "items"),)),
        ("{{ contact[trigger.field] }}", (("contact",), ("trigger", "field"))),
        ("{{ contact }}{{ contact.name }}", (("contact",),)),
        ("{% for p in trigger.products %}{{ p.name }}{{ forloop.index }}{% endfor %}", (("trigger", "products"),)),
        ("{% assign c = vars.coupon %}{{ c.code }}", (("vars", "coupon"),)),
        ("{% if false %}{% assign contact = 1 %}{% endif %}{{ contact.name }}", (("contact", "name"),)),
        ("{% if a.b == c.d %}{% endif %}", (("a", "b"), ("c", "d"))),
        ("{% case a %}{% when b.c %}{% endcase %}", (("a",), ("b", "c"))),
        ("{{ x.y | default: z }}", (("x", "y"), ("z",))),
        ("{{ 'now' | date: '%Y' }}", (("now",), ("timezone",))),
        ("{{ 5 | money }}", (("currency",), ("locale",))),
        ("{% raw %}{{ x }}{% endraw %}{% comment %}{{ y }}{% endcomment %}", ()),
    ],
)
def test_what_a_text_reads_is_known(source: str, reads: tuple[tuple[str, ...], ...]) -> None:
    assert LIQUID.compile(source).reads == reads
