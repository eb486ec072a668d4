"""The commands: each runs one part of Darkroom in this process until it is stopped."""

import asyncio
import logging
import os
import signal
import socket
import sys
from argparse import Namespace
from collections.abc import Callable
from urllib.parse import urlsplit

import uvicorn
import uvloop

from tasks import preflight
from tasks.settings import Settings, SettingsError
from webapp.cli import sockets
from webapp.cli.open_access import access_refused
from webapp.http.direct_peer import NotedPeer
from webapp.http.hosts import HostGuard
from webapp.http.protocol import PatientProtocol

FAILED = 1
REFUSED = 2
FAILED_TO_START = 3  # the exit code of uvicorn's own command


def web(settings: Settings, descriptor: int | None) -> int:
    """Serve the gallery and the API on HOST and PORT, or on a socket that already listens."""
    _log(settings)
    preflight.check(settings)
    if descriptor is None and (refused := access_refused(settings)):
        return refused
    listening = sockets.for_web(settings) if descriptor is None else socket.socket(fileno=descriptor)
    from webapp.app import create_app

    if descriptor is None:
        logging.getLogger("webapp").info("Listening on http://%s:%d", settings.host, settings.port)
    return _serve(lambda: NotedPeer(create_app(), settings.trusted_proxies), listening, settings)


def standin(settings: Settings, descriptor: int | None) -> int:
    """Serve a small Replicate that draws, on HOST and STANDIN_PORT, or on a socket that already listens.

    Does nothing when Replicate itself makes the pictures.
    """
    if not settings.needs_standin:
        print("darkroom: REPLICATE_API_TOKEN is set, so Replicate makes the pictures; the stand-in is not needed")
        return 0
    _log(settings)
    preflight.check(settings)
    listening = sockets.for_standin(settings) if descriptor is None else socket.socket(fileno=descriptor)
    from tasks.standin.app import create_app

    names = settings.host_names | {urlsplit(settings.api_url).hostname or ""}
    folder, control = settings.data_dir / "standin", settings.standin_control
    return _serve(lambda: HostGuard(create_app(folder, control=control), names), listening, settings)


def worker(settings: Settings, halted: bool) -> int:
    """Make pictures until SIGTERM or Ctrl-C. halted: begin no new ones until a user resumes the queue."""
    _log(settings)
    preflight.check(settings)
    from tasks.worker.process import run

    # Until it has started, nothing has to be stopped in order. The system itself would ignore SIGTERM in a container.
    signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))

    async def until_told() -> None:
        stop = asyncio.Event()

        def listen_to_signals() -> None:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)

        await run(stop, halted, ready=listen_to_signals)

    uvloop.run(until_told())
    return 0


def migrate(settings: Settings) -> int:
    """Bring the database up to date."""
    _log(settings)
    preflight.check(settings)
    preflight.check_database(settings)
    from tasks.db.database import connected

    async def open_and_close() -> None:
        async with connected():
            pass

    asyncio.run(open_and_close())
    return 0


def halt(settings: Settings) -> int:
    """Halt the queue: all prompts wait until resume()."""
    _log(settings)
    preflight.check_database(settings)
    from tasks.accounts import audit
    from tasks.accounts.audit import By
    from tasks.db.database import connected
    from tasks.replicate import circuit

    async def hold() -> None:
        async with connected():
            await circuit.hold_by_hand()
            await audit.note(By(), "queue halted", "queue")

    asyncio.run(hold())
    return 0


def resume(settings: Settings) -> int:
    """Lift a halt that only a user can lift, and print which one it was, or what else halts the queue."""
    _log(settings)
    preflight.check_database(settings)
    from tasks.accounts import audit
    from tasks.accounts.audit import By
    from tasks.db.database import connected
    from tasks.replicate import circuit

    async def lift() -> str:
        async with connected():
            if lifted := await circuit.resume():
                await audit.note(By(), "queue resumed", "queue", before={"halted": lifted.message})
                return f"Resumed the queue. It was halted since {lifted.since:%Y-%m-%d %H:%M:%S} UTC: {lifted.message}"
            other = await circuit.current()
        if other is None:
            return "The queue is not halted."
        return f"The queue was not halted by a user. It resumes automatically once this is over: {other.message}"

    print(asyncio.run(lift()))
    return 0


def spend(settings: Settings, month: str | None) -> int:
    """Print what the runs of a month (2026-11, in the zone of TIMEZONE) cost, by model. month: None for this month."""
    _log(settings)
    preflight.check_database(settings)
    from tasks.db.database import connected
    from tasks.models.costs import usd
    from tasks.spend import totals

    first = totals.month_of(month) if month else totals.today().replace(day=1)

    async def read() -> tuple[list[totals.Line], int]:
        async with connected():
            return await totals.of_month(first), await totals.unpriced(first)

    lines, unpriced = asyncio.run(read())
    print(f"{f'{first:%Y-%m}':<50}{'runs':>10}{'pretend cost' if settings.standin else 'cost':>16}")
    for total in (*totals.grouped(lines, lambda line: line.model), totals.summed(lines, "total")):
        print(f"{total.name:<50}{total.runs:>10,}{usd(total.micros):>16}")
    if unpriced:
        print(f"Not counted, because their price is not known: {unpriced:,} run{'' if unpriced == 1 else 's'}.")
    return 0


