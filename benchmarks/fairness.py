"""A million contacts are paused, resumed, archived and written to; events of another journey are handled meanwhile.

Everything goes the way it goes in use: a process serves, an operator pauses, resumes, archives and publishes over HTTP,
a shop sends events at a steady rate, and somebody listens to `/v1/stream`. What is measured is the time from just
before an event is sent until the listener hears that its journey is done with it. At no time may it be more than a
second.

The crowd's journey was paused a day and a half ago, and everybody's wait ended since, while no engine ran: the
first thing that the engine finds is a million timers. In the end the operator publishes a segment that all of them are
in, and a letter to it that goes out a moment later.
"""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import orjson

from benchmarks.database import a_database
from benchmarks.fairness_start import CROWD, FLOWS, LETTER, PULSE, SEGMENT, letter, prepare, rests
from benchmarks.measure import console, percentile
from benchmarks.serving import ADMIN_KEY, WRITE_KEY, Server
from journeyflow.clock import now, sleep, stopwatch
from journeyflow.core.values import JSON

LIMIT_SECONDS: Final = 1.0
PULSE_SECONDS: Final = 0.05
"""An event of the other journey so often."""
STATS_SECONDS: Final = 1.0
"""Somebody looks at the numbers of the crowd's journey so often."""
ANSWER_SECONDS_MAX: Final = 120.0
PHASE_SECONDS_MAX: Final = 3_600.0
UNTIL_LETTER: Final = timedelta(seconds=3)
TIME_TO_FIRE: Final = timedelta(seconds=1)
SHARES: Final = {"p50": 0.5, "p99": 0.99, "max": 1.0}
PATIENCE_SECONDS: Final = 30.0
"""So long after the last event it counts as lost."""


@dataclass
class Pulse:
    """The events that were sent, and when each was done with; and how long the operator's requests took."""

    sent: dict[str, float] = field(default_factory=dict)
    done: dict[str, float] = field(default_factory=dict)
    phases: dict[str, list[str]] = field(default_factory=dict)
    phase: str = "start"

    def seconds(self, phase: str) -> list[float]:
        """The latencies of a phase, in order of size; of events that were lost, infinite."""
        times = [self.done.get(one, float("inf")) - self.sent[one] for one in self.phases.get(phase, ())]
        return sorted(times)


def fairness(
    directory: Path,
    contacts: int,
    on_phase: Callable[[str, float, Pulse], None] = lambda *_: None,
    skipped: Collection[str] = (),
    database: str | None = None,
) -> tuple[Pulse, dict[str, float], dict[str, int]]:
    """The whole story; the pulse, how long each phase took, and the crowd's numbers at the end.

    :param on_phase: is told of each phase, how many seconds it took, and the pulse so far.
    :param skipped: phases to leave out.
    :param database: the URL of an empty database; a file of SQLite, where it does not say.
    """
    server = Server(directory, FLOWS, database)
    prepare(server.database, contacts, now())
    pulse, lasted = Pulse(), dict[str, float]()
    server.start()
    with ExitStack() as stack:
        stack.callback(server.stop)
        operator = stack.enter_context(
            httpx.Client(base_url=server.url, auth=(ADMIN_KEY, ""), timeout=ANSWER_SECONDS_MAX)
        )
        stack.enter_context(_beside(lambda stopped: _hear(server, pulse, stopped)))
        stack.enter_context(_beside(lambda stopped: _beat(server, pulse, stopped)))
        stack.enter_context(_beside(lambda stopped: _look(server, stopped)))
        for phase, ask in _phases(operator):
            if phase in skipped:
                continue
            pulse.phase = phase
            began = stopwatch()
            ask()
            _wait(server)
            lasted[phase] = stopwatch() - began
            on_phase(phase, lasted[phase], pulse)
        pulse.phase = "after"
        numbers = operator.get(f"/v1/journeys/{CROWD}/stats").raise_for_status().json()
        letters = operator.get(f"/v1/journeys/{LETTER}/stats").raise_for_status().json()
    told = {name: numbers[name] for name in ("entered", "active", "completed")}
    return pulse, lasted, {**told, **numbers["exited"], "written to": letters["completed"]}


