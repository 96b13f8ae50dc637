"""Rows of events, trail and messages, columns in the order of the tables; ``number`` tells those of a contact apart."""

from __future__ import annotations

from datetime import datetime

from journeyflow.core.identity import shard_of
from journeyflow.core.values import to_micros

Row = tuple[object, ...]


def event(contact: str, at: datetime, number: int, name: str = "Opened") -> Row:
    return (shard_of(contact), contact, name, to_micros(at), number, to_micros(at), None, f'{{"number":{number}}}')


def step(contact: str, at: datetime, number: int) -> Row:
    records = f'["welcome",1,"{contact}-run",{number},"entered",null,null,{{}}]'
    return (shard_of(contact), contact, number, to_micros(at), f"[{records}]", None)


def message(contact: str, at: datetime, number: int, status: str = "sent") -> Row:
    due_at = to_micros(at) if status in ("queued", "sending") else None
    return (
        shard_of(contact), contact, to_micros(at), f"{contact}-{number}", "welcome", 1, "greet", f"{contact}-run",
        "email", "hello", 1, None, None, 0, status, None, None, None, due_at, None, 0, None, None, "{}", "{}", None,
        None, number,
    )  # fmt: skip
