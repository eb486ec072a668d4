"""`darkroom migrate --check` and `--plan` tell how a database stands to this version, and change nothing."""

import asyncio
import os
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from piccolo.apps.migrations.tables import Migration

from tasks.db.database import APP, DB, known_migrations
from tasks.settings import ROOT

NewDatabase = Callable[[], Awaitable[str]]
UP_TO_DATE = (0, ["The database is up to date."])
WAITS = "run `darkroom migrate`, or start the web server or a worker, which run what waits first."
NEWER = (
    "The database is newer than this version of Darkroom: it has run 1 migration that this version does not know."
    " Use the newer version."
)


async def migrate(*words: str, **environment: str) -> tuple[int | None, list[str]]:
    """Run the command on the tests' own database, or on another. Returns its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "webapp", "migrate", *words), cwd=ROOT, env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, said.decode().splitlines()


@pytest.fixture
async def without_the_last(database: None) -> AsyncIterator[str]:
    """Yield the last migration, which the database has not run so far as it knows."""
    [last] = sorted(known_migrations())[-1:]
    await Migration.delete().where(Migration.name == last, Migration.app_name == APP)
    yield last
    await Migration.insert(Migration(name=last, app_name=APP))


@pytest.fixture
async def newer(database: None) -> AsyncIterator[None]:
    await Migration.insert(Migration(name="2999-01-01T00:00:00:000000", app_name=APP))
    yield
    await Migration.delete().where(Migration.name == "2999-01-01T00:00:00:000000")


async def test_a_database_that_is_up_to_date_is_told_to_be() -> None:
    assert await migrate("--check") == UP_TO_DATE
    assert await migrate("--plan") == UP_TO_DATE


async def test_what_waits_is_counted_listed_and_not_run(without_the_last: str) -> None:
    verdict = f"1 migration waits: {WAITS}"
    assert await migrate("--check") == (1, [verdict])
    code, [planned, *rest] = await migrate("--plan")
    id_, _, description = planned.partition("  ")
    assert (code, id_, rest) == (0, without_the_last, [verdict])
    file = ROOT / "piccolo_migrations" / f"darkroom_{re.sub('[-:]', '_', id_).lower()}.py"
    assert f'\nDESCRIPTION = "{description}"\n' in file.read_text()
    assert without_the_last not in await Migration.get_migrations_which_ran(app_name=APP)


async def test_a_database_of_a_newer_version_is_told_to_be_and_may_be_used_all_the_same(newer: None) -> None:
    assert await migrate("--check") == (1, [NEWER])
    assert await migrate("--plan") == (0, [NEWER])
    assert await migrate() == (0, [])


async def test_all_migrations_of_an_empty_database_wait_in_their_order_and_it_stays_empty(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    environment = {"DATABASE_URL": await new_database(), "DATA_DIR": str(tmp_path / "data")}
    known = sorted(known_migrations())
    code, lines = await migrate("--plan", **environment)
    assert (code, [line.partition("  ")[0] for line in lines[:-1]]) == (0, known)
    assert await migrate("--check", **environment) == (1, [f"{len(known)} migrations wait: {WAITS}"])
    assert files(tmp_path) == {}
    assert await what_is_in(environment["DATABASE_URL"]) == []


async def what_is_in(url: str) -> list[str]:
    """Return the tables of a PostgreSQL database, or the files in the folder of an SQLite file."""
    if DB.engine_type == "sqlite":
        return list(files(Path(url.removeprefix("sqlite:///")).parent))
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
    finally:
        await connection.close()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.once
@pytest.mark.parametrize("up_to_date", [True, False])
async def test_an_sqlite_file_is_only_read(tmp_path: Path, up_to_date: bool) -> None:
    file = tmp_path / "a ?#% of.sqlite"
    with closing(sqlite3.connect(file)) as connection:  # its journal is not yet ours, as in a backup
        if up_to_date:
            connection.execute("CREATE TABLE migration (name, app_name)")
            rows = [(id_, APP) for id_ in known_migrations()]
            connection.executemany("INSERT INTO migration VALUES (?, ?)", rows)
            connection.commit()
        else:
            file.write_bytes(b"")
    before = files(tmp_path)
    code, _ = await migrate("--check", DATABASE_URL=f"sqlite:///{file}", DATA_DIR=str(tmp_path / "data"))
    assert code == (0 if up_to_date else 1)
    assert files(tmp_path) == before


@pytest.mark.once
async def test_a_file_that_is_no_database_is_refused_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite"
    file.write_bytes(b"no database" * 100)
    code, lines = await migrate("--check", DATABASE_URL=f"sqlite:///{file}", DATA_DIR=str(tmp_path / "data"))
    assert (code, lines) == (2, [f"darkroom: DATABASE_URL: {file} cannot be read (file is not a database)"])
