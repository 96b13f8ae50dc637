"""What a message says: the layouts, partials and surveys of when it was queued, and a sending rate that is kept to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from tests.live.post_room import WORKSPACE, MoodyServer, PostRoom
from tests.live.world import START

from journeyflow.core.errors import Conflict, InvalidInput
from journeyflow.core.values import JSON
from journeyflow.db import documents
from journeyflow.db.store import read, write
from journeyflow.services import publish
from journeyflow.services.dispatch import LEASE

Document = dict[str, JSON]
FRAME: Document = {"layout": "frame", "body": '<p>First frame</p>{{ content }}{% render "foot" %}'}
FOOT: Document = {"partial": "foot", "body": "<p>First foot {{ contact.city }}</p>"}
ASK: Document = {"survey": "ask", "question": "First question?", "choices": [{"id": "yes", "label": "Yes"}]}
FRAMED: Document = {
    "template": "hello",
    "subject": "Hello {{ contact.first_name }}",
    "layout": "frame",
    "body": '<p>Hello</p><p>{% survey "ask" %}</p>',
}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[PostRoom]:
    """A shop on a Monday at 10:00 UTC whose mails have a layout, a partial and a survey."""
    server = MoodyServer()
    server.start()
    room = PostRoom(tmp_path, server, START)
    publish_all(room, ASK, FOOT, FRAME, FRAMED)
    room.identify("ann", email="ann@example.com", first_name="Ann", city="Gdansk")
    yield room
    room.world.close()
    server.stop()


def publish_all(room: PostRoom, *given: Document) -> None:
    with write(room.world.engine) as connection:
        for one in given:
            publish.put(connection, one, room.world.now, room.world.installation.renderer)


def plain(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_links_go_along_when_a_server_gets_another_address(room: PostRoom) -> None:
    for address in ("https://old.example", "https://new.example"):
        with write(room.world.engine) as connection:
            documents.keep_links(connection, address, given=True)
        room.track("ann", "Signed Up")
        room.deliver()
        room.track("ann", "Left")

    beginnings = [str(mail["List-Unsubscribe"]).partition("/u/")[0] for mail in room.mails]
    assert beginnings == ["<https://old.example", "<https://new.example"]
    assert "https://new.example/s/" in plain(room.mails[1])


# --- versions --------------------------------------------------------------------------------------------------------


def test_rule_8_5_a_changed_part_takes_effect_on_messages_that_are_queued_later(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    publish_all(
        room,
        {**FRAME, "body": "<p>Second frame</p>{{ content }}"},
        {**FOOT, "body": "<p>Second foot</p>"},
        {**ASK, "question": "Second question?"},
    )
    room.after(timedelta(minutes=1))
    room.identify("bob", email="bob@example.com")
    room.track("bob", "Signed Up")
    room.deliver()

    first, second = map(plain, sorted(room.mails, key=lambda mail: str(mail["To"])))
    assert first.startswith("First frame\n\nHello\n\nFirst question?\nYes: http")
    assert "First foot Gdansk" in first
    assert second.startswith("Second frame\n\nHello\n\nSecond question?\nYes: http")
    assert "foot" not in second


def test_rule_8_5_what_a_part_reads_is_kept_with_the_message(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    room.identify("ann", city="Warsaw")

    assert room.message().values["contact"] == {"first_name": "Ann", "city": "Gdansk"}
    assert room.message().overrides["parts"] == {"layout:frame": 1, "partial:foot": 1, "survey:ask": 1}


def test_a_message_of_a_template_without_parts_keeps_none(room: PostRoom) -> None:
    publish_all(room, {"template": "hello", "subject": "Hi", "body": "x"})
    room.track("ann", "Signed Up")

    assert "parts" not in room.message().overrides


@pytest.mark.parametrize(("kind", "id_"), [("layout", "frame"), ("partial", "foot"), ("survey", "ask")])
def test_rule_8_5_a_part_that_is_needed_cannot_be_deleted(room: PostRoom, kind: str, id_: str) -> None:
    with write(room.world.engine) as connection, pytest.raises(Conflict, match=f"{kind} {id_} is needed"):
        publish.remove(connection, kind, id_, room.world.now, room.world.installation.renderer)


def test_rule_8_5_a_part_that_nobody_needs_any_more_can_be_and_queued_messages_go_out(room: PostRoom) -> None:
    room.track("ann", "Signed Up")
    publish_all(room, {"template": "hello", "subject": "Hi", "body": "x"})
    with write(room.world.engine) as connection:
        for kind, id_ in (("layout", "frame"), ("partial", "foot"), ("survey", "ask")):
            publish.remove(connection, kind, id_, room.world.now, room.world.installation.renderer)
    room.deliver()

    assert "First frame" in plain(room.mails[0])


def test_a_part_that_would_break_a_template_is_not_published(room: PostRoom) -> None:
    with pytest.raises(InvalidInput, match="expected the id of a partial"):
        publish_all(room, {**FRAME, "body": '{{ content }}{% render "gone" %}'})
    with read(room.world.engine) as connection:
        assert documents.versions(connection, "layout", "frame")[0].version == 1


def test_rule_5_1_a_layout_that_fails_for_a_contact_skips_the_message(room: PostRoom) -> None:
    publish_all(room, {**FRAME, "body": "{{ content }}{{ 6 | divided_by: contact.n }}"})
    room.identify("ann", n=0)
    room.track("ann", "Signed Up")

    assert room.stands() == ("skipped", "template_error")


# --- the sending rate ------------------------------------------------------------------------------------------------


def at_most(room: PostRoom, rate: str) -> None:
    publish_all(room, {**WORKSPACE, "sending_rate": {"email": rate}})


def test_no_more_mails_go_out_in_a_second_than_the_rate_says(room: PostRoom) -> None:
    at_most(room, "2/s")
    for number in range(5):
        room.identify(f"c{number}", email=f"c{number}@example.com")
        room.track(f"c{number}", "Signed Up")
    sent = []
    for _ in range(4):
        room.deliver()
        sent.append(len(room.mails))
        room.after(timedelta(milliseconds=500))

    assert sent == [2, 2, 4, 4]


def test_a_message_that_does_not_go_out_leaves_its_place_to_another(room: PostRoom) -> None:
    at_most(room, "1/s")
    room.identify("bob", email="bob@example.com")
    room.track("ann", "Signed Up")
    room.track("bob", "Signed Up")
    room.track("ann", "Unsubscribed")
    room.deliver()

    assert [mail["To"] for mail in room.mails] == ["bob@example.com"]


def test_dispatchers_keep_to_the_rate_together(room: PostRoom) -> None:
    """As if two processes sent: each has places of its own, and there are no more of them than the rate says."""
    at_most(room, "3/s")
    for number in range(5):
        room.identify(f"c{number}", email=f"c{number}@example.com")
        room.track(f"c{number}", "Signed Up")
    now, postmaster = room.world.now, room.world.installation.postmaster
    with write(room.world.engine) as connection:
        one = postmaster.reserve(connection, now, 2)
    with write(room.world.engine) as connection:
        two = postmaster.reserve(connection, now, 100)

    assert (one.free, two.free) == ({"email": 2}, {"email": 1})
    room.deliver()
    assert room.mails == []

    with write(room.world.engine) as connection:
        postmaster.settle(connection, one, [("email", now)])  # of its two messages one went out
    room.deliver()
    assert len(room.mails) == 1


def test_places_of_a_dispatcher_that_died_are_free_when_its_messages_are(room: PostRoom) -> None:
    at_most(room, "1/s")
    room.identify("ann", email="ann@example.com")
    room.track("ann", "Signed Up")
    with write(room.world.engine) as connection:
        room.world.installation.postmaster.reserve(connection, room.world.now, 100)
    room.deliver()
    assert room.mails == []
    room.after(LEASE + timedelta(seconds=1))

    room.deliver()

    assert len(room.mails) == 1
