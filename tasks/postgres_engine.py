"""Piccolo's PostgreSQL engine whose transactions give their connection back whatever happens.

Piccolo 1.38 awaits ROLLBACK and the release unshielded: an anyio scope (streaming answers, time-outs) cancels them, the
pool loses the connection for good and the dead transaction stays current.
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

from tasks.failures import DatabaseAway, away_when
from tasks.steps import Rows, Step, Unmet

log = logging.getLogger(__name__)

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it shuts down, or starts
    asyncpg.InsufficientResourcesError,  # its disk is full, or its connections are all taken
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.InternalClientError,  # the connection broke in the middle of something
    asyncpg.ReadOnlySQLTransactionError,  # it is a replica, or was told to take nothing
)


class ShieldedTransaction(PostgresTransaction):
    """A transaction whose end cannot be cancelled."""

    __slots__ = ()

    async def __aenter__(self) -> PostgresTransaction:
        if self._parent is not None:
            return self._parent
        with away_when(*AWAY):
            self.connection = await self.get_connection()
        try:
            with away_when(*AWAY):
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
            with anyio.CancelScope(shield=True), away_when(*AWAY):
                if isinstance(exception, DatabaseAway):
                    pass  # nothing is left that could be rolled back
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
                if self.engine.pool:  # which rolls back, so that a half-made BEGIN is undone
                    await self.engine.pool.release(self.connection)
                else:
                    await self.connection.close()
            except AWAY as error:  # what was committed is: nothing is left to be said
                log.debug("a connection is gone: %s", error)


class ShieldedPostgresEngine(PostgresEngine):
    """The engine. It connects when it is first used, not when it is imported."""

    __slots__ = ()

    async def check_version(self) -> None:
        """Nothing: asking the server would make importing the tables depend on a database."""

    async def open(self, fewest: int, most: int) -> None:
        """Open a pool of so many connections. Raises DatabaseAway."""
        with away_when(*AWAY):
            await self.start_connection_pool(min_size=fewest, max_size=most, reset=_as_it_is)

    async def close_or_cut(self, within: float) -> None:
        """Close the pool; what is still at work after so many seconds is cut off."""
        pool, self.pool = self.pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(within):
                await pool.close()
        except (TimeoutError, *AWAY):
            pool.terminate()

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:
        with away_when(*AWAY):
            return await super().run_querystring(querystring, in_pool)

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Any:
        with away_when(*AWAY):
            return await super().run_ddl(ddl, in_pool)

    async def run_alike(self, statements: Sequence[QueryString]) -> list[dict[str, Any]]:
        """Run statements of one text, each of which answers one row, in one transaction and one round trip."""
        if self.pool is None:
            raise RuntimeError("The database is not open.")
        compiled = [statement.compile_string(self.engine_type) for statement in statements]
        with away_when(*AWAY):
            async with self.pool.acquire() as connection:
                rows = await connection.fetchmany(compiled[0][0], [values for _, values in compiled])
        return [dict(row) for row in rows]

    async def run_steps(self, steps: Sequence[Step]) -> list[Rows] | None:
        """Run statements in one transaction.

        Returns what each of them answers, or None where one that must answer a row does not: then nothing is done.
        """
        answers: list[Rows] = []
        with suppress(Unmet):
            async with self.transaction():
                for step in steps:
                    answers.append(await self.run_querystring(step.statement))
                    if step.must and not answers[-1]:
                        raise Unmet
            return answers
        return None

    async def make_durable(self) -> None:
        """Nothing: what was committed is."""

    def transaction(self, allow_nested: bool = True) -> ShieldedTransaction:
        return ShieldedTransaction(engine=self, allow_nested=allow_nested)


async def _as_it_is(connection: object) -> None:
    """What a connection goes through between its users: nothing.

    asyncpg has rolled back by now. The rest of its reset is one more query after each of ours, for what we do not use:
    settings, cursors and locks of a session.
    """