def doctor(settings: Settings) -> int:
    """Check everything, and print each finding in a line. Returns FAILED when something does not work."""
    _log(settings)
    preflight.check(settings)
    preflight.check_database(settings)
    from webapp.cli.doctor import examine

    lines, works = asyncio.run(examine(settings))
    print("\n".join(lines))
    return 0 if works else FAILED


def accounts(settings: Settings, asked: Namespace) -> int:
    """Run `people`, `keys`, `budgets`, `adjust` or `audit`."""
    _log(settings)
    preflight.check(settings)
    preflight.check_database(settings)
    from tasks.db.database import connected
    from tasks.errors import Rejected
    from webapp.cli.accounts import Refused, act

    async def run() -> list[str]:
        async with connected():
            return await act(asked, settings)

    try:
        print("\n".join(asyncio.run(run())))
    except (Refused, Rejected) as error:
        lines = [fault.message for fault in error.faults] if isinstance(error, Rejected) else [str(error)]
        print("\n".join(f"darkroom: {line}" for line in lines), file=sys.stderr)
        return REFUSED
    return 0


def check_access(settings: Settings) -> int:
    """Raise SettingsError when HOST can be reached from other machines and nobody would have to sign in."""
    _log(settings)
    preflight.check(settings)
    preflight.check_database(settings)
    from tasks.accounts import people
    from tasks.db.database import connected

    async def look() -> bool:
        async with connected():
            return await people.exist()

    if not asyncio.run(look()):
        raise SettingsError(
            f"HOST: {settings.host} is open to the network, and nobody has to sign in yet. Add a person (darkroom"
            " people add NAME --admin), or set OPEN_ACCESS=anyone if everyone who reaches it may use it"
        )
    return 0


def demo_data(settings: Settings, count: int, seed: int, into_existing: bool) -> int:
    """Fill the library with made-up jobs. into_existing: also when the library already has jobs."""
    _log(settings)
    preflight.check(settings)
    preflight.check_database(settings)
    from tasks.db.database import connected
    from tasks.demo import seeding
    from tasks.files import library_mark
    from tasks.files.storage import Storage

    async def fill() -> None:
        storage = Storage.open(settings.storage_url)
        async with connected():
            if reason := await library_mark.check(storage):
                raise SettingsError(f"STORAGE_URL: {reason}")
            await seeding.fill(count, storage, seed=seed, into_existing=into_existing)

    try:
        asyncio.run(fill())
    except seeding.NotEmpty:
        print("darkroom: this library already has jobs; use --into-existing to add made-up ones", file=sys.stderr)
        return REFUSED
    return 0


def _serve(create_app: Callable[[], object], listening: socket.socket, settings: Settings) -> int:
    server = uvicorn.Server(
        uvicorn.Config(
            create_app,
            factory=True,
            http=PatientProtocol,
            ws="none",
            log_config=None,
            access_log=settings.log_level == "debug",
            server_header=False,
            proxy_headers=False,  # see webapp/http/direct_peer.py
            timeout_graceful_shutdown=2,  # a slow download does not delay shutdown
            timeout_keep_alive=30,  # longer than clients keep a connection, so that none is closed while in use
        )
    )
    with listening:
        server.run([listening])
    return 0 if server.started else FAILED_TO_START


def _log(settings: Settings) -> None:
    """Log our own messages from LOG_LEVEL on, and those of libraries from the next higher level than DEBUG and INFO."""
    ours = settings.log_level.upper()
    theirs = {"DEBUG": "INFO", "INFO": "WARNING"}.get(ours, ours)
    handler = logging.StreamHandler()
    handler.setFormatter(InALine("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=theirs)
    logging.getLogger("uvicorn").setLevel(theirs)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    for name in ("tasks", "webapp"):
        logging.getLogger(name).setLevel(ours)


class InALine(logging.Formatter):
    """A formatter that keeps each message on one line: a line break in a client's URL or header could forge another.

    Only a traceback that is part of a message (extra={"has_traceback": True}) keeps its lines.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Return the message on one line."""
        line = super().formatMessage(record)
        kept = "\n" if getattr(record, "has_traceback", False) else ""
        return "".join(sign if sign.isprintable() or sign in kept else repr(sign)[1:-1] for sign in line)


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether uvicorn's message is not about an incomplete body: http/streams.py has logged the reason."""
    return record.msg != "ASGI callable returned without completing response."
