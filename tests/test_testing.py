"""The pytest plugin that users get, used as they use it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest

from journeyflow.core.errors import InvalidInput, InvalidValue, NotFound
from journeyflow.testing import JourneyTest

Begin = Callable[..., JourneyTest]

DOCUMENTS = """
workspace: test
timezone: Europe/Warsaw
sender: {name: Test, email: test@example.com}
postal_address: Long Street 1, Gdansk
topics: [{id: news, name: News}, {id: account, name: Account, transactional: true}]
---
template: hello
subject: Hello {{ contact.first_name }}
preheader: Good to see you
body: <p>Your number is {{ trigger.number }}.</p>
---
coupon_pool: gift
codes: generated
prefix: GIFT-
---
journey: greeting
triggers: [{type: event, event: Came}]
enter_if: {not: {tag: unwelcome}}
reentry: {policy: always}
start: greet
nodes:
  greet: {type: email, template: hello, topic: news, next: pause}
  pause: {type: wait, for: 1h, next: mark}
  mark: {type: tag, add: [greeted], next: count}
  count: {type: update, increment: {visits: 1}, next: gift}
  gift: {type: coupon, pool: gift, next: named}
  named: {type: email, template: hello, topic: account, subject: "For {{ contact.first_name }}", next: done}
  done: {type: end, reason: greeted}
---
journey: newcomers
triggers: [{type: contact, change: created}]
start: mark
nodes:
  mark: {type: tag, add: [new]}
---
journey: vips
triggers: [{type: tag, added: vip}, {type: tag, removed: vip}, {type: manual}]
reentry: {policy: always}
start: mark
nodes:
  mark: {type: tag, add: ["saw-{{ trigger.tag | default: trigger.why }}"]}
