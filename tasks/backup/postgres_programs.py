"""Runs PostgreSQL's own programs: pg_dump, pg_restore and psql."""

import asyncio
import os
import re
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

from tasks.backup.errors import BackupError

PIECE = 1024 * 1024  # bytes


class Program:
    """A program that runs, with pipes for its input and its output."""

    def __init__(self, name: str, process: Process) -> None:
        self._name, self._process = name, process
        assert process.stderr is not None
        self._complaints = asyncio.create_task(process.stderr.read())

    async def output(self) -> AsyncIterator[bytes]:
        """Yield what it writes to its standard output, up to the end."""
        assert self._process.stdout is not None
        while piece := await self._process.stdout.read(PIECE):
            yield piece

    async def write(self, piece: bytes) -> None:
        """Write to its standard input. Raises BackupError with what it said if it has failed meanwhile."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(piece)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            await self.ended()
            raise

    async def ended(self) -> None:
        """Close its input, and wait until it has ended. Raises BackupError with what it said if it has failed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        said, code = await self._complaints, await self._process.wait()
        if code:
            words = _in_a_line(said.decode(errors="replace"), self._name) or f"ended with {code}"
            raise BackupError(f"{self._name}: {words}")

    async def close(self) -> None:
        """Kill it, if it still runs."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._complaints


@asynccontextmanager
async def running(name: str, *arguments: str, database: str | None = None) -> AsyncIterator[Program]:
    """Run a program while the block runs. It is killed if it has not ended by then.

    database: the address of the one to connect to. Raises BackupError when there is no such program.
    """
    address, environment = _without_password(database) if database else ("", {})
    connects = ("--no-password", f"--dbname={address}") if database else ()
    program = Program(
        name,
        await asyncio.create_subprocess_exec(
            _path_of(name), *arguments, *connects, env=os.environ | environment, stdin=PIPE, stdout=PIPE, stderr=PIPE
        ),
    )
    try:
        yield program
    finally:
        await program.close()


def _path_of(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise BackupError(
            f"{name} was not found in PATH: install PostgreSQL's client programs (postgresql-client), of the server's"
            " version or a newer one"
        )
    return path


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """Return the address of a database without its password, and the variable for it: everyone sees arguments."""
    parts = urlsplit(url)
    account, at, place = parts.netloc.rpartition("@")
    user, colon, password = account.partition(":")
    if not colon:
        return url, {}
    return parts._replace(netloc=f"{user}{at}{place}").geturl(), {"PGPASSWORD": unquote(password)}


def _in_a_line(said: str, name: str) -> str:
    """Return the first error of a program, with its details, if it has some."""
    lines = [line.strip().removeprefix(f"{name}: ") for line in said.splitlines() if line.strip()]
    first = next((at for at, line in enumerate(lines) if re.search("error|fatal", line, re.IGNORECASE)), 0)
    details = [line for line in lines[first + 1 : first + 2] if line.lower().startswith("detail")]
    return "; ".join([*lines[first : first + 1], *details])
