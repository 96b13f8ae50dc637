"""An API process and workers on one PostgreSQL, each reaching it over a network of its own that can be taken away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import httpx

from benchmarks.ports import free_port
from benchmarks.postgres_server import Postgres
from benchmarks.proxy import Proxy
from benchmarks.serving import ADMIN_KEY, WRITE_KEY
from journeyflow.clock import sleep, stopwatch

START_SECONDS_MAX: Final = 90.0
SYSTEM_FAILED: Final = 3
"""The exit code of that."""
STOP_SECONDS_MAX: Final = 90.0
_START: Final = "from journeyflow.cli.main import app; app()"


@dataclass(slots=True)
class Member:
    """A process, which can be killed and started again."""

    name: str
    arguments: list[str]
    environment: Mapping[str, str]
    directory: Path
    proxy: Proxy
    program: str
    process: subprocess.Popen[bytes] | None = field(default=None)
    started_at: float = 0.0

    def start(self) -> None:
        """Start, without waiting for anything."""
        self.started_at = stopwatch()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", self.program, *self.arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                cwd=self.directory,
            )

    @property
    def log(self) -> Path:
        """What it says."""
        return self.directory / f"{self.name}.log"

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def failed_to_start(self) -> bool:
        """Whether the database was away when it looked first: it says so and ends, for others to start it again."""
        assert self.process is not None
        return self.process.poll() == SYSTEM_FAILED and stopwatch() - self.started_at < START_SECONDS_MAX

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that takes it away is waited for."""
        assert self.process is not None
        self.process.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait(STOP_SECONDS_MAX)

    def say(self) -> str:
        """The end of what it said."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""


class Cluster:
    """The processes. ``lease_seconds``: a dispatcher or caller that has not reported after so long is taken for dead;
    without it as long as everywhere.
    """

    def __init__(self, directory: Path, server: Postgres, email_url: str, workers: int, lease_seconds: int | None):
        self.server = server
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory = directory
        self._email_url = email_url
        self._program = _START if lease_seconds is None else f"{_shorter(lease_seconds)}; {_START}"
        self.api = self._member("serve", ["serve", "--no-engine", "--port", f"{self.port}", "--flows", "flows"])
        self.workers = [self._member(f"worker-{number}", ["worker"]) for number in range(workers)]

    @property
    def members(self) -> list[Member]:
        """All processes."""
        return [self.api, *self.workers]

    @classmethod
    @contextmanager
    def running(
        cls,
        directory: Path,
        server: Postgres,
        flows: Mapping[str, str],
        email_url: str,
        workers: int = 2,
        lease_seconds: int | None = None,
    ) -> Iterator[Self]:
        """Started, with these documents; whatever happened, none of it outlives the block."""
        (directory / "flows").mkdir()
        for name, text in flows.items():
            (directory / "flows" / name).write_text(text)
        cluster = cls(directory, server, email_url, workers, lease_seconds)
        try:
            cluster.api.start()
            cluster.wait()
            for worker in cluster.workers:
                worker.start()
            yield cluster
        finally:
            for member in cluster.members:
                if member.runs:
                    member.signal(signal.SIGKILL)
                member.proxy.close()

    def wait(self) -> None:
        """Wait until the API answers."""
        end = stopwatch() + START_SECONDS_MAX
        while not self.answers():
            if not self.api.runs and self.api.failed_to_start:
                self.api.start()
            if not self.api.runs or stopwatch() > end:
                raise SystemExit(f"serve does not start:\n{self.api.say()}")
            sleep(0.05)

    def answers(self) -> bool:
        """Whether the API is up."""
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def supervise(self) -> Iterator[str]:
        """Start again who failed to start, and tell of who ended of its own later: nobody may."""
        for member in self.members:
            if not member.runs:
                if not member.failed_to_start:
                    yield f"{member.name} ended of its own: {member.say()}"
                member.start()

    def _member(self, name: str, arguments: list[str]) -> Member:
        proxy = Proxy(("127.0.0.1", self.server.port))
        environment = {
            "JOURNEYFLOW_DATABASE_URL": self.server.url(proxy.port),
            "JOURNEYFLOW_WRITE_KEY": WRITE_KEY,
            "JOURNEYFLOW_ADMIN_KEY": ADMIN_KEY,
            "JOURNEYFLOW_EMAIL_URL": self._email_url,
            "JOURNEYFLOW_LOG_LEVEL": "warning",
            "JOURNEYFLOW_LOG_FORMAT": "json",
        }
        return Member(name, arguments, environment, self._directory, proxy, self._program)


def _shorter(lease_seconds: int) -> str:
    lease = f"timedelta(seconds={lease_seconds})"
    modules = "from datetime import timedelta; from journeyflow.services import call, dispatch"
    return f"{modules}; call.LEASE = dispatch.LEASE = {lease}"
