"""Serves stand-ins, and any other ASGI app, on a free port for as long as a test needs them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from tests.waiting import wait_until


class Served:
    """An ASGI app that is served from a thread. address: scheme, host and port."""

    def __init__(self, app: ASGIApp) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        wait_until(lambda: self._server.started)
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def leave(self) -> None:
        """Ask the server to stop, without waiting for it."""
        self._server.should_exit = True

    def join(self) -> None:
        """Wait until the server has stopped."""
        self._thread.join()
        self._socket.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve the app while the block runs. Yields its address."""
    running = Served(app)
    yield running.address
    running.leave()
    running.join()
