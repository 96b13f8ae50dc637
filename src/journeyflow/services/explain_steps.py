"""The trail of one run as a story: one sentence a step, and what each decision saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from journeyflow.channels.mailbox import KEPT
from journeyflow.core.effects import TrailRecord
from journeyflow.core.values import JSON
from journeyflow.db.calls import StoredCall
from journeyflow.db.outbox import StoredMessage
from journeyflow.services.explain_words import (
    LEFT,
    MESSAGE_FAILED,
    MESSAGE_SKIPPED,
    SKIPPED,
    WAITED_FOR,
    Document,
    because_lines,
    listed,
    local,
    local_text,
    names,
    node_of,
    pairs,
    shown,
    trigger_words,
)

Messages = Mapping[tuple[str | None, datetime], StoredMessage]
"""The messages of a run, by their node and the instant at which they were queued."""

Calls = Mapping[tuple[str | None, datetime], StoredCall]
"""The calls of a run, likewise."""
NO_CALLS: Final[Calls] = {}

Documents = Mapping[int, Document]
"""A journey's document by version."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run, ``local`` to its contact; ``because`` has a line for each value that the decision saw."""

    at: datetime
    local: str
    node: str | None
    text: str
    because: tuple[str, ...] = ()


def steps(
    records: Sequence[TrailRecord], documents: Documents, zone: tzinfo, messages: Messages, calls: Calls = NO_CALLS
) -> list[Step]:
    """A run's records (in order) as steps; a wait and its end are one step where nothing else is to be said."""
    return list(_Teller(documents, zone, messages, calls).tell(records))


