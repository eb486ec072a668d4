"""What `darkroom up` says when the web server answers: where to look, what draws, where things are."""

import socket
import time
from contextlib import suppress

from tasks.settings import Settings

FIRST_ANSWER = 60.0  # seconds the web server has to answer its first request


def first_answer(web: socket.socket) -> None:
    """Wait for the web server's first answer. The socket listens already, so one request will do: it waits.

    Raises OSError when there was none in time.
    """
    deadline = time.monotonic() + FIRST_ANSWER
    while True:
        with socket.create_connection(_to_call(web), timeout=max(0.1, deadline - time.monotonic())) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            with suppress(ConnectionError):  # the server died over it: its successor is asked again
                if connection.recv(1):
                    return
        time.sleep(0.1)


def welcome(settings: Settings, web: socket.socket) -> str:
    """A few lines for the person at the terminal."""
    host, port = _to_call(web)
    drawn = "Replicate"
    if settings.standin:
        drawn = "the stand-in, on this machine; set REPLICATE_API_TOKEN (in .env) for real ones"
    if settings.replicate_api_url:
        drawn = settings.replicate_api_url
    return (
        f"\n  Darkroom   {settings.public_url or f'http://{_in_url(host)}:{port}'}\n"
        f"  Pictures   by {drawn}\n"
        f"  Kept in    {settings.storage_folder or settings.storage_url}\n"
        f"  Database   {settings.sqlite_path or 'PostgreSQL'}\n"
        f"  Stop       Ctrl-C\n"
    )


def _to_call(web: socket.socket) -> tuple[str, int]:
    """Host and port to call: where it listens everywhere, this machine."""
    host, port = web.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
