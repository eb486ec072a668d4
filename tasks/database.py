"""The database: its engine, opened and closed once a process, and its migrations."""

import asyncio
import io
import logging
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta

import asyncpg
from filelock import AsyncFileLock
from piccolo.apps.migrations.tables import Migration
from piccolo.querystring import QueryString

from tasks.failures import DatabaseAway
from tasks.postgres_engine import ShieldedPostgresEngine
from tasks.settings import ROOT, settings
from tasks.sqlite_engine import KeptSQLiteEngine

log = logging.getLogger(__name__)

POOL_SIZE = 10
CONNECT_TIMEOUT = 5.0  # seconds
CLOSE_TIMEOUT = 3.0  # seconds for queries under way when the process ends
PATIENCE = 30.0  # seconds for a server that starts, or starts again
COMMAND_TIMEOUT = 60.0  # seconds; a server that is gone without a word would be waited for without end
TAKEN = (asyncpg.UniqueViolationError, sqlite3.IntegrityError)
"""What a unique index raises."""
MIGRATION_LOCK = 0x6461726B  # any number, the same in every process: PostgreSQL's advisory locks have no names


def _engine() -> KeptSQLiteEngine | ShieldedPostgresEngine:
    path = settings.sqlite_path
    if path is not None:
        return KeptSQLiteEngine(str(path))
    return ShieldedPostgresEngine(
        config={"dsn": settings.database_url, "timeout": CONNECT_TIMEOUT, "command_timeout": COMMAND_TIMEOUT}
    )


DB = _engine()


def now() -> datetime:
    """This moment, as rows hold it: aware, in UTC."""
    return datetime.now(UTC)


def from_now(seconds: float = 0.0) -> datetime | QueryString:
    """So many seconds from now by the database's clock: leases and waits must not depend on which worker asks.

    A value for queries. SQLite has the clock of this machine, as has every process that opens its file.
    """
    if DB.engine_type == "postgres":
        return QueryString("now() + make_interval(secs => {})", float(seconds))
    return now() + timedelta(seconds=seconds)


@asynccontextmanager
async def connected() -> AsyncIterator[None]:
    """The database, migrated and open, for the life of a process. Inside another one it changes nothing."""
    if isinstance(DB, ShieldedPostgresEngine) and DB.pool is not None:
        yield
        return
    if settings.sqlite_path is not None:
        settings.sqlite_path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(DB, ShieldedPostgresEngine):
        await _answered(DB)
    try:
        await migrate()
        yield
    finally:
        if isinstance(DB, ShieldedPostgresEngine):
            await DB.close_or_cut(CLOSE_TIMEOUT)
        else:
            await DB.close()


async def _answered(engine: ShieldedPostgresEngine) -> None:
    """Open the pool as soon as the server takes connections. Raises DatabaseAway when it does not for long."""
    clock = asyncio.get_running_loop().time
    until, wait = clock() + PATIENCE, 0.2
    while True:
        try:
            return await engine.open(1, POOL_SIZE)
        except DatabaseAway as away:
            if clock() + wait > until:
                raise
            log.warning("%s Trying again.", away)
            await asyncio.sleep(wait)
            wait = min(2 * wait, 5.0)


async def migrate() -> None:
    """Bring the tables up to date. Safe when several processes start at once: one does it, the others wait and see."""
    if await _up_to_date():
        return
    # Imported here: it brings along a whole code formatter, and the tables are up to date at nearly every start.
    from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager

    async with _one_at_a_time():
        with redirect_stdout(io.StringIO()):  # Piccolo reports to the terminal, in its own way
            result = await ForwardsMigrationManager(app_name="darkroom").run()
        if not result.success:
            raise RuntimeError(f"The migrations failed: {result.message}")


async def _up_to_date() -> bool:
    if not await Migration.table_exists():
        return False
    return known_migrations() <= set(await Migration.get_migrations_which_ran(app_name="darkroom"))


def known_migrations() -> set[str]:
    """The ids of the migrations that there are, as they stand in their files. One that is not found stands for ""."""
    files = (ROOT / "piccolo_migrations").glob("darkroom_*.py")
    found = (re.search(r'^ID = "(.+)"$', file.read_text(), re.MULTILINE) for file in files)
    return {match[1] if match else "" for match in found}


@asynccontextmanager
async def _one_at_a_time() -> AsyncIterator[None]:
    if settings.sqlite_path is not None:
        async with AsyncFileLock(f"{settings.sqlite_path}.lock"):
            yield
        return
    connection = await asyncpg.connect(settings.database_url)  # a lock lives as long as its own connection
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        yield
    finally:
        await connection.close()