"""


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    (tmp_path / "all.yaml").write_text(DOCUMENTS)
    return tmp_path


def test_the_example_of_the_interfaces_page_works(journey: Begin) -> None:
    run = journey("flows/", only="abandoned-cart", at="2026-03-02T10:00Z")
    run.contact("ann", email="ann@example.com")
    run.track("ann", "Checkout Started", checkout_id="c1", value=50)
    run.advance("30m")
    run.track("ann", "Order Completed", checkout_id="c1", total=50)
    run.advance("10d")

    assert run.messages("ann") == []
    assert run.exits("ann") == ["exit_on"]


def test_a_message_is_seen_as_its_contact_sees_it(journey: Begin, flows: Path) -> None:
    run = journey(flows, at="2026-03-02T10:00Z")
    run.contact("ann", email="ann@example.com", first_name="Ann")
    run.track("ann", "Came", number=7)

    (message,) = run.messages("ann")
    assert (message.contact, message.journey, message.node, message.template) == ("ann", "greeting", "greet", "hello")
    assert (message.to, message.topic, message.status, message.reason) == ("ann@example.com", "news", "sent", None)
    assert message.at == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert (message.subject, message.preheader) == ("Hello Ann", "Good to see you")
    assert "<p>Your number is 7.</p>" in message.html
    assert message.text.startswith("Your number is 7.\n")
    assert "Long Street 1, Gdansk" in message.text
    assert "Unsubscribe: https://" in message.text


def test_a_message_that_may_always_go_out_carries_no_footer_and_the_subject_of_its_node(
    journey: Begin, flows: Path
) -> None:
    run = journey(flows)
    run.contact("ann", email="ann@example.com", first_name="Ann")
    run.track("ann", "Came")
    run.advance("1h")

    message = run.messages("ann")[-1]
    assert (message.node, message.subject) == ("named", "For Ann")
    assert "Unsubscribe" not in message.text + message.html


def test_what_journeys_do_to_a_contact_can_be_asked(journey: Begin, flows: Path) -> None:
    run = journey(flows)
    run.contact("ann", email="ann@example.com", tags=["old"], visits=2)
    run.track("ann", "Came")
    run.advance("1h")

    assert run.tags("ann") == ["old", "greeted"]
    assert run.attributes("ann") == {"email": "ann@example.com", "visits": 3}
    assert run.exits("ann") == ["end:greeted"]
    (coupon,) = run.coupons("ann")
    assert (coupon.pool, coupon.code[:5], coupon.redeemed) == ("gift", "GIFT-", False)


def test_a_message_that_is_skipped_is_not_among_the_messages_and_has_its_reason(journey: Begin, flows: Path) -> None:
    run = journey(flows)
    run.contact("ann")
    run.track("ann", "Came")

    assert run.messages("ann") == []
    (message,) = run.skipped("ann")
    assert (message.node, message.to, message.status, message.reason) == ("greet", None, "skipped", "no_address")
    assert (message.subject, message.text, message.html) == ("", "", "")


def test_a_contact_that_was_there_lets_nobody_in_and_one_that_is_identified_is_new(journey: Begin, flows: Path) -> None:
    run = journey(flows)
    run.contact("old", created_at="2020-01-01T00:00:00Z")
    run.identify("new", email="new@example.com")

    assert run.tags("old") == []
    assert run.tags("new") == ["new"]


def test_identify_changes_and_takes_away(journey: Begin, flows: Path) -> None:
    run = journey(flows)
    run.contact("ann", plan="free", city="Gdansk")
    run.identify("ann", plan="pro", city=None)

    assert run.attributes("ann") == {"plan": "pro"}


def test_tags_and_enrolment_let_in(journey: Begin, flows: Path) -> None:
    run = journey(flows)
    run.contact("ann")
    run.add_tags("ann", "vip")
    run.remove_tags("ann", "vip")
    run.enroll("ann", "vips", why="asked")

    assert run.tags("ann") == ["saw-vip", "saw-asked"]


def test_what_is_due_at_the_new_instant_has_happened_when_advance_returns(journey: Begin, flows: Path) -> None:
    run = journey(flows, at="2026-03-02T10:00Z")
    run.contact("ann", email="ann@example.com")
    run.track("ann", "Came")
    run.advance(timedelta(minutes=59))
    assert run.tags("ann") == []

    run.advance_to("2026-03-02T11:00Z")
    assert run.tags("ann") == ["greeted"]
    assert run.now == datetime(2026, 3, 2, 11, tzinfo=UTC)


def test_an_instant_without_an_offset_is_local_to_the_workspace(journey: Begin, flows: Path) -> None:
    run = journey(flows, at="2026-07-01T10:00")
    assert run.now == datetime(2026, 7, 1, 8, tzinfo=UTC)

    run.advance_to(datetime(2026, 7, 1, 9, tzinfo=UTC))
    assert run.now == datetime(2026, 7, 1, 9, tzinfo=UTC)


def test_the_clock_does_not_go_back(journey: Begin, flows: Path) -> None:
    run = journey(flows, at="2026-03-02T10:00Z")

    with pytest.raises(InvalidValue, match="time does not run backwards"):
        run.advance_to("2026-03-02T09:59Z")
    with pytest.raises(InvalidValue, match="time does not run backwards"):
        run.advance("-1h")
    with pytest.raises(InvalidValue, match="expected an instant"):
        run.advance_to("tomorrow")
    with pytest.raises(InvalidValue, match="expected a duration"):
        run.advance("a while")


def test_a_contact_that_is_misspelled_is_an_error_and_not_an_empty_list(journey: Begin, flows: Path) -> None:
    run = journey(flows)
    with pytest.raises(NotFound, match="there are none"):
        run.messages("an")

    run.contact("ann")
    for ask in (run.messages, run.skipped, run.exits, run.trail, run.tags, run.attributes, run.coupons, run.explain):
        with pytest.raises(NotFound, match="no contact 'an' in this test; there are ann"):
            ask("an")
        ask("ann")


def test_the_trail_has_the_keys_of_rule_9_1(journey: Begin, flows: Path) -> None:
    run = journey(flows, at="2026-03-02T10:00Z")
    run.contact("ann", email="ann@example.com")
    run.track("ann", "Came")

    first, *_ = run.trail("ann")
    assert [*first] == ["at", "contact", "journey", "version", "run", "seq", "kind", "node", "type", "detail"]
    assert (first["at"], first["kind"], first["detail"]["trigger"]) == ("2026-03-02T10:00:00.000000Z", "entered", 0)


def test_the_trail_is_the_same_each_time(journey: Begin, flows: Path) -> None:
    def trail() -> list[dict[str, object]]:
        run = journey(flows)
        run.contact("ann", email="ann@example.com")
        run.track("ann", "Came")
        run.advance("2h")
        return run.trail("ann")

    assert trail() == trail()


def test_explain_tells_the_story_and_what_decisions_saw(journey: Begin, flows: Path) -> None:
    run = journey(flows, only="greeting", at="2026-03-02T10:00Z")
    run.contact("ann", email="ann@example.com", tags=["unwelcome"])
    assert run.explain("ann") == "no journey has let ann in, and none has refused it"

    run.track("ann", "Came")
    run.remove_tags("ann", "unwelcome")
    run.track("ann", "Came")
    run.advance("1h")

    refusal, entry = run.explain("ann").split("greeting, run ")
    assert refusal.startswith("greeting refused at Mon 2 Mar 2026 11:00:00: enter_if (enter_if did not hold)\n")
    assert "tag unwelcome: the contact has got it" in refusal
    assert "Mon 2 Mar 2026 11:00:00  greet: message hello queued to ann@example.com" in entry
    assert "Mon 2 Mar 2026 12:00:00  mark: put on tag greeted" in entry


def test_only_those_journeys_run_that_are_named(journey: Begin, flows: Path) -> None:
    run = journey(flows, only=["vips", "greeting"])
    run.identify("ann", email="ann@example.com")

    assert run.tags("ann") == []


def test_what_is_not_there_is_said(journey: Begin, flows: Path) -> None:
    with pytest.raises(NotFound, match=r"no journey greetings; the folder has greeting, newcomers, vips"):
        journey(flows, only="greetings")
    run = journey(flows)
    with pytest.raises(NotFound, match="no journey cart"):
        run.enroll("ann", "cart")
    with pytest.raises(NotFound, match="no contact 'ann' in this test"):
        run.enroll("ann", "vips")


def test_everything_wrong_in_the_folder_is_told_at_once(journey: Begin, flows: Path) -> None:
    (flows / "bad.yaml").write_text("journey: bad\nstart: here\nnodes:\n  there: {type: wait}\n")
    (flows / "worse.yaml").write_text("jurney: worse\n")

    with pytest.raises(InvalidInput) as caught:
        journey(flows)
    assert "bad.yaml" in str(caught.value)
    assert "worse.yaml" in str(caught.value)


FAILING = """
def test_folder(journey):
    journey("bad")

