"""One writer after the other, and one engine on a database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from journeyflow.core.errors import Conflict, Overloaded, SystemFailure
from journeyflow.db.lock import EngineLock, FairLock

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
PATIENT = 30.0

HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from journeyflow.core.errors import Conflict
from journeyflow.db.lock import EngineLock

lock = EngineLock(Path(sys.argv[1]))
try:
    lock.take(datetime(2026, 3, 2, 10, 30, tzinfo=UTC))
    print("held", flush=True)
    sys.stdin.readline()
    lock.release()
    print("released", flush=True)
    sys.stdin.readline()
except Conflict as error:
    print(error, flush=True)
"""


@contextmanager
def process(database: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that takes the lock, gives it back at the first line it gets, and ends at the second."""
    command = [sys.executable, "-c", HOLD, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def next_line(started: subprocess.Popen[str]) -> str:
    assert started.stdout is not None
    return started.stdout.readline().strip()


def tell(started: subprocess.Popen[str]) -> None:
    assert started.stdin is not None
    started.stdin.write("\n")
    started.stdin.flush()


# --- one engine ------------------------------------------------------------------------------------------------------


def test_a_second_engine_is_refused_naming_the_first(tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    with process(database) as first:
        assert next_line(first) == "held"

        with pytest.raises(Conflict) as refusal:
            EngineLock(database).take(NOW)

        host = os.uname().nodename
        said = f"{database} has an engine already: process {first.pid} on {host}, since 2026-03-02T10:30:00+00:00;"
        assert str(refusal.value).startswith(said)


def test_an_engine_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    with process(database) as first:
        assert next_line(first) == "held"
        first.send_signal(signal.SIGKILL)
        first.wait()

    with process(database) as second:
        assert next_line(second) == "held"


def test_an_engine_that_stopped_makes_room_for_the_next(tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    with process(database) as first:
        assert next_line(first) == "held"
        tell(first)
        assert next_line(first) == "released"

        mine = EngineLock(database)
        mine.take(NOW)
        with process(database) as third:
            assert f"process {os.getpid()} on" in next_line(third)
        mine.release()


def test_of_many_engines_that_start_at_once_one_runs(tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    with process(database) as one, process(database) as two, process(database) as three:
        said = sorted(next_line(started) for started in (one, two, three))

    assert said[-1] == "held"
    assert all("has an engine already" in line for line in said[:-1])


def test_a_second_engine_in_the_same_process_is_refused(tmp_path: Path) -> None:
    first = EngineLock(tmp_path / "shop.db")
    first.take(NOW)

    with pytest.raises(Conflict, match=f"process {os.getpid()} on"):
        EngineLock(tmp_path / "shop.db").take(NOW)
    first.release()


def test_a_link_to_a_database_is_the_same_database(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "shop.db")
    first = EngineLock(tmp_path / "shop.db")
    first.take(NOW)

    with pytest.raises(Conflict):
        EngineLock(tmp_path / "link.db").take(NOW)
    first.release()


def test_two_databases_have_an_engine_each(tmp_path: Path) -> None:
    locks = [EngineLock(tmp_path / name) for name in ("one.db", "two.db")]

    for lock in locks:
        lock.take(NOW)
    for lock in locks:
        lock.release()


def test_a_holder_that_has_not_said_who_it_is_refuses_all_the_same(tmp_path: Path) -> None:
    first = EngineLock(tmp_path / "shop.db")
    first.take(NOW)
    (tmp_path / "shop.db.engine").write_text('{"pid":')

    with pytest.raises(Conflict, match="a process that is just starting"):
        EngineLock(tmp_path / "shop.db").take(NOW)
    first.release()


def test_a_database_in_memory_needs_no_lock() -> None:
    lock = EngineLock(None)

    lock.take(NOW)
    lock.release()


def test_a_lock_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match=r"the directory .*/nowhere of the database does not exist; make it first"):
        EngineLock(tmp_path / "nowhere" / "shop.db").take(NOW)


# --- one writer after the other --------------------------------------------------------------------------------------


def queued(lock: FairLock, number: int, work: Callable[[], None]) -> Thread:
    """A thread that is the ``number``-th to wait for the lock, and does its work under it."""

    def run() -> None:
        with lock:
            work()

    thread = Thread(target=run)
    thread.start()
    while lock.waiting < number:
        pass
    return thread


def test_writers_go_in_the_order_in_which_they_asked() -> None:
    lock, order = FairLock(PATIENT), list[int]()
    lock.acquire()
    threads = [queued(lock, number, partial(order.append, number)) for number in (1, 2, 3, 4)]

    lock.release()
    for thread in threads:
        thread.join()
    assert order == [1, 2, 3, 4]


def test_who_writes_in_a_loop_lets_others_in_after_each_round() -> None:
    lock, rounds, seen = FairLock(PATIENT), [0], list[int]()
    lock.acquire()
    other = queued(lock, 1, lambda: seen.append(rounds[0]))
    for _ in range(100):
        rounds[0] += 1
        lock.release()
        lock.acquire()
    lock.release()
    other.join()

    assert seen == [1]


def test_who_waits_for_too_long_is_told_and_leaves_the_queue() -> None:
    lock, said = FairLock(0.01), list[str]()

    def ask() -> None:
        with pytest.raises(Overloaded) as refusal:
            lock.acquire()
        said.append(str(refusal.value))

    lock.acquire()
    asking = Thread(target=ask)
    asking.start()
    asking.join()

    assert said == ["the database was busy with other writes for 0.01 s; nothing was stored"]
    assert lock.waiting == 0
    lock.release()
    with lock:
        pass


def test_an_error_under_the_lock_gives_it_back() -> None:
    lock = FairLock(PATIENT)
    with pytest.raises(RuntimeError), lock:
        raise RuntimeError

    with lock:
        pass


def test_taking_it_twice_fails_instead_of_waiting_for_oneself() -> None:
    lock = FairLock(PATIENT)
    with lock, pytest.raises(AssertionError, match="would wait for itself"):
        lock.acquire()
