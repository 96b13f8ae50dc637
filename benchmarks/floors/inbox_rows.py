"""Rows of ``inbox``, written by hand from events as they come over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson

from journeyflow.clock import now
from journeyflow.core.identity import shard_of
from journeyflow.core.values import to_micros

COPY: Final = "COPY inbox (id, shard, contact, at, kind, payload) FROM STDIN"
_ESCAPED: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_last = 0


def arrived() -> int:
    """When a request came, in microseconds."""
    return to_micros(now())


def line(event: dict[str, Any], at: int) -> bytes:  # Any: JSON
    """The row of an event that came at an instant, as a line of COPY's text."""
    global _last  # noqa: PLW0603  # ids grow
    _last = max(_last + 1, at << 12)
    payload = {
        "name": event["event"],
        "occurred_at": to_micros(datetime.fromisoformat(event["timestamp"])),
        "properties": event["properties"],
        "message_id": event["messageId"],
    }
    contact = event["userId"]
    text = orjson.dumps(payload).decode().translate(_ESCAPED)
    return f"{_last}\t{shard_of(contact)}\t{contact}\t{at}\tevent\t{text}\n".encode()