class _Teller:
    """Knows the journey's documents, where the contact is, and what became of the run's messages and calls."""

    def __init__(self, documents: Documents, zone: tzinfo, messages: Messages, calls: Calls) -> None:
        self._calls = calls
        self._documents = documents
        self._zone = zone
        self._messages = messages

    def tell(self, records: Sequence[TrailRecord]) -> Iterator[Step]:
        for place, record in enumerate(records):
            following = records[place + 1] if place + 1 < len(records) else None
            text = self._text(record, following)
            if text is not None:
                yield Step(
                    record.at,
                    local(record.at, self._zone),
                    record.node,
                    text + self._late(record),
                    because_lines(record.detail),
                )

    def _text(self, record: TrailRecord, following: TrailRecord | None) -> str | None:
        detail = record.detail
        match record.kind:
            case "entered":
                return self._entered(record)
            case "holdout":
                return "held out: it is measured, and nothing is done"
            case "waiting":
                return self._waiting(record, following)
            case "resumed":
                return self._resumed(record, following)
            case "ran":
                return self._ran(record)
            case "message":
                return self._message(record)
            case "moved":
                return self._moved(record)
            case "skipped" if record.type not in ("wait", "wait_for") and detail.get("reason") == "past":
                return "skipped: its time had passed while the journey was paused"
            case "skipped":
                return SKIPPED.get(str(detail.get("reason")), f"skipped: {detail.get('reason')}")
            case "failed":
                return f"failed: {shown(detail.get('error'))}"
            case "exited":
                return self._exited(record)
            case "completed":
                return "completed"
            case "converted":
                value = detail.get("value")
                return "reached the goal" if value is None else f"reached the goal, value {shown(value)}"
            case other:
                return f"{other} {pairs({**detail})}".strip()

    def _document(self, record: TrailRecord) -> Document:
        """What the run went by then."""
        return self._documents.get(record.version, {})

    def _late(self, record: TrailRecord) -> str:
        due = record.detail.get("due")
        return "" if due is None else f" (it was due {local_text(due, self._zone)})"

    # --- coming and going ---------------------------------------------------------------------------------------------

    def _entered(self, record: TrailRecord) -> str:
        detail = record.detail
        index = detail.get("trigger")
        properties = pairs(detail.get("properties"))
        given = f" ({properties})" if properties else ""
        if not isinstance(index, int):
            return f"was enrolled by hand{given}"
        triggers = listed(self._document(record), "triggers")
        words = trigger_words(triggers[index]) if index < len(triggers) else "a trigger"
        number = f", trigger {index + 1} of {len(triggers)}" if len(triggers) > 1 else ""
        return f"entered by {words}{number}{given}"

    def _exited(self, record: TrailRecord) -> str:
        detail = record.detail
        reason = str(detail.get("reason"))
        said = LEFT.get(reason, f"left: {reason.removeprefix('end:')}")
        events = {str(one.get("event")) for one in listed(self._document(record), "exit_on") if isinstance(one, dict)}
        if reason == "exit_on" and len(events) == 1:
            said = f"left: {events.pop()} came (exit_on)"
        occurred = detail.get("occurred_at")
        return said if occurred is None else f"{said}; the event itself is of {local_text(occurred, self._zone)}"

    def _moved(self, record: TrailRecord) -> str:
        came_from, version = record.detail.get("from"), record.detail.get("from_version")
        if came_from == record.node and version != record.version:
            return f"went over from version {version} of the journey to version {record.version}"
        of = "" if version == record.version else f" of version {version}"
        return f"moved here from {came_from}{of}"

    # --- waiting ------------------------------------------------------------------------------------------------------

    def _waiting(self, record: TrailRecord, following: TrailRecord | None) -> str:
        reason, until = record.detail.get("reason"), record.detail.get("until")
        what = f" for {WAITED_FOR.get(str(reason), reason)}" if reason is not None else ""
        if reason == "paused" and until is not None:
            goes_on = "goes on" if following is None else "was to go on"
            return f"the journey was resumed: this run {goes_on} {local_text(until, self._zone)} (resume --over)"
        when = "" if until is None else f" until {local_text(until, self._zone)}"
        if record.type == "webhook" and reason is None:
            return f"{self._call(record)}; waits for the reply{f', at most{when}' if when else ''}"
        if following is None:
            return f"waits{what}{when}" if what or when else "waits, without an end"
        if following.kind == "resumed" and following.detail.get("by") in ("timer", "timeout"):
            return f"waited{what}{when}"
        at_most = f", at most{when}" if until is not None else ""
        if following.kind in ("waiting", "moved"):
            return f"began to wait{what}{when}"
        return f"waited{what}{at_most}"

    def _resumed(self, record: TrailRecord, following: TrailRecord | None) -> str | None:
        """Said only where the step after it does not say it."""
        by = record.detail.get("by")
        if by in ("timer", "timeout"):
            return None
        told = following is not None and following.kind in ("ran", "failed", "exited") and following.at == record.at
        if told and record.type in ("wait_for", "webhook"):
            return None
        causes = {
            "reply": "the reply came",
            "event": "went on: an event came",
            "condition": "went on: what it waited for has changed",
        }
        return causes.get(str(by), f"went on: {by}")

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _ran(self, record: TrailRecord) -> str:
        detail = record.detail
        match record.type:
            case "branch":
                return self._branch(record)
            case "wait_for":
                return self._wait_for(record)
            case "wait":
                return "did not wait: its time had come"
            case "tag":
                added, removed = names(detail.get("added")), names(detail.get("removed"))
                return _changes(("put on tag", added), ("took off tag", removed))
            case "update":
                return _changes(
                    ("set", pairs(detail.get("set"))),
                    ("took away", names(detail.get("unset"))),
                    ("left as it was", pairs(detail.get("unchanged"))),
                )
            case "stage":
                return f"brought the contact to stage {detail.get('to')}"
            case "split":
                return f"was sent along arm {detail.get('arm')}"
            case "topic":
                subscribed, left = names(detail.get("subscribed")), names(detail.get("unsubscribed"))
                return _changes(("subscribed to", subscribed), ("unsubscribed from", left))
            case "emit":
                return f"made the event {detail.get('event')}"
            case "enroll":
                return f"{'was let' if detail.get('done') else 'was not let'} into journey {detail.get('journey')}"
            case "remove":
                done = "was taken out of" if detail.get("done") else "was not in"
                return f"{done} journey {detail.get('journey')}"
            case "webhook":
                return self._answered(record)
            case "coupon":
                return f"got code {shown(detail.get('code'))} of pool {detail.get('pool')}"
            case other:
                said = pairs({name: value for name, value in detail.items() if name not in ("because", "due")})
                return f"{other} done{f': {said}' if said else ''}"

    def _call(self, record: TrailRecord) -> str:
        stored = self._calls.get((record.node, record.at))
        return "called the webhook" if stored is None else f"called {stored.method} {stored.url}"

    def _answered(self, record: TrailRecord) -> str:
        status = record.detail.get("status")
        if status is not None:
            return f"the webhook answered {status}"
        stored = self._calls.get((record.node, record.at))
        return self._call(record) if stored is None else f"{self._call(record)}; {_call_became(stored)}"

    def _branch(self, record: TrailRecord) -> str:
        case = record.detail.get("case")
        if not isinstance(case, int):
            return "no case held: went the way of else"
        return f"took {self._case(record, case)}"

    def _wait_for(self, record: TrailRecord) -> str:
        case = record.detail.get("case")
        if not isinstance(case, int):
            return "none of it came in time"
        cases = listed(node_of(self._document(record), record.node), "cases")
        found = cases[case] if case < len(cases) else None
        event = found.get("event") if isinstance(found, dict) else None
        cause = "its condition held" if event is None else f"{event} came"
        return f"{cause}: took {self._case(record, case)}"

    def _case(self, record: TrailRecord, case: int) -> str:
        cases = listed(node_of(self._document(record), record.node), "cases")
        found = cases[case] if case < len(cases) else None
        name = found.get("name") if isinstance(found, dict) else None
        of = f" of {len(cases)}" if cases else ""
        return f"case {case + 1}{of}{'' if name is None else f' ({name})'}"

    def _message(self, record: TrailRecord) -> str:
        detail = record.detail
        what, outcome, reason = _message_name(detail), detail.get("outcome"), str(detail.get("reason"))
        if outcome == "skipped":
            return f"{what} skipped: {reason} ({MESSAGE_SKIPPED.get(reason, 'see the docs')})"
        if outcome == "cancelled":
            return f"{what} to {shown(detail.get('to'))} withdrawn before it was sent: {reason}"
        stored = self._messages.get((record.node, record.at))
        became = "" if stored is None else f"; {_became(stored, record.at, self._zone)}"
        return f"{what} queued to {shown(detail.get('to'))}{became}"


