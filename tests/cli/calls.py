"""Calling the command line: in this process, or as a process of its own that serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any, Final

import httpx
import orjson
from typer.testing import CliRunner, Result

from journeyflow.cli.main import app

WELCOME: Final = """
journey: welcome
triggers:
  - {type: event, event: Signed Up}
  - {type: manual}
reentry: {policy: always}
start: mail
nodes:
  mail: {type: email, template: hello, topic: offers, next: worth}
  worth:
    type: branch
    cases: [{when: {attribute: vip, eq: true}, next: label}]
    else: pause
  label: {type: tag, add: [good], next: pause}
  pause: {type: wait, for: 2d}
"""
WORKSPACE: Final = """
workspace: shop
timezone: Europe/Warsaw
sender: {name: The Shop, email: hello@shop.example}
postal_address: Long Street 1, Gdansk
topics: [{id: offers, name: Offers}]
"""
HELLO: Final = "---\ntemplate: hello\nsubject: Hello {{ contact.name }}\n---\nHello {{ contact.name }}\n"
SECONDS_MAX: Final = 60


def write_flows(folder: Path) -> Path:
    folder.mkdir()
    (folder / "workspace.yaml").write_text(WORKSPACE)
    (folder / "welcome.yaml").write_text(WELCOME)
    (folder / "hello.md").write_text(HELLO)
    return folder


def call(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(one) for one in arguments])


def done(*arguments: object) -> str:
    """Run a command that succeeds; its standard output."""
    result = call(*arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def data(*arguments: object) -> Any:  # Any: JSON, which the test knows the shape of
    """Run a command that succeeds and answers with JSON."""
    return orjson.loads(done(*arguments))


@dataclass
class Serving:
    """A process that serves; what it said so far."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def told(self, beginning: str) -> str:
        """The rest of the line that begins so; waits for it."""
        for line in self.said:
            if line.startswith(beginning):
                return line.removeprefix(beginning).strip()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith(beginning):
                return line.removeprefix(beginning).strip()
        raise AssertionError(f"it ended without a line {beginning!r}: {self.said} {self.errors()}")

    @property
    def address(self) -> str:
        return self.told("address: ")

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def send(self, path: str, key: str, **body: object) -> httpx.Response:
        return httpx.post(f"{self.address}{path}", json=body, auth=(key, ""), timeout=SECONDS_MAX)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS_MAX)


@contextmanager
def serving(*arguments: object) -> Iterator[Serving]:
    """``journeyflow serve`` on a free port, killed at the end if it is still there."""
    with running("serve", "--port", "0", *arguments) as process:
        yield process


@contextmanager
def running(*arguments: object) -> Iterator[Serving]:
    """A command as a process of its own, killed at the end if it is still there."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from journeyflow.cli.main import app; app()", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    # So that a test that waits for a line fails, rather than hangs.
    last = Timer(2 * SECONDS_MAX, process.kill)
    last.start()
    try:
        yield Serving(process)
    finally:
        last.cancel()
        process.kill()
        process.wait(SECONDS_MAX)
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def enrolled(contact: str, journey: str = "welcome") -> str:
    """Make a contact and let it into a journey; what the latter said."""
    make_contact(contact)
    return done("journeys", "enroll", journey, contact)


def make_contact(contact: str) -> None:
    """Import a contact that nothing is known of."""
    Path("somebody.jsonl").write_bytes(orjson.dumps({"contact": contact}) + b"\n")
    done("contacts", "import", "somebody.jsonl")
