"""Whether a mail that shows dates works is told by a look at them; everything else is filled in to see."""

from __future__ import annotations

import pytest

from journeyflow.core.errors import TemplateError
from journeyflow.core.values import JSON
from journeyflow.rendering.liquid import CompiledText, Liquid
from journeyflow.rendering.message import CompiledEmail, compile_email

LIQUID = Liquid()
SHOWN = '{{ vars.coupon.expires_at | date: "%d %B %Y" }}'


def text(source: str) -> CompiledText:
    return LIQUID.compile(source)


def coupon(expires_at: JSON) -> dict[str, JSON]:
    return {"vars": {"coupon": {"expires_at": expires_at}}}


def mail(body: str) -> CompiledEmail:
    return compile_email(LIQUID, subject="Hello", preheader=None, body=body, format="html", text=None)


@pytest.mark.parametrize(
    "values",
    [coupon("2026-03-02T23:59:59+01:00"), coupon("2026-03-02"), coupon(""), coupon(None), {"vars": {}}, {}],
)
def test_a_date_or_nothing_surely_works(values: dict[str, JSON]) -> None:
    assert text(SHOWN).surely_works(values)
    assert text(SHOWN).render(values) is not None


@pytest.mark.parametrize("value", ["soon", 5, True, ["2026-03-02"], "9999-12-31T23:59:59Z", "0001-01-01", " "])
def test_of_anything_else_a_look_does_not_tell(value: JSON) -> None:
    assert not text(SHOWN).surely_works(coupon(value))


@pytest.mark.parametrize(
    "source",
    [
        "{{ vars.count | divided_by: vars.number }}",
        '{{ vars.coupon.expires_at | upcase | date: "%d" }}',
        "{{ vars.coupon.expires_at | date: vars.pattern }}",
        '{{ vars.coupon[vars.name] | date: "%d" }}',
        '{{ vars.coupons.first | date: "%d" }}',
        '{% assign vars = event %}{{ vars.coupon.expires_at | date: "%d" }}',
        '{% for vars in event.all limit: 2 %}{{ vars.coupon.expires_at | date: "%d" }}{% endfor %}',
        f'{{{{ vars.coupon.expires_at | date: "{"x" * 201}" }}}}',
        '{{ "soon" | date: "%d" }}',
    ],
)
def test_of_a_less_plain_text_a_look_never_tells(source: str) -> None:
    assert text(source).can_fail
    assert not text(source).surely_works(coupon("2026-03-02"))


def test_a_text_without_anything_that_can_fail_surely_works() -> None:
    assert not text("{{ contact.name | upcase }}").can_fail
    assert text("{{ contact.name | upcase }}").surely_works({})


def test_an_attempt_fails_only_where_the_mail_does() -> None:
    shown = mail(f"<p>{SHOWN}</p>")
    hidden = mail(f"{{% if contact.vip %}}<p>{SHOWN}</p>{{% endif %}}")

    assert shown.can_fail
    shown.attempt(coupon("2026-03-02"))
    hidden.attempt(coupon("soon"))
    with pytest.raises(TemplateError, match="body: line 1: date: expected a date in ISO 8601, found 'soon'"):
        shown.attempt(coupon("soon"))
    with pytest.raises(TemplateError):
        hidden.attempt({**coupon("soon"), "contact": {"vip": True}})
