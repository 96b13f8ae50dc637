"""From the outbox to the mail server: asked again at pick-up, tried again, never lost (rules 5.3 to 5.6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs
from tests import stores
from tests.live.post_room import HELLO, WORKSPACE, MoodyServer, PostRoom
from tests.live.world import START, sources_of

from journeyflow.core.inputs import Merge
from journeyflow.core.values import JSON
from journeyflow.db import outbox, tables
from journeyflow.db.outbox import Outcome
from journeyflow.db.store import read, write
from journeyflow.services.dispatch import BACK_OFF_FIRST, BACK_OFF_MAX, GIVE_UP_AFTER, LEASE
from journeyflow.services.publish import apply

STORES = stores.ALL

AT_ONCE = timedelta(0)
DAY = timedelta(days=1)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[PostRoom]:
    """A shop on a Monday at 10:00 UTC, which knows Ann's address."""
    server = MoodyServer()
    server.start()
    room = PostRoom(tmp_path, server, START)
    room.identify("ann", email="ann@example.com", first_name="Ann")
    yield room
    room.world.close()
    server.stop()


def texts(mail: EmailMessage) -> list[str]:
    """What is written in it, as plain text and as HTML."""
    return [part.get_content() for part in mail.iter_parts() if isinstance(part, EmailMessage)]


# --- the queue -------------------------------------------------------------------------------------------------------


