"""Each lint rule with documents that trigger it and documents that look alike and do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.core.asking import Asked, condition
from tests.core.check.doubts import RENDERER, WORKSPACE, journey, told

from journeyflow.core.check.rules.logic import Reasoner
from journeyflow.core.values import JSON
from journeyflow.services.check import check_data, check_folder

FLOWS = Path(__file__).parents[3] / "flows"


def test_the_starters_are_free_of_warnings() -> None:
    assert check_folder([FLOWS], RENDERER).problems == []


def test_warnings_are_no_errors() -> None:
    checked = check_data([yaml.safe_load(journey("a: {type: end}\nb: {type: end}"))], [], RENDERER)

    assert ([one.code for one in checked.problems], checked.errors, checked.demand()) == (["JF101"], [], checked)


def test_a_document_with_errors_gets_no_warnings() -> None:
    assert told(journey("a: {type: end, next: b}\nb: {type: end}")) == [("JF006", "nodes.a.next")]
    assert told(journey("a: {type: wait, for: 1d, next: c}\nb: {type: end}")) == [("JF010", "nodes.a.next")]


def test_documents_of_the_installation_are_not_judged_again() -> None:
    installed = yaml.safe_load(journey("a: {type: end}\nb: {type: end}"))

    assert check_data([], [("journey", installed)], RENDERER).problems == []


# --- ways ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "lost"),
    [
        ("a: {type: end}\nb: {type: end}", ["b"]),
        ("a: {type: wait, for: 1d}\nb: {type: wait, for: 1d, next: c}\nc: {type: wait, for: 1d, next: b}", ["b", "c"]),
        ("a: {type: wait_for, cases: [{event: X}], timeout: never, on_timeout: b}\nb: {type: end}", ["b"]),
        ("a: {type: wait_for, cases: [{event: X}], timeout: 1d, on_timeout: b}\nb: {type: end}", []),
        ("a: {type: coupon, pool: ten, on_empty: b}\nb: {type: end}", []),
        ("a: {type: branch, cases: [{when: {tag: x}, next: b}], else: c}\nb: {type: end}\nc: {type: end}", []),
    ],
)
def test_jf101_nodes_that_nobody_comes_to(nodes: str, lost: list[str]) -> None:
    assert [path for code, path in told(journey(nodes)) if code == "JF101"] == [f"nodes.{name}" for name in lost]


@pytest.mark.parametrize(
    ("wait", "idle"),
    [
        ("for: 0s", True), ("for: 0d", True), ("for: PT0S", True), ("for: 1s", False), ("for: 0d, at: '09:00'", False),
        ("for: 0d, weekdays: [mon]", False), ("until: {attribute: day}", False), ("until_time: {at: '09:00'}", False),
    ],
)  # fmt: skip
def test_jf102_loops_whose_waits_take_no_time(wait: str, idle: bool) -> None:
    nodes = f"a: {{type: tag, add: [x], next: b}}\nb: {{type: wait, {wait}, next: a}}"

    assert told(journey(nodes)) == ([("JF102", "nodes.b.for")] if idle else [])


def test_jf102_a_wait_without_time_outside_of_loops_is_fine() -> None:
    assert told(journey("a: {type: wait, for: 0s, next: b}\nb: {type: tag, add: [x]}")) == []


def test_jf103_waits_without_an_end() -> None:
    assert told(journey("a: {type: wait_for, cases: [{event: X}], timeout: never}")) == [("JF103", "nodes.a.timeout")]
    assert told(journey("a: {type: wait_for, cases: [{event: X}], timeout: 900d}")) == []


# --- cases -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ("{tag: a}", "{tag: a}", True),
        ("{tag: a}", "{tag: b}", False),
        ("{all: []}", "{tag: b}", True),
        ("{tag: a}", "{any: []}", True),
        ("{not: {any: []}}", "{tag: b}", True),
        ("{tag: a}", "{all: [{tag: b}, {tag: a}]}", True),
        ("{all: [{tag: b}, {tag: a}]}", "{tag: a}", False),
        ("{any: [{tag: a}, {tag: b}]}", "{tag: b}", True),
        ("{tag: a}", "{any: [{tag: a}, {tag: b}]}", False),
        ("{not: {all: [{tag: a}, {tag: b}]}}", "{not: {tag: a}}", True),
        ("{attribute: x, gte: 1}", "{attribute: x, gte: 2}", True),
        ("{attribute: x, gt: 2}", "{attribute: x, gte: 2}", False),
        ("{attribute: x, gte: 2}", "{attribute: x, gte: 1}", False),
        ("{attribute: x, lte: 2}", "{attribute: x, eq: 2}", True),
        ("{attribute: x, gte: 1, lt: 9}", "{attribute: x, gte: 2, lte: 8}", True),
        ("{attribute: x, gte: 1, lt: 9}", "{attribute: x, gte: 2, lte: 9}", False),
        ("{attribute: x, gte: 1}", "{attribute: y, gte: 2}", False),
        ("{attribute: x, gte: 1}", "{attribute: x, gte: {ref: vars.y}}", False),
        ("{event: A, count: {gte: 1}}", "{event: A, count: {gte: 3}}", True),
        ("{event: A, within: 7d, count: {gte: 1}}", "{event: A, count: {gte: 3}}", False),
        ("{event: A, sum: total, gte: 1}", "{event: A, sum: total, gte: 3}", True),
        ("{event: A, sum: total, gte: 1}", "{event: A, max: total, gte: 3}", False),
    ],
)
def test_jf104_cases_that_are_never_taken(first: str, second: str, hidden: bool) -> None:
    branch = f"a: {{type: branch, cases: [{{when: {first}, next: b}}, {{when: {second}, next: b}}]}}"
    waiting = f"a: {{type: wait_for, timeout: 1d, cases: [{{when: {first}, next: b}}, {{when: {second}, next: b}}]}}"

    for node in (branch, waiting):
        assert told(journey(f"{node}\nb: {{type: end}}")) == ([("JF104", "nodes.a.cases[1]")] if hidden else [])


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ("event: A", "event: A", True),
        ("event: A", "event: A, where: {property: x, eq: 1}", True),
        ("event: A, where: {property: x, eq: 1}", "event: A", False),
        ("event: A, where: {property: x, gte: 1}", "event: A, where: {property: x, gte: 2}", True),
        ("event: A", "event: B", False),
        ("event: A", "event: B, where: {any: []}", True),
        ("when: {all: []}", "event: B", True),
        ("event: A", "when: {event: A}", False),
    ],
)
def test_jf104_cases_of_events_that_are_never_taken(first: str, second: str, hidden: bool) -> None:
    node = f"a: {{type: wait_for, timeout: 1d, cases: [{{{first}, next: b}}, {{{second}, next: b}}]}}"

    assert told(journey(f"{node}\nb: {{type: end}}")) == ([("JF104", "nodes.a.cases[1]")] if hidden else [])


CASES = st.recursive(
    st.sampled_from([{"all": []}, {"any": []}, {"tag": "x"}, {"attribute": "n", "exists": True}])
    | st.builds(
        lambda operator, number: {"attribute": "n", operator: number},
        st.sampled_from(["eq", "gt", "gte", "lt", "lte", "ne"]),
        st.integers(0, 3),
    ),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=2)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, max_size=2)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=4,
)


@given(CASES, CASES, st.sampled_from([None, 0, 1, 1.5, 2, 3, 4, "1", True]), st.booleans())
def test_what_is_said_to_follow_does_so_for_everybody(narrow: JSON, wide: JSON, number: JSON, tagged: bool) -> None:
    somebody = Asked({} if number is None else {"n": number}, ["x"] if tagged else [])
    one, other = condition(narrow), condition(wide)

    if Reasoner().follows(one, other) and somebody.holds(one):
        assert somebody.holds(other)
    assert Reasoner().constant(one) in (None, somebody.holds(one))


def test_who_has_to_think_too_long_says_no() -> None:
    deep: JSON = {"tag": "x"}
    for _ in range(9):
        deep = {"all": [{"any": [deep, {"tag": "a"}]}, {"tag": "b"}]}
    one, other = condition(deep), condition({"any": [deep, {"tag": "c"}]})

    assert Reasoner().follows(one, other)
    assert not Reasoner(steps_max=0).follows(one, other)


# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "within", "short"),
    [
        ("a: {type: wait, for: 3d, next: m}\nm: {type: email, template: hello}", "2d", True),
        ("a: {type: wait, for: 3d, next: m}\nm: {type: email, template: hello}", "3d", False),
        ("a: {type: wait, for: 3d, at: '09:00', next: m}\nm: {type: email, template: hello}", "2d", False),
        ("m: {type: email, template: hello, next: a}\na: {type: wait, for: 3d, next: m2}\n"
         "m2: {type: email, template: other}", "2d", True),
        ("a: {type: wait_for, cases: [{event: X, next: m}], timeout: 9d}\nm: {type: email, template: hello}",
         "1h", False),
        ("a: {type: wait_for, cases: [{event: X}], timeout: 9d, on_timeout: m}\nm: {type: email, template: hello}",
         "8d", True),
        ("a: {type: wait, for: 3d}", "1d", False),
    ],
)  # fmt: skip
def test_jf105_rule_7_3_goals_that_end_before_the_last_message(nodes: str, within: str, short: bool) -> None:
    lines = ("exit_on: [{event: B}]", f"goal: {{event: B, within: {within}}}")

    assert told(journey(nodes, *lines)) == ([("JF105", "goal.within")] if short else [])


SENT = "m: {type: email, template: hello, next: w}"


@pytest.mark.parametrize(
    ("nodes", "path"),
    [
        ("w: {type: wait_for, cases: [{event: Email Opened}], timeout: 3h}", "cases[0].event"),
        ("w: {type: wait_for, cases: [{event: Email Opened}], timeout: 4h}", None),
        ("w: {type: wait_for, cases: [{event: Email Link Clicked}], timeout: 1h}", None),
        ("w: {type: wait_for, cases: [{when: {event: Email Opened, since: entry}}], timeout: 1h}", "cases[0].when"),
        ("w: {type: wait, for: 3h, next: b}\nb: {type: branch, cases: [{when: {event: Email Opened}}]}", None),
        ("w: {type: branch, cases: [{when: {not: {event: Email Opened}}, next: end}]}", "cases[0].when"),
        ("w: {type: tag, add: [x], only_if: {event: Email Opened}}", "only_if"),
        ("w: {type: branch, cases: [{when: {message: {channel: email}, opened: {eq: 0}}}]}", "cases[0].when"),
        ("w: {type: branch, cases: [{when: {message: {channel: email}, clicked: {eq: 0}}}]}", None),
        ("w: {type: branch, cases: [{when: {message: {channel: email, settled: 4h}, opened: {eq: 0}}}]}", None),
        ("w: {type: branch, cases: [{when: {message: {channel: email, last: 5}, opened: {eq: 0}}}]}", None),
        ("w: {type: branch, cases: [{when: {message: {channel: email, template: other}, opened: {eq: 0}}}]}", None),
        ("w: {type: branch, cases: [{when: {message: {channel: sms}, opened: {eq: 0}}}]}", None),
        ("w: {type: branch, cases: [{when: {event: Email Opened, where: {property: template, eq: other}}}]}", None),
        ("w: {type: branch, cases: [{when: {event: Email Opened, where: {property: template, eq: hello}}}]}",
         "cases[0].when"),
    ],
)  # fmt: skip
def test_jf106_opens_that_are_asked_too_soon(nodes: str, path: str | None) -> None:
    if "next: b" in nodes:
        assert told(journey(f"{SENT}\n{nodes}")) == [("JF106", "nodes.b.cases[0].when")]
        assert told(journey(f"{SENT}\n{nodes.replace('3h', '4h')}")) == []
    else:
        assert told(journey(f"{SENT}\n{nodes}")) == ([] if path is None else [("JF106", f"nodes.w.{path}")])


@pytest.mark.parametrize(
    ("pool", "wait", "template", "short"),
    [
        ("short", "for: 3d", "code", True),
        ("short", "for: 2d", "code", False),
        ("short", "for: 3d", "hello", False),
        ("ten", "for: 3d", "code", False),
    ],
)
def test_jf107_coupons_that_end_before_they_are_shown(pool: str, wait: str, template: str, short: bool) -> None:
    nodes = f"""
        c: {{type: coupon, pool: {pool}, next: first}}
        first: {{type: email, template: code, next: w}}
        w: {{type: wait, {wait}, next: m}}
        m: {{type: email, template: {template}}}
    """

    assert told(journey(nodes)) == ([("JF107", "nodes.c.pool")] if short else [])


def test_jf107_a_newer_code_of_the_same_name_takes_the_place_of_the_older() -> None:
    nodes = """
        c: {type: coupon, pool: short, next: w}
        w: {type: wait, for: 3d, next: again}
        again: {type: coupon, pool: short, next: m}
        m: {type: email, template: code}
    """

    assert told(journey(nodes)) == []


@pytest.mark.parametrize(
    ("wait", "path"),
    [
        ("until_time: {at: '22:00'}", "until_time.at"),
        ("until_time: {at: '21:00'}", "until_time.at"),
        ("until_time: {at: '08:00'}", None),
        ("for: 1d, at: '07:59'", "at"),
        ("until: {attribute: day, at: '03:00'}", "until.at"),
        ("until: {attribute: day}", None),
        ("for: 1d", None),
    ],
)
def test_jf111_times_of_day_inside_the_quiet_hours(wait: str, path: str | None) -> None:
    nodes = f"w: {{type: wait, {wait}, next: t}}\nt: {{type: tag, add: [x], next: m}}\n"
    sent = "m: {type: email, template: hello, topic: TOPIC}"

    offers, account = (
        told(journey(nodes + sent.replace("TOPIC", topic)), WORKSPACE) for topic in ("offers", "account")
    )

    assert offers == ([] if path is None else [("JF111", f"nodes.w.{path}")])
    assert account == []


def test_jf111_a_message_after_another_wait_is_another_matter() -> None:
    nodes = """
        w: {type: wait, until_time: {at: "22:00"}, next: v}
        v: {type: wait, for: 12h, next: m}
        m: {type: email, template: hello, topic: offers}
    """

    assert told(journey(nodes), WORKSPACE) == []


# --- values ----------------------------------------------------------------------------------------------------------


CODE = "m: {type: email, template: code}"


@pytest.mark.parametrize(
    ("nodes", "paths"),
    [
        (CODE, ["nodes.m.template"]),
        ("c: {type: coupon, pool: ten, next: m}\nm: {type: email, template: code}", []),
        (
            "c: {type: coupon, pool: ten, next: end, on_empty: m}\nm: {type: email, template: code}",
            ["nodes.m.template"],
        ),
        ("c: {type: coupon, pool: ten, next: m, on_empty: m}\nm: {type: email, template: code}", []),
        (
            "c: {type: coupon, pool: ten, save_as: gift, next: m}\nm: {type: email, template: code}",
            ["nodes.m.template"],
        ),
        (
            "w: {type: webhook, url: 'https://x.example', save_as: coupon, next: m}\nm: {type: email, template: code}",
            [],
        ),
        ("m: {type: sms, text: '{{ vars.coupon.code }}'}", ["nodes.m.text"]),
        ("m: {type: email, template: code, next: c}\nc: {type: coupon, pool: ten}", ["nodes.m.template"]),
        ("m: {type: email, template: hello, subject: 'For {{ vars.gift.code }}'}", ["nodes.m.subject"]),
        ("t: {type: tag, add: ['{{ contact.city }}', '{{ city }}']}", ["nodes.t.add[1]"]),
        ("t: {type: tag, add: ['{% assign city = contact.city %}{{ city }}']}", []),
    ],
)
def test_jf108_values_that_nothing_provides(nodes: str, paths: list[str]) -> None:
    assert told(journey(nodes)) == [("JF108", path) for path in paths]


@pytest.mark.parametrize(
    ("parts", "paths"),
    [
        ("subject: '{{ first_name }}', body: '{{ contact.first_name }}'", ["subject"]),
        ("subject: x, preheader: '{{ a }}', body: '{{ b }}', text: '{{ c }}'", ["preheader", "body", "text"]),
        ("subject: '{{ trigger.anything }}', body: '{{ event.x }}{{ journey.id }}{{ run.id }}{{ now }}'", []),
        ("subject: x, body: '{{ unsubscribe_url }}{{ preferences_url }}{{ postal_address }}'", []),
        ("subject: x, body: '{% for item in trigger.items %}{{ item.name }}{{ forloop.index }}{% endfor %}'", []),
    ],
)
def test_jf108_names_that_mean_nothing_in_a_template(parts: str, paths: list[str]) -> None:
    assert sorted(told(f"{{template: mine, {parts}}}")) == sorted(("JF108", path) for path in paths)


def test_jf108_names_beside_surveys_and_partials_and_inside_layouts_are_told() -> None:
    others = (
        "{survey: why, question: 'Why?', choices: [{id: a, label: A}]}",
        "{layout: frame, body: '{{ content }}{{ shop }}'}",
        "{partial: foot, body: '{{ city }}'}",
    )
    body = r"{% survey \"why\" %}{% render \"foot\" %}\nwho\n{{ who }}"

    found = told(f'{{template: mine, subject: x, layout: frame, body: "{body}"}}', *others)

    assert found == [("JF108", "body")] * 3


def test_jf108_the_line_of_the_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ntemplate: a\nsubject: Hi\n---\nDear\n{{ first_name }}\n")

    (problem,) = check_folder([tmp_path], RENDERER).problems

    assert (problem.line, problem.message) == (
        6,
        "there is no first_name, it is always empty; did you mean contact.first_name?",
    )


# --- company ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "workspace", "missing"),
    [
        ("{type: email, template: hello}", WORKSPACE, True),
        ("{type: email, template: hello, topic: offers}", WORKSPACE, False),
        ("{type: sms, text: Hello}", WORKSPACE, True),
        ("{type: push, text: Hello, topic: offers}", WORKSPACE, False),
        ("{type: email, template: hello, transactional: true}", WORKSPACE, False),
        ("{type: email, template: hello}", "workspace: shop", False),
    ],
)
def test_jf109_marketing_messages_without_a_topic(node: str, workspace: str, missing: bool) -> None:
    assert told(journey(f"m: {node}"), workspace) == ([("JF109", "nodes.m.topic")] if missing else [])


END = "a: {type: end}"


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("triggers: [{type: event, event: A}]", "triggers: [{type: manual}, {type: event, event: A}]", True),
        ("triggers: [{type: event, event: A}]", "triggers: [{type: manual}, {type: event, event: B}]", False),
        ("triggers: [{type: event, event: A}]\npriority: 50",
         "triggers: [{type: manual}, {type: event, event: A}]", False),
        ("triggers: [{type: event, event: A}]\nstatus: draft",
         "triggers: [{type: manual}, {type: event, event: A}]", False),
        ("triggers: [{type: manual}]", "triggers: [{type: manual}, {type: tag, added: x}]", False),
        ("triggers: [{type: tag, added: x}]", "triggers: [{type: manual}, {type: tag, added: x}]", True),
        ("triggers: [{type: tag, removed: x}]", "triggers: [{type: manual}, {type: tag, added: x}]", False),
        ("triggers: [{type: event, event: A, where: {property: x, eq: 1}}]",
         "triggers: [{type: manual}, {type: event, event: A}]", True),
        ("triggers: [{type: event, event: A, where: {property: x, eq: 1}}]",
         "triggers: [{type: manual}, {type: event, event: A, where: {property: x, eq: 2}}]", False),
    ],
)  # fmt: skip
def test_jf110_two_journeys_on_one_trigger(first: str, second: str, shared: bool) -> None:
    found = told(journey(END, first, name="one"), journey(END, second, name="two"))

    assert found == ([("JF110", "triggers[1]")] if shared else [])


@pytest.mark.parametrize(
    ("nodes", "lines", "lacking"),
    [
        ("m: {type: email, template: hello}", ["goal: {event: B}"], False),
        ("w: {type: wait, for: 1d, next: m}\nm: {type: email, template: hello}", ["goal: {event: B}"], True),
        ("w: {type: wait, for: 1d, next: m}\nm: {type: email, template: hello}",
         ["goal: {event: B}", "exit_on: [{event: C}]"], True),
        ("m: {type: email, template: hello}", ["goal: {event: B}", "exit_on: [{event: B}]"], False),
        ("m: {type: email, template: hello}", ["goal: {event: B}", "stay_if: {not: {event: B}}"], False),
        ("m: {type: tag, add: [x]}", ["goal: {event: B}"], False),
        ("w: {type: wait_for, cases: [{event: B}], timeout: 1d, on_timeout: m}\nm: {type: email, template: hello}",
         ["goal: {event: B}"], False),
        ("m: {type: email, template: hello}", [], False),
    ],
)  # fmt: skip
def test_jf112_goals_that_do_not_end_the_run(nodes: str, lines: list[str], lacking: bool) -> None:
    assert told(journey(nodes, *lines)) == ([("JF112", "goal.event")] if lacking else [])


@pytest.mark.parametrize(
    ("cron", "reentry", "crowded"),
    [
        ("*/5 * * * *", "{policy: always}", True),
        ("0,30 9 * * *", "{policy: always}", True),
        ("0 * * * *", "{policy: always}", False),
        ("0 9 * * mon", "{policy: always}", False),
        ("*/5 * * * *", "{policy: after, gap: 1d}", False),
        ("*/5 * * * *", "{policy: once}", False),
        ("0 0 1 1 *", "{policy: always}", False),
    ],
)
def test_jf115_schedules_that_come_too_often(cron: str, reentry: str, crowded: bool) -> None:
    trigger = f"triggers: [{{type: schedule, cron: '{cron}', segment: all-of-them}}]"
    segment = "{segment: all-of-them, when: {all: []}}"

    found = told(journey("a: {type: end}", trigger, f"reentry: {reentry}"), segment)

    assert found == ([("JF115", "triggers[0].cron")] if crowded else [])
