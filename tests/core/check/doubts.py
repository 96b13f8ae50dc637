"""Documents for the tests of lint rules, and what is told of them."""

from __future__ import annotations

from textwrap import dedent

import yaml

from journeyflow.core.check.problem import CODES
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_data

RENDERER = LiquidRenderer()
TEMPLATES = """
{template: hello, subject: Hello, body: Hello}
---
{template: other, subject: Hello, body: Hello}
---
{template: code, subject: 'Yours, {{ vars.coupon.code }}', body: Hello}
"""
POOLS = "{coupon_pool: ten, codes: generated}\n---\n{coupon_pool: short, codes: generated, valid_for: 2d}"
WORKSPACE = """
workspace: shop
quiet_hours: {from: "21:00", to: "08:00"}
topics: [{id: offers, name: Offers}, {id: account, name: Account, transactional: true}]
"""


def told(*documents: str) -> list[tuple[str, str]]:
    """The code and path of every problem; templates and pools are those of these tests."""
    text = "\n---\n".join(dedent(one) for one in (*documents, TEMPLATES, POOLS))
    problems = check_data(list(yaml.safe_load_all(text)), [], RENDERER).problems
    assert all(problem.severity == CODES[problem.code].severity for problem in problems)
    return [(problem.code, problem.path) for problem in problems]


def journey(nodes: str, *lines: str, name: str = "walk") -> str:
    nodes = dedent(nodes).strip()
    inside = "\n".join(f"  {line}" for line in nodes.splitlines())
    return "\n".join([f"journey: {name}", f"start: {nodes.partition(':')[0]}", *lines, "nodes:", inside])
