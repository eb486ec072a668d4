"""A Piccolo engine for SQLite with connections that stay open: one writer and a few readers, in WAL mode.

Piccolo 1.38 opens a connection, and with it a thread, for every query; kept connections have about ten times the
throughput. Its transactions also leak their connection when BEGIN, COMMIT or ROLLBACK fails or is canceled; the
transactions here discard it.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from sqlite3 import OperationalError
from typing import Any, Literal

import anyio
from aiosqlite import Connection
from piccolo.engine.sqlite import SQLiteEngine, SQLiteTransaction, TransactionType, dict_factory
from piccolo.querystring import QueryString

from tasks.db.steps import Rows, Step, Unmet
from tasks.errors import DatabaseAway
from tasks.tracing import spans

READERS = 4
FETCHED_ROWS = 64  # rows that aiosqlite fetches at a time when it iterates
BUSY_TIMEOUT = 15.0  # seconds a writer waits for another process's transaction
PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "temp_store=MEMORY")
UNAVAILABLE_CODES = (
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_INTERRUPT,
)  # fmt: skip
LOCKED_MESSAGE = (
    f"Another process has held the lock of the SQLite file for {BUSY_TIMEOUT:.0f} s. It may be stopped,"
    " or hang in the middle of a write. Run `fuser` to find what has the file open; continue it, or end it."
)


@contextmanager
def _away() -> Iterator[None]:
    """Raise DatabaseAway in place of SQLite's own errors while the block runs.

    They mean that the file is locked for too long, cannot be used, or is on a full disk. An error about a statement
    that SQLite cannot run is our own fault and is raised unchanged.
    """
    try:
        yield
    except OperationalError as error:
        code = error.sqlite_errorcode & 0xFF  # the primary code, without SQLite's extension of it
        if code == sqlite3.SQLITE_BUSY:
            raise DatabaseAway(LOCKED_MESSAGE) from error
        if code not in UNAVAILABLE_CODES:
            raise
        raise DatabaseAway(f"The database is not responding: {error}") from error


Compiled = tuple[str, Sequence[Sequence[Any]], int]
"""A step: its text, the values of each run, and the number of rows that it must return."""


class _Connection(Connection):
    """A connection that runs a transaction of many statements in one trip to its thread."""

    async def fetch_each(self, sql: str, rows: Sequence[Sequence[Any]]) -> Rows:
        """Run one statement with each row of values, and return the rows of all runs together."""
        answers: Rows = await self._execute(self._fetch_each, sql, rows)
        return answers

    async def fetch_steps(self, steps: Sequence[Compiled]) -> list[Rows] | None:
        """Run each step, and return its rows.

        Returns None, and changes nothing, when a statement that must return a row returns none.
        """
        answers: list[Rows] | None = await self._execute(self._fetch_steps, steps)
        return answers

    def _fetch_each(self, sql: str, rows: Sequence[Sequence[Any]]) -> Rows:
        with self._immediately():
            return [row for values in rows for row in self._conn.execute(sql, values).fetchall()]

    def _fetch_steps(self, steps: Sequence[Compiled]) -> list[Rows] | None:
        answers: list[Rows] = []
        with suppress(Unmet), self._immediately():
            for sql, runs, least in steps:
                answers.append([row for values in runs for row in self._conn.execute(sql, values).fetchall()])
                if len(answers[-1]) < least:
                    raise Unmet
            return answers
        return None

    @contextmanager
    def _immediately(self) -> Iterator[None]:
        """Hold a transaction while the block runs, in the connection's own thread: no code of ours runs in between."""
        self._conn.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._conn.execute("COMMIT")
        except BaseException:
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")
            raise


class _Connections:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.write_lock = asyncio.Lock()
        self.writer: _Connection | None = None
        self.reading = asyncio.Semaphore(READERS)
        self.idle_readers: list[_Connection] = []
        self.closing: set[asyncio.Task[None]] = set()

    def discard_writer(self) -> None:
        """Discard a connection whose state is unknown.

        Closing rolls back. It is not awaited, because it may hang in BEGIN.
        """
        if self.writer is not None:
            task = asyncio.create_task(self.writer.close())
            self.closing.add(task)
            task.add_done_callback(self.closing.discard)
            self.writer = None


class KeptTransaction(SQLiteTransaction):
    """A BEGIN IMMEDIATE transaction on the one writer.

    Two transactions of the same process never overlap at SQLite; those of two processes queue there.
    """

    __slots__ = ("connections",)
    engine: "KeptSQLiteEngine"

    async def __aenter__(self) -> SQLiteTransaction:
        if self._parent is not None:
            return self._parent
        self.connections = self.engine.connections()
        await self.connections.write_lock.acquire()
        try:
            with _away():
                self.connection = await self.engine.writer(self.connections)
                await self.begin()
        except BaseException:
            self.connections.discard_writer()
            self.connections.write_lock.release()
            raise
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(self, exception_type: object, exception: object, traceback: object) -> Literal[False]:
        if self._parent is not None:
            return False
        try:
            # Shielded: an anyio scope cancels every await again, including that of ROLLBACK.
            with anyio.CancelScope(shield=True), _away():
                if exception is not None and not self._rolled_back:
                    await self.rollback()
                elif exception is None and not self._committed and not self._rolled_back:
                    await self.commit()
        except BaseException:
            self.connections.discard_writer()
            raise
        finally:
            self.engine.current_transaction.reset(self.context)
            self.connections.write_lock.release()
        return False


