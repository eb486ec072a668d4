"""The database: its engine, opened and closed once per process, and its migrations."""

import asyncio
import io
import logging
import re
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, redirect_stdout
from datetime import UTC, datetime

import asyncpg
from filelock import AsyncFileLock
from piccolo.apps.migrations.tables import Migration

from tasks.db.postgres import ShieldedPostgresEngine
from tasks.db.sqlite import KeptSQLiteEngine
from tasks.db.steps import Step
from tasks.errors import DatabaseAway
from tasks.settings import ROOT, SettingsError, settings

log = logging.getLogger(__name__)

POOL_SIZE = 10
CONNECT_TIMEOUT = 5.0  # seconds
CLOSE_TIMEOUT = 3.0  # seconds for running queries when the process ends
STARTUP_TIMEOUT = 30.0  # seconds to wait for a server that starts or restarts
COMMAND_TIMEOUT = 60.0  # seconds; otherwise a query waits forever for a server that vanished silently
UNIQUE_VIOLATIONS = (asyncpg.UniqueViolationError, sqlite3.IntegrityError)
"""The exceptions that a unique index raises."""
REFUSALS = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
"""The errors of a server that works, but has no such user, password or database."""
APP = "darkroom"
"""Darkroom's name in Piccolo's table of the migrations that were run."""
MIGRATION_LOCK = 0x6461726B  # arbitrary, but the same in every process: PostgreSQL's advisory locks have no names


def _engine() -> KeptSQLiteEngine | ShieldedPostgresEngine:
    path = settings.sqlite_path
    if path is not None:
        return KeptSQLiteEngine(str(path))
    return ShieldedPostgresEngine(
        config={"dsn": settings.database_url, "timeout": CONNECT_TIMEOUT, "command_timeout": COMMAND_TIMEOUT}
    )


DB = _engine()


def now() -> datetime:
    """Return the current time as rows hold it: timezone-aware, in UTC."""
    return datetime.now(UTC)


async def run_inside(steps: Iterable[Step]) -> None:
    """Run the statements of steps inside the transaction under way. Their rows are not looked at."""
    for step in steps:
        await DB.run_querystring(step.statement)


@asynccontextmanager
async def connected() -> AsyncIterator[None]:
    """Migrate the database and keep it open while the block runs, once per process. A nested use changes nothing."""
    if isinstance(DB, ShieldedPostgresEngine) and DB.pool is not None:
        yield
        return
    if settings.sqlite_path is not None:
        settings.sqlite_path.parent.mkdir(parents=True, exist_ok=True)
    async with opened():
        await migrate()
        yield


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    """Keep the database open while the block runs, with the migrations that it has run so far."""
    if isinstance(DB, ShieldedPostgresEngine):
        await _answered(DB)
    try:
        yield
    finally:
        if isinstance(DB, ShieldedPostgresEngine):
            await DB.close_or_cut(CLOSE_TIMEOUT)
        else:
            await DB.close()


async def _answered(engine: ShieldedPostgresEngine) -> None:
    """Open the pool as soon as the server accepts connections.

    Raises DatabaseAway when STARTUP_TIMEOUT is exceeded, and SettingsError when the server refuses us.
    """
    clock = asyncio.get_running_loop().time
    until, wait = clock() + STARTUP_TIMEOUT, 0.2
    while True:
        try:
            return await engine.open(1, POOL_SIZE)
        except REFUSALS as error:
            raise SettingsError(f"DATABASE_URL: {error}") from None
        except DatabaseAway as away:
            if clock() + wait > until:
                raise
            log.warning("%s Trying again.", away)
            await asyncio.sleep(wait)
            wait = min(2 * wait, 5.0)


async def migrate() -> None:
    """Bring the tables up to date. Safe when several processes start at once: one migrates while the others wait."""
    if await _up_to_date():
        return
    # Imported here: it pulls in an entire code formatter, and the tables are up to date at nearly every start.
    from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager

    async with _one_at_a_time():
        with redirect_stdout(io.StringIO()):  # Piccolo prints its own report to the terminal
            result = await ForwardsMigrationManager(app_name=APP).run()
        if not result.success:
            raise RuntimeError(f"The migrations failed: {result.message}")


async def _up_to_date() -> bool:
    return known_migrations() <= await ran_migrations()


async def ran_migrations() -> set[str]:
    """Return the ids of all migrations that the database has run. There may be some of a newer version."""
    if not await Migration.table_exists():
        return set()
    return set(await Migration.get_migrations_which_ran(app_name=APP))


def known_migrations() -> set[str]:
    """Return the ids of all existing migrations, as written in their files. A missing id is returned as ""."""
    files = (ROOT / "piccolo_migrations").glob("darkroom_*.py")
    found = (re.search(r'^ID = "(.+)"$', file.read_text(), re.MULTILINE) for file in files)
    return {match[1] if match else "" for match in found}


@asynccontextmanager
async def _one_at_a_time() -> AsyncIterator[None]:
    if settings.sqlite_path is not None:
        async with AsyncFileLock(f"{settings.sqlite_path}.lock"):
            yield
        return
    connection = await asyncpg.connect(settings.database_url)  # the lock lives as long as its connection
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        yield
    finally:
        await connection.close()