def test_rule_5_3_a_queued_message_is_rendered_and_sent_once(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    assert room.stands() == ("queued", None)
    room.deliver()
    room.deliver()

    (mail,) = room.mails
    assert (mail["To"], mail["Subject"]) == ("ann@example.com", "Hello Ann")
    assert room.stands() == ("sent", None)
    assert (room.message().sent_at, room.message().subject, room.message().attempts) == (START, "Hello Ann", 1)
    assert room.outcomes == [("sent", False)]


def test_rule_5_3_a_message_is_what_its_contact_was_when_it_was_queued(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.identify("ann", first_name="Anna", email="anna@example.com")
    room.deliver()

    assert [(mail["To"], mail["Subject"]) for mail in room.mails] == [("ann@example.com", "Hello Ann")]


def test_rule_5_3_a_reply_of_4xx_is_tried_again_later(room: PostRoom) -> None:
    room.server.answer = "451 too busy"
    room.track("ann", "Signed Up")
    room.deliver()

    status, reason = room.stands()
    assert (status, "451 too busy" in str(reason)) == ("queued", True)
    room.deliver()
    assert room.outcomes == [("queued", False)], "not before its time"

    room.server.answer = None
    room.after(BACK_OFF_FIRST * 1.5)
    room.deliver()
    assert room.stands() == ("sent", None)
    assert len(room.mails) == 1


def test_rule_5_3_pauses_between_attempts_grow_up_to_a_day_in_all(room: PostRoom) -> None:
    room.server.answer = "451 too busy"
    room.track("ann", "Paid")
    pauses = []
    while (pause := room.due_in()) is not None:
        pauses.append(pause)
        room.after(pause)
        room.deliver()

    wanted = [min(BACK_OFF_MAX, BACK_OFF_FIRST * 2**number) for number in range(len(pauses) - 1)]
    assert pauses[0] == AT_ONCE
    assert all(0.5 * middle <= pause <= 1.5 * middle for pause, middle in zip(pauses[1:], wanted, strict=True)), (
        "exponential, with jitter"
    )
    assert all(one <= other for one, other in pairwise(wanted))
    assert GIVE_UP_AFTER - 1.5 * BACK_OFF_MAX <= room.world.now - START <= GIVE_UP_AFTER
    status, reason = room.stands()
    assert (status, "451 too busy" in str(reason)) == ("failed", True)


def test_rule_5_3_a_message_is_not_tried_again_after_it_expires(room: PostRoom) -> None:
    room.server.answer = "451 too busy"
    room.track("ann", "Signed Up")
    expires_at = room.message().expires_at
    assert expires_at is not None
    while (pause := room.due_in()) is not None:
        room.after(pause)
        room.deliver()

    # The last pause is drawn: it ends before the message expires, or in quiet hours, after which it is found expired.
    status, reason = room.stands("ann")
    assert status == "failed"
    assert room.world.now < expires_at or reason == "expired"


def test_rule_5_3_a_reply_of_5xx_is_for_good(room: PostRoom) -> None:
    room.identify("bob", email="bob@example.com")
    room.server.answer = "550 nobody here"
    room.track("ann", "Signed Up")
    room.deliver()
    room.server.answer = None
    room.track("bob", "Signed Up")
    room.after(timedelta(hours=1))
    room.deliver()

    status, reason = room.stands("ann")
    assert (status, "550 nobody here" in str(reason)) == ("failed", True)
    assert room.message("ann").subject == "Hello Ann"
    assert room.stands("bob") == ("sent", None)
    assert [mail["To"] for mail in room.mails] == ["bob@example.com"]
    assert room.due_in() is None


def test_rule_5_8_an_address_that_the_server_does_not_know_is_suppressed(room: PostRoom) -> None:
    room.server.answer = "550 5.1.1 nobody here"
    room.track("ann", "Signed Up")
    room.deliver()
    room.server.answer = None
    room.identify("bob", email="ann@example.com")
    room.track("bob", "Signed Up")
    room.after(timedelta(hours=1))
    room.deliver()

    assert room.stands("ann")[0] == "failed"
    assert room.stands("bob") == ("skipped", "suppressed")
    (bounce,) = room.events("ann", "Email Bounced")
    assert (bounce["type"], bounce["email"], bounce["node"]) == ("hard", "ann@example.com", room.message("ann").node)
    assert not room.mails


def test_rule_5_3_a_server_that_is_away_loses_nothing(room: PostRoom) -> None:
    room.server.stop()
    room.track("ann", "Signed Up")
    room.deliver()
    assert room.message().status == "queued"

    room.server.start()
    room.after(timedelta(minutes=1))
    room.deliver()
    assert room.stands() == ("sent", None)


# --- identity --------------------------------------------------------------------------------------------------------


def test_rule_5_4_what_a_dead_dispatcher_had_claimed_is_sent_when_its_lease_is_over(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.claim()
    assert (room.stands(), room.leases()) == (("sending", None), 1)
    room.after(LEASE - timedelta(seconds=1))
    room.deliver()
    assert room.mails == [], "somebody may be at it"

    room.after(timedelta(seconds=1))
    room.deliver()
    assert (room.stands(), room.leases()) == (("sent", None), 0)
    assert room.outcomes == [("sent", True)], "it is counted: it may have gone out before"


def test_rule_5_4_a_mail_whose_yes_was_lost_comes_again_with_the_same_identity(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.deliver(dies=True)
    assert (room.message().status, room.outcomes) == ("sending", [])
    room.after(LEASE)
    room.deliver()

    first, second = room.mails
    assert first["Message-ID"] == second["Message-ID"] == f"<{room.message().id}@shop.example>"
    assert room.outcomes == [("sent", True)]
    room.after(DAY)
    room.deliver()
    assert len(room.mails) == 2


def test_rule_5_4_an_attempt_that_failed_is_no_redelivery(room: PostRoom) -> None:
    room.server.answer = "451 too busy"
    room.track("ann", "Signed Up")
    room.deliver()
    room.server.answer = None
    room.after(timedelta(minutes=1))
    room.deliver()

    assert room.outcomes == [("queued", False), ("sent", False)]


# --- asked again -----------------------------------------------------------------------------------------------------


def test_rule_5_5_an_address_that_was_suppressed_meanwhile_gets_nothing(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.track("ann", "Email Bounced", type="hard")
    room.deliver()

    assert (room.stands(), room.mails) == (("failed", "suppressed"), [])


def test_rule_5_5_suppression_stops_transactional_messages_too(room: PostRoom) -> None:
    room.track("ann", "Paid")
    room.track("ann", "Email Marked as Spam")
    room.deliver()

    assert (room.stands(), room.mails) == (("failed", "suppressed"), [])


@pytest.mark.parametrize("topic", [{"topic": "offers"}, {}])
def test_rule_5_5_consent_that_was_taken_away_meanwhile_counts(room: PostRoom, topic: dict[str, str]) -> None:
    room.track("ann", "Signed Up")
    room.track("ann", "Unsubscribed", **topic)
    room.deliver()

    assert (room.stands(), room.mails) == (("failed", "unsubscribed"), [])


def test_rule_5_5_consent_to_another_topic_does_not_matter(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.track("ann", "Unsubscribed", topic="news")
    room.deliver()

    assert room.stands() == ("sent", None)


def test_rule_5_5_a_transactional_message_needs_no_consent(room: PostRoom) -> None:
    room.track("ann", "Paid")
    room.track("ann", "Unsubscribed")
    room.deliver()

    assert room.stands() == ("sent", None)


def test_rule_5_5_a_message_that_comes_into_quiet_hours_waits_until_they_end(room: PostRoom) -> None:
    room.after(timedelta(hours=9, minutes=59))  # 20:59 in Warsaw
    room.track("ann", "Signed Up")
    room.after(timedelta(minutes=1))
    room.deliver()
    assert room.stands() == ("queued", "quiet_hours")
    assert room.due_in() == timedelta(hours=11)

    room.after(timedelta(hours=11))
    room.deliver()
    assert room.stands() == ("sent", None)


def test_rule_5_5_a_transactional_message_is_sent_in_quiet_hours(room: PostRoom) -> None:
    room.after(timedelta(hours=12))
    room.track("ann", "Paid")
    room.deliver()

    assert room.stands() == ("sent", None)


def test_rule_5_5_a_message_that_waited_too_long_expires(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.after(timedelta(hours=12))
    room.deliver()

    assert (room.stands(), room.mails) == (("failed", "expired"), [])


def test_rule_5_5_a_transactional_message_does_not_expire_by_itself(room: PostRoom) -> None:
    room.track("ann", "Paid")
    room.after(timedelta(days=3))
    room.deliver()

    assert room.stands() == ("sent", None)


# --- what the law wants ----------------------------------------------------------------------------------------------


def test_rule_5_6_marketing_mail_can_be_unsubscribed_from(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.deliver()

    (mail,) = room.mails
    link = str(mail["List-Unsubscribe"])[1:-1]
    links = room.world.installation.settings.links
    assert link.startswith(f"{links}/u/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    token = room.world.installation.signer.read("unsubscribe", link.removeprefix(f"{links}/u/"))
    assert token == {"c": "ann", "t": "offers", "m": room.message().id}
    for text in texts(mail):
        assert link in text
        assert f"{links}/p/" in text
        assert "Long Street 1, Gdansk" in text


def test_rule_5_6_transactional_mail_is_left_as_it_is(room: PostRoom) -> None:
    room.track("ann", "Paid")
    room.deliver()

    (mail,) = room.mails
    assert mail["List-Unsubscribe"] is None
    assert mail["List-Unsubscribe-Post"] is None
    for text in texts(mail):
        assert "/u/" not in text
        assert "Long Street" not in text


# --- withdrawn -------------------------------------------------------------------------------------------------------


def test_rule_7_2_a_withdrawn_message_is_never_delivered(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.track("ann", "Left")
    room.deliver()

    assert (room.message().status, room.mails) == ("cancelled", [])


def test_rule_7_2_a_message_that_waits_for_its_next_attempt_is_withdrawn_too(room: PostRoom) -> None:
    room.server.answer = "451 too busy"
    room.track("ann", "Signed Up")
    room.deliver()
    room.server.answer = None
    room.track("ann", "Left")
    room.after(timedelta(hours=1))
    room.deliver()

    assert (room.message().status, room.mails) == ("cancelled", [])


def test_rule_7_2_a_message_that_is_being_sent_is_sent(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.claim()
    room.track("ann", "Left")
    room.after(LEASE)
    room.deliver()

    assert (room.stands(), len(room.mails)) == (("sent", None), 1)
    assert [record.kind for record in room.world.trail() if record.detail.get("outcome") == "cancelled"] == []


# --- one person, two contacts ----------------------------------------------------------------------------------------


def visit(room: PostRoom) -> None:
    """A visitor gets a mail into the outbox, and turns out to be Ann."""
    room.identify("visitor", email="ann@example.com", first_name="Ann")
    room.track("visitor", "Signed Up")


def test_rule_10_2_what_the_visitor_was_to_get_the_known_one_gets_once(room: PostRoom) -> None:
    visit(room)
    room.put("visitor", Merge(room.world.now, "ann"))
    room.deliver()
    room.deliver()

    assert len(room.mails) == 1
    assert room.stands("ann") == ("sent", None)


def test_rule_10_2_a_mail_on_its_way_during_the_merge_is_neither_lost_nor_sent_again(room: PostRoom) -> None:
    visit(room)
    with write(room.world.engine) as connection:
        ((ready,), _) = room.world.installation.postmaster.pick_up(connection, room.world.now, 100)
    room.put("visitor", Merge(room.world.now, "ann"))
    with write(room.world.engine) as connection:
        outbox.finish(connection, [Outcome(ready.message, "sent", room.world.now, provider_id="p-1")])
    room.after(LEASE + DAY)
    room.deliver()

    assert room.mails == []
    assert room.stands("ann") == ("sent", None)


def test_rule_10_2_a_mail_whose_dispatcher_died_is_sent_to_the_known_one(room: PostRoom) -> None:
    visit(room)
    room.claim()
    room.put("visitor", Merge(room.world.now, "ann"))
    room.after(LEASE)
    room.deliver()

    assert (len(room.mails), room.outcomes) == (1, [("sent", True)])
    assert room.stands("ann") == ("sent", None)


def test_rule_10_2_the_known_ones_no_stops_what_the_visitor_was_to_get(room: PostRoom) -> None:
    visit(room)
    room.track("ann", "Unsubscribed", topic="offers")
    room.put("visitor", Merge(room.world.now, "ann"))
    room.deliver()

    assert room.mails == []
    assert room.stands("ann") == ("failed", "unsubscribed")


def test_rule_10_2_the_run_that_leaves_for_the_older_one_takes_its_mail_back(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.deliver()
    room.after(timedelta(minutes=1))
    visit(room)
    room.put("visitor", Merge(room.world.now, "ann"))
    room.deliver()

    assert len(room.mails) == 1
    with read(room.world.engine) as connection:
        assert [one.status for one in outbox.page(connection, "ann", None, None, 10)] == ["sent", "cancelled"]


def delivered(room: PostRoom) -> list[tuple[str, object, object, object]]:
    """Deliver; what the log says of it."""
    with capture_logs() as logged:
        room.deliver()
    return [(one["event"], one.get("count"), one.get("template"), one.get("reason")) for one in logged]


def change(room: PostRoom, document: dict[str, JSON]) -> None:
    with write(room.world.engine) as connection:
        apply(connection, sources_of([document]), False, room.world.now, room.world.installation.renderer)


def test_what_fails_before_it_is_handed_over_is_in_the_log_once_for_all(room: PostRoom) -> None:
    change(room, {name: value for name, value in WORKSPACE.items() if name != "sender"})
    for contact in ("ann", "bea"):
        room.identify(contact, email=f"{contact}@example.com")
        room.track(contact, "Paid")

    why = "no sender: set sender in the workspace, or from on the node"
    assert delivered(room) == [("messages not delivered", 2, "hello", why)]
    assert room.outcomes == [("failed", False)] * 2


def test_the_log_names_a_template_that_fails_and_not_what_it_fails_on(room: PostRoom) -> None:
    for contact in ("ann", "bea"):
        room.identify(contact, email=f"{contact}@example.com", first_name=f"Secret {contact}")
        room.track(contact, "Paid")
    with write(room.world.engine) as connection:  # a queued message whose template does what the gate lets nobody do
        connection.execute(
            update(tables.documents)
            .where(tables.documents.c.kind == "template")
            .values(document=json.dumps({**HELLO, "subject": "{{ contact.first_name | date: '%Y' }}"}))
        )

    assert delivered(room) == [("messages not delivered", 2, "hello", "TemplateError")]
    assert "Secret ann" in str(room.stands("ann")[1])


def test_what_the_rules_withhold_is_no_line_in_the_log(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.after(timedelta(hours=12))

    assert delivered(room) == []
    assert room.stands() == ("failed", "expired")
