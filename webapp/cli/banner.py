"""What `darkroom up` prints when the web server answers: its address, what draws, where files and database are."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from tasks.settings import Settings

FIRST_RESPONSE_SECONDS = 60.0  # seconds for the web server to answer its first request
REDIS_TIMEOUT_SECONDS = 2.0  # seconds for Redis to answer, counted from the start


def first_answer(web: socket.socket) -> None:
    """Wait for the web server's first answer. One request is enough: the socket already listens, so the request waits.

    Raises OSError when there is no answer in time.
    """
    deadline = time.monotonic() + FIRST_RESPONSE_SECONDS
    while True:
        with socket.create_connection(_to_call(web), timeout=max(0.1, deadline - time.monotonic())) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            with suppress(ConnectionError):  # the server died meanwhile: its successor is asked again
                if connection.recv(1):
                    return
        time.sleep(0.1)


def ask_redis(settings: Settings) -> Callable[[], bool]:
    """Ask Redis whether it is up, unless it is our own.

    The returned function waits for the answer, until 2 s from now.
    """
    answer: Future[bool] = Future()
    until = time.monotonic() + REDIS_TIMEOUT_SECONDS
    if settings.redis_url:  # in a thread that nothing waits for: a name lookup may take forever
        threading.Thread(target=lambda: answer.set_result(_redis_answers(settings.redis_url)), daemon=True).start()
    else:
        answer.set_result(True)

    def wait() -> bool:
        try:
            return answer.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            return False

    return wait


def _redis_answers(url: str) -> bool:
    from redis import Redis, RedisError  # here, because few need it and the import takes a fifth of a second
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    once = Retry(NoBackoff(), 0)
    try:
        with Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, retry=once) as redis:
            return bool(redis.ping())
    except (RedisError, OSError):
        return False


def welcome(settings: Settings, web: socket.socket, redis_answers: bool) -> str:
    """Return a few lines for the user at the terminal."""
    host, port = _to_call(web)
    drawn = "Replicate"
    if settings.standin:
        drawn = "the stand-in, on this machine; for real ones, enter your token under Demo mode"
    if settings.replicate_api_url:
        drawn = settings.replicate_api_url
    silent_redis = f"  Redis      at {settings.redis_place} is not responding: jobs still run, live pages lag\n"
    return (
        f"\n  Darkroom   {settings.public_url or f'http://{in_url(host)}:{port}'}\n"
        f"  Pictures   by {drawn}\n"
        f"  Kept in    {settings.storage_folder or settings.storage_url}\n"
        f"  Database   {settings.sqlite_path or 'PostgreSQL'}\n"
        f"{'' if redis_answers else silent_redis}"
        f"  Stop       Ctrl-C\n"
    )


def _to_call(web: socket.socket) -> tuple[str, int]:
    """Return the host and port to connect to: this machine when the socket listens on all addresses."""
    host, port = web.getsockname()[:2]
    return reachable(host), port


def reachable(host: str) -> str:
    """Return a host to connect to: this machine for all of its addresses."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (nothing is bound here)


def in_url(host: str) -> str:
    """Return a host as it is written in a URL."""
    return f"[{host}]" if ":" in host else host
