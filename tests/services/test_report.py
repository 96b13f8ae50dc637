"""The report of a simulation: whole, safe to open and to send, and its numbers are those of the summary."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.services.report_page import Tag, edges, nodes, read_page, tables
from tests.services.simulate_scenario import FakeRenderer, documents, event, write_contacts, write_events

from journeyflow.services.report import POLICY, Given, write_report
from journeyflow.services.report_counts import ReportCounts
from journeyflow.services.report_style import STYLE
from journeyflow.services.simulate import simulate

EVIL = "<script>alert('x')</script> & \"co\""
FLOWS = f"""
workspace: shop
topics: [{{id: offers, name: Offers}}]
---
journey: cart
name: {json.dumps(EVIL)}
description: Two mails & a code <i>
triggers: [{{type: event, event: Checkout Started}}]
reentry: {{policy: always}}
exit_on: [{{event: Bought}}]
goal: {{event: Bought, within: 3d, value: total}}
start: pause
nodes:
  pause: {{type: wait, for: 1h, next: mail, note: {json.dumps(EVIL)}}}
  mail: {{type: email, template: hello, topic: offers, next: answer, on_skip: label}}
  answer:
    type: wait_for
    cases: [{{event: Email Link Clicked, next: pause}}]
    timeout: 2d
    on_timeout: code
  label: {{type: tag, add: [unreached]}}
  code: {{type: coupon, pool: back, next: again}}
  again: {{type: email, template: hello, topic: offers, next: stop}}
  stop: {{type: end, reason: nothing}}
