"""The commands: each runs one part of Darkroom in this process until it is stopped, or does one thing and ends."""

import asyncio
import logging
import os
import signal
import socket
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import uvicorn
import uvloop

from tasks import preflight
from tasks.settings import Settings, SettingsError
from webapp.cli import logs, sockets
from webapp.cli.open_access import access_refused
from webapp.http.direct_peer import NotedPeer
from webapp.http.hosts import HostGuard
from webapp.http.protocol import PatientProtocol

Done = TypeVar("Done")

FAILED = 1
REFUSED = 2
FAILED_TO_START = 3  # the exit code of uvicorn's own command


def web(settings: Settings, descriptor: int | None, tokens: int | None) -> int:
    """Serve the gallery and the API on HOST and PORT, or on a socket that already listens.

    tokens: where to write a token that somebody enters, see webapp/cli/up.py.
    """
    _begin(settings, database=False)
    if descriptor is None and (refused := access_refused(settings)):
        return refused
    listening = sockets.for_web(settings) if descriptor is None else socket.socket(fileno=descriptor)
    from webapp.app import create_app

    if descriptor is None:
        logging.getLogger("webapp").info("Listening on http://%s:%d", settings.host, settings.port)
    apps: list[Any] = []

    def created() -> object:
        apps.append(create_app(None if tokens is None else lambda token: os.write(tokens, f"{token}\n".encode())))
        return NotedPeer(apps[0], settings.trusted_proxies)

    return _serve(created, listening, settings, lambda: apps[0].state.hub.waiters.stop())


def standin(settings: Settings, descriptor: int | None) -> int:
    """Serve a small Replicate that draws, on HOST and STANDIN_PORT, or on a socket that already listens.

    Does nothing when Replicate itself makes the pictures.
    """
    if not settings.needs_standin:
        print("darkroom: REPLICATE_API_TOKEN is set, so Replicate makes the pictures; the stand-in is not needed")
        return 0
    _begin(settings, database=False)
    listening = sockets.for_standin(settings) if descriptor is None else socket.socket(fileno=descriptor)
    from tasks.standin.app import create_app

    names = settings.host_names | {urlsplit(settings.api_url).hostname or ""}
    folder, control = settings.data_dir / "standin", settings.standin_control
    return _serve(lambda: HostGuard(create_app(folder, control=control), names), listening, settings)


def worker(settings: Settings, halted: bool) -> int:
    """Make pictures until SIGTERM or Ctrl-C. halted: begin no new ones until a user resumes the queue."""
    _begin(settings, database=False)
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
    _begin(settings)

    async def nothing_more() -> None:
        pass  # whoever opens the database brings it up to date

    _connected(nothing_more)
    return 0


def look_at_migrations(settings: Settings, plan: bool) -> int:
    """Print how the database stands to this version, and change nothing. plan: list the migrations that would be run.

    Without a plan, returns FAILED unless the database is up to date. Returns REFUSED when it cannot be asked.
    """
    _begin(settings, folders=False)
    from tasks.db.migrations import standing
    from tasks.errors import DatabaseAway
    from webapp.cli import migrations

    try:
        found = asyncio.run(standing())
    except DatabaseAway as away:
        print(f"darkroom: {away}", file=sys.stderr)
        return REFUSED
    print("\n".join([*(migrations.plan(found) if plan else ()), migrations.verdict(found)]))
    return 0 if plan or found.up_to_date else FAILED


def halt(settings: Settings, model: str | None = None, reason: str | None = None, until: str | None = None) -> int:
    """Halt the queue, or one model: its prompts wait until resume(), or until a time, in ISO 8601."""
    _begin(settings, folders=False)
    from tasks.accounts.audit import By
    from tasks.errors import Rejected
    from tasks.jobs import pauses
    from tasks.operations import pausing

    try:
        asked = pauses.read(model, reason, until)
    except Rejected as rejected:
        lines = (f"darkroom: --{each.pointer.removeprefix('/')}: {each.message}" for each in rejected.faults)
        print("\n".join(lines), file=sys.stderr)
        return REFUSED
    _connected(lambda: pausing.hold(asked, By()))
    return 0


def resume(settings: Settings, model: str | None = None) -> int:
    """Lift a halt that only a user can lift, or the pause of a model, and print which one it was."""
    _begin(settings, folders=False)
    from webapp.cli import pausing

    print(_connected(lambda: pausing.lift(model)))
    return 0


