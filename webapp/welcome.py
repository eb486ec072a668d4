"""What `darkroom up` says when the web server answers: where to look, what draws, where things are."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from tasks.settings import Settings

FIRST_ANSWER = 60.0  # seconds the web server has to answer its first request
REDIS_ANSWER = 2.0  # seconds that Redis has, from the start on


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


def ask_redis(settings: Settings) -> Callable[[], bool]:
    """Ask Redis whether it is there, if it is not our own. What is returned waits for the answer, for 2 s from now."""
    answer: Future[bool] = Future()
    until = time.monotonic() + REDIS_ANSWER
    if settings.redis_url:  # by a thread that is not waited for: to look up a name may take for ever
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
    from redis import Redis, RedisError  # here, as few need it: it takes a fifth of a second to import
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    once = Retry(NoBackoff(), 0)
    try:
        with Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, retry=once) as redis:
            return bool(redis.ping())
    except (RedisError, OSError):
        return False


def welcome(settings: Settings, web: socket.socket, redis_answers: bool) -> str:
    """A few lines for the person at the terminal."""
    host, port = _to_call(web)
    drawn = "Replicate"
    if settings.standin:
        drawn = "the stand-in, on this machine; set REPLICATE_API_TOKEN (in .env) for real ones"
    if settings.replicate_api_url:
        drawn = settings.replicate_api_url
    silent_redis = f"  Redis      at {settings.redis_place} does not answer: jobs run all the same, live pages lag\n"
    return (
        f"\n  Darkroom   {settings.public_url or f'http://{_in_url(host)}:{port}'}\n"
        f"  Pictures   by {drawn}\n"
        f"  Kept in    {settings.storage_folder or settings.storage_url}\n"
        f"  Database   {settings.sqlite_path or 'PostgreSQL'}\n"
        f"{'' if redis_answers else silent_redis}"
        f"  Stop       Ctrl-C\n"
    )


def _to_call(web: socket.socket) -> tuple[str, int]:
    """Host and port to call: where it listens everywhere, this machine."""
    host, port = web.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
