"""``journeyflow serve`` as a process of its own, for benchmarks that talk to it as everybody does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import httpx

from journeyflow.clock import sleep, stopwatch

WRITE_KEY: Final = "benchmark-write-key-0123456789"
ADMIN_KEY: Final = "benchmark-admin-key-0123456789"
START_SECONDS_MAX: Final = 90.0
_KEYS: Final = {"JOURNEYFLOW_WRITE_KEY": WRITE_KEY, "JOURNEYFLOW_ADMIN_KEY": ADMIN_KEY}


class Server:
    """``journeyflow serve`` as a process that can be killed and started again on one database.

    :param flows: its documents, by file name.
    :param database: the URL of its database; a file of SQLite in the directory, where it does not say.
    :param options: of ``serve``.
    """

    def __init__(
        self, directory: Path, flows: Mapping[str, str], database: str | None = None, options: Sequence[str] = ()
    ) -> None:
        self.directory = directory
        self.database = str(directory / "shop.db") if database is None else database
        self.options = options
        self.flows = directory / "flows"
        self.flows.mkdir()
        for name, text in flows.items():
            (self.flows / name).write_text(text)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        code = "from journeyflow.cli.main import app; app()"
        arguments = ["serve", "--database-url", self.database, "--port", str(self.port), *self.options]
        with (self.directory / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, *arguments, "--flows", str(self.flows)],
                stdout=log,
                stderr=log,
                env={**os.environ, **_KEYS, "JOURNEYFLOW_LOG_LEVEL": "warning"},
                cwd=self.directory,
            )
        wait_for(f"{self.url}/healthz", self.process, self.directory / "serve.log")

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self.process is not None and self.process.poll() is None

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """As the kernel does it: at once."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """In order."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def working(directory: Path, database: str, options: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """``journeyflow worker`` as a process, which is stopped in order at the end."""
    code = "from journeyflow.cli.main import app; app()"
    with (directory / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code, "worker", "--database-url", database, *options],
            stdout=log,
            stderr=log,
            env={**os.environ, "JOURNEYFLOW_LOG_LEVEL": "warning"},
            cwd=directory,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path | None = None) -> None:
    """Wait until a process that was started answers.

    :raises SystemExit: when it ends, or takes too long; tells what it logged.
    """
    end = stopwatch() + START_SECONDS_MAX
    while not _answers(url):
        if process.poll() is not None or stopwatch() > end:
            raise SystemExit(f"{url} is not answered:\n{'' if log is None else log.read_text()[-2000:]}")
        sleep(0.05)


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=2)
    except httpx.HTTPError:
        return False
    return True


def free_port() -> int:
    """One that nobody listens on."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