def _message_name(detail: Mapping[str, JSON]) -> str:
    """``message cart-1``, ``sms cart-3``, or ``push`` where the node itself has the text."""
    channel, template = detail.get("channel"), detail.get("template")
    words = ("message" if channel == "email" else channel, template)
    return " ".join(str(word) for word in words if word is not None)


def was_kept(message: StoredMessage) -> bool:
    """Whether a message that counts as sent went to the mailbox, which sends nothing."""
    return message.status == "sent" and message.provider_id == KEPT


_WAITS: Final = {"quiet_hours": "quiet hours have begun"}


def _became(message: StoredMessage, queued_at: datetime, zone: tzinfo) -> str:
    """What the dispatcher did with a message; of an instant of the same day only the time is said."""
    match message.status:
        case "sent" if message.sent_at is not None:
            sent, queued = message.sent_at.astimezone(zone), queued_at.astimezone(zone)
            when = f"{sent:%H:%M:%S}" if sent.date() == queued.date() else local(message.sent_at, zone)
            return f"kept in the mailbox {when}, sent nowhere" if was_kept(message) else f"sent {when}"
        case "queued" if message.reason is not None:
            return f"not sent yet: {_WAITS.get(message.reason, message.reason)}; it is tried again"
        case "queued":
            return "not sent yet"
        case "sending":
            return "is being sent"
        case "cancelled":
            return "withdrawn before it was sent"
        case other:
            reason = message.reason
            why = "" if reason is None else f": {reason}"
            said = "" if reason not in MESSAGE_FAILED else f" ({MESSAGE_FAILED[reason]})"
            return f"{other}{why}{said}"


def _call_became(call: StoredCall) -> str:
    match call.status:
        case "answered":
            return f"it answered {call.reply_status}"
        case "queued" if call.reason is not None:
            return f"not answered yet: {call.reason}; it is tried again"
        case "queued" | "sending":
            return "not called yet"
        case other:
            return f"{other}: {call.reason}"


def _changes(*parts: tuple[str, str]) -> str:
    said = "; ".join(f"{verb} {what}" for verb, what in parts if what)
    return said or "changed nothing: it was so already"
