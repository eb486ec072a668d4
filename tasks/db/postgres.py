"""A Piccolo engine for PostgreSQL whose transactions always release their connection.

Piccolo 1.38 awaits ROLLBACK and the release unshielded. When an anyio scope (streaming responses, timeouts) cancels
them, the pool loses the connection permanently and the dead transaction stays current.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal

import anyio
import asyncpg
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction
from piccolo.querystring import QueryString

from tasks.db.steps import Rows, Step, Unmet
from tasks.errors import DatabaseAway, away_when
from tasks.tracing import spans
from tasks.tracing.spans import Span

log = logging.getLogger(__name__)

STATEMENT_SECONDS = 10
"""How long a prepared statement is used. PostgreSQL keeps its plan, and that for a small table scans a large one."""

UNAVAILABLE_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # the server shuts down or starts
    asyncpg.InsufficientResourcesError,  # the disk is full, or all connections are taken
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.InternalClientError,  # the connection broke in the middle of an operation
    asyncpg.ReadOnlySQLTransactionError,  # the server is a replica, or is set to read-only
)


class ShieldedTransaction(PostgresTransaction):
    """A transaction whose end cannot be canceled."""

    __slots__ = ()

    async def __aenter__(self) -> PostgresTransaction:
        if self._parent is not None:
            return self._parent
        with away_when(*UNAVAILABLE_ERRORS):
            self.connection = await self.get_connection()
        try:
            with away_when(*UNAVAILABLE_ERRORS):
                self.transaction = self.connection.transaction()
                await self.begin()
        except BaseException:
            await self._give_back()
            raise
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(self, exception_type: object, exception: object, traceback: object) -> Literal[False]:
        if self._parent is not None:
            return False
        try:
            with anyio.CancelScope(shield=True), away_when(*UNAVAILABLE_ERRORS):
                if isinstance(exception, DatabaseAway):
                    pass  # there is nothing left to roll back
                elif exception is not None and not self._rolled_back:
                    await self.rollback()
                elif exception is None and not self._committed and not self._rolled_back:
                    await self.commit()
        finally:
            self.engine.current_transaction.reset(self.context)
            await self._give_back()
        return False

    async def _give_back(self) -> None:
        with anyio.CancelScope(shield=True):
            try:
                if self.engine.pool:  # release() rolls back, which undoes an unfinished BEGIN
                    await self.engine.pool.release(self.connection)
                else:
                    await self.connection.close()
            except UNAVAILABLE_ERRORS as error:  # what was committed stays so: nothing to report
                log.debug("lost a connection: %s", error)


class ShieldedPostgresEngine(PostgresEngine):
    """An engine that connects when it is first used, not when it is imported."""

    __slots__ = ()

    async def check_version(self) -> None:
        """Do nothing: a query here would make importing the tables depend on a database."""

    async def open(self, fewest: int, most: int) -> None:
        """Open a pool of `fewest` to `most` connections. Raises DatabaseAway."""
        with away_when(*UNAVAILABLE_ERRORS):
            await self.start_connection_pool(
                min_size=fewest, max_size=most, reset=_as_it_is, max_cached_statement_lifetime=STATEMENT_SECONDS
            )

    async def close_or_cut(self, within: float) -> None:
        """Close the pool, and cut the connections that are still busy after `within` seconds."""
        pool, self.pool = self.pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(within):
                await pool.close()
        except (TimeoutError, *UNAVAILABLE_ERRORS):
            pool.terminate()

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:
        """Run a query as Piccolo does. Raises DatabaseAway."""
        with away_when(*UNAVAILABLE_ERRORS), self._span(querystring):
            return await super().run_querystring(querystring, in_pool)

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Any:
        """Run a statement of a migration as Piccolo does. Raises DatabaseAway."""
        with away_when(*UNAVAILABLE_ERRORS):
            return await super().run_ddl(ddl, in_pool)

    async def run_alike(self, statements: Sequence[QueryString]) -> list[dict[str, Any]]:
        """Run statements that share one text and return one row each, in one transaction and one round trip."""
        if self.pool is None:
            raise RuntimeError("The database is not open.")
        compiled = [statement.compile_string(self.engine_type) for statement in statements]
        with away_when(*UNAVAILABLE_ERRORS), self._span(statements[0]):
            async with self.pool.acquire() as connection:
                rows = await connection.fetchmany(compiled[0][0], [values for _, values in compiled])
        return [dict(row) for row in rows]

    async def run_steps(self, steps: Sequence[Step]) -> list[Rows] | None:
        """Run statements in one transaction.

        Returns the rows of each statement. Returns None, and changes nothing, when a statement that must return a row
        returns none.
        """
        answers: list[Rows] = []
        with spans.span("transaction"), suppress(Unmet):
            async with self.transaction():
                for step in steps:
                    answers.append(await self._rows_of(step))
                    if len(answers[-1]) < step.least:
                        raise Unmet
            return answers
        return None

    async def _rows_of(self, step: Step) -> Rows:
        if not step.alike:
            return list(await self.run_querystring(step.statement))
        transaction = self.current_transaction.get()
        assert transaction is not None
        with away_when(*UNAVAILABLE_ERRORS), self._span(step.statement):
            rows = await transaction.connection.fetchmany(*step.compiled(self.engine_type))
        return [dict(row) for row in rows]

    def _span(self, querystring: QueryString) -> Span:
        return spans.statement(self.engine_type, lambda: querystring.compile_string(self.engine_type)[0])

    async def make_durable(self) -> None:
        """Do nothing: a committed transaction is already durable."""

    def transaction(self, allow_nested: bool = True) -> ShieldedTransaction:
        """Return a transaction. Inside of another one, it is that one."""
        return ShieldedTransaction(engine=self, allow_nested=allow_nested)


async def _as_it_is(connection: object) -> None:
    """Do nothing to a connection when it returns to the pool.

    asyncpg has already rolled back. The rest of its reset is one more query after each of ours, for features that we do
    not use: session settings, cursors and session locks.
    """
