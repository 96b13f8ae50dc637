"""Which schema a database has, and which one this program wants, without loading what brings it there."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, inspect

from journeyflow.db.foreign import VERSIONS_TABLE
from journeyflow.db.store import ReadConnection, read

_REVISION: Final = re.compile(r"""^(down_)?revision\b.*=\s*["']([^"']+)["']\s*$""", re.MULTILINE)


def is_current(engine: Engine) -> bool:
    """Whether the database has the newest schema."""
    with read(engine) as connection:
        return _versions(connection) == newest()


def _versions(connection: ReadConnection) -> set[str]:
    if not inspect(connection).has_table(VERSIONS_TABLE):
        return set()
    return set(connection.exec_driver_sql(f"SELECT version_num FROM {VERSIONS_TABLE}").scalars())


@cache
def newest() -> set[str]:
    """The revisions of the ``migrations`` folder that no other builds on."""
    made: set[str] = set()
    built_on: set[str] = set()
    for file in (folder() / "versions").glob("*.py"):
        for down, revision in _REVISION.findall(file.read_text("utf-8")):
            (built_on if down else made).add(revision)
    return made - built_on


def folder() -> Path:
    """Inside the package where it is installed from a wheel, else that of the repository it lies in."""
    package = Path(str(files("journeyflow")))
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"
