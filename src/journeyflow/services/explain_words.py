"""Trail records in words: what a step was, and what each decision saw (semantics 9.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Final

import orjson

from journeyflow.core.values import JSON, parse_instant

Document = Mapping[str, JSON]
"""A journey's document as its author wrote it; empty where it is not known any more."""

SHOWN_MAX: Final = 200
OPERATORS: Final = (
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "starts_with", "ends_with", "matches", "exists",
    "before", "after", "anniversary_in",
)  # fmt: skip
SKIPPED: Final = {
    "only_if": "skipped: only_if did not hold",
    "past": "did not wait: its date was past",
    "missing": "did not wait: its date was missing",
    "unreadable": "did not wait: its date could not be read",
    "no_coupon": "got no code: the pool was empty",
}
MESSAGE_SKIPPED: Final = {
    "no_address": "the contact has no address",
    "suppressed": "the address is suppressed, after a hard bounce or a complaint",
    "unsubscribed": "the contact has not subscribed, or has unsubscribed",
    "frequency_cap": "the contact has had as many as the cap allows",
    "template_error": "the template failed",
    "no_coupon": "the template shows a code, and there was none",
}
MESSAGE_FAILED: Final = {
    "expired": "it waited too long to be of use",
    "suppressed": "the address was suppressed before it went out",
    "unsubscribed": "the contact unsubscribed before it went out",
}
LEFT: Final = {
    "exit_on": "left: an event of exit_on came",
    "stay_if": "left: stay_if did not hold any more",
    "restarted": "left: a new trigger restarted it",
    "removed": "left: was removed by hand",
    "archived": "left: the journey was archived",
    "merged": "left: the contact was merged, and an older run stays",
    "migrated": "left: runs went to a new version, and those at its node out of the journey",
    "contact_deleted": "left: the contact was deleted",
    "end:loop": "left: too many steps at one instant (a loop)",
}
REFUSED: Final = {
    "no_key": "the event has no value for the journey's key",
    "enter_if": "enter_if did not hold",
    "duplicate": "a run was active already",
    "reentry": "had been in it before, and may not enter again yet",
    "too_many_runs": "is in too many runs at once",
}
WAITED_FOR: Final = {
    "quiet_hours": "the end of quiet hours",
    "frequency_cap": "room under the frequency cap",
    "paused": "the journey to be resumed",
    "hold": "the node to be opened",
}


# --- values ----------------------------------------------------------------------------------------------------------


