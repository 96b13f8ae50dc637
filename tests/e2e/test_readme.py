"""The first example of the README, as it stands there, against a server as `make run` starts it."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from tests.cli.calls import Serving, done, serving

from journeyflow.clock import now, stopwatch
from journeyflow.core.values import parse_instant

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
AT_ONCE = timedelta(seconds=1)


def first_example(server: Serving) -> str:
    """The program, with the key and the address that the server printed."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    program: str = next(block for block in blocks if "analytics." in block)
    assert "jf_write_..." in program
    assert "http://127.0.0.1:8000" in program
    key, address = server.told("write key: "), server.address
    return program.replace("jf_write_...", key).replace("http://127.0.0.1:8000", address)


def sent_to(server: Serving, contact: str) -> dict[str, Any]:  # Any: JSON
    """The contact's only message, as soon as it is sent."""
    key = server.told("admin key: ")
    began = stopwatch()
    with httpx.Client(base_url=server.address, auth=(key, "")) as client:
        while stopwatch() - began < PATIENCE_SECONDS:
            answer = client.get("/v1/messages", params={"contact": contact})
            items: list[dict[str, Any]] = answer.json()["items"]  # Any: as above
            if items and items[0]["status"] not in ("queued", "sending"):
                (message,) = items
                return message
    raise AssertionError(f"nothing was sent to {contact}")


def instant(text: str) -> datetime:
    found = parse_instant(text)
    assert found is not None
    return found


def test_three_lines_lead_to_a_mail_in_under_a_second_and_explain_tells_why() -> None:
    with serving("--flows", ROOT / "flows") as server:
        program = first_example(server)
        subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE_SECONDS)
        accepted_by = now()

        message = sent_to(server, "ann")
        story = done("explain", "ann")

        assert (message["status"], message["to"]) == ("sent", "ann@example.com")
        assert instant(message["sent_at"]) - accepted_by < AT_ONCE
        assert "entered by event Signed Up" in story
        assert f"message {message['template']} queued to ann@example.com; kept in the mailbox" in story
        assert "attribute email = ann@example.com" in story
        assert server.stop() == 0
