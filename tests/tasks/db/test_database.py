"""The database engines under stress."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import asyncpg
import pytest

from tasks.db import ids
from tasks.db.database import DB, UNIQUE_VIOLATIONS, now
from tasks.db.sqlite import KeptSQLiteEngine
from tasks.db.steps import step
from tasks.db.tables import Job
from tasks.errors import DatabaseAway
from tasks.jobs import insert, lifecycle
from tasks.settings import ROOT
from tests.waiting import eventually

PASSWORD = "p@ss/wo:r#d %41 $x ü'\"\\"


async def test_a_transaction_that_fails_leaves_nothing() -> None:
    async def failing() -> None:
        async with DB.transaction():
            moment = now()
            await Job(prompt="p", model="m", due_at=moment, created_at=moment, changed_at=moment).save()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert await Job.count() == 0


@pytest.mark.once
async def test_a_writer_that_another_process_holds_up_says_what_to_do_about_it(tmp_path: Path) -> None:
    path = tmp_path / "held.sqlite"
    engine = KeptSQLiteEngine(str(path))
    engine.connection_kwargs["timeout"] = 0.05
    with closing(sqlite3.connect(path, isolation_level=None)) as stopped:
        stopped.execute("CREATE TABLE thing (id)")
        stopped.execute("BEGIN IMMEDIATE")
        for write in (engine.run_ddl("INSERT INTO thing VALUES (1)"), _in_a_transaction(engine)):
            with pytest.raises(DatabaseAway, match="held the lock of the SQLite file"):
                await write
        stopped.execute("ROLLBACK")
        await engine.run_ddl("INSERT INTO thing VALUES (1)")
    await engine.close()


async def _in_a_transaction(engine: KeptSQLiteEngine) -> None:
    async with engine.transaction():
        pytest.fail("it cannot be begun")


async def test_steps_are_done_all_or_none() -> None:
    moment = now()
    job = Job(prompt="p", model="m", due_at=moment, created_at=moment, changed_at=moment)
    insert = step(Job.insert(job))
    nobody = Job.update({Job.prompt: "q"}).where(Job.id == ids.new()).returning(Job.id)
    assert await DB.run_steps([insert, step(nobody, must=True)]) is None
    assert await Job.count() == 0
    with pytest.raises(UNIQUE_VIOLATIONS):
        await DB.run_steps([insert, insert])
    assert await Job.count() == 0
    [inserted, answered] = await DB.run_steps([insert, step(nobody)]) or []
    assert (len(inserted), answered, await Job.count()) == (1, [], 1)


async def test_transactions_that_time_out_give_their_connections_back() -> None:
    async def too_slow() -> None:
        with anyio.fail_after(0.01):
            async with DB.transaction():
                await Job.count()
                await anyio.sleep(1)

    for _ in range(15):  # more than the pool has connections
        with pytest.raises(TimeoutError):
            await too_slow()
    with anyio.fail_after(5):
        async with DB.transaction():
            await Job.insert(insert.new_job("after", "m/m", {}, insert.DEFAULTS, 1))
    assert await Job.count() == 1


async def test_writers_at_once_all_get_their_turn() -> None:
    await asyncio.gather(*(lifecycle.submit(f"fox {number}", "m/m", {}) for number in range(200)))
    assert await Job.count() == 200


async def test_readers_see_what_was_written_before() -> None:
    for number in range(20):
        await lifecycle.submit(f"fox {number}", "m/m", {})
        assert await Job.count() == number + 1


@pytest.mark.skipif(DB.engine_type != "postgres", reason="SQLite has no passwords")
async def test_a_password_of_any_signs_comes_from_the_environment(new_database: Callable[[], Awaitable[str]]) -> None:
    """The password is passed as in docker-compose.yml: in an address, characters like / would end the password."""
    url = urlsplit(await new_database())
    name = url.path.removeprefix("/")
    administrator = await asyncpg.connect(url.geturl())
    try:
        quoted = await administrator.fetchval("SELECT quote_literal($1)", PASSWORD)
        await administrator.execute(f"CREATE ROLE {name} LOGIN PASSWORD {quoted}")
        await administrator.execute(f"ALTER DATABASE {name} OWNER TO {name}")
        await ask_for_passwords(administrator, name)
    finally:
        await administrator.close()

    async def is_asked() -> bool:
        try:
            connection = await asyncpg.connect(url.geturl(), user=name, password="another")
        except asyncpg.InvalidPasswordError:
            return True
        await connection.close()
        return False

    await eventually(is_asked)

    def migrated(password: str) -> subprocess.CompletedProcess[str]:
        environment = {"DATABASE_URL": f"postgres://{name}@{url.hostname}:{url.port}/{name}", "PGPASSWORD": password}
        command = [sys.executable, "-m", "webapp", "migrate"]
        return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)

    right = await asyncio.to_thread(migrated, PASSWORD)
    assert right.returncode == 0, right.stderr
    wrong = await asyncio.to_thread(migrated, "another")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1), wrong.stderr
    assert "DATABASE_URL: password authentication failed" in wrong.stderr


async def ask_for_passwords(administrator: asyncpg.Connection, name: str) -> None:
    """Make the server, which trusts all users, require the password of this user of this database."""
    asked = f"host {name} {name} 127.0.0.1/32 scram-sha-256"
    trusted = await administrator.fetchval("SELECT pg_read_file(current_setting('hba_file'))")
    text = await administrator.fetchval("SELECT quote_literal($1)", f"{asked}\n{trusted}")
    file = await administrator.fetchval("SELECT quote_literal(current_setting('hba_file'))")
    await administrator.execute(f"COPY (SELECT regexp_split_to_table({text}, '\\n')) TO {file}")
    await administrator.execute("SELECT pg_reload_conf()")
