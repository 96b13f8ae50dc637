"""What an operator should know before something goes wrong: database, mail server, clock, addresses."""

from __future__ import annotations

import ipaddress
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine

from journeyflow.channels.base import Channel, Email, ShortMessage
from journeyflow.core.errors import Conflict, JourneyflowError
from journeyflow.db import documents, failures
from journeyflow.db.foreign import no_directory, refuse_foreign
from journeyflow.db.history import current_workspace, engine_clock
from journeyflow.db.lock import EngineLock
from journeyflow.db.migrations import check_origin
from journeyflow.db.schema_version import is_current
from journeyflow.db.sqlite import database_path
from journeyflow.db.store import is_postgresql, open_engine, postgresql_url, read, write
from journeyflow.services.publish import empty_pools
from journeyflow.services.readiness import behind

Verdict = Literal["ok", "hint", "wrong"]

FREE_BYTES_MIN: Final = 200_000_000
"""With less room on its disk the database is in danger."""
CLOCK_TOLERANCE: Final = timedelta(seconds=5)
BEHIND_SECONDS: Final = 60.0
"""An engine that runs comes to what is due in less."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A hint is worth knowing; what is wrong has to be put right."""

    verdict: Verdict
    what: str
    text: str


# --- database --------------------------------------------------------------------------------------------------------


def check_database(url: str, path: Path | None, now: datetime, base_url: str | None) -> list[Finding]:
    """Whether the database opens, is migrated and can be written, has room, and has an engine that keeps up.

    Also, without a base URL, about the links of the last server on it.
    """
    if path is None and postgresql_url(url) is None:
        return [Finding("hint", "database", "it is in memory, and gone when its process ends")]
    if path is not None and not path.exists():
        return [_new_database(path), *_room(path)]
    try:
        if path is not None:
            refuse_foreign(path)
        engine = open_engine(url)
    except JourneyflowError as error:
        return [Finding("wrong", "database", str(error))]
    try:
        found = _opened(engine, now, base_url)
        return [*found] if path is None else [*found, *_room(path), *_engine(path, now)]
    except JourneyflowError as error:
        return [Finding("wrong", "database", str(error))]
    finally:
        engine.dispose()


def _new_database(path: Path) -> Finding:
    if not path.parent.is_dir():
        return Finding("wrong", "database", no_directory(path))
    if not os.access(path.parent, os.W_OK):
        return Finding("wrong", "database", f"the directory {path.parent} can't be written")
    return Finding("hint", "database", f"there is no {path} yet; journeyflow serve makes it")


def _opened(engine: Engine, now: datetime, base_url: str | None) -> Iterator[Finding]:
    if not is_current(engine):
        with read(engine) as connection:
            check_origin(connection)
        yield Finding("wrong", "database", "its schema is not the newest; journeyflow migrate brings it there")
        return
    with write(engine):  # the lock for writing is what can fail
        pass
    name = engine.url.render_as_string(hide_password=True) if is_postgresql(engine) else database_path(engine)
    yield Finding("ok", "database", f"{name} opens, has the newest schema, can be written")
    with read(engine) as connection:
        yield from _inside(connection, now)
        links = documents.links(connection)
        if base_url is None and links is not None:
            yield check_links(links)


def _inside(connection: Connection, now: datetime) -> Iterator[Finding]:
    aside = failures.count(connection)
    if aside:
        yield Finding("wrong", "inputs", f"{aside:,} could not be decided on and were set aside, with their errors")
    yield from (Finding("hint", "engine", told) for told in behind(connection, now, BEHIND_SECONDS))
    if current_workspace(connection).sender is None:
        yield Finding("hint", "sender", "the workspace has no sender: an e-mail whose node has no from will fail")
    pools = [one.document for one in documents.newest(connection, "coupon_pool")]
    yield from (Finding("hint", "coupons", told) for told in empty_pools(connection, pools))
    last = engine_clock(connection)
    if last is not None and last > now + CLOCK_TOLERANCE:
        until = f"until {last:%Y-%m-%d %H:%M:%S}Z everything happens as if it were then"
        yield Finding("wrong", "clock", f"it was set back: the engine has worked at a later time already; {until}")


def _room(path: Path) -> Iterator[Finding]:
    directory = path.parent
    if not directory.is_dir():
        return
    free = shutil.disk_usage(directory).free
    size = sum(part.stat().st_size for part in directory.glob(f"{path.name}*") if part.is_file())
    verdict: Verdict = "wrong" if free < FREE_BYTES_MIN else "ok"
    yield Finding(verdict, "disk", f"{_bytes(free)} free in {directory}; the database has {_bytes(size)}")


def _bytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _engine(path: Path, now: datetime) -> Iterator[Finding]:
    lock = EngineLock(path)
    try:
        lock.take(now)
    except Conflict as error:
        holder = str(error).removeprefix(f"{path} has an engine already: ").partition(";")[0]
        yield Finding("ok", "engine", f"it is {holder}")
    else:
        lock.release()
        yield Finding("hint", "engine", "no process decides and delivers; journeyflow serve does")


# --- surroundings ----------------------------------------------------------------------------------------------------


async def check_channel(what: str, channel: Channel[Email] | Channel[ShortMessage]) -> Finding:
    """Whether messages could be handed over; ``what`` is what they are called."""
    try:
        return Finding("ok", what, await channel.check())
    except JourneyflowError as error:
        return Finding("wrong", what, str(error))
    finally:
        await channel.close()


def check_clock(directory: Path, now: datetime) -> Finding:
    """Whether the clock agrees with that of the file system, which may be another machine's."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            written = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
    except OSError as error:
        return Finding("wrong", "clock", f"nothing can be written in {directory}: {error.strerror}")
    apart = abs(written - now)
    if apart > CLOCK_TOLERANCE:
        return Finding("wrong", "clock", f"that of the disk is {apart.total_seconds():.0f} s apart; set one of them")
    return Finding("ok", "clock", f"{now:%Y-%m-%d %H:%M:%S}Z, and the disk agrees")


def check_links(links: str) -> Finding:
    """Whether whoever gets a message can follow its links."""
    host = urlsplit(links).hostname or ""
    if not host or urlsplit(links).scheme not in ("http", "https"):
        return Finding("wrong", "links", f"JOURNEYFLOW_BASE_URL: expected http(s)://HOST, found {links}")
    if _is_inside(host):
        return Finding("hint", "links", f"only this machine or network reaches {links}; set JOURNEYFLOW_BASE_URL")
    if urlsplit(links).scheme == "http":
        return Finding("hint", "links", f"{links} is not encrypted; links in messages should be https")
    return Finding("ok", "links", f"begin with {links}")


def _is_inside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".localhost", ".local", ".internal"))
