"""A disk that can be full: a file system of its own, of a given size, that is gone when the process is.

It is in memory and lives in a mount namespace, which takes Linux and either root or the right to make user namespaces.
Where neither is allowed (:func:`small_disk` says so) it is an ordinary directory, which nobody can fill.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FILLER: Final = "filler"
COMMAND_SECONDS_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Disk:
    """The directory, and whose it is: where this process is root, of another one, since PostgreSQL refuses to be root.

    ``enter`` goes before each command that shall see the directory.
    """

    path: Path
    user: int
    group: int
    enter: Sequence[str] = field(default=())
    can_be_full: bool = False

    def command(self, *arguments: object) -> list[str]:
        """A command of the disk's user, there where the disk is."""
        return [*self.enter, *map(str, arguments)]

    def run(self, *arguments: object, check: bool = True) -> int:
        """Run such a command; its exit code."""
        done = subprocess.run(
            self.command(*arguments),
            check=False,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=COMMAND_SECONDS_MAX,
            text=True,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.returncode

    def fill(self) -> None:
        """Leave no room at all."""
        self.run("dd", "if=/dev/zero", f"of={self.path / FILLER}", "bs=256k", check=False)  # it ends when it is full

    def make_room(self) -> None:
        """Take back what filled it."""
        self.run("rm", "-f", self.path / FILLER)


@contextmanager
def small_disk(path: Path, megabytes: int, user: int, group: int) -> Iterator[Disk]:
    """A disk of that size in a directory."""
    path.mkdir(parents=True)
    holder = _mounted(path, megabytes)
    if holder is None:
        if os.geteuid() == 0:
            os.chown(path, user, group)
        yield Disk(path, user, group, _as_user(user, group))
        return
    with holder:
        try:
            yield Disk(path, user, group, _inside(holder.pid, user, group), can_be_full=True)
        finally:
            holder.kill()


def _mounted(path: Path, megabytes: int) -> subprocess.Popen[str] | None:
    """A process that keeps the file system, which is in its namespace only; ``None`` where that is not allowed."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return None
    own = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    script = f'mount -t tmpfs -o size={megabytes}m,mode=0777 none "$1" && echo mounted && exec cat'
    command = ["unshare", *own, "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(path)]
    holder = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert holder.stdout is not None
    if holder.stdout.readline().strip() == "mounted":
        return holder
    with holder:
        return None


def _inside(pid: int, user: int, group: int) -> list[str]:
    if os.geteuid() == 0:
        return ["nsenter", "--target", f"{pid}", "--mount", "--setuid", f"{user}", "--setgid", f"{group}", "--"]
    return ["nsenter", "--target", f"{pid}", "--user", "--preserve-credentials", "--mount", "--"]


def _as_user(user: int, group: int) -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid", f"{user}", "--regid", f"{group}", "--clear-groups", "--"]
