"""Piccolo's PostgreSQL engine whose transactions give their connection back whatever happens.

Piccolo 1.38 awaits ROLLBACK and the release unshielded: an anyio scope (streaming answers, time-outs) cancels them, the
pool loses the connection for good and the dead transaction stays current.
"""

from typing import Literal

import anyio
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction


class ShieldedTransaction(PostgresTransaction):
    """A transaction whose end cannot be cancelled."""

    __slots__ = ()

    async def __aenter__(self) -> PostgresTransaction:
        if self._parent is not None:
            return self._parent
        self.connection = await self.get_connection()
        try:
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
            with anyio.CancelScope(shield=True):
                if exception is not None and not self._rolled_back:
                    await self.rollback()
                elif exception is None and not self._committed and not self._rolled_back:
                    await self.commit()
        finally:
            self.engine.current_transaction.reset(self.context)
            await self._give_back()
        return False

    async def _give_back(self) -> None:
        with anyio.CancelScope(shield=True):
            if self.engine.pool:
                await self.engine.pool.release(self.connection)  # resets the session, so a half-made BEGIN is undone
            else:
                await self.connection.close()


class ShieldedPostgresEngine(PostgresEngine):
    """The engine. It connects when it is first used, not when it is imported."""

    __slots__ = ()

    async def check_version(self) -> None:
        """Nothing: asking the server would make importing the tables depend on a database."""

    def transaction(self, allow_nested: bool = True) -> ShieldedTransaction:
        return ShieldedTransaction(engine=self, allow_nested=allow_nested)
