"""Ports of this machine."""

from __future__ import annotations

import socket
from contextlib import closing


def free_port() -> int:
    """One that nobody listens on."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