def shown(value: JSON) -> str:
    """A value as one reads it: text as it is, the rest as JSON; shortened."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    text = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"


def pairs(values: JSON) -> str:
    """``a = 1, b = x``."""
    return ", ".join(f"{name} = {shown(value)}" for name, value in values.items()) if isinstance(values, dict) else ""


def names(values: JSON) -> str:
    """``a, b``."""
    return ", ".join(map(shown, values)) if isinstance(values, list) else ""


def local(instant: datetime, zone: tzinfo) -> str:
    """``Tue 3 Mar 2026 10:00:02`` where the contact is."""
    here = instant.astimezone(zone)
    return f"{here:%a} {here.day} {here:%b %Y %H:%M:%S}"


def local_text(instant: JSON, zone: tzinfo) -> str:
    """The same of an instant written in ISO 8601."""
    found = parse_instant(instant)
    return shown(instant) if found is None else local(found, zone)


# --- conditions ------------------------------------------------------------------------------------------------------


def because_lines(detail: Mapping[str, JSON]) -> tuple[str, ...]:
    """Each leaf that a decision looked at: where it stands, what it saw, what was wanted, whether it held."""
    seen = detail.get("because")
    return tuple(_leaf_line(leaf) for leaf in seen if isinstance(leaf, dict)) if isinstance(seen, list) else ()


def _leaf_line(noted: Mapping[str, JSON]) -> str:
    leaf = noted.get("leaf")
    said = _leaf(leaf, noted.get("value")) if isinstance(leaf, dict) else shown(leaf)
    return f"{noted.get('path')}: {said}: {'held' if noted.get('held') else 'did not hold'}"


def _leaf(leaf: Mapping[str, JSON], value: JSON) -> str:
    for kind in ("attribute", "property", "var"):
        if kind in leaf:
            return f"{kind} {leaf[kind]} = {shown(value)} (wanted: {_wanted(leaf)})"
    if "tag" in leaf:
        return f"tag {leaf['tag']}: the contact {'has' if value else 'has not'} got it"
    if "topic" in leaf:
        return f"topic {leaf['topic']}: {'subscribed' if value else 'not subscribed'}"
    if "segment" in leaf:
        return f"segment {leaf['segment']}: the contact is {'' if value is True else 'not '}in it"
    if "in_journey" in leaf:
        return f"journey {leaf['in_journey']}: the contact is {'' if value else 'not '}in it"
    if "been_in_journey" in leaf:
        return _been_leaf(leaf, value)
    if "event" in leaf:
        return _event_leaf(leaf, value)
    if "message" in leaf:
        return _message_leaf(leaf, value)
    if "local_time" in leaf:
        return f"local time {shown(value)} (wanted: {pairs(leaf['local_time'])})"
    return f"{shown({**leaf})} = {shown(value)}"


def _been_leaf(leaf: Mapping[str, JSON], value: JSON) -> str:
    within = f" within {leaf['within']}" if "within" in leaf else ""
    was = {"active": "the contact is in it", "missing": "the contact has not been in it"}
    return f"been in journey {leaf['been_in_journey']}{within}: {was.get(str(value), f'was in it until {value}')}"


def _event_leaf(leaf: Mapping[str, JSON], value: JSON) -> str:
    measure = next((name for name in ("sum", "avg", "min", "max") if name in leaf), None)
    about = [f"event {leaf['event']}"]
    if "where" in leaf:
        about.append(f"where {shown(leaf['where'])}")
    if "within" in leaf:
        about.append(f"within {leaf['within']}")
    if "since" in leaf:
        about.append(f"since {leaf['since']}")
    asked = "count" if measure is None else f"{measure} of {leaf[measure]}"
    count = leaf.get("count")
    wanted = _wanted(leaf if measure is not None else count if isinstance(count, dict) else {"gte": 1})
    return f"{' '.join(about)}: {asked} = {shown(value)} (wanted: {wanted})"


def _message_leaf(leaf: Mapping[str, JSON], value: JSON) -> str:
    what = next((name for name in ("opened", "clicked", "sent") if name in leaf), "sent")
    count = leaf.get(what)
    wanted = _wanted(count) if isinstance(count, dict) else ""
    return f"messages ({pairs(leaf['message'])}): {what} = {shown(value)} (wanted: {wanted})"


def _wanted(leaf: Mapping[str, JSON]) -> str:
    return " and ".join(f"{name} {shown(leaf[name])}" for name in OPERATORS if name in leaf)


# --- triggers --------------------------------------------------------------------------------------------------------


def trigger_words(trigger: JSON) -> str:
    """What a trigger waits for."""
    if not isinstance(trigger, dict):
        return "a trigger"
    match trigger.get("type"):
        case "event":
            return f"event {trigger.get('event')}"
        case "contact" if trigger.get("change") == "created":
            return "a new contact"
        case "contact":
            to = f" to {shown(trigger['to'])}" if "to" in trigger else ""
            return f"a change of attribute {trigger['attribute']}{to}" if "attribute" in trigger else "any change"
        case "tag":
            added = "added" in trigger
            return f"tag {trigger['added' if added else 'removed']} {'put on' if added else 'taken off'}"
        case "inactivity":
            event = trigger.get("event")
            return f"no {names(event) if isinstance(event, list) else event} for {trigger.get('for')}"
        case "topic":
            given = "subscribed" in trigger
            return (
                f"consent to {trigger['subscribed' if given else 'unsubscribed']} {'given' if given else 'taken away'}"
            )
        case "segment":
            entered = "entered" in trigger
            return f"segment {trigger['entered' if entered else 'left']} {'entered' if entered else 'left'}"
        case "date":
            yearly = ", every year" if trigger.get("yearly") else ""
            return f"the date in {trigger.get('attribute')}{yearly}"
        case "schedule":
            when = trigger.get("cron") or trigger.get("at")
            return f"the schedule {when} for segment {trigger.get('segment')}"
        case "manual":
            return "hand"
        case other:
            return f"a trigger of type {other}"


def watched_events(trigger: JSON) -> list[str]:
    """The names of events that a trigger listens to."""
    if not isinstance(trigger, dict):
        return []
    named = trigger.get("event")
    return [str(name) for name in named] if isinstance(named, list) else [] if named is None else [str(named)]


def awaited_events(document: Document) -> list[str]:
    """The names of the events that let contacts into a journey, as its triggers give them."""
    triggers = [one for one in listed(document, "triggers") if isinstance(one, dict) and one.get("type") == "event"]
    return [name for trigger in triggers for name in watched_events(trigger)]


def event_fits(name: str, pattern: str) -> bool:
    """Whether an event's name is the one that a trigger gives, which may end in ``*``."""
    return name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))


def listed(document: Document, key: str) -> list[JSON]:
    """A list of the document, empty where there is none."""
    found = document.get(key)
    return found if isinstance(found, list) else []


def node_of(document: Document, name: str | None) -> Mapping[str, JSON]:
    """A node as its author wrote it."""
    nodes = document.get("nodes")
    found = nodes.get(name or "") if isinstance(nodes, dict) else None
    return found if isinstance(found, dict) else {}


def refused_words(reasons: Iterable[tuple[str, int]]) -> str:
    """``reentry (3 times)`` and so on."""
    return ", ".join(f"{reason} ({count} times)" if count > 1 else reason for reason, count in reasons)
