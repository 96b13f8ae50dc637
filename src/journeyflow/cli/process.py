"""The parts of a serving process: started in order, and stopped so that nothing is left half done."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from threading import Event as Flag
from types import FrameType
from typing import Final

import structlog
import uvicorn

from journeyflow.api.app import create_app
from journeyflow.bootstrap import Installation
from journeyflow.cli.roles import ROLES, Role, start_engine, tell_others
from journeyflow.services.garbage import collect_rarely
from journeyflow.services.ingest import Ingest
from journeyflow.services.metrics import Metrics
from journeyflow.services.stream import Stream

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
    with ExitStack() as stack:
        collect_rarely()
        metrics, happenings = Metrics(), Stream()
        wake = start_engine(stack, installation, metrics, happenings) if engine else tell_others(stack, installation)
        ingest = Ingest(installation.engine, wake)
        ingest.start()
        stack.callback(ingest.stop)
        app = create_app(installation, ingest, wake, metrics=metrics, happenings=happenings)
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=REQUEST_SECONDS_MAX,
        )
        server = Server(config, on_listening, happenings.end)
        with _stopped_by_signals(server):
            server.run([listener])
    log.info("stopped")


def work(installation: Installation, roles: Collection[Role] = ROLES) -> None:
    """Be an engine until SIGTERM or SIGINT; the turn, and the messages, that were begun are finished then."""
    told = Flag()
    before = {number: signal.signal(number, lambda *_: told.set()) for number in STOPPING}
    try:
        with ExitStack() as stack:
            collect_rarely()
            start_engine(stack, installation, Metrics(), Stream(), roles)
            log.info("working", roles=",".join(roles))
            told.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    log.info("stopped")


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
