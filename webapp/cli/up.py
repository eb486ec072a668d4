"""Runs everything on this machine: Valkey, the web server, the stand-in and a worker, each a process of its own.

This process only supervises the others, and stays small: it imports neither the web framework nor the database.
"""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from tasks import preflight
from tasks.settings import ROOT, Settings
from webapp.cli import sockets, valkey
from webapp.cli.banner import FIRST_RESPONSE_SECONDS, ask_redis, first_answer, welcome
from webapp.cli.instance_lock import locked
from webapp.cli.open_access import access_refused
from webapp.cli.parent_watch import Tether
from webapp.cli.supervisor import Child, Part, end, tell

# Seconds for web and worker to end, then for the parts they depend on: with twice KILL_SECONDS less than five in all.
GRACE, GRACE_AFTER = 2.5, 0.7
MAX_SOCKET_PATH_BYTES = 100  # bytes: sun_path holds 104 on macOS, 108 on Linux
LOOK_UP_SECONDS = 0.5  # how long to wait for an event before signals and the parent are looked at again

AGAIN = 256  # in place of an exit code: everything is started again

Outcome = tuple[str, int]
"""A line that says why everything ends, and the exit code."""
Events = queue.SimpleQueue[Outcome | None]
"""The events of a run. None stands for the web server's first answer. put() may be called from a signal handler."""


def up(settings: Settings, parent: int | None, halted: bool) -> int:
    """Run everything until a signal, or until a part cannot be kept alive; then end it all. Returns the exit code.

    A token that somebody enters in the gallery starts everything again, as this process.

    parent: the id of the process that started this one, to end when it is gone. It is given, not asked for: by then it
    may be gone already. halted: halt the queue first. (Only once: a worker that dies and starts again must not halt
    it.) Raises SettingsError before anything starts.
    """
    preflight.check(settings)
    preflight.check_database(settings)
    events: Events = queue.SimpleQueue()
    with ExitStack() as stack:
        lock = stack.enter_context(locked(settings.data_dir))
        web = stack.enter_context(sockets.for_web(settings))
        standin = stack.enter_context(sockets.for_own_standin(settings)) if _needs_standin(settings) else None
        tether = stack.enter_context(Tether())
        tokens = stack.enter_context(_tokens(events)) if settings.standin else None
        valkey_socket = None if settings.redis_url else _valkey_socket(settings, stack)
        if refused := access_refused(settings):
            return refused
        if halted and (failed := subprocess.run([sys.executable, "-m", "webapp", "halt"], cwd=ROOT).returncode):
            return failed
        stack.enter_context(_signals(events))
        # Pages come before pictures: until the web server answers, it has the processor to itself.
        first, then = _parts(settings, web, standin, tether, lock, valkey_socket, tokens)
        children = [_start(part, events) for part in first]
        redis_answers = ask_redis(settings)
        threading.Thread(target=_await_first_answer, args=(web, events), daemon=True).start()
        while (outcome := _next(events, parent)) is None:
            tell(welcome(settings, web, redis_answers()))
            children += [_start(part, events) for part in then]
        line, code = outcome
        tell(line)
        end([child for child in children if child.part.name in ("web", "worker")], GRACE)
        end(children, GRACE_AFTER)
    if code == AGAIN:
        os.execv(sys.executable, [word for word in sys.orig_argv if word != "--halted"])  # noqa: S606 (ourselves)
    return code


def _needs_standin(settings: Settings) -> bool:
    return settings.standin and not settings.replicate_api_url and not settings.standin_url


def _valkey_socket(settings: Settings, stack: ExitStack) -> Path:
    """Return the embedded server's socket path: in DATA_DIR, or in a new folder if that would be too long."""
    if len(os.fsencode(settings.valkey_socket)) < MAX_SOCKET_PATH_BYTES:
        return settings.valkey_socket
    return Path(stack.enter_context(TemporaryDirectory(prefix="darkroom-", dir="/tmp"))) / "valkey.sock"


def _parts(
    settings: Settings,
    web: socket.socket,
    standin: socket.socket | None,
    tether: Tether,
    lock: int,
    valkey_socket: Path | None,
    tokens: int | None,
) -> tuple[list[Part], list[Part]]:
    """Return the parts to start immediately, and the parts to start when the web server answers."""
    environment = dict(os.environ)
    if standin is not None:
        environment["STANDIN_URL"] = f"http://127.0.0.1:{standin.getsockname()[1]}/v1"
    if valkey_socket is not None:
        environment["REDIS_URL"] = f"unix://{quote(str(valkey_socket))}"

    def part(
        name: str,
        words: list[str],
        listening: socket.socket | None = None,
        tokens_to: int | None = None,
        niceness: int = 0,
    ) -> Part:
        held = [tether.descriptor, lock]  # the lock is held until the last child is gone
        if listening is not None:
            words, held = [*words, "--fd", str(listening.fileno())], [*held, listening.fileno()]
        if tokens_to is not None:
            words, held = [*words, "--token-fd", str(tokens_to)], [*held, tokens_to]
        return Part(name, words, environment, held, ROOT, niceness)

    python, tied = [sys.executable, "-m"], str(tether.descriptor)
    darkroom = [*python, "webapp", "--tether", tied]
    first, then = [part("web", [*darkroom, "web"], web, tokens)], [part("worker", [*darkroom, "worker"], niceness=5)]
    if valkey_socket is not None:
        folder = settings.data_dir / "valkey"
        folder.mkdir(exist_ok=True)
        server = valkey.command(valkey_socket, folder)
        first.append(part("valkey", [*python, "webapp.cli.parent_watch", tied, *server]))
    if standin is not None:
        then.append(part("stand-in", [*darkroom, "standin"], standin, niceness=5))
    return first, then


def _start(part: Part, events: Events) -> Child:
    return Child(part, lambda line, code: events.put((line, code)))


@contextmanager
def _signals(events: Events) -> Iterator[None]:
    """Turn Ctrl-C and similar signals into an outcome while the block runs. Ignored ones (nohup) stay ignored."""
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    caught = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    before = [signal.signal(number, lambda *_: events.put(("Stopping.", 0))) for number in caught]
    try:
        yield
    finally:
        for number, handler in zip(caught, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _tokens(events: Events) -> Iterator[int]:
    """Yield a descriptor while the block runs, for the web server: a line there is the token that is to be used."""
    reading, writing = os.pipe()
    threading.Thread(target=_await_token, args=(reading, events), daemon=True).start()
    try:
        yield writing
    finally:
        os.close(writing)


def _await_token(reading: int, events: Events) -> None:
    with open(reading) as lines:
        for line in lines:
            os.environ["REPLICATE_API_TOKEN"] = line.strip()
            events.put(("Starting again, with the token that was entered.", AGAIN))


def _await_first_answer(web: socket.socket, events: Events) -> None:
    try:
        first_answer(web)
        events.put(None)
    except OSError:
        events.put((f"The web server did not answer within {FIRST_RESPONSE_SECONDS:.0f} s. Stopping.", 1))


def _next(events: Events, parent: int | None) -> Outcome | None:
    """Wait for the next event and return it. If a parent is given, its end is an event, too.

    Never waits without end: a signal that arrives just before the wait, or in another thread, does not end it, and
    Python calls the signal's handler only afterwards.
    """
    while True:
        try:
            return events.get(timeout=LOOK_UP_SECONDS)
        except queue.Empty:
            if parent is not None and os.getppid() != parent:
                return ("The parent process has ended. Stopping.", 0)
