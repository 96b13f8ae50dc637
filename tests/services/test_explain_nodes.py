"""What the nodes that reach beyond their journey did, in words."""

from __future__ import annotations

from pathlib import Path

from journeyflow.testing import JourneyTest

FLOWS = Path(__file__).parents[1] / "golden" / "between"


def told(contact: str, *, wait: str = "0s") -> str:
    run = JourneyTest(FLOWS, at="2026-03-02T09:00Z")
    run.contact(contact, email=f"{contact}@example.com")
    run.track(contact, "Signed Up", plan="pro")
    run.advance(wait)
    return run.explain(contact)


def test_a_story_of_all_of_them() -> None:
    story = told("ann", wait="30h")

    for line in (
        "called the webhook; waits for the reply, at most until Mon 2 Mar 2026 10:10:00",
        "the webhook answered 200",
        "was sent along arm 1",
        "subscribed to tips",
        "was let into journey club",
        "called the webhook",
        "made the event Signup Over",
        "was taken out of journey club",
        "left: was removed",
    ):
        assert line in story


def test_who_is_held_out() -> None:
    assert "held out: it is measured, and nothing is done" in told("dan")


def test_who_stands_before_a_node_on_hold() -> None:
    run = JourneyTest(FLOWS, only="club", at="2026-03-02T09:00Z")
    run.contact("ann")
    run.enroll("ann", "club", level="gold")
    run.advance("5d")

    assert "waits for the node to be opened" in run.explain("ann")


def test_a_test_sees_what_was_called() -> None:
    run = JourneyTest(FLOWS, only=["signup", "club"], at="2026-03-02T09:00Z")
    run.contact("ann", email="ann@example.com")
    run.track("ann", "Signed Up", plan="pro")

    (call,) = run.calls("ann")
    assert (call.journey, call.node, call.method) == ("signup", "score", "POST")
    assert (call.url, call.json) == ("https://scores.example/people/ann", {"plan": "pro", "email": "ann@example.com"})
