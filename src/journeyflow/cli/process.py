"""The parts of a serving process: started in order, and stopped so that nothing is left half done."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from threading import Event as Flag
from threading import Thread
from types import FrameType
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from journeyflow.api.app import create_app
from journeyflow.api.probes import probes
from journeyflow.bootstrap import Installation
from journeyflow.cli.roles import ROLES, Role, look_on, start_engine, tell_others
from journeyflow.db.store import read
from journeyflow.services.garbage import collect_rarely
from journeyflow.services.ingest import Ingest
from journeyflow.services.metrics import Metrics
from journeyflow.services.pressure import Bounds, Pressure
from journeyflow.services.stream import Stream
from journeyflow.settings import Settings
from journeyflow.worker.watch import Watch

log = structlog.get_logger()

REQUEST_SECONDS_MAX: Final = 30
"""How long requests that have begun may take once the process is told to stop."""
STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


class Server(uvicorn.Server):
    """Uvicorn's server, which says when it really listens, and when it begins to stop."""

    def __init__(
        self, config: uvicorn.Config, on_listening: Callable[[], None], on_stopping: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets)
        if self.started:
            self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell, then wait for the requests that have begun."""
        self._on_stopping()
        await super().shutdown(sockets)


def run(installation: Installation, listener: socket.socket, *, engine: bool, on_listening: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Then: requests are finished, what they brought is committed, the turn and the batch of messages that were begun are
    finished. Whatever is left waits in the database.

    :param engine: whether this process decides and delivers, too.
    """
    _read_flows(installation)
    with ExitStack() as stack:
        collect_rarely()
        metrics, happenings = Metrics(), Stream()
        wake = start_engine(stack, installation, metrics, happenings) if engine else tell_others(stack, installation)
        look_on(stack, installation, happenings)
        ingest = Ingest(installation.engine, wake)
        ingest.start()
        stack.callback(ingest.stop)
        pressure = Pressure(installation.engine, installation.clock, bounds(installation.settings))
        watch = Watch(pressure)
        watch.start()
        stack.callback(watch.stop)
        app = create_app(installation, ingest, wake, metrics=metrics, happenings=happenings, pressure=pressure)
        server = Server(_config(app), on_listening, happenings.end)
        with _stopped_by_signals(server):
            server.run([listener])
    log.info("stopped")


def _read_flows(installation: Installation) -> None:
    """See at the start, where an operator looks, that this release can work with what is published.

    :raises UnknownForm: when it can't; names the document.
    """
    with read(installation.engine) as connection:
        installation.cache.current(connection)
    for told in installation.cache.refused:
        log.warning("a former version of a journey is refused", reason=told)


def bounds(settings: Settings) -> Bounds:
    """How far the engine may be behind before events are refused."""
    return Bounds(settings.inbox_lag_seconds_max or None, settings.inbox_inputs_max or None)


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=REQUEST_SECONDS_MAX,
    )


def work(installation: Installation, roles: Collection[Role] = ROLES, probed_at: socket.socket | None = None) -> None:
    """Be an engine until SIGTERM or SIGINT; the turn, and the messages, that were begun are finished then.

    :param probed_at: where it is asked whether it is alive and ready, and for its metrics.
    """
    _read_flows(installation)
    told = Flag()
    metrics = Metrics()
    before = {number: signal.signal(number, lambda *_: told.set()) for number in STOPPING}
    try:
        with ExitStack() as stack:
            collect_rarely()
            start_engine(stack, installation, metrics, Stream(), roles)
            if probed_at is not None:
                _answer_probes(stack, installation, metrics, probed_at)
            log.info("working", roles=",".join(roles))
            told.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    log.info("stopped")


def _answer_probes(stack: ExitStack, installation: Installation, metrics: Metrics, listener: socket.socket) -> None:
    server = uvicorn.Server(_config(probes(installation, metrics)))
    thread = Thread(target=server.run, args=([listener],), name="probes", daemon=True)

    def stop() -> None:
        server.should_exit = True
        thread.join()

    thread.start()
    stack.callback(stop)


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Both signals mean an orderly end with exit code 0.

    Uvicorn stops on them, and raises them once more when it is done; by then there is nothing to stop.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
