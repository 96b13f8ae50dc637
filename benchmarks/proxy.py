"""A network between a client and PostgreSQL that can swallow everything and go on later, which TCP notices nothing of,
or be away.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event as Flag
from threading import Lock, Thread
from typing import Final, Self

Address = tuple[str, int] | str
"""Host and port, or the path of a socket."""
PIECE: Final = 1 << 16


class Proxy:
    """Listens on ``port`` of this machine and hands on what comes to a server, and back."""

    def __init__(self, server: Address) -> None:
        self._server = server
        self._links: list[_Link] = []
        self._swallows_new = False
        self._away = False
        self._lock = Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, name="proxy", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hang(self, *, new: bool = True) -> None:
        """From now on nothing arrives any more, nor on connections that are made from now on if ``new``."""
        with self._lock:
            self._swallows_new = new
            for link in self._links:
                link.flows.clear()

    def cut(self) -> None:
        """Break all connections, and those that are made from now on."""
        with self._lock:
            self._away = True
            for link in self._links:
                link.cut()

    def go_on(self) -> None:
        """What was held back arrives, and whatever comes from now on."""
        with self._lock:
            self._swallows_new = self._away = False
            for link in self._links:
                link.flows.set()

    def close(self) -> None:
        """Break all connections, and take no more."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._away:
                client.close()
                continue
            with self._lock:
                self._links = [link for link in self._links if not link.ended]
                self._links.append(_Link(client, self._server, flows=not self._swallows_new))


class _Link:
    """One connection, and its other half."""

    def __init__(self, client: socket.socket, server: Address, *, flows: bool) -> None:
        self.ended = False
        self.flows = Flag()
        if flows:
            self.flows.set()
        self._client = client
        self._other = socket.socket(socket.AF_UNIX if isinstance(server, str) else socket.AF_INET)
        Thread(target=self._serve, args=[server], daemon=True).start()

    def cut(self) -> None:
        for one in (self._client, self._other):
            with suppress(OSError):  # it may never have been connected
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.ended = True
        self.flows.set()

    def _serve(self, server: Address) -> None:
        self.flows.wait()
        try:
            self._other.connect(server)
        except OSError:
            self.cut()
            return
        Thread(target=self._hand_on, args=[self._other, self._client], daemon=True).start()
        self._hand_on(self._client, self._other)

    def _hand_on(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while piece := one.recv(PIECE):
                self.flows.wait()
                other.sendall(piece)
        except OSError:
            pass
        self.flows.wait()  # the end of a connection is something that arrives as well
        self.cut()