def _phases(operator: httpx.Client) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is asked for, one after the other, each when the one before is done."""

    def post(path: str, body: dict[str, str] | None = None) -> Callable[[], object]:
        return lambda: operator.post(f"/v1/journeys/{CROWD}/{path}", json=body).raise_for_status()

    yield "taking timers", lambda: None
    yield "resume --over 2h", post("resume", {"mode": "over", "over": "2h"})
    yield "pause", post("pause")
    yield "resume --shift", post("resume", {"mode": "shift"})
    yield "archive", post("archive")
    yield "publishing a segment", lambda: _publish(operator, SEGMENT)
    yield "schedule", lambda: _write_letter(operator)


def _publish(operator: httpx.Client, document: Mapping[str, JSON]) -> None:
    kind, id_ = next(iter(document.items()))
    operator.put(f"/v1/documents/{kind}/{id_}", json=document).raise_for_status()


def _write_letter(operator: httpx.Client) -> None:
    """Publish the letter, and wait until it is to go out."""
    at = now() + UNTIL_LETTER
    _publish(operator, letter(at))
    sleep((at + TIME_TO_FIRE - now()).total_seconds())


def _wait(server: Server) -> None:
    """Until the engine has nothing left to do now."""
    end = stopwatch() + PHASE_SECONDS_MAX
    while not rests(server.database, now()):
        if not server.running or stopwatch() > end:
            raise SystemExit("the engine does not come to rest")
        sleep(0.2)


# --- beside it -------------------------------------------------------------------------------------------------------


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    stopped = threading.Event()
    thread = threading.Thread(target=work, args=(stopped,))
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _beat(server: Server, pulse: Pulse, stopped: threading.Event) -> None:
    """An event of a contact of its own at a steady rate, however long the answers take."""
    with httpx.Client(base_url=server.url, auth=(WRITE_KEY, ""), timeout=ANSWER_SECONDS_MAX) as client:
        number, began = 0, stopwatch()
        while not stopped.wait(max(0.0, began + number * PULSE_SECONDS - stopwatch())):
            contact = f"pulse-{number}"
            number += 1
            pulse.sent[contact] = stopwatch()
            pulse.phases.setdefault(pulse.phase, []).append(contact)
            client.post("/v1/track", json={"userId": contact, "event": PULSE}).raise_for_status()


def _hear(server: Server, pulse: Pulse, stopped: threading.Event) -> None:
    """Listen to the other journey; at the end a moment longer, for what is still on its way."""
    with (
        httpx.Client(base_url=server.url, auth=(ADMIN_KEY, ""), timeout=ANSWER_SECONDS_MAX) as client,
        client.stream("GET", "/v1/stream", params={"journey": PULSE}) as answer,
    ):
        end = None
        for line in answer.iter_lines():
            if line.startswith("data: "):
                record = orjson.loads(line.removeprefix("data: "))
                if record.get("kind") == "completed":
                    pulse.done[record["contact"]] = stopwatch()
            if stopped.is_set():
                end = end or stopwatch() + PATIENCE_SECONDS
                if len(pulse.done) == len(pulse.sent) or stopwatch() > end:
                    return


def _look(server: Server, stopped: threading.Event) -> None:
    with httpx.Client(base_url=server.url, auth=(ADMIN_KEY, ""), timeout=ANSWER_SECONDS_MAX) as client:
        while not stopped.wait(STATS_SECONDS):
            client.get(f"/v1/journeys/{CROWD}/stats").raise_for_status()


# --- telling ---------------------------------------------------------------------------------------------------------


def run(options: Namespace) -> bool:
    """The full size; of each phase the numbers are printed as soon as it is over."""
    store = options.store or "sqlite"
    with TemporaryDirectory() as directory, a_database(store) as url:
        pulse, lasted, numbers = fairness(Path(directory), options.crowd, _tell, options.skip, url)
    kept = all(time <= LIMIT_SECONDS for phase in lasted for time in pulse.seconds(phase))
    console.print(f"fairness on {options.store or 'sqlite'}: {options.crowd:,} contacts, in the end {numbers}")
    console.print(f"events handled within {LIMIT_SECONDS:g} s: {'kept' if kept else '[bold red]EXCEEDED[/]'}")
    return kept


def _tell(phase: str, seconds: float, pulse: Pulse) -> None:
    times = [time for time in pulse.seconds(phase) if time < float("inf")]  # the last may be on their way
    shown = ", ".join(f"{name} {percentile(times, share) * 1000:.0f} ms" for name, share in SHARES.items())
    late = sum(time > LIMIT_SECONDS for time in times)
    shown = f"{shown}, {late} of them late" if late else shown
    console.print(f"fairness, {phase}: {seconds:.1f} s, {len(times)} events beside it, {shown}")
