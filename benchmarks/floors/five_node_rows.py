"""The rows that the five-node journey leaves in the tables, made by hand: what the floors of both stores write.

What is decided is written out here; nothing is interpreted, validated or looked up that this journey does not need. The
rows, their ids and their JSON are real. Columns that are the same in all rows of a table are left to the statements.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import orjson

from benchmarks.five_node_start import ENTERING_AT, WAKING_AT, WORKSPACE, micros

ENTERING: Final = micros(ENTERING_AT)
WAKING: Final = micros(WAKING_AT)
WAKING_TEXT: Final = WAKING_AT.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
DAY: Final = 86_400_000_000
EXPIRES_AFTER: Final = 12 * 3_600_000_000
OPEN_AFTER: Final = 36 * 3_600_000_000
NAMESPACE: Final = uuid5(NAMESPACE_URL, f"journeyflow:{WORKSPACE}").bytes

Row = tuple[object, ...]


@dataclass(slots=True)
class Rows:
    """What one turn writes, by table.

    - ``contacts``: timer_at, state, shard, contact.
    - ``events``: shard, contact, name, handled_at, number, occurred_at, properties.
    - ``seen``: shard, contact, message_id, at.
    - ``runs``: entering: shard, contact, id, due_at, entered_at, state; waking: ended_at, open_until, state, shard,
      contact, id.
    - ``trail``: shard, contact, number, at, records.
    - ``messages``: shard, contact, id, node, run, template, to, queued_at, expires_at, due_at, values, number.
    - ``timers``: due_at, shard, contact; those that are set, or, waking, those that were taken.
    - ``counted``: node, kind, count.
    """

    contacts: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    seen: list[Row] = field(default_factory=list)
    runs: list[Row] = field(default_factory=list)
    trail: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    timers: list[Row] = field(default_factory=list)
    counted: list[tuple[str, str, int]] = field(default_factory=list)


def entering(arrived: Iterable[tuple[int, str, str, str]]) -> Rows:
    """Let contacts in.

    :param arrived: of each its shard, its key, the payload of its event and its state.
    """
    made = Rows()
    for shard, contact, payload, state_text in arrived:
        event, state = orjson.loads(payload), orjson.loads(state_text)
        properties, attributes = event["properties"], state["attributes"]
        address, at = attributes["email"], event["occurred_at"]
        run = derived_id(NAMESPACE, f"five-node\x1f{contact}\x1f\x1f0")
        message = derived_id(bytes.fromhex(run.replace("-", "")), "greet\x1f0")
        state["events"], state["records"] = 1, 3
        state["counts"] = {"Signed Up": (1, at, at)}
        state["entries"] = {"five-node": (ENTERING, ENTERING, 1)}
        state["server"] = True
        records = [
            ("five-node", 1, run, 0, "entered", None, None, {"trigger": 0, "properties": properties}),
            ("five-node", 1, run, 1, "message", "greet", "email", queued("hello", address)),
            ("five-node", 1, run, 2, "waiting", "pause", "wait", {"until": WAKING_TEXT}),
        ]
        run_state = {
            "number": 0,
            "entered_event": 1,
            "trigger": properties,
            "seq": 3,
            "visits": {"greet": 1, "pause": 1},
            "queued": [(message, "greet", "email", "hello", address)],
            "standing": True,
            "last_message": message,
            "steps_at": ENTERING,
            "steps": 2,
        }
        made.contacts.append((WAKING, orjson.dumps(state).decode(), shard, contact))
        made.events.append((shard, contact, "Signed Up", ENTERING, 1, at, orjson.dumps(properties).decode()))
        made.seen.append((shard, contact, event["message_id"], ENTERING))
        made.runs.append((shard, contact, run, WAKING, ENTERING, orjson.dumps(run_state).decode()))
        made.trail.append((shard, contact, 0, ENTERING, orjson.dumps(records).decode()))
        values = (address, attributes["first_name"], properties["plan"])
        made.messages.append(message_row(shard, contact, message, "greet", run, "hello", values, ENTERING, 1))
        made.timers.append((WAKING, shard, contact))
    kinds = [("", "entered"), ("greet", "visits"), ("pause", "visits"), ("pause", "waiting")]
    made.counted = [(*kind, len(made.contacts)) for kind in kinds]
    return made


def waking(due: Iterable[tuple[int, str, str, str, str]]) -> Rows:
    """Lead contacts whose wait is over to the end.

    :param due: of each its shard, its key, its state, its run and that one's state.
    """
    made = Rows()
    for shard, contact, state_text, run, run_text in due:
        state, run_state = orjson.loads(state_text), orjson.loads(run_text)
        attributes = state["attributes"]
        vip, address = attributes["vip"], attributes["email"]
        state["records"] = 7
        if vip:
            state["events"] = 2
            state["tags"].append("valued")
            state["counts"]["Tag Added"] = (1, WAKING, WAKING)
            tagged = orjson.dumps({"tag": "valued"}).decode()
            made.events.append((shard, contact, "Tag Added", WAKING, 2, WAKING, tagged))
            last = ("label", "tag")
            did: Row = ("five-node", 1, run, 5, "ran", *last, {"added": ["valued"], "removed": []})
        else:
            message = derived_id(bytes.fromhex(run.replace("-", "")), "remind\x1f0")
            values = (address, attributes["first_name"], run_state["trigger"]["plan"])
            made.messages.append(message_row(shard, contact, message, "remind", run, "again", values, WAKING, 5))
            run_state["queued"].append((message, "remind", "email", "again", address))
            run_state["last_message"] = message
            last = ("remind", "email")
            did = ("five-node", 1, run, 5, "message", *last, queued("again", address))
        records = [
            ("five-node", 1, run, 3, "resumed", "pause", "wait", {"by": "timer"}),
            ("five-node", 1, run, 4, "ran", "worth", "branch", {"case": 0 if vip else None, "because": seen_of(vip)}),
            did,
            ("five-node", 1, run, 6, "completed", *last, {}),
        ]
        run_state["seq"] = 7
        run_state["visits"].update({"worth": 1, last[0]: 1})
        del run_state["standing"], run_state["steps_at"], run_state["steps"]
        made.contacts.append((None, orjson.dumps(state).decode(), shard, contact))
        made.runs.append((WAKING, WAKING + OPEN_AFTER, orjson.dumps(run_state).decode(), shard, contact, run))
        made.trail.append((shard, contact, 3, WAKING, orjson.dumps(records).decode()))
        made.timers.append((WAKING, shard, contact))
    visits = [("label", "visits", len(made.events)), ("remind", "visits", len(made.messages))]
    gone = len(made.contacts)
    made.counted = [("pause", "waiting", -gone), ("worth", "visits", gone), *visits, ("", "completed", gone)]
    return made


def derived_id(namespace: bytes, name: str) -> str:
    """UUIDv5 (RFC 9562) as text."""
    digest = sha1(namespace + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def message_row(
    shard: int, contact: str, id_: str, node: str, run: str, template: str, values: Row, at: int, number: int
) -> Row:
    """A row of ``messages``; ``values`` are address, first name and plan, ``number`` its trail record's."""
    address, first_name, plan = values
    shown = orjson.dumps({"contact": {"first_name": first_name}, "trigger": {"plan": plan}}).decode()
    return (shard, contact, id_, node, run, template, address, at, at + EXPIRES_AFTER, at, shown, number)


def queued(template: str, address: str) -> dict[str, object]:
    """The detail of a message's record in the trail."""
    return {"channel": "email", "template": template, "to": address, "outcome": "queued", "reason": None}


def seen_of(vip: bool) -> list[dict[str, object]]:
    """What the branch saw."""
    leaf = {"attribute": "vip", "eq": True}
    return [{"path": "nodes.worth.cases[0].when", "leaf": leaf, "value": vip, "held": vip}]