---
journey: nobody
triggers: [{{type: event, event: Never}}]
start: stop
nodes: {{stop: {{type: end}}}}
---
template: hello
subject: Hello
body: Your code is {{{{ vars.coupon.code }}}}
---
coupon_pool: back
codes: generated
"""
CONTACTS = "contact,email\n" + "".join(f"c{n},c{n}@example.com\n" for n in range(0, 20, 2))


@pytest.fixture
def made(tmp_path: Path) -> tuple[str, dict[str, Any]]:  # Any: the JSON object of the summary
    email = {"email": "evil@example.com"}
    events = [event(EVIL, "Checkout Started", "03-02 09:00"), event(EVIL, "$identify", "03-02 09:01", properties=email)]
    for n in range(20):
        day = 2 + n % 5
        events.append(event(f"c{n}", "Checkout Started", f"03-0{day} 10:00", properties={"value": n}))
        if n % 4 == 0:
            events.append(event(f"c{n}", "Email Link Clicked", f"03-0{day} 12:00"))
        if n % 5 == 0:
            events.append(event(f"c{n}", "Checkout Started", f"03-0{day} 10:30"))
        if n % 3 == 0:
            events.append(event(f"c{n}", "Bought", f"03-0{day} 20:00", properties={"total": 10.5 * n}))
    found_documents, counts = documents(FLOWS), ReportCounts(UTC)
    found = simulate(
        found_documents,
        FakeRenderer(),
        [write_events(tmp_path, events)],
        [write_contacts(tmp_path, CONTACTS)],
        until=datetime(2026, 3, 7, 14, tzinfo=UTC),
        counts=counts,
    )
    given = Given("flows", ["events.jsonl"], ["contacts.csv"], (), None, datetime(2026, 3, 7, 14, tzinfo=UTC), 7)
    return write_report(found_documents, found, counts, given), found.summary()


@pytest.fixture
def page(made: tuple[str, dict[str, Any]]) -> Tag:  # Any: as above
    return read_page(made[0])


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_it_loads_nothing_and_runs_nothing(made: tuple[str, dict[str, Any]], page: Tag) -> None:
    for name in ("script", "link", "img", "iframe", "object", "image", "use"):
        assert not list(page.all(name)), name
    assert not re.search(r"https?://|//[a-z]|url\(|@import|javascript:", made[0], re.IGNORECASE)
    pointing = [one.attributes["href"] for one in page.all("a")]
    anchors = {one.attributes.get("id") for name in ("h2", "h3") for one in page.all(name)}
    assert pointing
    assert {link.removeprefix("#") for link in pointing} <= {str(anchor) for anchor in anchors}


def test_its_policy_lets_in_its_own_style_and_nothing_else(made: tuple[str, dict[str, Any]], page: Tag) -> None:
    policy = next(one for one in page.all("meta") if one.attributes.get("http-equiv") == "Content-Security-Policy")

    assert policy.attributes["content"] == POLICY
    assert POLICY.startswith("default-src 'none'; style-src 'sha256-")
    assert [one.text for one in page.all("style")] == [STYLE]
    assert " style=" not in made[0]
    assert not re.search(r"\son\w+=", made[0])


def test_whatever_documents_and_files_say_is_text(made: tuple[str, dict[str, Any]], page: Tag) -> None:
    assert "<script>" not in made[0]
    assert EVIL in [one.text for one in page.all("h2")]
    assert "<i>" not in made[0]
    assert any(EVIL in one.text for one in page.all("title"))
    assert EVIL in [row[0] for row in tables(page)["Contacts with most messages"]]


def test_it_can_be_read_without_seeing_it(page: Tag) -> None:
    ids = [one.attributes["id"] for name in ("h2", "title", "desc") for one in page.all(name) if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    for drawing in page.all("svg"):
        named = set(drawing.attributes.get("aria-labelledby", "").split())
        assert drawing.attributes.get("aria-hidden") == "true" or (named and named <= set(ids))
    assert len(list(page.all("h1"))) == 1
    assert all(list(table.all("caption")) for table in page.all("table"))
    assert all("scope" in cell.attributes for cell in page.all("th"))
    levels = [int(one.name[1]) for one in _headings(page)]
    assert all(lower - upper <= 1 for upper, lower in pairwise(levels))


def _headings(tag: Tag) -> list[Tag]:
    found: list[Tag] = []
    for child in tag.children:
        if isinstance(child, Tag):
            found += [child] if re.fullmatch("h[1-6]", child.name) else _headings(child)
    return found


def test_its_numbers_are_those_of_the_summary(made: tuple[str, dict[str, Any]], page: Tag) -> None:
    summary, found = made[1], tables(page)
    cart = summary["journeys"]["cart"]
    assert found["Journeys"][0][1:] == [
        str(one)
        for one in (
            cart["entered"],
            sum(cart["refused"].values()),
            cart["active"],
            cart["completed"],
            sum(cart["exited"].values()),
            cart["converted"],
            f"{100 * cart['converted'] / cart['entered']:.1f}%",
        )
    ]
    assert {row[0]: number(row[1]) for row in found["Not let in, by reason"]} == cart["refused"]
    ended = {row[0]: number(row[1]) for row in found["How runs ended"]}
    assert ended == {**cart["exited"], **({"completed": cart["completed"]} if cart["completed"] else {})}
    assert {row[0]: number(row[1]) for row in found["Coupon codes used"]} == summary["coupons"]
    email = summary["messages"]["email"]
    outcomes = {row[1]: number(row[2]) for row in found["By channel and outcome"]}
    assert outcomes == {
        "sent": email["queued"],
        **{f"skipped: {reason}": count for reason, count in email["skipped"].items()},
    }
    assert sum(number(row[3]) for row in found["Messages"]) == email["queued"]
    assert sum(number(row[-1]) for row in found["Messages per day, by channel and by journey"]) == email["queued"]
    assert sum(number(row[1]) for row in found["Messages for one contact"]) == summary["contacts"]
    drawn = nodes(page)
    assert drawn.pop("stop") is not None
    assert drawn == {name: (one["visits"], one["waiting"]) for name, one in cart["nodes"].items() if name != "stop"}


def test_edges_add_up_to_the_visits_of_their_nodes(page: Tag) -> None:
    chapter = next(one for one in page.all("section") if one.attributes["aria-labelledby"] == "journey-1")
    taken, drawn = edges(chapter), nodes(chapter)

    assert {name: sum(count for (_, to), count in taken.items() if to == name) for name in drawn} == {
        name: visits for name, (visits, _) in drawn.items()
    }
    assert taken["", "pause"] == 21
    assert taken["answer", "pause"] > 0
    ways = {(row[0], row[2]): number(row[3]) for row in tables(chapter)["Ways"]}
    assert ways == {(source or "entry", to): count for (source, to), count in taken.items()}


def test_the_funnel_counts_runs_once(page: Tag) -> None:
    steps = {row[0]: number(row[1]) for row in tables(page)["Funnel"]}

    assert [*steps] == [
        "entered",
        "mail: email sent",
        "code: coupon reached",
        "again: email sent",
        "completed",
        "converted",
    ]
    assert steps["mail: email sent"] == 11  # who has an address, however often the loop led there
    assert steps["entered"] == 21


def test_a_goal_shows_what_it_was_worth(page: Tag, made: tuple[str, dict[str, Any]]) -> None:
    (row,) = tables(page)["Conversions"]

    assert row[:3] == ["acted on", "21", str(made[1]["journeys"]["cart"]["converted"])]
    assert row[4] == f"{10.5 * (0 + 3 + 6 + 9 + 12 + 15 + 18):,.2f}"


def test_it_says_how_it_was_made(page: Tag) -> None:
    told = next(page.all("dl")).text

    for words in ("events.jsonl", "contacts.csv", "2026-03-02T09:00:00", "2026-03-07T14:00:00", "journeyflow"):
        assert words in told


def test_a_journey_that_nobody_entered_takes_little_room(page: Tag) -> None:
    chapter = next(one for one in page.all("section") if one.attributes["aria-labelledby"] == "journey-2")

    assert "Nobody entered, and nobody was refused." in chapter.text
    assert list(next(chapter.all("details")).all("svg"))


def test_nothing_at_all_is_a_page_too(tmp_path: Path) -> None:
    empty, counts = documents(FLOWS), ReportCounts(UTC)
    found = simulate(empty, FakeRenderer(), [write_events(tmp_path, [])], [], counts=counts)

    page = read_page(write_report(empty, found, counts, Given("flows", ["events.jsonl"], [])))

    assert "No message was sent, and none was skipped." in page.text


def test_of_many_journeys_the_smallest_share_a_colour(tmp_path: Path) -> None:
    one = (
        "journey: j{0}\ntriggers: [{{type: event, event: E{0}}}]\nstart: mail\n"
        "nodes: {{mail: {{type: email, template: t}}}}"
    )
    many = documents(*(one.format(n) for n in range(10)), "template: t\nsubject: x\nbody: x")
    events = [event(f"c{n}", f"E{n}", "03-02 10:00") for n in range(10)]
    contacts = write_contacts(tmp_path, "contact,email\n" + "".join(f"c{n},c{n}@example.com\n" for n in range(10)))
    counts = ReportCounts(UTC)
    found = simulate(many, FakeRenderer(), [write_events(tmp_path, events)], [contacts], counts=counts)

    page = read_page(write_report(many, found, counts, Given("flows", ["events.jsonl"], ["contacts.csv"])))

    legend = next(one for one in page.all("ul") if one.attributes.get("class") == "legend")
    assert [one.text for one in legend.all("li")] == [*(f"j{n} 1" for n in range(7)), "others 3"]
    assert tables(page)["Messages per day, by channel and by journey"] == [["2026-03-02", "10", *"1111111", "3", "10"]]


HELD = """
journey: held
triggers: [{type: event, event: Go}]
holdout: 50
goal: {event: Bought, value: total}
start: arm
nodes:
  arm:
    type: split
    arms: [{weight: 1, name: short, next: end}, {weight: 1, next: call}]
  call: {type: webhook, url: "https://crm.example/", save_as: found, on_failure: end}
