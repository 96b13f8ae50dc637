"""Simulations that a server runs when it is asked to: one at a time, each in a process of its own.

The process is the very command ``journeyflow simulate``, with a lower priority, so that an engine in this process keeps
its share of Python's lock and of the machine. Results are kept in memory: nothing is written that has to be cleaned up,
and a key that may only read may ask.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Any, Final, Literal
from uuid import uuid4

import orjson
import structlog

from journeyflow.core.errors import Busy, InvalidInput, JourneyflowError, NotFound, SystemFailure
from journeyflow.services.simulation_files import CONTACTS, EVENTS, FLOWS, Order

log = structlog.get_logger()

KEPT_MAX: Final = 20
"""So many simulations are remembered; the oldest is forgotten first."""
SECONDS_MAX: Final = 600.0
NICENESS: Final = 10
REPORT: Final = "report.html"
FOUND_WRONG: Final = 1

Status = Literal["running", "done", "failed"]
WriteFiles = Callable[[Path, Order], None]


@dataclass(slots=True)
class Simulated:
    """One simulation: how it stands, and what came of it.

    ``number`` counts those of this server; ``result`` is the object of ``simulate --json``.
    """

    id: str
    number: int
    journeys: tuple[str, ...]
    created_at: datetime
    status: Status = "running"
    ended_at: datetime | None = None
    result: dict[str, Any] | None = None  # Any: JSON
    error: str | None = None
    report: bytes | None = None
    unwanted: bool = False


class Simulations:
    """Starts simulations and keeps the last of them."""

    def __init__(
        self, write_files: WriteFiles, clock: Callable[[], datetime], seconds_max: float = SECONDS_MAX
    ) -> None:
        """:param write_files: writes what an order asks for into a folder."""
        self._write_files = write_files
        self._clock = clock
        self._seconds_max = seconds_max
        self._kept: dict[str, Simulated] = {}
        self._numbers = count(1)
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: Thread | None = None
        self._closed = False

    # --- asking -------------------------------------------------------------------------------------------------------

    def start(self, order: Order) -> Simulated:
        """Begin.

        :raises Busy: while another one runs.
        """
        with self._lock:
            if self._closed or any(one.status == "running" for one in self._kept.values()):
                raise Busy("another simulation is running; ask again when it is done")
            made = Simulated(str(uuid4()), next(self._numbers), tuple(order.journeys), self._clock())
            self._kept[made.id] = made
            while len(self._kept) > KEPT_MAX:
                del self._kept[next(iter(self._kept))]
            self._thread = Thread(target=self._run, args=(made, order), name="simulation", daemon=True)
            self._thread.start()
            return made

    def find(self, id_: str) -> Simulated:
        """One of those that are remembered.

        :raises NotFound: when it is none.
        """
        with self._lock:
            found = self._kept.get(id_)
        if found is None:
            raise NotFound(f"there is no simulation {id_}; the last {KEPT_MAX} are kept until the server stops")
        return found

    def all(self) -> list[Simulated]:
        """Those that are remembered, the newest first."""
        with self._lock:
            return [*self._kept.values()][::-1]

    def forget(self, id_: str) -> None:
        """Take one away; if it is running it ends.

        :raises NotFound: when there is none.
        """
        found = self.find(id_)
        self._stop([found])
        with self._lock:
            self._kept.pop(id_, None)

    def close(self) -> None:
        """End what is running; nothing is begun any more."""
        self._closed = True
        self._stop(self.all())

    def wait(self) -> None:
        """Until what is running has ended."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _stop(self, these: list[Simulated]) -> None:
        running = [one for one in these if one.status == "running"]
        with self._lock:
            for one in running:
                one.unwanted = True
            if running and self._process is not None:
                self._process.kill()
        if running:
            self.wait()

    # --- running ------------------------------------------------------------------------------------------------------

    def _run(self, one: Simulated, order: Order) -> None:
        result, report, error = None, None, None
        try:
            with TemporaryDirectory(prefix="journeyflow-simulation-") as name:
                folder = Path(name)
                self._write_files(folder, order)
                result = self._simulate(one, folder, order.options)
                report = (folder / REPORT).read_bytes()
        except JourneyflowError as failure:
            error = str(failure)
        except Exception:
            log.exception("a simulation failed", simulation=one.id)
            error = "something went wrong here; the log has more under this simulation's id"
        one.result, one.report, one.error, one.ended_at = result, report, error, self._clock()
        one.status = "done" if error is None else "failed"  # last: who reads it reads the rest

    def _simulate(self, one: Simulated, folder: Path, options: list[str]) -> dict[str, Any]:  # Any: JSON
        files = (FLOWS, f"--events={EVENTS}", f"--contacts={CONTACTS}", f"--report={REPORT}", "--json")
        command = [sys.executable, "-P", "-m", "journeyflow", "simulate", *files, *options]
        with subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the server, which then ends this one
        ) as process:
            with self._lock:
                self._process = process
                if one.unwanted:
                    process.kill()
            try:
                _yield_to_others(process)
                said, errors = process.communicate(timeout=self._seconds_max)
            except subprocess.TimeoutExpired:
                raise InvalidInput(f"it took longer than {self._seconds_max:.0f} s and was stopped") from None
            finally:
                with self._lock:
                    self._process = None
                process.kill()
        if process.returncode == FOUND_WRONG:
            raise InvalidInput(errors.decode(errors="replace").removeprefix("error: ").strip())
        if process.returncode != 0:
            raise SystemFailure("it was stopped" if process.returncode < 0 else errors.decode(errors="replace").strip())
        found: dict[str, Any] = orjson.loads(said)  # Any: as above
        return found


def _yield_to_others(process: subprocess.Popen[bytes]) -> None:
    """Let everything else on this machine go first."""
    try:
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    except (OSError, AttributeError):  # it has ended already, or the system knows no priorities
        return