class KeptSQLiteEngine(SQLiteEngine):
    """An engine whose connections belong to the event loop that first uses it. `close` closes them."""

    __slots__ = ("_connections",)

    def __init__(self, path: str) -> None:
        self._connections: _Connections | None = None
        super().__init__(path=path, timeout=BUSY_TIMEOUT)

    def connections(self) -> _Connections:
        """Return the connections of this event loop."""
        if self._connections is None or self._connections.loop is not asyncio.get_running_loop():
            self._connections = _Connections()
        return self._connections

    async def writer(self, connections: _Connections) -> _Connection:
        """Return the one connection that writes, opening it when there is none. Hold `write_lock` to use it."""
        if connections.writer is None:
            connections.writer = await self.get_connection()
        return connections.writer

    async def get_connection(self) -> _Connection:
        """Open a connection."""
        connection = _Connection(partial(sqlite3.connect, **self.connection_kwargs), FETCHED_ROWS)
        connection._thread.daemon = True  # a connection left open must not keep the process alive
        await connection
        connection.row_factory = dict_factory  # type: ignore[assignment]
        try:
            for pragma in PRAGMAS:
                await connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _run_in_new_connection(
        self, query: str, args: Sequence[Any] | None = None, query_type: str = "generic", table: object = None
    ) -> list[Any]:
        with spans.statement(self.engine_type, lambda: query):
            if query.lstrip()[:6].upper() == "SELECT":
                return await self._read(query, args or [])
            connections = self.connections()
            async with connections.write_lock:
                with _away():
                    writer = await self.writer(connections)
                    return list(await writer.execute_fetchall(query, args or []))

    async def _read(self, query: str, args: Sequence[Any]) -> list[Any]:
        connections = self.connections()
        async with connections.reading:
            with _away():
                reader = connections.idle_readers.pop() if connections.idle_readers else await self.get_connection()
            try:
                with _away():
                    return list(await reader.execute_fetchall(query, args))
            finally:
                connections.idle_readers.append(reader)

    async def _run_in_existing_connection(
        self,
        connection: Connection,
        query: str,
        args: Sequence[Any] | None = None,
        query_type: str = "generic",
        table: object = None,
    ) -> list[Any]:
        with _away(), spans.statement(self.engine_type, lambda: query):
            return list(await connection.execute_fetchall(query, args or []))

    async def run_alike(self, statements: Sequence[QueryString]) -> list[dict[str, Any]]:
        """Run statements that share one text and return one row each, in one transaction."""
        compiled = [statement.compile_string(self.engine_type) for statement in statements]
        text = compiled[0][0]
        connections = self.connections()
        with spans.statement(self.engine_type, lambda: text):
            async with connections.write_lock:
                with _away():
                    writer = await self.writer(connections)
                    return await writer.fetch_each(text, [values for _, values in compiled])

    async def run_steps(self, steps: Sequence[Step]) -> list[Rows] | None:
        """Run statements in one transaction, in one trip to SQLite's thread, so that it is as short as possible.

        Returns the rows of each statement. Returns None, and changes nothing, when a statement that must return a row
        returns none.
        """
        compiled = [self._compiled(step) for step in steps]
        connections = self.connections()
        with spans.statement(self.engine_type, lambda: "; ".join(text for text, *_ in compiled), "transaction"):
            async with connections.write_lock:
                with _away():
                    writer = await self.writer(connections)
                    return await writer.fetch_steps(compiled)

    def _compiled(self, step: Step) -> Compiled:
        return (*step.compiled(self.engine_type), step.least)

    async def make_durable(self) -> None:
        """Make committed transactions survive a power cut. Before a checkpoint they survive only a kill."""
        await self._run_in_new_connection("PRAGMA wal_checkpoint(PASSIVE)")

    def transaction(
        self, transaction_type: TransactionType = TransactionType.immediate, allow_nested: bool = True
    ) -> KeptTransaction:
        """Return a transaction. Inside of another one, it is that one."""
        return KeptTransaction(engine=self, transaction_type=transaction_type, allow_nested=allow_nested)

    async def close(self) -> None:
        """Close every connection of this event loop."""
        connections = self.connections()
        async with connections.write_lock:
            while connections.idle_readers:  # a reader may come back while another is closed
                await connections.idle_readers.pop().close()
            if connections.writer is not None:
                await connections.writer.close()
            connections.writer = None
        await asyncio.gather(*connections.closing, return_exceptions=True)
