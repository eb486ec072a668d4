"""Copies a PostgreSQL database with pg_dump while others write to it, and loads such a copy."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from tasks.backup.postgres_programs import running
from tasks.backup.rows import Row, Rows
from tasks.db.database import CONNECT_TIMEOUT
from tasks.db.postgres import UNAVAILABLE_ERRORS
from tasks.errors import away_when

FETCHED_ROWS = 1000
OF_NOBODY = ("--no-owner", "--no-privileges", "--no-comments")
"""Another user may load the copy, on another server."""
PLAIN = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--output={os.devnull}")
LOCK_TIMEOUT = "SET lock_timeout = '30s'"  # for the tables that are dropped: a process may be using them
DROPS = (
    "SELECT format('DROP TABLE %I CASCADE', tablename) AS drop FROM pg_tables WHERE schemaname = current_schema()"
    " UNION ALL SELECT format('DROP FUNCTION %s CASCADE', oid::regprocedure) FROM pg_proc"
    " WHERE pronamespace = current_schema()::regnamespace AND prokind = 'f'"
    " AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')"
)
"""What is in the schema, except for what belongs to an extension."""


class PostgresDatabase:
    """The database at an address. Its methods are those of SQLiteDatabase."""

    name = "PostgreSQL"
    extension = "dump"
    tables = "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()"

    def __init__(self, url: str) -> None:
        self._url = url

    @asynccontextmanager
    async def rows(self) -> AsyncIterator[Rows]:
        """Yield what reads the database as of one moment. Raises DatabaseAway."""
        async with self._reader() as (_, rows):
            yield rows

    @asynccontextmanager
    async def copied(self, target: Path) -> AsyncIterator[Rows]:
        """Copy the database as of one moment to a new file, and yield what reads the database as of this moment.

        Raises BackupError when there is no pg_dump or it fails, OSError when the file cannot be written, and
        DatabaseAway.
        """
        async with self._reader() as (connection, rows):
            with away_when(*UNAVAILABLE_ERRORS):
                moment = await connection.fetchval("SELECT pg_export_snapshot()")
            arguments = ("--format=custom", f"--snapshot={moment}", *OF_NOBODY)
            async with running("pg_dump", *arguments, database=self._url) as dump:
                with await asyncio.to_thread(target.open, "xb") as copy:
                    async for piece in dump.output():
                        await asyncio.to_thread(copy.write, piece)
                await dump.ended()
            yield rows

    async def load(self, copy: Path, changes: Sequence[str]) -> None:
        """Replace everything in the database with a copy, changed by some statements: all of it at once, or nothing.

        Raises BackupError when there is no pg_restore or psql, or one fails, and DatabaseAway.
        """
        async with self.rows() as rows:
            drops = [row["drop"] async for row in rows(DROPS)]
            schema = [row["schema"] async for row in rows("SELECT quote_ident(current_schema()) AS schema")]
        before = ["BEGIN", LOCK_TIMEOUT, *drops]
        after = [f"SET search_path TO {schema[0]}", *changes, "COMMIT"]
        restored = running("pg_restore", "--file=-", *OF_NOBODY, str(copy))
        async with restored as script, running("psql", *PLAIN, database=self._url) as psql:
            await psql.write(_statements(before))
            async for piece in script.output():
                await psql.write(piece)
            await script.ended()  # if it has failed, psql is killed before it comes to COMMIT
            await psql.write(_statements(after))
            await psql.ended()

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[tuple[asyncpg.Connection, Rows]]:
        with away_when(*UNAVAILABLE_ERRORS):
            connection = await asyncpg.connect(self._url, timeout=CONNECT_TIMEOUT)

        async def rows(query: str) -> AsyncGenerator[Row, None]:
            with away_when(*UNAVAILABLE_ERRORS):
                async for row in connection.cursor(query, prefetch=FETCHED_ROWS):
                    yield dict(row)

        try:
            with away_when(*UNAVAILABLE_ERRORS):
                await connection.transaction(isolation="repeatable_read", readonly=True).start()
                await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # pg_dump takes its time
            yield connection, rows
        finally:
            with suppress(*UNAVAILABLE_ERRORS):
                await connection.close()  # and with it ends the transaction, which changed nothing


def _statements(statements: Sequence[str]) -> bytes:
    return "".join(f"{statement};\n" for statement in statements).encode()
