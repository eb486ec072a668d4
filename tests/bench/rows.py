"""The rows of a measured system as another program reads them: Darkroom and the reference both have a table `job`."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from typing import Any, Protocol

import asyncpg

Row = tuple[Any, ...]


class Rows(Protocol):
    """An open database."""

    async def ask(self, query: str) -> list[Row]:
        """Return the rows that a SELECT finds."""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Rows]:
    """Open the database behind a DATABASE_URL while the block runs."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=15)) as connection:
            yield _SQLite(connection)
        return
    server = await asyncpg.connect(url)
    try:
        yield _Postgres(server)
    finally:
        await server.close()


async def count(rows: Rows, status: str = "completed") -> int:
    """Return how many jobs have a status."""
    [(found,)] = await rows.ask(f"SELECT count(*) FROM job WHERE status = '{status}'")
    return int(found)


def moment(value: datetime | str) -> float:
    """Return a time of a row in Unix seconds.

    SQLite returns it as text. The reference's text has no time zone: it is UTC.
    """
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


class _SQLite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def ask(self, query: str) -> list[Row]:
        return self._connection.execute(query).fetchall()


class _Postgres:
    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def ask(self, query: str) -> list[Row]:
        return [tuple(row) for row in await self._connection.fetch(query)]
