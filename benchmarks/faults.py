"""What can happen to a cluster; each fault is over, and everybody is started again, when it returns."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from benchmarks.cluster import Cluster, Member
from journeyflow.clock import sleep, stopwatch

NO_SPACE: Final = "No space left on device"
Fault = Callable[[], None]


class Faults:
    """All kinds of them.

    :param seconds_max: how long something hangs or stands still at the most.
    :param full_seconds_max: how long it is waited for that PostgreSQL finds its disk full.
    """

    def __init__(self, cluster: Cluster, random: Random, seconds_max: float, full_seconds_max: float) -> None:
        self._cluster = cluster
        self._server = cluster.server
        self._random = random
        self._seconds_max = seconds_max
        self._full_seconds_max = full_seconds_max

    @property
    def kinds(self) -> Mapping[str, Fault]:
        """By name; without those that this machine does not allow."""
        found: dict[str, Fault] = {
            "worker killed": lambda: self._killed([self._random.choice(self._cluster.workers)]),
            "API killed": lambda: self._killed([self._cluster.api]),
            "backends terminated": self._backends_terminated,
            "PostgreSQL crashed": self._postgres_crashed,
            "network hung": lambda: self._network_hung(new=True),
            "connections forgotten": lambda: self._network_hung(new=False),
            "network broken": self._network_broken,
            "process stopped": self._process_stopped,
            "everything down": self._everything_down,
        }
        if self._server.disk.can_be_full:
            found["disk full"] = self._disk_full
        return found

    def _some_seconds(self, most: float) -> float:
        return self._random.uniform(0.05, most)

    def _member(self) -> Member:
        return self._random.choice(self._cluster.members)

    def _killed(self, members: list[Member]) -> None:
        for member in members:
            if member.runs:
                member.signal(signal.SIGKILL)
        for member in members:
            member.start()
        if self._cluster.api in members:
            self._cluster.wait()

    def _backends_terminated(self) -> None:
        """Of some of them, again and again."""
        some = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'journeyflow' AND random() < 0.5"
        )
        for _ in range(self._random.randrange(1, 5)):
            with self._server.connect() as connection:
                connection.execute(some)
            sleep(self._some_seconds(0.5))

    def _postgres_crashed(self) -> None:
        self._server.stop("immediate")
        sleep(self._some_seconds(2.0))
        self._server.wait()

    def _network_hung(self, *, new: bool) -> None:
        proxy = self._member().proxy
        proxy.hang(new=new)
        sleep(self._some_seconds(self._seconds_max))
        proxy.go_on()

    def _network_broken(self) -> None:
        proxy = self._member().proxy
        proxy.cut()
        sleep(self._some_seconds(2.0))
        proxy.go_on()

    def _process_stopped(self) -> None:
        """For longer than the server waits for it, at times."""
        member = self._member()
        if member.runs:
            member.signal(signal.SIGSTOP)
            sleep(self._some_seconds(self._seconds_max))
            member.signal(signal.SIGCONT)

    def _disk_full(self) -> None:
        """Until PostgreSQL has met it: it may have some room of its own left."""
        before, end = self._server.log_lines(NO_SPACE), stopwatch() + self._full_seconds_max
        self._server.disk.fill()
        while self._server.log_lines(NO_SPACE) == before and stopwatch() < end:
            sleep(0.2)
        sleep(self._some_seconds(2.0))
        self._server.disk.make_room()
        self._server.wait()

    def _everything_down(self) -> None:
        """For longer than some waits last."""
        for member in self._cluster.members:
            if member.runs:
                member.signal(signal.SIGKILL)
        self._server.stop("immediate")
        sleep(self._some_seconds(4.0))
        self._server.wait()
        for member in self._cluster.members:
            member.start()
        self._cluster.wait()