def test_key(journey):
    run = journey("good")
    run.contact("ann")
    run.messages("an")

def test_time(journey):
    journey("good", at="2026-03-02T10:00Z").advance("a while")

def test_words(journey):
    run = journey("good", only="greeting")
    run.contact("ann", email="ann@example.com", first_name="Ann")
    run.track("ann", "Came", number=7)
    assert run.messages("ann") == []
"""


SHOWN = (
    "1 error in the documents\nbad/a.yaml:",
    """\
>       run.messages("an")
E       journeyflow.core.errors.NotFound: no contact 'an' in this test; there are ann
""",
    """\
>       journey("good", at="2026-03-02T10:00Z").advance("a while")
E       journeyflow.core.errors.InvalidValue: expected a duration""",
    "subject='Hello Ann'",
)
HIDDEN = ("rehearsal.py", "told_plainly.py", "check.py", 'journey("bad")', "<p>Your number")


def test_a_failure_shows_the_line_of_the_test_and_what_was_wrong(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
    (tmp_path / "good" / "all.yaml").write_text(DOCUMENTS)
    (tmp_path / "bad" / "a.yaml").write_text("journey: bad\nstart: here\n")
    (tmp_path / "test_it.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_it.py", "-vv"]

    told = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path).stdout

    assert "4 failed" in told
    assert [shown for shown in SHOWN if shown not in told] == []
    assert [hidden for hidden in HIDDEN if hidden in told] == []


def test_a_visitor_who_is_merged_is_one_with_the_known_contact(journey: Begin, flows: Path) -> None:
    run = journey(flows, only="greeting")
    run.identify("visitor", email="ann@example.com")
    run.track("visitor", "Came")
    run.merge("visitor", "ann")
    run.track("visitor", "Came")

    for key in ("visitor", "ann"):
        assert len(run.messages(key)) == 1
        assert run.attributes(key) == {"email": "ann@example.com"}
        assert run.trail(key)[0]["contact"] == "visitor"


def test_values_that_an_event_cannot_carry_are_refused(journey: Begin, flows: Path) -> None:
    run = journey(flows)
    with pytest.raises(TypeError):
        run.track("ann", "Came", what=object())


def test_instants_and_lists_are_sent_as_an_sdk_sends_them(journey: Begin, flows: Path) -> None:
    items = ["tea"]
    run = journey(flows)
    run.identify("ann", born=datetime(2000, 1, 1, tzinfo=UTC), items=items)
    items.append("cup")

    assert run.attributes("ann") == {"born": "2000-01-01T00:00:00+00:00", "items": ["tea"]}


def test_a_folder_is_also_found_from_the_root_of_the_tests(
    journey: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    run = journey("flows/", only="welcome")
    run.identify("ann", email="ann@example.com")
    run.track("ann", "Signed Up")
    assert len(run.messages("ann")) == 1


def test_a_run_of_pytest_that_tests_no_journey_does_not_load_the_engine() -> None:
    program = "import sys, journeyflow.testing; print([m for m in sys.modules if m.startswith('journeyflow')])"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert found.stdout.strip() == "['journeyflow', 'journeyflow.testing']"


def test_the_module_has_what_it_says_and_nothing_else() -> None:
    import_something_else = "import journeyflow.testing as plugin; plugin.JourneyTests"
    found = subprocess.run([sys.executable, "-c", import_something_else], check=False, capture_output=True, text=True)

    assert "module 'journeyflow.testing' has no attribute 'JourneyTests'" in found.stderr


def test_whoever_has_no_pytest_has_a_journey_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)
    monkeypatch.delitem(sys.modules, "journeyflow.testing")

    testing = import_module("journeyflow.testing")

    assert testing.JourneyTest is JourneyTest
    assert not hasattr(testing, "journey")