"""


def test_rule_3_4_who_was_held_out_is_shown_beside_who_was_not(tmp_path: Path) -> None:
    flows, counts = documents(HELD), ReportCounts(UTC)
    events = [event(f"c{n}", "Go", "03-02 10:00") for n in range(40)]
    events += [event(f"c{n}", "Bought", "03-02 11:00", properties={"total": 2.5}) for n in range(40)]
    found = simulate(flows, FakeRenderer(), [write_events(tmp_path, events)], [], counts=counts)
    numbers = found.journeys["held"]

    page = read_page(write_report(flows, found, counts, Given("flows", ["events.jsonl"], [])))

    assert numbers.entered + numbers.holdout == 40
    assert tables(page)["Conversions"] == [
        ["acted on", str(numbers.entered), str(numbers.entered), "100.0%", f"{2.5 * numbers.entered:.2f}", "2.50"],
        ["held out", str(numbers.holdout), str(numbers.holdout), "100.0%", f"{2.5 * numbers.holdout:.2f}", "2.50"],
    ]
    assert "Difference: +0.0 percentage points (95% interval -" in page.text
    words = {(row[0], row[2]): row[1] for row in tables(page)["Ways"]}
    assert words == {("entry", "arm"): "", ("arm", "end"): "short", ("arm", "call"): "arm 2", ("call", "end"): "failed"}