def spend(settings: Settings, month: str | None) -> int:
    """Print what the runs of a month (2026-11, in the zone of TIMEZONE) cost, by model. month: None for this month."""
    _begin(settings, folders=False)
    from tasks.models.costs import usd
    from tasks.spend import totals

    first = totals.month_of(month) if month else totals.today().replace(day=1)

    async def read() -> tuple[list[totals.Line], int]:
        return await totals.of_month(first), await totals.unpriced(first)

    lines, unpriced = _connected(read)
    print(f"{f'{first:%Y-%m}':<50}{'runs':>10}{'pretend cost' if settings.standin else 'cost':>16}")
    for total in (*totals.grouped(lines, lambda line: line.model), totals.summed(lines, "total")):
        print(f"{total.name:<50}{total.runs:>10,}{usd(total.micros):>16}")
    if unpriced:
        print(f"Not counted, because their price is not known: {unpriced:,} run{'' if unpriced == 1 else 's'}.")
    return 0


def doctor(settings: Settings) -> int:
    """Check everything, and print each finding in a line. Returns FAILED when something does not work."""
    _begin(settings)
    from tasks.health.doctor import examine

    lines, works = asyncio.run(examine(settings))
    print("\n".join(lines))
    return 0 if works else FAILED


def accounts(settings: Settings, asked: Namespace) -> int:
    """Run `people`, `keys`, `budgets`, `adjust` or `audit`."""
    _begin(settings)
    from tasks.errors import Rejected
    from webapp.cli.accounts import Refused, act

    try:
        print("\n".join(_connected(lambda: act(asked, settings))))
    except (Refused, Rejected) as error:
        lines = [fault.message for fault in error.faults] if isinstance(error, Rejected) else [str(error)]
        print("\n".join(f"darkroom: {line}" for line in lines), file=sys.stderr)
        return REFUSED
    return 0


def backups(settings: Settings, asked: Namespace) -> int:
    """Run `backup`, `restore` or `check-files`."""
    _begin(settings)
    from webapp.cli.backups import act

    return asyncio.run(act(asked, settings))


def mcp_config(settings: Settings, client: str | None) -> int:
    """Print what to paste into a program, or into each, so that its agents find this Darkroom.

    A key has its place in it if there are people, and where another Darkroom is meant: that is not asked.
    """
    from webapp.cli import mcp_config

    with_key = bool(mcp_config.elsewhere())
    if not with_key:
        _begin(settings)
        from tasks.accounts import people

        with_key = _connected(people.exist)
    print("\n".join(mcp_config.lines(settings, with_key, client)))
    return 0


def check_access(settings: Settings) -> int:
    """Raise SettingsError when HOST can be reached from other machines and nobody would have to sign in."""
    _begin(settings)
    from tasks.accounts import people

    if not _connected(people.exist):
        raise SettingsError(
            f"HOST: {settings.host} is open to the network, and nobody has to sign in yet. Add a person (darkroom"
            " people add NAME --admin), or set OPEN_ACCESS=anyone if everyone who reaches it may use it"
        )
    return 0


def demo_data(settings: Settings, count: int, seed: int, into_existing: bool) -> int:
    """Fill the library with made-up jobs. into_existing: also when the library already has jobs."""
    _begin(settings)
    from tasks.demo import seeding
    from tasks.files import library_mark
    from tasks.files.storage import Storage

    async def fill() -> None:
        storage = Storage.open(settings.storage_url)
        if reason := await library_mark.check(storage):
            raise SettingsError(f"STORAGE_URL: {reason}")
        await seeding.fill(count, storage, seed=seed, into_existing=into_existing)

    try:
        _connected(fill)
    except seeding.NotEmpty:
        print("darkroom: this library already has jobs; use --into-existing to add made-up ones", file=sys.stderr)
        return REFUSED
    return 0


def _begin(settings: Settings, folders: bool = True, database: bool = True) -> None:
    """Log from now on, and check the folders and the database server. Raises SettingsError."""
    logs.begin(settings)
    if folders:
        preflight.check(settings)
    if database:
        preflight.check_database(settings)


def _connected(do: Callable[[], Awaitable[Done]]) -> Done:
    """Run what a command does with the database open, and up to date."""
    from tasks.db.database import connected

    async def done() -> Done:
        async with connected():
            return await do()

    return asyncio.run(done())


class Server(uvicorn.Server):
    """A server that calls `stopping` before it lets nobody in any more. It then cuts off who is not answered soon."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        self._stopping()
        await super().shutdown(sockets)


def _serve(
    create_app: Callable[[], object],
    listening: socket.socket,
    settings: Settings,
    stopping: Callable[[], None] = lambda: None,
) -> int:
    server = Server(
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
        ),
        stopping,
    )
    with listening:
        server.run([listening])
    return 0 if server.started else FAILED_TO_START
