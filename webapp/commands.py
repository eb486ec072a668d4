"""What each command does: one part of Darkroom in this process, until it is told to stop."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
import uvloop

from tasks import hosts, preflight
from tasks.settings import Settings, SettingsError
from webapp import ports
from webapp.protocol import PatientProtocol

REFUSED = 2
FAILED_TO_START = 3  # as uvicorn's own command says it


def web(settings: Settings, descriptor: int | None) -> int:
    """Serve the gallery and the API on HOST and PORT, or on a socket that listens already."""
    _log(settings)
    preflight.check(settings)
    listening = ports.for_web(settings) if descriptor is None else socket.socket(fileno=descriptor)
    from webapp.app import create_app

    if descriptor is None:
        logging.getLogger("webapp").info("Listening on http://%s:%d", settings.host, settings.port)
    return _serve(create_app, listening, settings)


def standin(settings: Settings, descriptor: int | None) -> int:
    """Serve a small Replicate that draws, on HOST and STANDIN_PORT, or on a socket that listens already.

    Where Replicate itself is asked, nothing.
    """
    if not settings.needs_standin:
        print("darkroom: with a REPLICATE_API_TOKEN Replicate makes the pictures; the stand-in has nothing to do")
        return 0
    _log(settings)
    preflight.check(settings)
    listening = ports.for_standin(settings) if descriptor is None else socket.socket(fileno=descriptor)
    from tasks.standin.app import create_app

    names = settings.host_names | {hosts.name_of(settings.api_url)}
    folder, control = settings.data_dir / "standin", settings.standin_control
    return _serve(lambda: create_app(folder, hosts=names, control=control), listening, settings)


def worker(settings: Settings, halted: bool) -> int:
    """Make pictures until SIGTERM or Ctrl-C. halted: none that is not begun, until somebody resumes the queue."""
    _log(settings)
    preflight.check(settings)
    from tasks.worker import run

    async def until_told() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run(stop, halted)

    uvloop.run(until_told())
    return 0


def migrate(settings: Settings) -> int:
    """Bring the database up to date."""
    _log(settings)
    preflight.check(settings)
    preflight.check_database(settings)
    from tasks.database import connected

    async def open_and_close() -> None:
        async with connected():
            pass

    asyncio.run(open_and_close())
    return 0


def halt(settings: Settings) -> int:
    """Have all prompts wait until resume()."""
    _log(settings)
    preflight.check_database(settings)
    from tasks import halts
    from tasks.database import connected

    async def hold() -> None:
        async with connected():
            await halts.hold_by_hand()

    asyncio.run(hold())
    return 0


def resume(settings: Settings) -> int:
    """Lift a halt that only people lift, and say which that was, or what else halts the queue."""
    _log(settings)
    preflight.check_database(settings)
    from tasks import halts
    from tasks.database import connected

    async def lift() -> str:
        async with connected():
            if lifted := await halts.resume():
                return f"The queue goes on. It was halted since {lifted.since:%Y-%m-%d %H:%M:%S} UTC: {lifted.message}"
            other = await halts.current()
        if other is None:
            return "The queue is not halted."
        return f"The queue is not halted by hand. It goes on by itself once this has passed: {other.message}"

    print(asyncio.run(lift()))
    return 0


def demo_data(settings: Settings, count: int, seed: int, into_existing: bool) -> int:
    """Fill the library with made-up jobs. Where there are jobs already, only if that is wanted."""
    _log(settings)
    preflight.check(settings)
    preflight.check_database(settings)
    from tasks import library_mark
    from tasks.database import connected
    from tasks.demo import seeding
    from tasks.storage import Storage

    async def fill() -> None:
        storage = Storage.open(settings.storage_url)
        async with connected():
            if reason := await library_mark.check(storage):
                raise SettingsError(f"STORAGE_URL: {reason}")
            await seeding.fill(count, storage, seed=seed, into_existing=into_existing)

    try:
        asyncio.run(fill())
    except seeding.NotEmpty:
        print("darkroom: there are jobs in this library; --into-existing adds made-up ones to them", file=sys.stderr)
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
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=2,  # a slow download does not hold up the end
            timeout_keep_alive=30,  # longer than clients keep a connection, so that none is closed as they use it
        )
    )
    with listening:
        server.run([listening])
    return 0 if server.started else FAILED_TO_START


def _log(settings: Settings) -> None:
    """Our own words at LOG_LEVEL; those of libraries where something is wrong, or where everything is asked for."""
    ours = settings.log_level.upper()
    theirs = "WARNING" if ours == "INFO" else ours
    handler = logging.StreamHandler()
    handler.setFormatter(InALine("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=theirs)
    logging.getLogger("uvicorn").setLevel(theirs)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    for name in ("tasks", "webapp"):
        logging.getLogger(name).setLevel(ours)


class InALine(logging.Formatter):
    """Each message in one line, whatever a stranger's address or header made it hold: a line break forges another.

    Only a traceback that is part of a message (extra={"has_traceback": True}) keeps its lines.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        line = super().formatMessage(record)
        kept = "\n" if getattr(record, "has_traceback", False) else ""
        return "".join(sign if sign.isprintable() or sign in kept else repr(sign)[1:-1] for sign in line)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether uvicorn says something else than that a body has no end: webapp/streams.py has told why."""
    return record.msg != "ASGI callable returned without completing response."
